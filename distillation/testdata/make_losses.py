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
save_file(out, os.path.join(os.path.dirname(os.path.abspath(__file__)), "losses.safetensors"))
