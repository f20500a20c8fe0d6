"""Writes the handwritten digits that scikit-learn ships (1,797 pictures of 8 × 8 pixels) as a data set for the pipeline:
data/<split>/metadata.jsonl with two questions a picture, data/images/<number>.png.
Run: pip install scikit-learn pillow && python make_digits.py [folder]"""
import json
import pathlib
import random
import sys

from PIL import Image
from sklearn.datasets import load_digits

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SHARES = [("test", 0.2), ("validation", 0.1)]  # of each digit's pictures; the rest is for training


def questions(digit):
    """-> (question, answer, task) of a picture."""
    yield "which digit is this", NAMES[digit], "digit"
    yield "is this digit even or odd", ["even", "odd"][digit % 2], "parity"


def main(root):
    digits = load_digits()
    splits = {name: [] for name in ("train", "validation", "test")}
    for digit in range(10):  # digit by digit, so that every split has its share of each
        numbers = [i for i, target in enumerate(digits.target) if target == digit]
        random.Random(digit).shuffle(numbers)
        for name, share in SHARES:
            count = round(len(numbers) * share)
            splits[name] += numbers[:count]
            numbers = numbers[count:]
        splits["train"] += numbers

    (root / "images").mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(digits.images):
        Image.fromarray((picture * 255 / 16).round().astype("uint8")).save(root / "images" / f"{i}.png")
    for name, numbers in splits.items():
        (root / name).mkdir(exist_ok=True)
        with open(root / name / "metadata.jsonl", "w", encoding="utf-8") as out:
            for i in sorted(numbers):
                digit = int(digits.target[i])
                for question, answer, task in questions(digit):
                    row = dict(file_name=f"../images/{i}.png", question=question, answer=answer, task=task, category=NAMES[digit])
                    print(json.dumps(row), file=out)
        print(f"{root / name}: {len(numbers)} pictures")


main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "data")
