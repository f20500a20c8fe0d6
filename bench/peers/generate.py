"""transformers' side of the benchmarks: generate.py FOLDER THREADS DEVICE. FOLDER holds teacher/, a checkpoint of BLIP-2 with OPT, and data.safetensors. It
answers lines of JSON as peer.py does, which says how; the one request is "answer"."""
import os
import time

import torch
import transformers

import line
from network import load_file, normalised


class Peer:
    def __init__(self, folder, device):
        self.net = transformers.Blip2ForConditionalGeneration.from_pretrained(os.path.join(folder, "teacher"), dtype="auto").eval().to(device)
        t = load_file(os.path.join(folder, "data.safetensors"))
        c = self.net.config
        self.pictures = t["answer.pixels"]
        image = torch.full((len(self.pictures), c.num_query_tokens), c.image_token_index)
        self.ids = torch.cat((image, t["answer.prompts"].long()), 1)

    def answer(self, n, net, first, batch, most, eos):
        """n times the greedy answers to one question each about so many pictures."""
        seconds, answers = [], []
        for i in range(n):
            at = torch.arange(first + i * batch, first + (i + 1) * batch) % len(self.ids)
            pixels, ids = self.pictures[at], self.ids[at]
            start = time.perf_counter()
            pixels, ids = pixels.to(self.net.device), ids.to(self.net.device)
            out = self.net.generate(pixel_values=normalised(pixels).to(self.net.dtype), input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, num_beams=1,
                                    max_new_tokens=most, eos_token_id=eos, pad_token_id=eos)
            seconds.append(time.perf_counter() - start)
            for row in out[:, ids.shape[1] :].tolist():
                answers.append(row[: row.index(eos)] if eos in row else row)
        return {"seconds": seconds, "answers": answers}


line.serve(Peer, versions={"transformers": transformers.__version__})
