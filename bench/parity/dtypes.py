"""Compresses teachers of every dtype and asks transformers about the students.

    python dtypes.py OUT [--bin FOLDER] [--only FAMILY] [--dtype NAME] [--seed N]

For each family, dtype and precision: transformers makes a small teacher and saves it in that dtype; `pipeline` runs its
three stages with a few steps of distillation and `[export] format = "transformers"`; plain transformers loads the student.
Its file must have the teacher's dtypes, tensor by tensor, and transformers must load both in the same; the logits of a
forward must agree, and so must the greedy answers of `model generate -ask`, but for near ties. What is allowed follows from
transformers' own rounding: ALLOWED times the distance of its logits in the student's dtype from those in float32. One line
a run and a table at the end; the exit status is 1 if one fails. setup.sh makes the Python environment, `make` the bin/."""
import argparse, json, os, re, shutil, subprocess, sys, time, warnings
import torch, transformers
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
import back
from answers import cached
from asked import checkpoint
from configs import EOS, FAMILIES, PAD, kind
from teachers import DTYPES, LOADED, QUESTIONS, RUN, SIZE, config, save_teacher, write_data

HALVES = ("float16", "bfloat16")
PRECISIONS = ("fp32", "bf16")
ALLOWED = 3      # times transformers' own rounding
SINGLE = 2e-4    # of logits in float32; of float64 too, whose norms and angles transformers computes in float32
TOKENS = 6       # of an answer


def call(*command):
    """What a program of ours prints; raises Fail with its own last words."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        words = [x for x in done.stderr.strip().splitlines() if x] or ["no word"]
        raise back.Fail(f"{os.path.basename(command[0])} ended with status {done.returncode}: {words[-1]}")
    return done.stdout


def same_for_all_layers(named):
    """dtypes by name, without the numbers of layers, which change when layers go."""
    out = {}
    for name, dtype in named:
        key = re.sub(r"[.]\d+[.]", ".*.", name)
        if out.setdefault(key, dtype) != dtype:
            raise back.Fail(f"{key} is {out[key]} in one layer and {dtype} in another")
    return out


def stored(folder):
    with safe_open(os.path.join(folder, "model.safetensors"), "pt") as f:
        return same_for_all_layers((n, f.get_slice(n).get_dtype()) for n in f.keys())


def check_dtypes(teacher, student, m):
    """The student's file has the teacher's dtypes, and transformers loads it as it loads the teacher."""
    loaded = lambda m: same_for_all_layers((n, str(p.dtype)) for n, p in m.named_parameters())
    for what, want, got in (("holds", stored(teacher), stored(student)), ("is loaded with", loaded(back.load(teacher)), loaded(m))):
        if want != got:
            key = min(k for k in {*want, *got} if want.get(k) != got.get(k))
            raise back.Fail(f"the student {what} {key} in {got.get(key)}, the teacher in {want.get(key)}")


def inputs_of(processor, picture, question):
    inputs = processor(images=picture, text=question, return_tensors="pt")
    pil = BlipImageProcessorPil(size=dict(processor.image_processor.size))  # the one on torchvision is off by a level here and there
    return dict(inputs, pixel_values=pil(images=picture, return_tensors="pt")["pixel_values"])


def followed(family, inputs, words):
    """The inputs with the words [rows, n] of answers."""
    if kind(family) == "t5":
        return dict(inputs, decoder_input_ids=torch.cat([torch.zeros(len(words), 1, dtype=torch.long), words], 1))
    ids = torch.cat([inputs["input_ids"], words], 1)
    return dict(inputs, input_ids=ids, attention_mask=torch.ones_like(ids))


def check_logits(case, family, m, processor, pictures, seed):
    """What our logits may differ by, and do: a question about each picture, with some words of an answer behind it."""
    rows = [inputs_of(processor, p, QUESTIONS[0]) for p in pictures]
    inputs = {k: torch.cat([r[k] for r in rows]) for k in rows[0]}
    words = torch.randint(5, 1000, (len(rows), TOKENS), generator=torch.Generator().manual_seed(seed))
    inputs = followed(family, inputs, words)
    save_file({k: v.contiguous() for k, v in inputs.items()}, os.path.join(case.folder, "inputs.safetensors"))
    call(case.model, "forward", "-m", case.student, "-in", os.path.join(case.folder, "inputs.safetensors"), "-out",
         os.path.join(case.folder, "outputs.safetensors"), "-device", "cpu")
    ours = load_file(os.path.join(case.folder, "outputs.safetensors"))["logits"]
    gap = back.farthest("logits", ours, m(**inputs).logits, inputs)
    if not case.half:
        return SINGLE, gap
    single, half = (back.load(case.student).to(d)(**inputs).logits for d in (torch.float32, case.half))
    return ALLOWED * back.farthest("logits", half, single, inputs), gap


def check_answers(case, family, m, processor, pictures, allowed):
    """How many greedy answers are transformers' own, and of how many. Where one is not, each of its tokens must be a near
    tie at the least: within what is allowed of transformers' best after the tokens before it."""
    asked = [(n, q) for n in range(len(pictures)) for q in QUESTIONS]
    lines = call(case.model, "generate", "-m", case.student, "-ask", case.questions, "-max-new-tokens", str(TOKENS), "-device", "cpu").splitlines()
    if len(lines) != len(asked):
        raise back.Fail(f"{len(lines)} answers to {len(asked)} questions")
    eos, equal = EOS[kind(family)], 0
    for (n, question), line in zip(asked, lines):
        ours, inputs = json.loads(line), inputs_of(processor, pictures[n], question)
        ids = m.generate(**inputs, do_sample=False, max_new_tokens=TOKENS, **cached(m))[0].tolist()
        ids = ids[1 if kind(family) == "t5" else inputs["input_ids"].shape[1]:]
        ids = ids[:ids.index(eos)] if eos in ids else ids
        if ours["ids"] != ids:
            worst = behind(m, family, inputs, ours["ids"])
            if worst > allowed:
                raise back.Fail(f"picture {n}, {question!r}: {ours['ids']} here, {ids} in transformers, where a token of ours is {worst:.1e} behind")
            continue
        equal += 1
        words = processor.batch_decode([ids], skip_special_tokens=True)[0]
        if PAD[kind(family)] not in ids and ours["answer"] != words:  # at padding an answer's words end, for this program
            raise back.Fail(f"picture {n}, {question!r}: {ours['answer']!r} here, {words!r} in transformers")
    return equal, len(asked)


def behind(m, family, inputs, ids):
    """How far a token of an answer is behind transformers' best, at most; the end is end-of-sequence or padding."""
    logits = m(**followed(family, inputs, torch.tensor([ids], dtype=torch.long))).logits[0, -len(ids) - 1:].double()
    chosen = [logits[i, x] for i, x in enumerate(ids)]
    if len(ids) < TOKENS:
        chosen.append(max(logits[-1, EOS[kind(family)]], logits[-1, PAD[kind(family)]]))
    return max((logits[i].max() - x).item() for i, x in enumerate(chosen))


class Case:
    """One run: its folders and programs."""

    def __init__(self, out, bin, family, dtype, precision):
        self.folder = os.path.join(out, family, f"{dtype.replace(' ', '-')}-{precision}")
        self.student = os.path.join(self.folder, "run", "student")
        self.questions = os.path.join(out, family, "data", "test", "metadata.jsonl")
        self.pipeline, self.model = (os.path.join(bin, n) for n in ("pipeline", "model"))
        name = dtype.split()[0]
        self.half = getattr(torch, name) if name in HALVES else None

    def run(self, data, teacher, precision):
        shutil.rmtree(self.folder, ignore_errors=True)  # a run that is there would only go on
        os.makedirs(self.folder)
        path = os.path.join(self.folder, "run.toml")
        with open(path, "w") as f:
            f.write(RUN.format(data=json.dumps(data), size=SIZE, teacher=json.dumps(teacher)))
        call(self.pipeline, "-c", path, "-set", f"precision={precision}", "-set", "output=" + os.path.join(self.folder, "run"))


def check(case, family, teacher, processor, pictures, seed):
    """The greatest difference of a logit, and the line of a run that has ended; raises Fail."""
    m = back.load(case.student)
    check_dtypes(teacher, case.student, m)
    allowed, gap = check_logits(case, family, m, processor, pictures, seed)
    words = f"logits differ by {gap:.1e} of {allowed:.1e}"
    if gap > allowed:
        raise back.Fail(words + " that are allowed")
    equal, asked = check_answers(case, family, m, processor, pictures, allowed)
    return gap, f"{words}; {equal} of {asked} answers equal{', near ties in the others' * (equal < asked)}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", help="the folder to write to")
    p.add_argument("--bin", default="bin", help="the folder of the programs pipeline and model (bin)")
    p.add_argument("--only", choices=FAMILIES, help="only this family")
    p.add_argument("--dtype", choices=DTYPES, help="only this dtype")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    a.out, a.bin = os.path.abspath(a.out), os.path.abspath(a.bin)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    begun, cells, failed = time.time(), {}, 0
    for family in FAMILIES if a.only is None else (a.only,):
        data = os.path.join(a.out, family, "data")
        write_data(data, a.seed)
        pictures = [Image.open(os.path.join(data, "test", f"{n}.png")) for n in range(4)]
        for dtype in DTYPES if a.dtype is None else (a.dtype,):
            if dtype == LOADED and kind(family) != "t5":
                continue  # nothing more than AROUND
            m, processor = checkpoint(family, config(family), 100 * a.seed + FAMILIES.index(family))
            teacher = os.path.join(a.out, family, dtype.replace(" ", "-"))
            save_teacher(teacher, m, processor, dtype)
            for precision in PRECISIONS:
                case, start, ok = Case(a.out, a.bin, family, dtype, precision), time.time(), False
                try:
                    case.run(data, teacher, precision)
                    gap, words = check(case, family, teacher, processor, pictures, a.seed)
                    ok = True
                except (back.Fail, OSError, ValueError, RuntimeError, KeyError) as e:
                    words = str(e)
                failed += not ok
                cells.setdefault((family, dtype), []).append(f"{gap:.0e}" if ok else "FAIL")
                print(f"{'ok  ' if ok else 'FAIL'}  {family}, {dtype}, {precision}: {words} ({time.time() - start:.1f} s)", flush=True)
    width = max(map(len, DTYPES))
    print(f"\nGreatest difference of a logit, {' / '.join(PRECISIONS)}:\n{'':{width}}  " + "  ".join(f"{f:18}" for f in FAMILIES))
    for dtype in DTYPES:
        print(f"{dtype:{width}}  " + "  ".join(f"{' / '.join(cells.get((f, dtype), ['–'])):18}" for f in FAMILIES).rstrip())
    total = sum(map(len, cells.values()))
    print(f"dtypes.py: {total - failed} of {total} students answer as in transformers {transformers.__version__}; {time.time() - begun:.0f} s")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
