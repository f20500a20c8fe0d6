"""Answers questions with model.pt, a file of `model export`, over torch alone: main.cpp in Python.

python answer.py model.pt pixels.bin ids.txt [tokens of an answer, 16] [rows at once, 8]
"""
import json
import sys

import torch


def padded(rows):
    """Rows of different lengths as one tensor, padded on the right, and a mask that says what is there."""
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    mask = ids.clone()
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), 1
    return ids, mask


def answer(model, pixels, prompts, instructions, ends, tokens):
    """The greedy answer of each row, without the id that ends it, which is one of ends."""
    prefix = model.encode(pixels, *padded(instructions)) if instructions[0] else model.encode(pixels)
    logits, state = model.prefill(prefix, *padded(prompts))
    answers, done = [[] for _ in prompts], [False] * len(prompts)
    for n in range(1, tokens + 1):
        token = logits.argmax(-1)
        for i, id in enumerate(token.tolist()):
            done[i] = done[i] or id in ends
            if not done[i]:
                answers[i].append(id)
        if all(done) or n == tokens:
            return answers
        logits, state = model.step(token, state)


def main(file, pixels, ids, tokens=16, at_once=8):
    extra = {"espalier.json": ""}
    model = torch.jit.load(file, _extra_files=extra)
    about = json.loads(extra["espalier.json"])
    rows = [[[int(id) for id in part.split()] for part in (line + "|").split("|")[:2]] for line in open(ids)]
    shape = (len(rows), 3, about["image_size"], about["image_size"])
    pictures = torch.from_file(pixels, size=torch.Size(shape).numel()).view(shape)
    with torch.inference_mode():
        for i in range(0, len(rows), at_once):
            prompts, instructions = zip(*rows[i : i + at_once])
            for found in answer(model, pictures[i : i + at_once], prompts, instructions, about["eos_token_ids"], tokens):
                print(*found)


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))
