"""One contestant: contest.py JOB. The job (JSON, from bench/contest) names the teacher's folder, the pictures, the cuts with their steps, and
where the result goes. All contestants have the same teacher, pictures, order of pictures, steps, loss and final size."""
import copy
import json
import sys
import time

import torch

import cuts
import train
from network import Network, load_file

BEGAN = time.perf_counter()


class Contest:
    def __init__(self, job):
        self.job, self.clock, self.sizes = job, train.Clock(), []
        t = load_file(job["data"])
        self.train, self.test, self.ood = (train.Split(t, s) for s in ("train", "test", "ood"))
        self.orders = {k: v for k, v in t.items() if k.startswith(("order.", "sample."))}
        self.teacher = Network(job["teacher"]).eval()
        self.kept = self.clock("outputs", train.outputs, self.teacher, self.train, job["batch"])

    def distil(self, net, c, how):
        self.sizes.append(cuts.count(net))
        print(f"{self.sizes[-1]} parameters, {c['steps']} steps", flush=True)
        self.clock("distil", train.distil, net, self.train, self.kept, self.orders[c["order"]], c["steps"], c["final"], how)

    def sample(self, c):
        return self.orders[c["sample"]]

    def cut(self, net, c, criterion, loss):
        """A cut by rank, as the pipeline makes it."""
        batches = [self.train.batch(p) for p in self.sample(c).split(self.job["sample_batch"])]
        loss = train.LOSSES[loss]
        blocks = {t: u["blocks"] for t, u in c["units"].items() if "blocks" in u}
        if blocks:
            scores = self.clock("importance", cuts.block_scores, net, criterion, batches, loss)
            self.clock("prune", cuts.cut_blocks, net, scores, blocks)
        else:
            sums = self.clock("importance", cuts.sums_of, net, criterion, batches, loss)
            self.clock("prune", cuts.cut_units, net, sums, c["units"])

    def staged(self, ways):
        """Stage by stage; ways gives a stage's criterion and loss."""
        net = copy.deepcopy(self.teacher)
        for stage in self.job["stages"]:
            for c in stage["cuts"]:
                self.cut(net, c, *ways(stage))
                if cuts.count(net) != c["parameters"]:
                    raise ValueError(f"{cuts.count(net)} parameters are left, the run has {c['parameters']} after this cut")
                self.distil(net, c, stage["how"])
        return net

    def plain(self):
        """The method in plain PyTorch: the run's stages, cuts and ways to score."""
        return self.staged(lambda s: (s["criterion"], s["loss"]))

    def authors(self):
        """The authors' recipe: the last blocks go first, then |sum g w|; the job has one cut a stage."""
        return self.staged(lambda s: ("last" if s["name"] == "blocks" else "taylor-vector", "cross-entropy"))

    def traced(self):
        """Torch-Pruning, at each cut to the size that the method's cut has."""
        import traced

        net = copy.deepcopy(self.teacher)
        for stage in self.job["stages"]:
            for c in stage["cuts"]:
                sample = self.sample(c)
                ratio = traced.ratio_for(net, self.train.batch(sample[:1]), c["parameters"])  # it is no part of the time: a user would give one
                self.clock("prune", traced.cut, net, self.train, sample, self.job["sample_batch"], ratio)
                self.distil(net, c, stage["how"])
        return net

    def scratch(self):
        """A network of the final size with drawn weights, distilled alike; the job has one cut, with the units of all stages."""
        net = copy.deepcopy(self.teacher)
        (stage,) = self.job["stages"]
        (c,) = stage["cuts"]
        cuts.cut_blocks(net, cuts.block_scores(net, "last", [], None), {t: u["blocks"] for t, u in c["units"].items() if "blocks" in u})
        sums = {n: {d: torch.zeros(p.shape[d]) for d in range(p.ndim)} for n, p in net.named_parameters()}
        cuts.cut_units(net, sums, c["units"])
        for m in net.modules():
            if hasattr(m, "reset_parameters"):
                m.reset_parameters()
        for p in (net.cls, net.place, net.queries, net.words.weight, net.positions.weight):
            torch.nn.init.normal_(p, std=0.02)
        self.distil(net, c, stage["how"])
        return net

    def measure(self, net):
        job = self.job
        of = lambda split: train.accuracy(net, split, job["tasks"], job["batch"], job["most"], job["eos"])
        return {"parameters": cuts.count(net), "accuracy": of(self.test), "ood": of(self.ood)}


def peak():
    """The most memory that this process has had, in bytes. (Python's ru_maxrss may be that of the process that started this one.)"""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM:"))


def main():
    with open(sys.argv[1]) as f:
        job = json.load(f)
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    contest = Contest(job)
    net = getattr(contest, job["method"])()
    result = {"student": contest.measure(net.eval()), "teacher": contest.measure(contest.teacher), "sizes": contest.sizes,
              "seconds": contest.clock.seconds, "peak": peak(), "all": time.perf_counter() - BEGAN, "torch": torch.__version__}
    if "torch_pruning" in sys.modules:
        import importlib.metadata

        result["torch_pruning"] = importlib.metadata.version("torch-pruning")
    with open(job["result"], "w") as f:
        json.dump(result, f)


main()
