"""The PyTorch reference behind ref_tiny: visual encoder (norms first, GELU), Q-Former (norms last, cross-attention in some layers),
projection, and a language model like OPT (norms first, ReLU, tied head). Sizes come from the weights. The questions of a picture
share its prefix in one row. Losses and AdamW are those that the reference trains with. Used by make_ref.py."""
import torch, torch.nn as nn, torch.nn.functional as F

PAD = 0


class Attention(nn.Module):
    def __init__(s, w, p, head):
        super().__init__()
        s.head = head
        s.q, s.k, s.v, s.o = (linear(w, p + x) for x in "qkvo")

    def forward(s, x, kv=None, mask=None):
        kv = x if kv is None else kv
        split = lambda y: y.unflatten(-1, (-1, s.head)).transpose(1, 2)
        a = F.scaled_dot_product_attention(split(s.q(x)), split(s.k(kv)), split(s.v(kv)), attn_mask=mask)
        return s.o(a.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(s, w, p, head, act, last):
        super().__init__()
        s.act, s.last = act, last
        s.att, s.n1, s.n2 = Attention(w, p + "att.", head), norm(w, p + "n1"), norm(w, p + "n2")
        s.f1, s.f2 = linear(w, p + "f1"), linear(w, p + "f2")
        s.has_cross = p + "nc.weight" in w
        if s.has_cross:
            s.cross, s.nc = Attention(w, p + "cross.", head), norm(w, p + "nc")

    def forward(s, x, kv=None, mask=None):
        if s.last:
            x = s.n1(x + s.att(x))
            if s.has_cross:
                x = s.nc(x + s.cross(x, kv))
            return s.n2(x + s.f2(s.act(s.f1(x))))
        x = x + s.att(s.n1(x), mask=mask)
        return x + s.f2(s.act(s.f1(s.n2(x))))


def linear(w, p):
    return nn.Linear(*reversed(w[p + ".weight"].shape))


def norm(w, p):
    return nn.LayerNorm(w[p + ".weight"].shape)


class Network(nn.Module):
    """Declared from a dict of weights and filled with them; head: the size of a head, which no cut changes."""

    def __init__(s, w, head):
        super().__init__()
        like = lambda name: nn.Parameter(torch.empty_like(w[name]))
        layers = lambda tower, act, last=False: nn.ModuleList(
            Layer(w, f"{tower}.{i}.", head, act, last) for i in range(1 + max(int(n.split(".")[1]) for n in w if n.startswith(tower + "."))))
        width, _, patch, _ = w["patch.weight"].shape
        s.patch, s.cls, s.vpos = nn.Conv2d(3, width, patch, patch), like("cls"), like("vpos")
        s.vis, s.vnorm = layers("vis", F.gelu), norm(w, "vnorm")
        s.query, s.qnorm, s.qf = like("query"), norm(w, "qnorm"), layers("qf", F.gelu, True)
        s.proj, s.emb, s.lpos = linear(w, "proj"), nn.Embedding(*w["emb.weight"].shape), like("lpos")
        s.lm, s.lnorm = layers("lm", F.relu), norm(w, "lnorm")
        s.load_state_dict(w)
        s.to(w["query"].dtype)

    def prefix(s, pictures):
        x = s.patch(pictures).flatten(2).transpose(1, 2)
        x = torch.cat([s.cls.expand(len(x), -1, -1), x], 1) + s.vpos
        for l in s.vis:
            x = l(x)
        x, q = s.vnorm(x), s.qnorm(s.query).expand(len(x), -1, -1)
        for l in s.qf:
            q = l(q, x)
        return s.proj(q)

    def forward(s, pictures, questions, answers):
        """Logits [pictures, questions, answer tokens, vocabulary]."""
        prefix, text = s.prefix(pictures), torch.cat([questions, answers[..., :-1]], -1)
        rows, asked, t = text.shape
        p = prefix.shape[1]
        positions = torch.cat([torch.arange(p), torch.arange(p, p + t).repeat(asked)])
        owner = torch.cat([torch.full((p,), -1), torch.arange(asked).repeat_interleave(t)])
        at = torch.arange(p + asked * t)
        mask = (at[None] <= at[:, None]) & ((owner[None] == -1) | (owner[None] == owner[:, None]))
        x = torch.cat([prefix, s.emb(text).flatten(1, 2)], 1) + s.lpos[positions]
        for l in s.lm:
            x = l(x, mask=mask)
        x = s.lnorm(x[:, p:]) @ s.emb.weight.t()
        return x.unflatten(1, (asked, t))[:, :, questions.shape[-1] - 1:]


def ce(logits, answers):
    return F.cross_entropy(logits.flatten(0, -2), answers.flatten(), ignore_index=PAD)


def distil(logits, answers, teacher, kl, pair):
    """KL(teacher || student), and softplus(strongest wrong logit - right logit): means over the answers' tokens."""
    there = answers.flatten() != PAD
    z, y, t = logits.flatten(0, -2)[there], answers.flatten()[there], teacher.flatten(0, -2)[there]
    right = z.gather(1, y[:, None])
    wrong = z.scatter(1, y[:, None], float("-inf")).max(1, keepdim=True)[0]
    return (kl * F.kl_div(F.log_softmax(z, -1), F.log_softmax(t, -1), log_target=True, reduction="batchmean")
            + pair * F.softplus(wrong - right).mean())
