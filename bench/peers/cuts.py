"""Cuts of the network: which places in which parameters belong to a unit, how units are scored, and taking units away."""
import torch
import torch.nn as nn

TOWERS = ("vision", "qformer", "language")
KINDS = ("key_size", "value_size", "heads", "ffn", "hidden")  # in the order in which a cut takes them


class Axis:
    """units that are ranked together; places are (parameter, dimension, index [units, n]): where each unit lies."""

    def __init__(self, tower, kind, name, units, places, groups=1):
        self.tower, self.kind, self.name, self.units, self.groups = tower, kind, name, units, groups
        at = {}  # a fused projection holds several rows of a unit
        for param, dim, index in places:
            at[param, dim] = torch.cat((at[param, dim], index), 1) if (param, dim) in at else index
        self.places = [(param, dim, index) for (param, dim), index in at.items()]

    def scores(self, sums):
        total = torch.zeros(self.units)
        for param, dim, index in self.places:
            total += sums[param][dim][index].sum(1)
        return total

    def best(self, scores, each):
        """The units to keep, so many of each group; the groups are heads, whose dimensions lie one behind the other."""
        size = self.units // self.groups
        rank = scores.view(self.groups, size).topk(each, 1).indices + size * torch.arange(self.groups)[:, None]
        return rank.flatten().sort().values


def places(names, dim, index):
    return [(name, dim, index) for name in names]


def both(layer):
    return [layer + ".weight", layer + ".bias"]


def attention_axes(tower, name, heads, params):
    """Heads, and the dimensions in which queries meet keys and those of values, which each head keeps for itself."""
    out = name + ".o.weight"
    values = params[out].shape[1]
    if name + ".qkv.weight" in params:  # fused; between the cuts of a head's keys and of its values these are not of one size
        keys = (params[name + ".qkv.weight"].shape[0] - values) // 2
        q, k, v = ((both(name + ".qkv"), i * keys) for i in range(3))
    else:
        keys = params[name + ".q.weight"].shape[0]
        q, k, v = ((both(f"{name}.{x}"), 0) for x in "qkv")
    of_keys, of_values = torch.arange(keys)[:, None], torch.arange(values)[:, None]

    def axis(kind, units, key_index, value_index, groups=1):
        at = []
        if key_index is not None:
            at += [p for names, first in (q, k) for p in places(names, 0, key_index + first)]
        if value_index is not None:
            at += places(v[0], 0, value_index + v[1]) + places([out], 1, value_index)
        return Axis(tower, kind, f"{name}.{kind}", units, at, groups)

    yield axis("heads", heads, of_keys.view(heads, -1), of_values.view(heads, -1))
    yield axis("key_size", keys, of_keys, None, heads)
    yield axis("value_size", values, None, of_values, heads)


def attentions(net):
    """All attentions: tower, name, and the module that knows the number of heads."""
    for tower in TOWERS:
        for i, layer in enumerate(getattr(net, tower)):
            name = f"{tower}.{i}"
            if tower == "vision":
                yield tower, name, layer
                continue
            for part in ("att", "self", "cross"):
                if getattr(layer, part, None) is not None:
                    yield tower, f"{name}.{part}", getattr(layer, part)


def stream(net, tower):
    """The places of a tower's residual stream: what reads and writes it in its layers, and around them."""
    names = {"vision": [("patch.weight", 0), ("patch.bias", 0), ("cls", 2), ("place", 2), ("vision_norm.weight", 0), ("vision_norm.bias", 0)],
             "qformer": [("queries", 2), ("query_norm.weight", 0), ("query_norm.bias", 0), ("projection.weight", 1)],
             "language": [("projection.weight", 0), ("projection.bias", 0), ("words.weight", 1), ("positions.weight", 1), ("norm.weight", 0),
                          ("norm.bias", 0)]}[tower]
    for name, module in getattr(net, tower).named_modules(prefix=tower):
        last = name.rsplit(".", 1)[-1]
        if isinstance(module, nn.LayerNorm) or last in ("o", "down"):
            names += [(n, 0) for n in both(name)]
        elif isinstance(module, nn.Linear) and not (".cross." in name and last in "kv"):
            names.append((name + ".weight", 1))
    if tower == "vision":  # the Q-Former reads its output
        names += [(f"qformer.{i}.cross.{x}.weight", 1) for i, layer in enumerate(net.qformer) if layer.cross is not None for x in "kv"]
    return names


def axes(net):
    """All axes by name, blocks apart."""
    params = dict(net.named_parameters())
    out = [a for tower, name, module in attentions(net) for a in attention_axes(tower, name, module.heads, params)]
    for tower in TOWERS:
        for i, layer in enumerate(getattr(net, tower)):
            index = torch.arange(layer.up.out_features)[:, None]
            name = f"{tower}.{i}"
            out.append(Axis(tower, "ffn", name + ".ffn", len(index), places(both(name + ".up"), 0, index) + places([name + ".down.weight"], 1, index)))
        names = stream(net, tower)
        index = torch.arange(params[names[0][0]].shape[names[0][1]])[:, None]
        out.append(Axis(tower, "hidden", tower + ".hidden", len(index), [(n, d, index) for n, d in names]))
    return {a.name: a for a in out}


def take(net, axis, kept):
    """Leaves only some units of an axis."""
    for param, dim, index in axis.places:
        module, _, leaf = param.rpartition(".")
        module = net.get_submodule(module)
        old = getattr(module, leaf)
        away = torch.ones(axis.units, dtype=torch.bool)
        away[kept] = False
        stays = torch.ones(old.shape[dim], dtype=torch.bool)
        stays[index[away].flatten()] = False
        setattr(module, leaf, nn.Parameter(old.detach()[(slice(None),) * dim + (stays,)].clone()))
    if axis.kind == "heads":
        net.get_submodule(axis.name.removesuffix(".heads")).heads = len(kept)


def tell_sizes(net):
    """Modules say what their parameters are."""
    for m in net.modules():
        if isinstance(m, nn.Linear):
            m.out_features, m.in_features = m.weight.shape
        elif isinstance(m, nn.LayerNorm):
            m.normalized_shape = tuple(m.weight.shape)
        elif isinstance(m, nn.Conv2d):
            m.out_channels = m.weight.shape[0]
        elif isinstance(m, nn.Embedding):
            m.embedding_dim = m.weight.shape[1]


def sums_of(net, criterion, batches, loss):
    """For each parameter and dimension the score of each place in it, and under -1 that of the whole; means over the batches."""
    params = dict(net.named_parameters())
    sums = {}
    for batch in batches:
        net.zero_grad(set_to_none=True)
        loss(net, batch).backward()
        for name, p in params.items():
            e = p.grad if criterion == "gradient" else p.grad * p.detach()
            signed = criterion == "taylor-vector"
            e = e if signed else e.abs()
            of = {d: e.sum([o for o in range(e.ndim) if o != d]) if e.ndim > 1 else e for d in range(e.ndim)} | {-1: e.sum()}
            for d, v in of.items():
                sums.setdefault(name, {})[d] = sums.get(name, {}).get(d, 0) + v.abs() / len(batches)
    net.zero_grad(set_to_none=True)
    return sums


def block_scores(net, criterion, batches, loss):
    """For each tower the scores of its blocks."""
    if criterion == "last":
        return {t: torch.arange(len(getattr(net, t)), 0, -1.0) for t in TOWERS}
    if criterion == "taylor-sample":
        return gate_scores(net, batches, loss)
    sums = sums_of(net, criterion, batches, loss)
    return {t: torch.stack([sum(sums[f"{t}.{i}.{n}"][-1] for n, _ in layer.named_parameters()) for i, layer in enumerate(getattr(net, t))])
            for t in TOWERS}


def gate_scores(net, batches, loss):
    """The sum over pictures of |dL/dm| of a gate m of each picture and block: x + m (f(x) - x)."""
    scores = {t: torch.zeros(len(getattr(net, t))) for t in TOWERS}
    gates = {}

    def hook(layer, given, out):
        m = torch.ones(len(out), 1, 1, requires_grad=True)
        gates[layer] = m
        return given[0] + m * (out - given[0])

    hooks = [layer.register_forward_hook(hook) for t in TOWERS for layer in getattr(net, t)]
    for batch in batches:
        loss(net, batch).backward()
        for t in TOWERS:
            scores[t] += torch.stack([gates[layer].grad.abs().sum() for layer in getattr(net, t)])
    for h in hooks:
        h.remove()
    net.zero_grad(set_to_none=True)
    return scores


def cut_blocks(net, scores, units):
    """units: how many blocks stay in each tower. Those with and without cross-attention are ranked apart: they are not of one size."""
    for tower, n in units.items():
        layers = getattr(net, tower)
        groups = [[i for i, x in enumerate(layers) if (getattr(x, "cross", None) is None) == plain] for plain in (False, True)]
        groups = [g for g in groups if g]
        quota = [n * len(g) // len(layers) for g in groups]
        for k in sorted(range(len(groups)), key=lambda k: -(n * len(groups[k]) % len(layers)))[: n - sum(quota)]:
            quota[k] += 1
        kept = sorted(i for g, q in zip(groups, quota) for i in sorted(g, key=lambda i: -scores[tower][i])[:q])
        setattr(net, tower, nn.ModuleList(layers[i] for i in kept))


def cut_units(net, sums, units):
    """units: for each tower and kind how many stay, inside heads of each head. All are chosen before any is taken."""
    chosen = {}
    for a in axes(net).values():
        each = units.get(a.tower, {}).get(a.kind)
        if each is not None and each < a.units // a.groups:
            chosen[a.name] = a.best(a.scores(sums), each)
    for kind in KINDS:
        for name, kept in chosen.items():
            if name.endswith("." + kind):
                take(net, axes(net)[name], kept)
    tell_sizes(net)


def count(net):
    return sum(p.numel() for p in net.parameters())
