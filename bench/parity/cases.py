"""Makes tiny random models of the BLIP-2 family with transformers, and what transformers computes with them.

    python cases.py OUT [--seed N] [--only FAMILY] [--count N]

Writes a folder OUT/<family>-<nn>/ a case: config.json, model.safetensors and generation_config.json as save_pretrained
does; io.safetensors (inputs and outputs), exact.safetensors and grads.safetensors (outputs and gradients of the loss in
float64), errors.json (how far float32 lies from these), beams.json (the settings of beam_ids_0 and beam_ids_1) and case.json
(what the case is). The same seed makes the same cases. README.md says
what each tensor is. setup.sh makes the Python environment."""
import argparse, json, os, random, sys, time, warnings
import torch, torch.nn.functional as F, transformers
from safetensors.torch import save_file
import configs, exact
from answers import Beams, beam_settings, greedy
from configs import BOS, EOS, FAMILIES, PAD, kind

COUNT, LABELS = 21, 4  # cases a family; labels of a row of a decoder-only model

LAST_NORMS = ("model.decoder.final_layer_norm.weight", "language_model.decoder.final_layer_norm.weight", "language_model.model.norm.weight")


def randomise(m, seed):
    """Weights under which activations stay about 1 and every part matters."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(m.named_parameters()):
            noise = torch.randn(p.shape, generator=g)
            if name.endswith(LAST_NORMS):  # signs, or the tied head repeats each token for ever
                p.copy_((1 + .2 * noise) * noise.sign())
            elif p.ndim == 1:
                p.copy_(1 + .2 * noise if "norm" in name.lower() and name.endswith("weight") else .2 * noise)
            elif "relative_attention_bias" in name:
                p.copy_(noise)
            elif any(s in name for s in ("embedding", "embed_", "query_tokens", "shared")) and p.ndim != 4:
                p.copy_(.6 * noise)
            elif name.endswith("ttention.q.weight"):  # T5 does not scale its scores; smaller weights take the place of that
                p.copy_(noise * 1.3 / p[0].numel() ** .5 / 2)
            else:  # 4 dimensions: the patches
                p.copy_(noise * 1.3 / p[0].numel() ** .5)


def padded(r, lengths, side):
    """A mask [rows, longest] for rows of these lengths; side: "left", "right" or "none"."""
    mask = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for i, n in enumerate(lengths):
        mask[i, (max(lengths) - n if side == "left" else 0):][:n] = 1
    return mask


def ids_of(rows, mask, pad):
    ids = torch.full_like(mask, pad)
    for i, x in enumerate(rows):
        ids[i, mask[i].bool()] = torch.tensor(x)
    return ids


def make_inputs(family, m, r, i, seed):
    """The inputs of a case, and the side of their padding."""
    c, lm = m.config, kind(family)
    side = configs.turn(i, "left", "none", "right")
    rows = r.randint(2, 4)
    words = [w for w in range(3, c.text_config.vocab_size) if w != c.image_token_index]
    longest = r.randint(5, 8)
    short = lambda n, least: [n if side == "none" or k == 0 else r.randint(least, n) for k in range(rows)]
    def line(n):
        text = [r.choice(words) for _ in range(n)]
        text = [*text[1:], EOS[lm]] if lm == "t5" else [BOS[lm], *text[1:]]
        return [c.image_token_index] * c.num_query_tokens + text
    lines = [line(n) for n in short(longest, longest - 3)]  # so that the last LABELS ids of a row hold one at least
    mask = padded(r, [len(x) for x in lines], side)
    size = c.vision_config.image_size
    pictures = torch.randn(rows, 3, size, size, generator=torch.Generator().manual_seed(seed))
    inputs = dict(pixel_values=pictures, input_ids=ids_of(lines, mask, PAD[lm]), attention_mask=mask)
    if family.startswith("instruct"):
        n = r.randint(3, 7)
        questions = [[r.randrange(3, c.qformer_config.vocab_size) for _ in range(k)] for k in short(n, 1)]
        qmask = padded(r, [len(x) for x in questions], "left" if i % 9 == 8 else "right")
        inputs.update(qformer_input_ids=ids_of(questions, qmask, 0), qformer_attention_mask=qmask)
    decoder = None
    if lm == "t5":
        n = r.randint(2, 7)
        decoder = torch.tensor([[0] + [r.choice(words) for _ in range(n - 1)] for _ in range(rows)])
    return inputs, decoder, side


def labels_of(r, m, inputs, decoder):
    """Labels [rows, n]; -100 where none is, or where the token before it is padding, whose logits mean nothing."""
    if decoder is None:
        seen = inputs["attention_mask"]
        return inputs["input_ids"][:, -LABELS:].masked_fill(seen[:, -LABELS:] * seen[:, -LABELS - 1:-1] == 0, -100)
    labels = torch.cat([decoder[:, 1:], torch.full((len(decoder), 1), EOS["t5"])], 1)
    for k in range(1, len(labels)):
        cut = r.randint(1, labels.shape[1])
        labels[k, cut:] = -100
    return labels


def loss_of(logits, labels, shifted):
    """Cross-entropy of the next token, mean over the labels; shifted: the last labels belong to the tokens before them."""
    if shifted:
        logits = logits[:, -labels.shape[1] - 1:-1]
    return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100)


def forward(m, inputs, decoder):
    """Logits with their graph, and all outputs."""
    kept = []
    hook = m.language_projection.register_forward_hook(lambda _m, _i, out: kept.append(out.detach()))
    out = m(**inputs, **({} if decoder is None else dict(decoder_input_ids=decoder)))
    hook.remove()
    return out.logits, dict(vision_last_hidden=out.vision_outputs.last_hidden_state, vision_pooler=out.vision_outputs.pooler_output,
                            qformer_output=out.qformer_outputs.last_hidden_state, language_projection=kept[0], logits=out.logits)


def backward(m, inputs, decoder, labels):
    """All outputs with the loss, and the loss's gradients."""
    m.zero_grad()
    logits, outputs = forward(m, inputs, decoder)
    loss = loss_of(logits, labels, decoder is None)
    loss.backward()
    return dict(outputs, loss=loss.reshape(1)), {n: p.grad for n, p in m.named_parameters() if p.grad is not None}


def save_exact(folder, m, inputs, decoder, labels):
    """Outputs and gradients in float64, and how far float32 lies from them."""
    large = exact.double(m)
    with exact.float64():
        want = backward(large, exact.doubled(inputs), decoder, labels)
    errors = {}, {}
    for _ in exact.ways(m):
        for found, truth, to in zip(backward(m, inputs, decoder, labels), want, errors):
            for n, v in found.items():
                exact.farther(to, n, exact.seen(n, v.detach(), inputs, decoder), exact.seen(n, truth[n].detach(), inputs, decoder))
    save(folder, "exact.safetensors", {n: exact.seen(n, v, inputs, decoder) for n, v in want[0].items()})
    save(folder, "grads.safetensors", want[1])
    save_json(folder, "errors.json", dict(outputs=errors[0], gradients=errors[1]))


def save(folder, name, tensors):
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, os.path.join(folder, name))


def save_json(folder, name, value):
    with open(os.path.join(folder, name), "w") as f:
        json.dump(value, f, indent=1)
        f.write("\n")


def widen(m, i):
    """OPT with embeddings of another width than its hidden states. transformers' language_projection gives hidden states
    all the same, and its values then fill the placeholders as one stream, past the ends of rows. Cases 9 and 14 have a
    projection of the embeddings' width instead; case 20 stays as transformers makes it."""
    t = m.config.text_config
    if t.model_type != "opt" or t.word_embed_proj_dim == t.hidden_size:
        return ""
    if i == 20:
        return "-scatter"
    m.language_projection = torch.nn.Linear(m.config.qformer_config.hidden_size, t.word_embed_proj_dim)
    return "-narrow" if t.word_embed_proj_dim < t.hidden_size else "-wide"


def old_rope(folder):
    """config.json as transformers before 5 wrote it, and as most published LLaMA checkpoints have it."""
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    rope = config["text_config"].pop("rope_parameters")
    config["text_config"]["rope_theta"] = rope.pop("rope_theta")
    config["text_config"]["rope_scaling"] = dict(type="linear", factor=rope["factor"]) if rope["rope_type"] == "linear" else rope
    save_json(folder, "config.json", config)


def make_case(out, family, i, seed):
    """One case in float32."""
    r = random.Random(f"{seed}/{family}/{i}")
    m = configs.model(family, r, i).eval()
    suffix = widen(m, i) or ("-shards" if i == 12 else "-oldrope" if kind(family) == "llama" and i in (13, 15) else "")
    drawn = r.randrange(1 << 30)
    inputs, decoder, side = make_inputs(family, m, r, i, drawn)
    labels, steps = labels_of(r, m, inputs, decoder), r.randint(6, 8)
    together = decoder is not None or side != "right"
    for attempt in range(400):
        randomise(m, drawn + attempt)
        answers = greedy(m, family, inputs, steps, together)
        if answers is not None and varied(answers["generate_answers"]):
            break
    else:
        sys.exit(f"cases.py: {family} {i}: no weights give varied answers")
    outputs, _ = backward(m, inputs, decoder, labels)
    io = dict(inputs, **outputs, **answers, labels=labels)
    if decoder is not None:
        io["decoder_input_ids"] = decoder
    settings = [] if suffix == "-scatter" else beam_settings(r, i, answers["generate_answers"])
    beams = Beams(m)
    for k, setting in enumerate(settings):
        io[f"beam_ids_{k}"], io[f"beam_stable_{k}"] = beams.search(inputs, setting)
    folder = os.path.join(out, f"{family}-{i:02d}{suffix}")
    os.makedirs(folder, exist_ok=True)
    m.save_pretrained(folder, **(dict(max_shard_size="100KB") if suffix == "-shards" else {}))
    if suffix == "-oldrope":
        old_rope(folder)
    save(folder, "io.safetensors", io)
    save_exact(folder, m, inputs, decoder, labels)
    save_json(folder, "beams.json", settings)
    save_json(folder, "case.json", dict(family=family, seed=seed, number=i, dtype="float32", padding=side, together=together,
                                        attention=m.config._attn_implementation, attempts=attempt + 1,
                                        transformers=transformers.__version__, torch=torch.__version__))


def varied(answers):
    """No answer repeats itself much, and not all are alike."""
    return min(len(set(a.tolist())) for a in answers) >= 3 and len({tuple(a.tolist()) for a in answers}) > 1


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", help="the folder to write to")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", choices=FAMILIES, help="only this family")
    p.add_argument("--count", type=int, default=COUNT, help=f"cases a family in float32 ({COUNT})")
    a = p.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    import half
    for family in FAMILIES if a.only is None else (a.only,):
        begun = time.time()
        for i in range(a.count):
            make_case(a.out, family, i, a.seed)
        for i, dtype in enumerate((torch.bfloat16, torch.bfloat16, torch.float16, torch.float16)):
            half.make_case(a.out, family, a.count + i, a.seed, dtype)
        print(f"{family}: {a.count} cases in float32 and 4 in half precision, {time.time() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
