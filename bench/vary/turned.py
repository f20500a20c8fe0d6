"""Gives the digits of examples/digits a split ood: the test pictures, each turned by 15 degrees to one side or the other, which no
change of [data.vary] does.
Run: pip install pillow && python bench/vary/turned.py FOLDER (with what examples/digits/make_digits.py wrote)"""
import json
import pathlib
import sys

from PIL import Image

root = pathlib.Path(sys.argv[1])
(root / "ood").mkdir(exist_ok=True)
with open(root / "ood" / "metadata.jsonl", "w", encoding="utf-8") as out:
    for line in open(root / "test" / "metadata.jsonl", encoding="utf-8"):
        row = json.loads(line)
        name = pathlib.Path(row["file_name"]).stem
        picture = Image.open(root / "images" / f"{name}.png").resize((24, 24), Image.BICUBIC)
        picture.rotate(15 if int(name) % 2 else -15, Image.BICUBIC).save(root / "images" / f"{name}-turned.png")
        print(json.dumps(row | {"file_name": f"../images/{name}-turned.png"}), file=out)
