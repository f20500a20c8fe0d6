"""Runs the code of model cards as it stands there and compares its answers with this program's.

    python cards.py FOLDER... [--bin FOLDER] [--question TEXT]

Each FOLDER is a student that plain transformers loads, or holds such students at any depth. The Python code of its README.md is
run with nothing but the names of the folder, of a picture and of a question filled in, and must print what `model generate` answers. The front matter must
be one that huggingface_hub reads. One line a student; the exit status is 1 if one fails. setup.sh makes the Python environment, `make` the bin/."""
import argparse, contextlib, io, json, os, re, subprocess, sys, tempfile, warnings
from huggingface_hub import ModelCard
from PIL import Image


def students(folder):
    for at, _, files in sorted(os.walk(folder)):
        if "README.md" in files and "model.safetensors" in files:
            yield at


def picture(path, size):
    Image.linear_gradient("L").resize((size, size)).convert("RGB").save(path)


def check(bin, folder, question):
    text = open(os.path.join(folder, "README.md")).read()
    card = ModelCard(text)  # parses the front matter
    if card.data.library_name != "transformers":
        return "not for transformers"
    with tempfile.TemporaryDirectory() as t:
        path = os.path.join(t, "picture.png")
        config = json.load(open(os.path.join(folder, "config.json")))
        code = re.search(r"```python\n(.*?)```", text, re.S).group(1).replace('"FOLDER"', repr(folder)).replace('"…"', repr(question))
        ask = ["-question", question]
        if "vision_config" in config:
            picture(path, config["vision_config"].get("image_size", 224))
            code, ask = code.replace('"picture.png"', repr(path)), ask + ["-image", path]
        tokens = re.search(r"max_new_tokens=(\d+)", code).group(1)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, os.path.join(folder, "README.md"), "exec"), {})
        ours = subprocess.run([os.path.join(bin, "model"), "generate", "-m", folder, "-max-new-tokens", tokens, "-device", "cpu", *ask], capture_output=True, text=True)
        if ours.returncode:
            raise AssertionError(ours.stderr.strip())
        if out.getvalue().strip() != ours.stdout.strip():
            raise AssertionError(f"{out.getvalue().strip()!r} by the card, {ours.stdout.strip()!r} by model generate")
        return f"{ours.stdout.strip()!r}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folders", nargs="+")
    p.add_argument("--bin", default="bin")
    p.add_argument("--question", default="what color is it")
    o = p.parse_args()
    warnings.filterwarnings("ignore")
    failed = found = 0
    for folder in (s for f in o.folders for s in students(f)):
        found += 1
        try:
            print(folder, check(o.bin, folder, o.question), flush=True)
        except Exception as e:
            failed += 1
            print(folder, "FAILED:", e, flush=True)
    if not found:
        sys.exit(f"there is no student below {', '.join(o.folders)}: a folder with README.md and model.safetensors")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
