"""Cases in bfloat16 and float16: what transformers computes with weights stored so. Used by cases.py."""
import os, random, re, torch, transformers
import cases, configs, exact


def make_case(out, family, i, seed, dtype):
    """One case: outputs only, with those of the same weights in float64, and how far the halves lie from these."""
    r = random.Random(f"{seed}/{family}/{i}")
    m = configs.model(family, r, i if i != 20 else 0).eval()
    drawn = r.randrange(1 << 30)
    inputs, decoder, side = cases.make_inputs(family, m, r, i, drawn)
    cases.randomise(m, drawn)
    name = {torch.bfloat16: "bf16", torch.float16: "f16"}[dtype]
    folder = os.path.join(out, f"{family}-{i:02d}-{name}")
    os.makedirs(folder, exist_ok=True)
    m.to(dtype).save_pretrained(folder)
    with torch.no_grad():
        m = type(m).from_pretrained(folder, dtype=dtype).eval()
        short = lambda n: "qformer" if n.startswith("qformer.") else re.sub(r"[.]\d+[.]", ".*.", n)
        kept = sorted({short(n) for n, p in m.named_parameters() if p.dtype == torch.float32})
        large, found = exact.double(m), [cases.forward(m, inputs, decoder)[1] for _ in exact.ways(m)]
        with exact.float64():
            _, want = cases.forward(large, exact.doubled(inputs), decoder)
    seen = lambda outputs: {k: exact.seen(k, v, inputs, decoder) for k, v in outputs.items()}
    errors, want = {}, seen(want)
    for outputs in map(seen, found):
        for k, v in outputs.items():
            exact.farther(errors, k, v, want[k])
    cases.save(folder, "exact.safetensors", want)
    cases.save_json(folder, "errors.json", dict(outputs=errors))
    io = dict(inputs, **{k: v.float() for k, v in found[0].items()})
    if decoder is not None:
        io["decoder_input_ids"] = decoder
    cases.save(folder, "io.safetensors", io)
    cases.save_json(folder, "case.json", dict(family=family, seed=seed, number=i, dtype=str(dtype)[6:], padding=side,
                                              kept_in_float32=kept, attention=m.config._attn_implementation,
                                              transformers=transformers.__version__, torch=torch.__version__))
