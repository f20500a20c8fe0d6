"""Makes what the tests compare ref_tiny with, in float64, and errors.json: how far the reference's own float32 lies from it.

    $(bench/parity/setup.sh | tail -n 1) model/modeltest/testdata/make_ref.py     # a minute

Reads what the reference has drawn and cut: model.safetensors, stage1 to stage3 (after cuts of blocks, of heads and FFN, of widths),
and of io.safetensors the pictures, questions, answers, greedy answers (generate) and the teacher's logits. Writes

    exact.safetensors          prefix, logits, ce_loss, kl_loss, pair_loss, logits of the stages (stage1.logits, ...), and
                               generate_margins: at each token of the greedy answers, the best logit less the second
    grads.safetensors          gradients of ce_loss
    importance.safetensors     sums of |g| (grad) and |g*w| (gradw) for each unit, means over two batches of two pictures
    adamw_3_steps.safetensors  the weights after three steps (kl + pair, lr 1e-2, betas .9 and .98, decay .05, clip 1), and _losses"""
import json, os, sys, torch
from safetensors.torch import load_file
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../bench/parity"))
import exact
from cases import save, save_json
from ref_network import Network, ce, distil
FOLDER, HEAD = os.path.join(HERE, "ref_tiny"), 8
TOWERS, STAGES = ("vis", "qf", "lm"), ("stage1", "stage2", "stage3")


def read(dtype):
    """The files of the reference."""
    cast = lambda v: v.to(dtype) if torch.is_floating_point(v) else v
    return {name: {k: cast(v) for k, v in load_file(os.path.join(FOLDER, name + ".safetensors")).items()} for name in ("io", "model", *STAGES)}


def members(tower, n, w):
    """The axes inside layer n: (name, [(weight, dimension, rows a unit)])."""
    p = f"{tower}.{n}."
    for a in ("att", "cross"):
        if p + a + ".q.weight" in w:
            yield f"head.{p}{a}", [(f"{p}{a}.{x}.{y}", 0, HEAD) for x in "qkv" for y in ("weight", "bias")] + [(f"{p}{a}.o.weight", 1, HEAD)]
    yield f"ffn.{p}ffn", [(p + "f1.weight", 0, 1), (p + "f1.bias", 0, 1), (p + "f2.weight", 1, 1)]


def stream(tower, w):
    """All that holds a tower's width."""
    columns = ("att.q", "att.k", "att.v", "f1", "cross.q")
    for name in w:
        if name.startswith(tower + "."):
            part, kind = name.split(".", 2)[2].rsplit(".", 1)
            if part in columns and kind == "weight":
                yield name, 1
            elif part in ("n1", "n2", "nc", "att.o", "f2", "cross.o"):
                yield name, 0
            continue
        dims = {"vis": {"patch.weight": 0, "patch.bias": 0, "cls": 2, "vpos": 2, "vnorm.weight": 0, "vnorm.bias": 0},
                "qf": {"query": 2, "qnorm.weight": 0, "qnorm.bias": 0, "proj.weight": 1},
                "lm": {"proj.weight": 0, "proj.bias": 0, "emb.weight": 1, "lpos": 1, "lnorm.weight": 0, "lnorm.bias": 0}}[tower]
        if name in dims:
            yield name, dims[name]
        elif tower == "vis" and name.startswith("qf.") and name.endswith(("cross.k.weight", "cross.v.weight")):
            yield name, 1


def importance(m, pictures, questions, answers):
    out = {}
    weights = dict(m.named_parameters())
    scores = {how: {n: torch.zeros_like(p) for n, p in weights.items()} for how in ("grad", "gradw")}
    for at in (slice(0, 2), slice(2, 4)):
        m.zero_grad()
        ce(m(pictures[at], questions[at], answers[at]), answers[at]).backward()
        for n, p in weights.items():
            scores["grad"][n] += p.grad.abs() / 2
            scores["gradw"][n] += (p.grad * p.detach()).abs() / 2
    for how, s in scores.items():
        units = lambda parts: sum(s[n].transpose(0, dim).reshape(s[n].shape[dim] // k, -1).sum(1) for n, dim, k in parts)
        for tower in TOWERS:
            layers = range(len(getattr(m, tower)))
            out[f"{how}.block.{tower}"] = torch.stack([sum(v.sum() for n, v in s.items() if n.startswith(f"{tower}.{i}.")) for i in layers])
            out[f"{how}.width.{tower}"] = units([(n, dim, 1) for n, dim in stream(tower, weights)])
            for i in layers:
                out.update({f"{how}.{name}": units(parts) for name, parts in members(tower, i, weights)})
    return out


def compute(files):
    """All values by kind, in the dtype of the files; a kind is a file, and the outputs are exact.safetensors."""
    io = files["io"]
    questions, answers, teacher = io["questions"], io["answers"], io["teacher_logits"]
    pictures = (io["images_u8"].to(teacher.dtype) - 127.5) / 64
    m = Network(files["model"], HEAD)
    logits = m(pictures, questions, answers)
    loss = ce(logits, answers)
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in m.named_parameters()}
    outputs = dict(prefix=m.prefix(pictures), logits=logits, ce_loss=loss, kl_loss=distil(logits, answers, teacher, 1, 0),
                   pair_loss=distil(logits, answers, teacher, 0, 1))
    best = m(pictures, questions, io["generate"]).topk(2, -1).values  # at each token of the greedy answers
    outputs["generate_margins"] = best[..., 0] - best[..., 1]
    for stage in STAGES:
        outputs[stage + ".logits"] = Network(files[stage], HEAD)(pictures, questions, answers)
    scores = importance(m, pictures, questions, answers)
    losses, adam = [], torch.optim.AdamW(m.parameters(), lr=1e-2, betas=(.9, .98), eps=1e-8, weight_decay=.05)
    for _ in range(3):
        loss = distil(m(pictures, questions, answers), answers, teacher, 1, 1)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 1.)
        adam.step()
        losses.append(loss.detach())
    return dict(outputs=outputs, grads=gradients, importance=scores, adamw_3_steps=dict(m.state_dict(), _losses=torch.stack(losses)))


def errors():
    """Prints how far float32 lies from the kept float64 on this CPU."""
    worst = {}
    for onednn in (True, False):
        with torch.backends.mkldnn.flags(enabled=onednn):
            for kind, found in compute(read(torch.float32)).items():
                want = load_file(os.path.join(FOLDER, ("exact" if kind == "outputs" else kind) + ".safetensors"))
                for n, v in found.items():
                    # A key's bias has no gradient in truth, and AdamW divides rounding by rounding: such values mean nothing.
                    if kind != "adamw_3_steps" or not n.endswith(".k.bias"):
                        exact.farther(worst.setdefault(kind, {}), n, v.detach(), want[n])
    print(json.dumps(worst))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        errors()
        sys.exit()
    torch.set_default_dtype(torch.float64)
    files = read(torch.float64)
    with exact.Watched():
        found = compute(files)
    for kind, values in found.items():
        save(FOLDER, ("exact" if kind == "outputs" else kind) + ".safetensors", values)
    torch.set_default_dtype(torch.float32)
    save_json(FOLDER, "errors.json", exact.under_every_setting(os.path.abspath(__file__), "errors"))
