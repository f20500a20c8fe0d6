"""Losses, distillation and answers: what all contestants have in common."""
import math
import time

import torch
import torch.nn.functional as F

from network import normalised


class Split:
    """Pictures with as many questions each: pixels [n, 3, s, s], prompts [n, q, p], answers [n, q, a], which end and are filled with -1."""

    def __init__(self, tensors, name):
        self.pixels, self.prompts, self.answers = (tensors[f"{name}.{x}"] for x in ("pixels", "prompts", "answers"))
        n, q, p = self.prompts.shape
        said = self.answers[..., :-1].clamp(min=0)
        self.ids = torch.cat((self.prompts, said), 2)
        length = self.ids.shape[2]
        self.segments = torch.arange(q).repeat_interleave(length)
        self.positions = torch.arange(length).repeat(q)
        asked = torch.full((n, q, p - 1), -1)
        self.targets = torch.cat((asked, self.answers), 2).flatten(1)  # of each token; -1: it is not scored

    def __len__(self):
        return len(self.pixels)

    def batch(self, pictures):
        n, targets = len(pictures), self.targets[pictures].flatten()
        rows = (targets >= 0).nonzero()[:, 0]
        return dict(pictures=normalised(self.pixels[pictures]), ids=self.ids[pictures].flatten(1), segments=self.segments.expand(n, -1),
                    positions=self.positions.expand(n, -1), rows=rows, targets=targets[rows])


def logits(net, batch):
    return net(batch["pictures"], batch)


def cross_entropy(net, batch):
    return F.cross_entropy(logits(net, batch), batch["targets"])


def margin(net, batch):
    """logsumexp of the wrong logits minus the right one, which does not saturate."""
    z, y = logits(net, batch), batch["targets"][:, None]
    return (z.scatter(1, y, -torch.inf).logsumexp(1) - z.gather(1, y)[:, 0]).mean()


LOSSES = {"cross-entropy": cross_entropy, "margin": margin}


def distillation(z, teacher, y, weights):
    """KL from the teacher, softplus of strongest rival minus right logit, cross entropy: means over the answers' tokens."""
    loss = z.new_zeros(())
    if weights["kl"]:
        t = weights["temperature"]
        loss = loss + weights["kl"] * t * t * F.kl_div((z / t).log_softmax(1), (teacher / t).log_softmax(1), log_target=True, reduction="batchmean")
    if weights["pair"]:
        y1 = y[:, None]
        rival = z.scatter(1, y1, -torch.inf).amax(1)
        loss = loss + weights["pair"] * F.softplus(rival - z.gather(1, y1)[:, 0] + weights["margin"]).mean()
    if weights["ce"]:
        loss = loss + weights["ce"] * F.cross_entropy(z, y)
    return loss


@torch.no_grad()
def outputs(net, split, batch):
    """What the teacher says at each scored token, in half precision, and where each picture's begin."""
    rows = torch.cat([logits(net, split.batch(p)).half() for p in torch.arange(len(split)).split(batch)])
    begin = F.pad((split.targets >= 0).sum(1).cumsum(0), (1, 0))
    return rows, begin


def said(kept, pictures):
    rows, begin = kept
    return rows[torch.cat([torch.arange(begin[p], begin[p + 1]) for p in pictures])].float()


def rate(step, steps, warmup, final):
    """Share of the peak rate: a linear rise, then half a cosine down to the final share."""
    w = max(1, int(steps * warmup))
    if step < w:
        return (step + 1) / w
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1, (step - w) / max(1, steps - w))))


def distil(net, split, kept, order, steps, final, how):
    """Takes steps of AdamW; order has the pictures of all of them."""
    net.train()
    params = list(net.parameters())
    decayed, plain = [p for p in params if p.ndim > 1], [p for p in params if p.ndim <= 1]
    adam = torch.optim.AdamW([dict(params=decayed, weight_decay=how["weight_decay"]), dict(params=plain, weight_decay=0.0)],
                             lr=how["lr"], betas=(0.9, 0.98), fused=True)
    for step in range(steps):
        pictures = order[step * how["batch"] : (step + 1) * how["batch"]]
        batch = split.batch(pictures)
        loss = distillation(logits(net, batch), said(kept, pictures), batch["targets"], how)
        loss.backward()
        if how["clip"]:
            torch.nn.utils.clip_grad_norm_(params, how["clip"])
        for group in adam.param_groups:
            group["lr"] = how["lr"] * rate(step, steps, how["warmup"], final)
        adam.step()
        adam.zero_grad(set_to_none=True)
    if not all(p.isfinite().all() for p in params):
        raise ValueError("the training diverged: a weight is no number")
    net.eval()


@torch.inference_mode()
def right(net, split, batch, most, eos):
    """Which questions the network answers right by greedy decoding: bool [n, q]."""
    out = []
    for pictures in torch.arange(len(split)).split(batch):
        prefix, ids, answers = net.prefix(normalised(split.pixels[pictures])), split.prompts[pictures], split.answers[pictures]
        n, q, p = ids.shape
        ok, going = torch.ones(n, q, dtype=torch.bool), torch.ones(n, q, dtype=torch.bool)
        for at in range(most):
            length = p + at
            z = net.read(prefix, dict(ids=ids.flatten(1), segments=torch.arange(q).repeat_interleave(length).expand(n, -1),
                                      positions=torch.arange(length).repeat(q).expand(n, -1),
                                      rows=torch.arange(length - 1, n * q * length, length)))
            word = z.argmax(1).view(n, q)
            want = answers[..., at] if at < answers.shape[2] else torch.full((n, q), -1)
            ok &= ~going | (word == want)
            going &= word != eos
            if not going.any():
                break
            ids = torch.cat((ids, word[..., None]), 2)
        out.append(ok & ((answers >= 0).sum(2) <= most))
    return torch.cat(out)


def accuracy(net, split, tasks, batch, most, eos):
    ok = right(net, split, batch, most, eos).double()
    return {"overall": ok.mean().item()} | {t: ok[:, k].mean().item() for k, t in enumerate(tasks)}


class Clock:
    """Seconds by what was done."""

    def __init__(self):
        self.seconds = {}

    def __call__(self, name, f, *args):
        start = time.perf_counter()
        out = f(*args)
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - start
        return out
