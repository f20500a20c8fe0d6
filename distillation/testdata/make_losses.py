"""Makes losses.safetensors: every distillation loss and its gradient as PyTorch's own functions define it, in float64.

    $(bench/parity/setup.sh | tail -n 1) distillation/testdata/make_losses.py

It holds the student's and the teacher's logits of 9 rows over 13 tokens, the right tokens (of which the teacher thinks best
those of some rows only), the labelled rows, and for each case its value and NAME.grad. kl.FORM.T.C has temperature T and
the share C of corrected labels; top.FORM.T.C is the same over the 4 kept tokens (the right one and the strongest others) and
all the others together."""
import math, os, torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(1)
N, V, K = 9, 13, 4
student = 2 * torch.randn(N, V, dtype=torch.float64)
teacher = 3 * torch.randn(N, V, dtype=torch.float64)
targets = torch.randint(V, (N,))
targets[:4] = teacher[:4].argmax(-1)  # the teacher is right in these rows
labelled = torch.tensor([0, 1, 3, 4, 5, 7])
own = torch.zeros(N, dtype=torch.bool).index_fill(0, labelled, True)
wrong = own & (teacher.argmax(-1) != targets)
assert own.sum() > wrong.sum() > 1


def mixed(log_p, label, share):
    """The teacher's distribution, with a share of the label where its best token is another."""
    p = log_p.exp()
    return torch.where(wrong[:, None], (1 - share) * p + share * F.one_hot(label, p.shape[-1]).double(), p)


def divergence(form, p, log_q):
    def kl(target, log_input):  # F.kl_div takes 0 log 0 for 0
        return F.kl_div(log_input, target, reduction="none").sum(-1)
    if form == "forward":
        return kl(p, log_q)
    if form == "reverse":
        return kl(log_q.exp(), p.log())
    m = ((p + log_q.exp()) / 2).log()
    return (kl(p, m) + kl(log_q.exp(), m)) / 2


def over_all(form, t, share):
    return lambda z: divergence(form, mixed(F.log_softmax(teacher / t, -1), targets, share), F.log_softmax(z / t, -1)).mean() * t * t


def over_kept(form, t, share):
    kept, label = [], torch.zeros(N, dtype=torch.long)
    for i in range(N):  # the right token first
        others = [v for v in teacher[i].argsort(descending=True).tolist() if v != targets[i]]
        kept.append([targets[i].item()] + others[: K - 1])
    inside = torch.zeros(N, V, dtype=torch.bool).scatter(1, torch.tensor(kept), True)

    def classes(z):
        p = F.softmax(z / t, -1)
        return torch.cat((p.gather(1, torch.tensor(kept)), p.masked_fill(inside, 0).sum(-1, keepdim=True)), -1).log()
    return lambda z: divergence(form, mixed(classes(teacher), label, share), classes(z)).mean() * t * t


def pairwise(form, margin):
    def loss(z):
        right = z.gather(1, targets[:, None])[:, 0]
        x = z.scatter(1, targets[:, None], -math.inf).amax(-1) - right + margin
        none = torch.zeros_like(x)
        return {"softplus": F.softplus(x), "hinge": F.relu(x), "huber": F.huber_loss(F.relu(x), none, reduction="none")}[form].mean()
    return loss


cases = {"ce": lambda z: F.cross_entropy(z, targets)}
for form in ("softplus", "hinge", "huber"):
    cases[f"pair.{form}.0.5"] = pairwise(form, 0.5)
for form in ("forward", "reverse", "js"):
    for t, share in ((1, 0), (2, 0), (1, 0.25), (2, 0.7), (2, 1)):
        if form != "reverse" or share < 1:  # else infinite
            cases[f"kl.{form}.{t}.{share}"] = over_all(form, t, share)
            cases[f"top.{form}.{t}.{share}"] = over_kept(form, t, share)
out = {"student": student, "teacher": teacher, "targets": targets, "labelled": labelled}
for name, loss in cases.items():
    z = student.clone().requires_grad_()
    value = loss(z)
    value.backward()
    out[name], out[name + ".grad"] = value.detach(), z.grad

# Hidden states of a student that has some dimensions and query tokens of its teacher: NAME is the loss, NAME.vision (and so on)
# its gradient with respect to the student's states, NAME.maps.0 (and so on) with respect to the matrices.
KEPT = {"vision": range(1, 32, 4), "language": range(0, 40, 4)}
QUERIES = [0, 1, 3]
PARTS = {"vision": ("vision", (2, 3, 32)), "prefix": ("language", (2, 4, 40)), "hidden": ("language", (5, 40))}
relative = lambda s, t: ((s - t).square().sum(-1) / t.square().sum(-1)).mean()
states = {}
for part, (tower, shape) in PARTS.items():
    t = torch.randn(shape, dtype=torch.float64)
    own = list(shape[:-1]) + [len(KEPT[tower])]
    if part == "prefix":
        own[1] = len(QUERIES)
    states[part] = torch.randn(own, dtype=torch.float64), t
    out["student." + part], out["teacher." + part] = states[part]
for form in ("projection", "kept"):
    value, leaves = 0, {}
    for i, (part, (s, t)) in enumerate(states.items()):
        kept = list(KEPT[PARTS[part][0]])
        t = t[:, QUERIES] if part == "prefix" else t
        s = leaves[f"hidden.{form}.{part}"] = s.clone().requires_grad_()
        if form == "kept":
            value = value + relative(s, t[..., kept]) / 3
        else:
            w = torch.zeros(t.shape[-1], s.shape[-1], dtype=torch.float64)
            w[kept, range(len(kept))] = 1
            w = leaves[f"hidden.{form}.maps.{i}"] = w.requires_grad_()
            value = value + relative(F.linear(s, w), t) / 3
    value.backward()
    out["hidden." + form] = value.detach()
    out.update({name: x.grad for name, x in leaves.items()})
save_file(out, os.path.join(os.path.dirname(os.path.abspath(__file__)), "losses.safetensors"))
