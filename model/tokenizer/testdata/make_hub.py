"""Writes hub/: tokenizers with the configurations of OPT, T5, LLaMA and BERT, small, odd texts, and the ids and texts
that Hugging Face's own library gives. Run by hand:
pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf==7.36.2 transformers==5.23.0 && python make_hub.py
(Python 3.11.7, whose documentation is what they are trained on.) `python make_hub.py check` writes the expectations
again for the tokenizers that are there."""
import base64, gzip, io, json, os, random, sys, unicodedata, zlib
import pydoc_data.topics
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.convert_slow_tokenizer import generate_merges

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hub")
LINES = """What is the man in the red jacket holding? A surfboard, isn't it? They're here; we've seen 3 of 12.
Qu'est-ce que c'est, là-bas ? Où est passé l'été ? Ça coûte 12,50 €, naïve Zoë.
Straße, Größe, Äpfel, übermäßig viele Wörter; „schön“ und »gut«.
¿Qué hora es? ¡Mañana a las diez! Señor, el niño comió piñas.
Что изображено на картинке? Собака бежит по снегу. Їжак, ґанок, объём.
Τι είναι αυτό; Ο σκύλος τρέχει στο χιόνι. Ἀρχὴ ἄνδρα μοι ἔννεπε.
写真には何が写っていますか。犬が雪の上を走っています。カタカナ、ひらがな、漢字、ｶﾀｶﾅ。
图片里有什么？一只狗在雪地里奔跑。请问，这是什么颜色的汽车？
사진에 무엇이 있습니까? 개가 눈 위를 달리고 있습니다.
ماذا يوجد في الصورة؟ كلب يجري على الثلج. مرحبا بالعالم.
מה יש בתמונה? כלב רץ בשלג. שָׁלוֹם עולם.
चित्र में क्या है? एक कुत्ता बर्फ पर दौड़ रहा है। नमस्ते दुनिया।
ในภาพมีอะไร สุนัขกำลังวิ่งบนหิมะ
Trong ảnh có gì? Một con chó đang chạy trên tuyết. Ngưỡng mộ.
Resimde ne var? Bir köpek karda koşuyor. İstanbul, ılık, şeker, ğ.
🙂 😀 👍 🐶 ❄️ 🚗 👩‍👩‍👧‍👦 🇩🇪 🇫🇷 1️⃣ ½ ² ³ ™ © № ﬁ ﬂ Ａ Ｂ Ｃ １２３""".split("\n")
SCRIPTS = ["latin café naïve Ångström", "ƒ Œuvre œ ß ẞ ŉ ĳ Ĳ Ǆ ǅ ǆ", "ελληνικά ΣΊΣΥΦΟΣ ς σ", "кириллица Ёж й и\u0306", "עִבְרִית שָׁלוֹם",
           "العربية مُحَمَّد ـــ ﷺ ﻻ", "हिन्दी क्षत्रिय कि", "ไทย กำ น้ำ", "தமிழ் கொ", "ქართული Ⴀ", "հայերեն և", "한국어 각 각 ㄱㅏ",
           "日本語 がぎぐ か\u3099 ㍿ ㌔", "中文漢字 㐀 𠀀 丽 豈", "ᏣᎳᎩ ꭰ", "ᚠᚢᚦ ᠮᠣᠩᠭᠣᠯ", "አማርኛ ።", "ភាសាខ្មែរ", "བོད་ཡིག", "မြန်မာ", "𐐀𐐨 𝔘𝔫𝔦 𝟘𝟙 𝒜",
           "İI ıi i\u0307", "Ꞌ Ꟊ 𐵐 𖺠", "ⅷ Ⅷ ① ㊿ ½ ⅓ ² ₃ ٣ ३ 三 〇", "ﬀ ﬁ ﬃ ﬅ Å Ω K"]
EMOJI = ["🙂", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "🇩🇪🇫🇷", "🇩", "1️⃣", "❄️", "❄", "👨🏿‍🚀", "🫠", "🧑‍🩰", "\u200d", "\ufe0f", "🏴\U000e0067\U000e0062\U000e007f"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\v", "\f", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2009", "\u200a", "\u2028", "\u2029",
          "\u202f", "\u205f", "\u3000", "\u200b", "\u180e", "\ufeff", "\u2060", " \t ", "\u00ad", "▁", " ▁ "]
CONTROLS = ["\x00", "\x01", "\x07", "\x08", "\x1b[0m", "\x1f", "\x7f", "\x80", "\x9f", "\u061c", "\u200e", "\u200f", "\u202e", "\u2066", "\u2069", "\ufff9", "\ufffd",
            "\ufffe", "\uffff", "\ue000", "\uf8ff", "\U000f0000", "\U0010ffff", "\U000e0001", "\u034f", "\u0378", "\u0600", "\u0e00"]
MARKS = ["\u0300", "\u0301", "\u0327", "\u0323", "\u0334", "\u0345", "\u0308", "\u0361", "\u20dd", "\u05b0", "\u0651", "\u093c", "\u0e38", "\u1dfa", "\u0898",
         "\u3099", "\U0001d165", "\u0338"]
WORDS = """the what is a an in of picture dog snow surfboard holding question answer color many how where Where WHAT isn't they're we've I'll he'd I'm
don't DON'T 'twas it's IT'S 's 't 're ' '' `` "quoted" (brackets) [UNK] it,. ... ?! -- e-mail x_y #tag @you $5 50% 3.14 1,000,000 2024-01-01 12:30
http://a.b/c?d=e&f=g <html> </div> a&b {json: 1} \\n C++ C# .NET internationalization antidisestablishmentarianism zzzzzz aaaa xqjz do not""".split()
TOKENS = ["</s>", "<s>", "<pad>", "<unk>", "<mask>", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]", "<extra_id_0>", "<extra_id_9>", "<extra_id_1>", "<image>",
          "<IMAGE>", "newword", "NewWord", "étoile", "two words", "<0x0A>", "<0xE2>", "##ing", "Ġthe", "▁the", "<|endoftext|>", "<s", "s>", "lonely", "ab", "abc"]


def texts(count=2600):
    rng = random.Random(20240229)
    cps = [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")]
    old = [c for c in cps if c < 0x3000]

    def piece():
        k = rng.randrange(20)
        if k < 6: return rng.choice(WORDS)
        if k < 8: return rng.choice(SCRIPTS)
        if k == 8: return rng.choice(rng.choice(SCRIPTS).split())
        if k == 9: return rng.choice(EMOJI)
        if k == 10: return rng.choice(SPACES)
        if k == 11: return rng.choice(CONTROLS)
        if k == 12: return rng.choice("aeoxİคक가ﬁ½漢") + "".join(rng.choice(MARKS) for _ in range(rng.randrange(1, 4)))
        if k == 13: return rng.choice(TOKENS)
        if k == 14: return str(rng.randrange(10 ** rng.randrange(1, 12)))
        if k == 15: return chr(rng.choice(cps))
        if k == 16: return "".join(chr(rng.choice(old)) for _ in range(rng.randrange(1, 5)))
        if k == 17: return rng.choice(rng.choice(LINES).split())
        if k == 18: return "".join(chr(0xff01 + rng.randrange(94)) for _ in range(rng.randrange(1, 5)))
        return rng.choice(WORDS).upper()

    out = ["", " ", "  ", "     ", "\n", "\t\t", "\u3000", "▁", "▁▁", " ▁", "a", " a", "a ", " a ", "  a  ", "a  b", "a   b", "a\n\nb", "'", "'s", " 's"]
    out += LINES + SCRIPTS + EMOJI + SPACES + CONTROLS + TOKENS
    for t in TOKENS:
        out += [t + t, "a" + t + "b", " " + t + " ", "a " + t + " b", "a  " + t + "  b", t.upper(), "." + t + ",", t + "\n", "é" + t + "\u0301"]
    for n in (31, 40, 300):
        out += ["a" * n, "z" * n + " b", "e" + "\u0301\u0323" * n, "é" * n, "漢" * n, "👍" * n, " " * n + "x", "ab" * n, "1" * n]
    while len(out) < count:
        sep = rng.choice(["", "", " ", " ", " ", None])
        parts = [piece() for _ in range(rng.randrange(1, 9))]
        s = "".join(p + (rng.choice(SPACES) if sep is None else sep) for p in parts)
        if rng.randrange(6) == 0: s = unicodedata.normalize(rng.choice(["NFC", "NFD", "NFKC", "NFKD"]), s)
        out.append(s if rng.randrange(4) else s.rstrip())
    return out


def corpus():
    docs = [p for t in pydoc_data.topics.topics.values() for p in t.split("\n") if p.strip()][:6000]
    return docs + LINES * 40


def added(content, id, special=True, **flags):
    return dict({"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": not special, "special": special}, **flags)


def dump(t, tokens):
    j = json.loads(t.to_str())
    j["added_tokens"] = tokens
    return j


def opt():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=1500, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True)
    t.post_processor = processors.TemplateProcessing(single="</s> $A", pair="</s> $A </s> $B", special_tokens=[("</s>", 2)])
    n = t.get_vocab_size(with_added_tokens=False)
    return dump(t, [added("<s>", 0, normalized=True), added("<pad>", 1, normalized=True), added("</s>", 2, normalized=True), added("<unk>", 3, normalized=True), added("<image>", n, normalized=False)])


def spm(**args):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus()), model_writer=model, minloglevel=2, num_threads=1, **args)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto


def t5():
    p = spm(vocab_size=1500, model_type="unigram", normalization_rule_name="nmt_nfkc", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    vocab = [(x.piece, x.score) for x in p.pieces] + [(f"<extra_id_{i}>", 0.0) for i in range(9, -1, -1)]
    t = Tokenizer(models.Unigram(vocab, unk_id=2, byte_fallback=False))
    t.normalizer = normalizers.Precompiled(p.normalizer_spec.precompiled_charsmap)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.decoder = decoders.Metaspace()
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    n = len(p.pieces)
    return dump(t, [added("<pad>", 0), added("</s>", 1), added("<unk>", 2)] + [added(f"<extra_id_{9 - i}>", n + i) for i in range(10)])


def llama():
    p = spm(vocab_size=1700, model_type="bpe", normalization_rule_name="identity", byte_fallback=True, remove_extra_whitespaces=False, split_digits=True, character_coverage=0.9995)
    scores = {x.piece: x.score for x in p.pieces}
    vocab = {x.piece: i for i, x in enumerate(p.pieces)}
    t = Tokenizer(models.BPE(vocab, generate_merges(vocab, scores), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return dump(t, [added("<unk>", 0), added("<s>", 1), added("</s>", 2), added("<pad>", len(vocab))])


def bert():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=1800, special_tokens=names, show_progress=False))
    t.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return dump(t, [added(n, i) for i, n in enumerate(names)])


def variants(bases):
    """Each is (base, fields of the tokenizer.json that differ)."""
    part = lambda x: json.loads(x.__getstate__())
    model = lambda base, **kw: {"model": kw}
    N, P, D, R = normalizers, pre_tokenizers, decoders, processors
    meta = lambda s, split=True: part(P.Metaspace(prepend_scheme=s, split=split))
    charsmap = bases["t5"]["normalizer"]
    spm_norm = {"type": "Sequence", "normalizers": [charsmap, part(N.Strip(left=False, right=True)), part(N.Replace(__import__("tokenizers").Regex(" {2,}"), "▁"))]}
    size = {k: len(v["model"]["vocab"]) for k, v in bases.items()}
    flags = lambda k: bases[k]["added_tokens"][:4] + [
        added("newword", size[k], False, normalized=False, single_word=True), added("étoile", size[k] + 1, False), added("two words", size[k] + 2, False, lstrip=True),
        added("NewWord", size[k] + 3, False, rstrip=True), added("<mask>", size[k] + 4, True, lstrip=True), added("<image>", size[k] + 5, True, lstrip=True, rstrip=True),
        added("lonely", size[k] + 6, False, single_word=True, lstrip=True, rstrip=True), added("ab", size[k] + 7, False, normalized=False), added("abc", size[k] + 8, False, normalized=False)]
    return {
        "gpt2-prefix": ("opt", {"pre_tokenizer": part(P.ByteLevel(add_prefix_space=True)), "post_processor": part(R.ByteLevel(trim_offsets=True))}),
        "gpt2-noregex": ("opt", {"pre_tokenizer": part(P.ByteLevel(add_prefix_space=False, use_regex=False))}),
        "gpt2-ignore-merges": ("opt", {"model": {"ignore_merges": True, "continuing_subword_prefix": "", "end_of_word_suffix": ""}}),
        "opt-flags": ("opt", {"added_tokens": flags("opt")}),
        "roberta": ("opt", {"post_processor": part(R.RobertaProcessing(("</s>", 2), ("<s>", 0)))}),
        "opt-nfc": ("opt", {"normalizer": part(N.NFC()), "post_processor": part(R.Sequence([R.ByteLevel(), R.BertProcessing(("</s>", 2), ("<s>", 0))]))}),
        "opt-suffix": ("opt", {"pre_tokenizer": part(P.WhitespaceSplit()), "model": {"end_of_word_suffix": "s", "unk_token": "<unk>"}, "decoder": part(D.BPEDecoder("s"))}),
        "t5-slow": ("t5", {"normalizer": spm_norm, "pre_tokenizer": meta("always")}),
        "t5-first": ("t5", {"normalizer": spm_norm, "pre_tokenizer": meta("first"), "added_tokens": flags("t5")}),
        "t5-never": ("t5", {"pre_tokenizer": meta("never"), "decoder": part(D.Metaspace(prepend_scheme="never"))}),
        "t5-plain": ("t5", {"normalizer": None, "pre_tokenizer": meta("first", False), "decoder": None}),
        "t5-nfkc": ("t5", {"normalizer": part(N.Sequence([N.Nmt(), N.NFKC(), N.Strip(), N.Lowercase()])), "pre_tokenizer": meta("first")}),
        "t5-nfd": ("t5", {"normalizer": part(N.Sequence([N.NFD(), N.Strip(left=True, right=False)])), "pre_tokenizer": meta("first"), "post_processor": None}),
        "t5-nfkd": ("t5", {"normalizer": part(N.Sequence([N.NFKD(), N.Prepend("x ")]))}),
        "t5-bytes": ("t5", {"model": {"byte_fallback": True, "vocab": bases["t5"]["model"]["vocab"] + [[f"<0x{b:02X}>", -20.0 - b / 7] for b in range(256)]},
                            "added_tokens": bases["t5"]["added_tokens"][:5], "decoder": bases["llama"]["decoder"]}),
        "llama-new": ("llama", {"normalizer": None, "pre_tokenizer": meta("first", False)}),
        "llama-always": ("llama", {"normalizer": None, "pre_tokenizer": meta("always", False)}),
        "llama-split": ("llama", {"normalizer": None, "pre_tokenizer": meta("first"), "added_tokens": flags("llama")}),
        "llama-flags": ("llama", {"added_tokens": flags("llama")}),
        "llama-nobytes": ("llama", {"model": {"byte_fallback": False}}),
        "llama-nofuse": ("llama", {"model": {"byte_fallback": False, "fuse_unk": False}}),
        "llama-nounk": ("llama", {"model": {"byte_fallback": False, "unk_token": None}}),
        "bert-cased": ("bert", {"normalizer": part(N.BertNormalizer(lowercase=False))}),
        "bert-accents": ("bert", {"normalizer": part(N.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=True)), "decoder": part(D.WordPiece(cleanup=False))}),
        "bert-flags": ("bert", {"added_tokens": flags("bert"), "model": {"max_input_chars_per_word": 12}}),
    }


def patch(base, fields):
    j = dict(base)
    for k, v in fields.items():
        j[k] = dict(base["model"], **v) if k == "model" else v
    return j


def digest(t, s):
    """One number for the ids without and with special tokens and the text that the latter decode to."""
    ids, prompt = t.encode(s, add_special_tokens=False).ids, t.encode(s).ids
    text = ",".join(map(str, ids)) + ";" + ",".join(map(str, prompt)) + ";" + t.decode(prompt, skip_special_tokens=True)
    return zlib.crc32(text.encode())


def everywhere(c):
    """A code point in the places where it could matter."""
    return f"{c}a {c}{c}\u0301 1{c} ½{c} ﬁ{c}\u0327{c}½ a\u0316{c}\u0334 x<mask>{c}lonely{c}"


def sweep(t):
    """A digest for each 4,096 of all code points."""
    sums = []
    for start in range(0, 0x110000, 4096):
        if start in (0xD000,):
            block = range(0xD000, 0xD800)
        elif 0xF1000 <= start < 0x10F000:
            continue  # private use, all alike
        else:
            block = range(start, start + 4096)
        sums.append(zlib.crc32(b"".join(digest(t, everywhere(chr(c))).to_bytes(4, "big") for c in block)) if start != 0xD800 else 0)
    return sums


def write(name, data, compact=True):
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), indent=None if compact else 1)
    with open(os.path.join(HERE, name), "wb") as f, gzip.GzipFile("", "wb", 9, f, 0) as z:
        z.write(text.encode())


def read(name):
    return json.loads(gzip.open(os.path.join(HERE, name)).read())


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    names = {"opt": opt, "t5": t5, "llama": llama, "bert": bert}
    if sys.argv[1:] != ["check"]:
        for name, make in names.items():
            write(name + ".json.gz", make())
    bases = {name: read(name + ".json.gz") for name in names}
    rows = texts()
    write("texts.json.gz", rows)
    want = {}
    for name, base in bases.items():
        t = Tokenizer.from_str(json.dumps(base))
        prompts = [t.encode(s).ids for s in rows]
        want[name] = {"ids": [t.encode(s, add_special_tokens=False).ids for s in rows], "digests": [digest(t, s) for s in rows], "sweep": sweep(t)}
        want[name]["texts"] = [t.decode(p, skip_special_tokens=True) for p in prompts[:500]]
    all = variants(bases)
    write("variants.json.gz", {name: {"base": base, "fields": fields} for name, (base, fields) in all.items()})
    for name, (base, fields) in all.items():
        t = Tokenizer.from_str(json.dumps(patch(bases[base], fields)))
        want[name] = {"digests": [digest(t, s) for s in rows]}
        if name in ("opt-nfc", "t5-nfd", "t5-nfkc", "t5-nfkd", "bert-cased", "llama-split", "opt-flags"):
            want[name]["sweep"] = sweep(t)
    for name, w in want.items():
        w["digests"] = base64.b64encode(b"".join(d.to_bytes(4, "big") for d in w["digests"])).decode()
    write("want.json.gz", want)
    print(len(rows), "texts,", len(want), "tokenizers,", sum(os.path.getsize(os.path.join(HERE, f)) for f in os.listdir(HERE)), "bytes")
