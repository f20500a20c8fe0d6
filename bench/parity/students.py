"""Cuts vocabularies, query tokens and head sizes of whole checkpoints and asks plain transformers about the students.

    python students.py OUT [--bin FOLDER] [--only FAMILY] [--kind KIND] [--seed N]

For each family, asked.py's checkpoint with tokenizers of Hugging Face's goes through a run of `pipeline` for each kind of cut in
KINDS, with `[export] format = "transformers"`. AutoProcessor and the model's class load the student's folder and answer; so does
`model generate -ask`. Texts and ids must be the same, on questions of the training data and on others, which the cut tokenizer
spells with the tokens that are left. A student of which the vocabulary alone was cut must be its teacher: in float64 the same
logits for every token that is left, and the answers that the teacher gives in these tokens. Half of the training questions have
no answer in the data and so learn from the teacher's; to these the student must answer what its teacher answers freely. One line
a run and a table; the exit status is 1 if one fails. setup.sh makes the Python environment, `make` the bin/."""
import argparse, collections, json, os, shutil, sys, time, warnings
import torch, transformers
from PIL import Image
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoProcessor
import back
from answers import cached
from configs import FAMILIES, kind
from cuts import ALONE, KINDS, RATIO, TOKENS, save_teacher, write_data, write_run
from dtypes import SINGLE, call, followed, inputs_of

EXACT = 1e-9   # of logits in float64


def read_questions(folder, split):
    """(picture, question, whether it has an answer) for each line of a split."""
    with open(os.path.join(folder, split, "metadata.jsonl")) as f:
        rows = [json.loads(line) for line in f]
    return [(Image.open(os.path.join(folder, split, x["file_name"])), x["question"], "answer" in x) for x in rows]


def answer(m, family, inputs, **how):
    """transformers' greedy answer: its new ids before the end of the sequence."""
    ids = m.generate(**inputs, do_sample=False, max_new_tokens=TOKENS, **how, **cached(m))[0].tolist()
    ids = ids[1 if kind(family) == "t5" else inputs["input_ids"].shape[1]:]
    end = m.generation_config.eos_token_id
    return ids[:ids.index(end)] if end in ids else ids


def as_file(folder, processor, question):
    """Whether transformers' class of tokenizer reads a question as the folder's tokenizer.json says, and so as this program does.
    Its LlamaTokenizer does not where a text begins with spaces."""
    file = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    return file.encode(question).ids == processor.tokenizer(question)["input_ids"]


def distance(m, family, inputs, ours, theirs):
    """How far the logits of two answers' tokens are apart where they first differ."""
    ours, theirs = (x + [m.generation_config.eos_token_id] for x in (ours, theirs))
    n = next(n for n, (a, b) in enumerate(zip(ours, theirs)) if a != b)
    logits = m(**followed(family, inputs, torch.tensor([ours[:n]], dtype=torch.long))).logits[0, -1]
    return (logits[ours[n]] - logits[theirs[n]]).abs().item()


def check_answers(bin, family, student, questions, path):
    """How many questions, equal texts and equal ids of the student here and in plain transformers. Where ids differ, it
    must be at a near tie."""
    m, processor, words = back.load(student), AutoProcessor.from_pretrained(student), collections.Counter()
    lines = call(os.path.join(bin, "model"), "generate", "-m", student, "-ask", path, "-max-new-tokens", str(TOKENS), "-device", "cpu").splitlines()
    if len(lines) != len(questions):
        raise back.Fail(f"{len(lines)} answers to {len(questions)} questions")
    for (picture, question, _), line in zip(questions, lines):
        ours, inputs = json.loads(line), inputs_of(processor, picture, question)
        if not as_file(student, processor, question):
            words.update(otherwise=1)
            continue
        ids = answer(m, family, inputs)
        text = processor.batch_decode([ids], skip_special_tokens=True)[0]
        words.update(questions=1, text=ours["answer"] == text, ids=ours["ids"] == ids)
        if ours["ids"] != ids:
            apart = distance(m, family, inputs, ours["ids"], ids)
            words["apart"] = max(words["apart"], apart)
            if apart > SINGLE:
                raise back.Fail(f"{question!r}: {ours['ids']} here, {ids} in transformers, whose logits are {apart:.1e} apart where they part")
        elif ours["answer"] != text:
            raise back.Fail(f"{question!r}: {ours['answer']!r} here, {text!r} in transformers")
    return words


def kept_tokens(before, after, old, new):
    """The teacher's id of each of the student's tokens, by rows of the embedding; the tokenizers must say the same."""
    rows = {tuple(row): i for i, row in enumerate(before.get_input_embeddings().weight.tolist())}
    kept = [rows[tuple(row)] for row in after.get_input_embeddings().weight.tolist()]
    for i, id in enumerate(kept):
        was, now = (t.convert_ids_to_tokens(n) if n < len(t) else None for t, n in ((old, id), (new, i)))
        if was != now:
            raise back.Fail(f"the token {id}, {was!r}, has become {i}, {now!r}")
    for name in ("image_token_index", "image_token_id"):
        if kept[getattr(after.config, name)] != getattr(before.config, name):
            raise back.Fail(f"{name} is {getattr(after.config, name)}, the token {kept[getattr(after.config, name)]} of the teacher")
    return kept


def check_teacher(family, teacher, student, questions):
    """Compares a student whose vocabulary alone was cut with its teacher, both in transformers and in float64: the greatest
    difference of a logit, the answers that are the teacher's among the tokens that are left, and those that are its free ones."""
    before, after = (back.load(x).double() for x in (teacher, student))
    old, new = (AutoProcessor.from_pretrained(x) for x in (teacher, student))
    kept = kept_tokens(before, after, old.tokenizer, new.tokenizer)
    gone = sorted({*range(before.config.text_config.vocab_size)} - {*kept})
    gap, words = 0., collections.Counter()
    for picture, question, answered in questions:
        was, now = (inputs_of(p, picture, question) for p in (old, new))
        for x in (was, now):
            x["pixel_values"] = x["pixel_values"].double()
        if [kept[i] for i in now["input_ids"][0].tolist()] != was["input_ids"][0].tolist():
            raise back.Fail(f"{question!r} is read as other tokens than the teacher reads")
        ids = answer(after, family, now)
        renamed = [kept[i] for i in ids]
        within, free = answer(before, family, was, suppress_tokens=gone), answer(before, family, was)
        learnt = not answered and as_file(teacher, old, question)
        if renamed != within or learnt and renamed != free:
            raise back.Fail(f"{question!r}: the student says {renamed}, the teacher {free}, and {within} in the tokens that are left")
        words.update(within=1, free=renamed == free)
        logits = [m(**followed(family, x, torch.tensor([y], dtype=torch.long))).logits for m, x, y in ((before, was, renamed), (after, now, ids))]
        gap = max(gap, (logits[0][..., kept] - logits[1]).abs().max().item())
    if gap > EXACT:
        raise back.Fail(f"logits are {gap:.1e} from the teacher's")
    return gap, words, len(kept), before.config.text_config.vocab_size


def check(a, family, name, data):
    """Makes a student and checks it; returns its counts and its line."""
    folder = os.path.join(a.out, family, name)
    shutil.rmtree(folder, ignore_errors=True)  # a run that is there would only go on
    teacher, run = (os.path.join(folder, x) for x in ("teacher", "run"))
    save_teacher(teacher, family, name, 100 * a.seed + FAMILIES.index(family))
    path = os.path.join(folder, "run.toml")
    write_run(path, family, name, data, teacher, os.path.join(folder, "store"))
    call(os.path.join(a.bin, "pipeline"), "-c", path, "-set", "output=" + run)
    student, total = os.path.join(run, "student"), collections.Counter()
    for split in ("train", "test"):
        total += check_answers(a.bin, family, student, read_questions(data, split), os.path.join(data, split, "metadata.jsonl"))
    if total["otherwise"] and name != "published":
        raise back.Fail(f"{total['otherwise']} questions are not read as tokenizer.json says")
    line = f"{total['text']} texts and {total['ids']} ids of {total['questions']} equal"
    if total["otherwise"]:
        line += f" ({total['otherwise']} more are read by transformers' class of tokenizer otherwise than by tokenizer.json)"
    if total["ids"] < total["questions"]:
        line += f", the others part at a near tie, {total['apart']:.0e} at most"
    if name in ALONE:
        gap, words, left, all = check_teacher(family, teacher, student, read_questions(data, "train"))
        line += f"; {left} of {all} tokens, logits {gap:.0e} from the teacher's, {words['free']} of {words['within']} answers its free ones, the others its best in these tokens"
    if name == "heads":
        c = AutoConfig.from_pretrained(student)
        if (c.vision_config.num_attention_heads, c.vision_config.hidden_size, c.qformer_config.num_attention_heads, c.qformer_config.hidden_size) != (4, 16, 3, 12):
            raise back.Fail("the heads are not all there, at half their size")
    if name == "target":
        with open(os.path.join(run, "report.json")) as f:
            got = json.load(f)["target"]["got"]
        line += f"; {got:.2f} times smaller of {RATIO} that were asked for"
        if got < RATIO:
            raise back.Fail(line)
    return total, line


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", help="the folder to write to")
    p.add_argument("--bin", default="bin", help="the folder of the programs pipeline and model (bin)")
    p.add_argument("--only", choices=FAMILIES, help="only this family")
    p.add_argument("--kind", choices=KINDS, help="only this kind of cut")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    a.out, a.bin = os.path.abspath(a.out), os.path.abspath(a.bin)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    begun, cells, failed = time.time(), {}, 0
    data = os.path.join(a.out, "data")
    write_data(data, a.seed)
    for family in FAMILIES if a.only is None else (a.only,):
        for name in KINDS if a.kind is None else (a.kind,):
            start = time.time()
            try:
                total, line = check(a, family, name, data)
                cells[family, name], word = f"{total['questions']} / {total['text']} / {total['ids']}", "ok  "
            except (back.Fail, OSError, ValueError, RuntimeError, KeyError) as e:
                cells[family, name], word, line, failed = "FAIL", "FAIL", str(e), failed + 1
            print(f"{word}  {family}, {name}: {line} ({time.time() - start:.1f} s)", flush=True)
    print(f"\nQuestions / equal texts / equal ids:\n{'':12}" + "  ".join(f"{f:18}" for f in FAMILIES))
    for name in KINDS:
        print(f"{name:12}" + "  ".join(f"{cells.get((f, name), '–'):18}" for f in FAMILIES).rstrip())
    print(f"students.py: {len(cells) - failed} of {len(cells)} students answer as in transformers {transformers.__version__}; {time.time() - begun:.0f} s")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
