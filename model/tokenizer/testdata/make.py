"""Writes words.json, a word-level tokenizer.json by Hugging Face's own library, and encoded.json, its ids for a few
texts. Run: pip install tokenizers && python make.py"""
import json
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

words = ["<pad>", "<eos>", "<unk>", "which", "digit", "is", "this", "café", "naïve", "7", "a\"b", "5%", "l'été"]
t = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
t.add_special_tokens(["<pad>", "<eos>", "<unk>"])
t.save("words.json")
texts = ["which digit is this", "  which\tdigit\nis  ", "a\"b l'été 5% café", "which Digit", "no\u00a0break digit\u2003is", ""]
json.dump([{"text": x, "ids": t.encode(x).ids} for x in texts], open("encoded.json", "w"), indent=1, ensure_ascii=False)
