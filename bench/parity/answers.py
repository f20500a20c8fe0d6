"""What transformers answers: greedily and by beam search, and which of it float32's rounding cannot change. Used by cases.py."""
import copy, torch
from configs import EOS, kind


def row(inputs, i):
    """Row i alone, without its padding."""
    keep = inputs["attention_mask"][i].bool()
    one = {k: v[i:i + 1] for k, v in inputs.items()}
    return dict(one, input_ids=one["input_ids"][:, keep], attention_mask=one["attention_mask"][:, keep])


def rectangle(rows):
    """Rows of ids as one tensor, filled with -1."""
    out = torch.full((len(rows), max(len(x) for x in rows)), -1, dtype=torch.long)
    for o, x in zip(out, rows):
        o[:len(x)] = x
    return out


def cached(m):
    """transformers makes the cache of T5 for as many layers as the encoder has, and fails if the decoder has more."""
    t = m.config.text_config
    return dict(use_cache=getattr(t, "num_decoder_layers", 0) <= t.num_hidden_layers)


def greedy(m, family, inputs, steps, together):
    """generate_ids, generate_answers and generate_margins; None if end-of-sequence would have come. min_new_tokens forbids
    it, so that an answer with it could be told only by a program that forbids it too."""
    kw = dict(do_sample=False, num_beams=1, max_new_tokens=steps, min_new_tokens=steps, output_logits=True, return_dict_in_generate=True)
    parts = [inputs] if together else [row(inputs, i) for i in range(len(inputs["input_ids"]))]
    ids, margins = [], []
    for part in parts:
        out = m.generate(**part, **kw, **cached(m))
        logits = torch.stack(out.logits, 1).float()
        top = logits.topk(2, -1)
        if (top.indices[..., 0] == EOS[kind(family)]).any():
            return None
        ids.extend(out.sequences)
        margins.append(top.values[..., 0] - top.values[..., 1])
    ids = rectangle(ids)
    answers = torch.stack([x[x >= 0][-steps:] for x in ids])
    return dict(generate_ids=ids, generate_answers=answers, generate_margins=torch.cat(margins))


def beam_settings(r, i, answers):
    """Two settings; end-of-sequence is a token that the greedy answers hold early, so that answers differ in length."""
    out = []
    for k in range(2):
        line = answers[r.randrange(len(answers))].tolist()
        out.append(dict(num_beams=r.randint(2, 4), length_penalty=float((-1, 0, 1, 2)[(i + 2 * k + r.randint(0, 1)) % 4]),
                        early_stopping=(i + k) % 2 == 0, max_new_tokens=r.randint(5, 7), eos_token_id=line[r.randint(1, 3)]))
    return out


def shaken(m, seed):
    """The model in float64 with every weight changed by about 1e-5 of its size."""
    g = torch.Generator().manual_seed(seed)
    m = copy.deepcopy(m).double()
    with torch.no_grad():
        for p in m.parameters():
            p.mul_(1 + 1e-5 * torch.randn(p.shape, generator=g, dtype=torch.float64))
    return m


class Beams:
    """Beam search row by row, without padding: by the model, and by two shaken copies of it that tell what is stable."""

    def __init__(self, m):
        self.models = [m, shaken(m, 1), shaken(m, 2)]

    def search(self, inputs, setting):
        """ids [rows, n], filled with -1, and stable [rows]: all three models agree."""
        ids, stable = [], []
        for i in range(len(inputs["input_ids"])):
            part = row(inputs, i)
            found = [m.generate(**part, do_sample=False, **setting, **cached(m))[0] for m in self.models]
            ids.append(found[0])
            stable.append(all(torch.equal(found[0], f) for f in found[1:]))
        return rectangle(ids), torch.tensor(stable)
