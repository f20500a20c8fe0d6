"""Torch-Pruning on the network: its own dependency graph, found by tracing, and its own Taylor importance."""
import copy
import warnings

import torch
import torch.nn as nn
import torch_pruning as tp

from cuts import attentions, count
from train import cross_entropy

NEAR, CLOSE = 0.02, 0.004  # of the size that is asked for: how far it may be, and where the search ends


def forward(net, batch):
    """What the graph is traced in: the last norm's output for a word behind a picture. The tied head adds no group, and tables are read as modules."""
    prefix = net.prefix(batch["pictures"])
    x = torch.cat((prefix, net.words(batch["ids"][:, :1])), 1)
    x = x + net.positions(torch.arange(x.shape[1]))
    for layer in net.language:
        x = layer(x, causal=True)
    return net.norm(x)


def pruner(net, batch, ratio, importance):
    """Its defaults: each group of coupled channels loses the same share, residual streams too, and attention in each head alike."""
    heads = {}
    for tower, _, a in attentions(net):
        heads.update({a.qkv: a.heads} if tower == "vision" else {a.q: a.heads, a.k: a.heads, a.v: a.heads})
    free = {p: p.ndim - 1 for p in (net.cls, net.place, net.queries)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tp.pruner.BasePruner(net, batch, importance=importance, pruning_ratio=ratio, num_heads=heads, forward_fn=forward,
                                    unwrapped_parameters=list(free.items()), in_channel_groups={}, out_channel_groups={},
                                    root_module_types=[nn.Conv2d, nn.Linear])


def size_at(net, batch, ratio):
    net = copy.deepcopy(net)
    pruner(net, batch, ratio, tp.importance.RandomImportance()).step()
    return count(net)


def ratio_for(net, batch, parameters):
    """The ratio whose network is nearest to a size. The size falls in small steps as the ratio rises, its root about as a line."""
    (low, most), (high, least), best = (0.0, count(net)), (1.0, 0), (0.0, count(net))
    for i in range(10):
        if abs(best[1] - parameters) < CLOSE * parameters or high - low < 1e-3:
            break
        ratio = low + (high - low) * ((most**0.5 - parameters**0.5) / (most**0.5 - least**0.5) if i % 3 < 2 else 0.5)
        n = size_at(net, batch, ratio)
        if abs(n - parameters) < abs(best[1] - parameters):
            best = ratio, n
        if n > parameters:
            low, most = ratio, n
        else:
            high, least = ratio, n
    if abs(best[1] - parameters) > NEAR * parameters:
        raise ValueError(f"Torch-Pruning reaches {best[1]} parameters at the ratio {best[0]:.4f}, {parameters} were asked for")
    return best[0]


def cut(net, split, sample, batch, ratio):
    """Cuts the network by the gradients of a sample."""
    prune = pruner(net, split.batch(sample[:1]), ratio, tp.importance.TaylorImportance())
    net.zero_grad(set_to_none=True)
    pieces = sample.split(batch)
    for pictures in pieces:
        (cross_entropy(net, split.batch(pictures)) / len(pieces)).backward()
    prune.step()
    net.zero_grad(set_to_none=True)
