"""The Python side of the benchmarks: peer.py FOLDER THREADS DEVICE. FOLDER holds teacher/ and perhaps student/ (checkpoints) and
data.safetensors. A request is a line of JSON on stdin, {"do": name, "n": repetitions, ...}; the answer is one on stdout:
{"seconds": [...]} for a measure, else what was asked for; {"error": text} when it failed."""
import copy
import os
import time

import torch
import torch.nn.functional as F

import cuts
import line
from network import Network, load_file, normalised


class Peer:
    def __init__(self, folder, device):
        self.device = torch.device(device)
        self.nets = {name: Network(os.path.join(folder, name)).eval().to(self.device) for name in ("teacher", "student")
                     if os.path.exists(os.path.join(folder, name))}
        t = load_file(os.path.join(folder, "data.safetensors"))
        count = 1 + max(int(k.split(".")[1]) for k in t if k.startswith("batch."))
        self.batches = [{k: t[f"batch.{i}.{k}"] for k in ("pixels", "ids", "segments", "positions", "rows", "targets")} for i in range(count)]
        self.pictures, self.prompts = t["answer.pixels"], t["answer.prompts"].tolist()
        self.one = torch.ones(1, device=self.device), torch.ones(1, device=self.device)
        self.compiled = {}

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def there(self, batch):
        """A batch where the networks are."""
        return {k: v.to(self.device) for k, v in batch.items()}

    def tiny(self, n, ops):
        a, b = self.one
        seconds = []
        for _ in range(n):
            start = time.perf_counter()
            for _ in range(ops):
                a + b
            self.wait()
            seconds.append((time.perf_counter() - start) / ops)
        return {"seconds": seconds}

    def product(self, n, size, bf16):
        a = torch.rand(size, size).to(torch.bfloat16 if bf16 else torch.float32)
        seconds = []
        for _ in range(n):
            start = time.perf_counter()
            a @ a
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds}

    def copy(self, n, bytes):
        a, b = torch.ones(bytes // 4), torch.zeros(bytes // 4)
        seconds = []
        for _ in range(n):
            start = time.perf_counter()
            b.copy_(a)
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds}

    def loss(self, net, batch, bf16=False):
        batch = self.there(batch)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            logits = net(normalised(batch["pixels"]), batch)
        return F.cross_entropy(logits.float(), batch["targets"])

    def threads(self, n):
        torch.set_num_threads(n)
        return {}

    def quick(self, name):
        """A copy of a network that torch.compile works on. It is compiled by its first forward, which takes minutes."""
        if name not in self.compiled:
            net = copy.deepcopy(self.nets[name])
            net.forward, net.prefix = torch.compile(net.forward), torch.compile(net.prefix)
            for layer in net.language:  # the cache grows, so sizes are not compiled in
                layer.forward = torch.compile(layer.forward, dynamic=True)
            self.compiled[name] = net
        return self.compiled[name]

    def step(self, n, bf16, lr, weight_decay, clip, compile=False, copied=True):
        """n training steps of a copy of the teacher, after one to warm up. A compiled network is kept, and stays where so small a rate leaves it."""
        net = self.quick("teacher") if compile else copy.deepcopy(self.nets["teacher"]) if copied else self.nets["teacher"]
        net.train()
        params = list(net.parameters())
        decay, plain = [p for p in params if p.ndim > 1], [p for p in params if p.ndim <= 1]
        adam = torch.optim.AdamW([dict(params=decay, weight_decay=weight_decay), dict(params=plain, weight_decay=0.0)],
                                 lr=lr, betas=(0.9, 0.98), fused=True)
        seconds, losses = [], []
        for i in range(n + 1):
            start = time.perf_counter()
            loss = self.loss(net, self.batches[i % len(self.batches)], bf16)
            loss.backward()
            losses.append(loss.item())
            torch.nn.utils.clip_grad_norm_(params, clip)
            adam.step()
            adam.zero_grad(set_to_none=True)
            self.wait()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds[1:], "losses": losses}

    def importance(self, n, batches):
        """n passes: the mean over batches of |gradient|, summed for each channel of each weight."""
        net = self.nets["teacher"].train()
        params = dict(net.named_parameters())
        seconds = []
        for _ in range(n):
            start = time.perf_counter()
            total = [torch.zeros_like(p) for p in params.values()]
            for i in range(batches):
                self.loss(net, self.batches[i % len(self.batches)]).backward()
                torch._foreach_add_(total, torch._foreach_abs([p.grad for p in params.values()]))
                net.zero_grad(set_to_none=True)
            torch._foreach_div_(total, batches)
            scores = {k: [t.sum([o for o in range(t.ndim) if o != d]) for d in range(t.ndim)] for k, t in zip(params, total)}
            self.wait()
            seconds.append(time.perf_counter() - start)
        blocks = {stack: [sum(scores[f"{stack}.{i}.{k}"][0].sum().item() for k, _ in layer.named_parameters())
                          for i, layer in enumerate(getattr(net, stack))] for stack in ("vision", "qformer", "language")}
        return {"seconds": seconds, "blocks": blocks}

    def memory(self, n, **how):
        """The bytes by which the peak of n + 1 training steps of the network itself passes what the process has before."""
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")  # the peak begins anew
        before = status("VmRSS:")
        self.step(n, copied=False, **how)
        return {"seconds": [status("VmHWM:") - before]}

    def answer(self, n, net, first, batch, most, eos, compile=False):
        assert batch == 1, "network.py answers one question at a time"
        net, seconds, answers = (self.quick(net) if compile else self.nets[net]).eval(), [], []
        for i in range(first, first + n):
            i %= len(self.prompts)
            pixels, prompt = self.pictures[i : i + 1], self.prompts[i]
            start = time.perf_counter()
            out = net.answer(pixels.to(self.device), prompt, most, eos)
            seconds.append(time.perf_counter() - start)
            answers.append(out)
        return {"seconds": seconds, "answers": answers}

    def cut(self, blocks, units):
        """How far the teacher, cut here so that the first units stay, is from the student, which was cut so on the other side."""
        net, student = (copy.deepcopy(self.nets[name]).cpu() for name in ("teacher", "student"))
        cuts.cut_blocks(net, cuts.block_scores(net, "last", [], None), blocks)
        first = {n: {d: torch.arange(p.shape[d], 0.0, -1) for d in range(p.ndim)} for n, p in net.named_parameters()}
        cuts.cut_units(net, first, units)
        want = dict(student.named_parameters())
        return {"logits": [(p - want[n]).abs().max().item() for n, p in net.named_parameters()]}

    def masked(self, units, batch):
        """How far a cut inside heads, of heads and of FFN widths at random is from the same with zeros, of the greatest logit, in float64."""
        whole = copy.deepcopy(self.nets["teacher"]).cpu().double()
        drawn = {n: {d: torch.rand(p.shape[d]) for d in range(p.ndim)} for n, p in whole.named_parameters()}
        cut, zeros = copy.deepcopy(whole), dict(whole.named_parameters())
        cuts.cut_units(cut, drawn, units)
        with torch.no_grad():
            for a in cuts.axes(whole).values():
                if (each := units[a.tower].get(a.kind)) is not None:
                    away = torch.ones(a.units, dtype=torch.bool)
                    away[a.best(a.scores(drawn), each)] = False
                    for param, dim, index in a.places:
                        zeros[param].index_fill_(dim, index[away].flatten(), 0.0)
            b = self.batches[batch]
            pictures = normalised(b["pixels"]).double()
            want, got = whole(pictures, b), cut(pictures, b)
        return {"logits": [((got - want).abs().max() / want.abs().max()).item()]}

    @torch.inference_mode()
    def logits(self, net, batch):
        b = self.there(self.batches[batch])
        return {"logits": self.nets[net].eval()(normalised(b["pixels"]), b).flatten().tolist()}


def status(key):
    with open("/proc/self/status") as f:
        return next(int(x.split()[1]) << 10 for x in f if x.startswith(key))


line.serve(Peer)
