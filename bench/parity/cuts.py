"""The kinds of cut that students.py makes, and the teachers, data and configuration of a run with them."""
import json, os, random
from PIL import Image
import asked, teachers
from asked import checkpoint
from configs import kind
from images import Files, photo

TOKENS = 8  # of an answer, at most
RATIO = 2   # of a target
OTHERS = ("Wo fährt der Zug hin?", "学习 ☃ déjà-vu", "zygomorphic quartz 0x7f", "the dog")
WITHIN = [q for q in asked.QUESTIONS if "<" not in q] + list(teachers.QUESTIONS)
STAGE = '[[stage]]\nname = "{}"\nkeep = {{ {} }}\nalpha = 1.0\ncandidates = []\n[stage.distil]\nbatch = 4\nlr = 1e-3\nsteps = {}\n'


def tokens(keep):
    return lambda family: STAGE.format("tokens", keep, 0)


def heads(family):
    """Half of each head; the widths are heads × head size, as transformers takes them to be. Its LLaMA has no word for it."""
    size = "{ head_size = 4 }"
    language = "" if kind(family) == "llama" else f", language = {size}"
    return STAGE.format("inner", f"vision = {size}, qformer = {size}{language}", 2) + \
        STAGE.format("hidden", 'vision = 16, qformer = 12, language = 16, vocabulary = "used"', 2)


def target(family):
    return f"[target]\nratio = {RATIO}\ndivisions = 1\n" + STAGE.format("tokens", 'vocabulary = "used"', 0) + \
        "".join(STAGE.format(n, "", 2).replace("keep = {  }\n", "") for n in ("blocks", "inner", "hidden"))


KINDS = {"vocabulary": tokens('vocabulary = "used"'), "published": tokens('vocabulary = "used"'),
         "queries": tokens('queries = 2, vocabulary = "used"'), "heads": heads, "target": target}
ALONE = ("vocabulary", "published")  # the student is its teacher, but for tokens
RUN = """seed = 1
threads = 1
device = "cpu"
store = {store}
[data]
root = {data}
size = {size}
[data.vary]
strength = 0
[importance]
pictures = 4
batch = 4
[teacher]
checkpoint = {teacher}
{stages}[eval]
latency_runs = 2
latency_warmup = 1
throughput_batch = 2
max_answer_tokens = {tokens}
[export]
format = "transformers"
"""


def write_data(folder, seed):
    """Pictures with questions; of the training split's every second one has no answers, of the test split's they are others."""
    r = random.Random(seed)
    for split, pictures, questions in (("train", 6, WITHIN), ("validation", 2, WITHIN), ("test", 2, OTHERS)):
        files = Files(os.path.join(folder, split), seed + len(split))
        with open(os.path.join(folder, split, "metadata.jsonl"), "w") as f:
            for n in range(pictures):
                files.save(f"{n}.png", Image.fromarray(files.draw((teachers.SIZE,) * 2, photo)))
                for q in questions:
                    answer = {} if split == "train" and n % 2 else dict(answer=r.choice(teachers.WORDS))
                    f.write(json.dumps(dict(file_name=f"{n}.png", question=q, **answer)) + "\n")


def save_teacher(folder, family, form, seed):
    """asked.py's checkpoint; "published" has files as before transformers 5, the family's own class of tokenizer, and the other
    form of the head: its own weights or the embedding's, in T5 scaled or not."""
    c = teachers.config(family)
    if form == "published":
        key = "scale_decoder_outputs" if kind(family) == "t5" else "tie_word_embeddings"  # all that is left of this key in T5
        setattr(c.text_config, key, not getattr(c.text_config, key))
    own = form == "published" and kind(family) == "t5"  # its tokenizer adds these where they are not there
    m, processor = checkpoint(family, c, seed, [f"<extra_id_{n}>" for n in range(100)] if own else ())
    # Never the best token: at padding an answer's words end, for this program; transformers wants a picture for <image>.
    m.get_output_embeddings().weight.data[[processor.tokenizer.pad_token_id, m.config.image_token_index]] *= 1e-3
    m.save_pretrained(folder), processor.save_pretrained(folder)
    if form == "published":
        publish(folder, kind(family))


def edit(path, f):
    with open(path) as file:
        table = json.load(file)
    f(table)
    with open(path, "w") as file:
        json.dump(table, file, indent=1)


def publish(folder, language):
    own = dict(opt="GPT2Tokenizer", t5="T5Tokenizer", llama="LlamaTokenizer")[language]
    edit(os.path.join(folder, "tokenizer_config.json"), lambda t: t.update(tokenizer_class=own))
    with open(os.path.join(folder, "preprocessor_config.json"), "w") as f:
        def split(t):
            pictures = t.pop("image_processor")
            json.dump(dict(pictures, processor_class=t["processor_class"]), f, indent=1)
        edit(os.path.join(folder, "processor_config.json"), split)


def write_run(path, family, name, data, teacher, store):
    with open(path, "w") as f:
        f.write(RUN.format(data=json.dumps(data), size=teachers.SIZE, teacher=json.dumps(teacher), stages=KINDS[name](family), tokens=TOKENS,
                           store=json.dumps(store)))
