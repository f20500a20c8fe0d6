"""Makes golden.jsonl.gz: 1,000 rows with what the reference implementations say to them.

    python3 -m venv v && v/bin/pip install pycocoevalcap==1.2 rouge-score==0.1.2 && v/bin/python make_golden.py

pycocoevalcap's tokenizer needs Java. ANLS and VQA accuracy are computed here by their published formulas.
"""

import gzip
import itertools
import json
import random
import re

from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
from rouge_score import rouge_scorer

draw = random.Random(18)
THINGS = ["dog", "man", "woman's hat", "well-known logo", "bus", "bottle of water", "fire hydrant", "pizza", "kite", "T-shirt", "cell phone", "street sign", "U-turn", "café"]
PLACES = ["on the table", "in front of a building", "near the beach", "at 2:50", "behind it", "on a sunny day", "in the 1990s", "next to 1,000 others", "(left)", "at 3.5 km"]
ACTS = ["is standing", "isn't moving", "sits", "can't be seen", "has been parked", "they're holding", "doesn't look at us", "costs $5", "cannot stand", "looks 50% off"]
SHORT = ["red", "Red.", "dark red", "yes", "Yes!", "no", "2", "two", "the left one", "a dog", "dog", "not sure", "dont know", "don't know", "3.5", "1,000", "1000",
         "10:30 am", "none", "coca-cola", "Coca Cola", "it's", "man's hat", "t-shirt", "blue & white", "über", "ÉCOLE", "left/right", "\"stop\"", "skis, poles", "an apple"]


def caption():
    words = [draw.choice(["A", "The", "One", "Two", "An old", "This"]), draw.choice(THINGS), draw.choice(ACTS)]
    if draw.random() < .7:
        words.append(draw.choice(PLACES))
    text = " ".join(words)
    if draw.random() < .3:
        text += ", " + draw.choice(["and it's raining", "says \"Sale\"", "which I'd like; really", "so we'll go", "as you've seen - maybe"])
    return text + draw.choice(["", ".", ".", "!", "?", " ..."])


def changed(text):
    words = text.split(" ")
    for _ in range(draw.randrange(4)):
        at = draw.randrange(len(words))
        draw.choice([lambda: words.insert(at, draw.choice(THINGS)), lambda: words.__setitem__(at, words[at].upper()), lambda: len(words) > 1 and words.pop(at),
                     lambda: words.__setitem__(at, words[at] + draw.choice("xyz") * words[at].isalpha())])()
        if not words:
            words = [text]
    return " ".join(words)


rows = []
for i in range(1000):
    if i % 2:
        accepted = [caption() for _ in range(draw.randrange(1, 5))]
        said = changed(draw.choice(accepted)) if draw.random() < .8 else caption()
    else:
        some = draw.sample(SHORT, draw.randrange(1, 5))
        accepted = [draw.choice(some) for _ in range(10)]
        said = draw.choice(some) if draw.random() < .7 else changed(draw.choice(SHORT))
    rows.append({"said": said, "accepted": accepted})
rows[7]["said"], rows[8]["said"], rows[9]["said"] = "", ".", "I\u0130 K\u212a"  # nothing, a sign alone, letters whose lower case is odd


def levenshtein(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, before = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y)))
    return row[-1]


def anls(said, accepted):
    best = 0
    for text in accepted:
        a, b = " ".join(said.lower().split()), " ".join(text.lower().split())
        nl = levenshtein(a, b) / max(len(a), len(b), 1)
        best = max(best, 1 - nl if nl < .5 else 0)
    return best


NUMBERS = dict(zip("none zero one two three four five six seven eight nine ten".split(), "0 0 1 2 3 4 5 6 7 8 9 10".split()))


def vqa_form(text):
    text = re.sub(r"(?<=\d),(?=\d)", "", text.lower())
    text = re.sub(r"(?<!\d)\.|\.(?!\d)", "", text)
    text = re.sub(r"[^\w\s':.]|_", " ", text)
    words = [NUMBERS.get(w, w) for w in text.split() if w not in ("a", "an", "the")]
    return " ".join("don't" if w == "dont" else w for w in words)


def vqa(said, accepted):
    said, accepted = vqa_form(said), [vqa_form(a) for a in accepted]
    nine = itertools.combinations(accepted, 9)
    return sum(min(1, sum(a == said for a in some) / 3) for some in nine) / 10


tokens = PTBTokenizer()
references = tokens.tokenize({i: [{"caption": a} for a in r["accepted"]] for i, r in enumerate(rows)})
answers = tokens.tokenize({i: [{"caption": r["said"]}] for i, r in enumerate(rows)})
cider = Cider().compute_score(references, answers)[1]
rouge = rouge_scorer.RougeScorer(["rougeL"])
for i, r in enumerate(rows):
    r["words"] = answers[i][0]
    r["anls"] = anls(r["said"], r["accepted"])
    r["rouge-l"] = rouge.score_multi(r["accepted"], r["said"])["rougeL"].fmeasure
    r["cider"] = float(cider[i])
    if len(r["accepted"]) == 10:
        r["vqa"] = vqa(r["said"], r["accepted"])
with open("golden.jsonl.gz", "wb") as f, gzip.GzipFile("", "wb", 9, f, 0) as z:
    for r in rows:
        z.write((json.dumps(r, ensure_ascii=False) + "\n").encode())
