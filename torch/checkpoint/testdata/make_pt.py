"""Makes the small PyTorch files of the tests, in every form, and expected.safetensors with their tensors as PyTorch reads
them: FIXTURE|TENSOR. Python with torch 2.11, safetensors, numpy.

  python make_pt.py                          beside this file
  python make_pt.py check FILE EXPECTED      torch.load(FILE, weights_only=True) is EXPECTED (safetensors), to the last bit
  python make_pt.py values FILE TO           the tensors of a real file, as safetensors: torch.load or torch.jit.load

The archives of libtorch itself, with T = .../site-packages/torch or libtorch's folder, before this script runs:

  g++ -std=c++17 make_pt.cpp -o /tmp/make_pt -I$T/include -I$T/include/torch/csrc/api/include -L$T/lib -ltorch_cpu -lc10 \
      -Wl,-rpath,$T/lib && /tmp/make_pt .
"""
import argparse, collections, os, pathlib, sys, zipfile
import numpy as np
import torch
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
DTYPES = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32, torch.float64,
          torch.bool, torch.bfloat16]


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 3)
        self.norms = torch.nn.ModuleList([torch.nn.BatchNorm1d(3)])
        self.shared = self.linear
        self.register_buffer("scale", torch.arange(3, dtype=torch.float64))
        self.register_buffer("passing", torch.ones(1), persistent=False)
        self.attribute = torch.ones(2)  # neither parameter nor buffer
        self.several = [torch.ones(1)]

    def forward(self, x):
        for n in self.norms:
            x = n(x)
        return self.shared(self.linear(x)) * self.scale + self.attribute[0] + self.several[0] + self.passing


def numbers(*shape):
    return torch.randn(*shape)


def state():
    """Every dtype, and every way in which a tensor can lie in its storage."""
    d = collections.OrderedDict((str(t).split(".")[1], torch.tensor([[0, 1, 2], [100, 1, 0]]).to(t)) for t in DTYPES)
    base = numbers(4, 6)
    tied = numbers(2, 3)
    d.update({
        "scalar": torch.tensor(3.5), "empty": torch.zeros(0, 4), "odd": torch.tensor([float("inf"), -0.0, 5e-324], dtype=torch.float64),
        "layer.0.weight": tied, "tied": tied, "parameter": torch.nn.Parameter(numbers(2)),
        "transposed": base.t(), "sliced": base[1:3, 1:5:2], "row": base[2], "permuted": numbers(2, 3, 4).permute(2, 0, 1),
        "expanded": torch.tensor([1.0, 2.0]).unsqueeze(1).expand(2, 3), "näme": torch.tensor([7], dtype=torch.uint8),
        "one": numbers(1, 5).t(),
    })
    d["with state"] = torch.nn.Parameter(numbers(2))
    d["with state"].note = 1
    return d


def training():
    model = torch.nn.Linear(3, 2)
    adam = torch.optim.Adam(model.parameters())
    model(numbers(4, 3)).sum().backward()
    adam.step()
    return {"model": model.state_dict(), "optimizer": adam.state_dict(), "epoch": 3, "best": torch.tensor(0.5),
            "args": argparse.Namespace(lr=1e-3, out=pathlib.Path("/x")), "numpy": np.float32(3), "array": np.arange(3),
            "device": torch.device("cuda:0"), "dtype": torch.float16, "size": torch.Size([1, 2]), "history": [0.5, {"a": (1, 2)}],
            "counts": collections.Counter("ab"), "default": collections.defaultdict(list), "set": {1, 2}, "rng_state": torch.get_rng_state()[:8],
            "text": b"ab", "complex": 1j, "big": 2**70, "negative": -(2**40), "none": None}


def flat(v, prefix=""):
    """The names that Espalier gives."""
    if isinstance(v, torch.Tensor):
        return {prefix or "0": v}
    pairs = v.items() if isinstance(v, dict) else enumerate(v) if isinstance(v, (list, tuple)) else []
    out = {}
    for k, x in pairs:
        out.update(flat(x, f"{prefix}.{k}" if prefix else str(k)))
    return out


def plain(tensors):
    return {n: t.detach().clone().contiguous() for n, t in tensors.items() if t.layout == torch.strided}


def make():
    torch.manual_seed(0)
    expected = {}

    def keep(fixture, tensors):
        expected.update({f"{fixture}|{n}": t for n, t in plain(flat(tensors)).items()})

    def save(fixture, value, chosen=None, **options):
        torch.save(value, os.path.join(HERE, fixture), **options)
        keep(fixture, value if chosen is None else chosen)

    whole = state()
    save("state.pt", whole)
    save("state_legacy.pt", whole, _use_new_zipfile_serialization=False)
    save("protocol4.pt", whole, pickle_protocol=4)
    save("protocol5_legacy.pt", whole, pickle_protocol=5, _use_new_zipfile_serialization=False)
    t = training()
    save("training.pt", t, t["model"])
    save("training_legacy.pt", t, t["model"], _use_new_zipfile_serialization=False)
    both = {"state": {"model": {"w": numbers(2)}, "ema": {"w": numbers(2), "b": numbers(1)}}, "step": 1}
    save("two_models.pt", both)
    save("list.pt", [numbers(2), (numbers(1), {"x": numbers(1)})])
    save("tensor.pt", numbers(2, 2).t())
    with torch.no_grad():
        plain_one = numbers(2)
        save("unusual.pt", {"plain": plain_one, "uint16": torch.zeros(2, dtype=torch.uint16), "complex": torch.zeros(2, dtype=torch.complex64),
                            "conjugate": torch.ones(2, dtype=torch.complex64).conj(), "sparse": torch.ones(2, 2).to_sparse(),
                            "quantized": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "meta": torch.ones(2, device="meta"),
                            "float8": torch.ones(2).to(torch.float8_e4m3fn),
                            "power": torch.ones(2).to(torch.float8_e8m0fnu)}, {"plain": plain_one})
    for fixture, module in {"script.pt": torch.jit.script(Block()), "trace.pt": torch.jit.trace(Block().eval(), numbers(2, 3))}.items():
        module.save(os.path.join(HERE, fixture))
        keep(fixture, dict(module.state_dict()))
    with zipfile.ZipFile(os.path.join(HERE, "state.pt")) as old, \
            zipfile.ZipFile(os.path.join(HERE, "repacked.pt"), "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():  # as a person's zip tool would: everything compressed
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), old.read(name), zipfile.ZIP_DEFLATED)
    keep("repacked.pt", whole)
    for fixture in ["cpp_module.pt", "cpp_tensor.pt", "cpp_tensors.pt", "cpp_adam.pt"]:
        path = os.path.join(HERE, fixture)
        if os.path.exists(path) and fixture != "cpp_adam.pt":
            keep(fixture, dict(torch.jit.load(path).state_dict()))
    save_file(expected, os.path.join(HERE, "expected.safetensors"))


def same(got, want):
    if sorted(got) != sorted(want):
        return f"names differ: {sorted(set(got) ^ set(want))[:9]}"
    for n, w in want.items():
        g = got[n]
        if g.dtype != w.dtype or g.shape != w.shape:
            return f"{n}: {g.dtype} {tuple(g.shape)}, want {w.dtype} {tuple(w.shape)}"
        if not torch.equal(g.contiguous().reshape(-1).view(torch.uint8), w.contiguous().reshape(-1).view(torch.uint8)):
            return f"{n}: other bits"
    return None


if __name__ == "__main__":
    if len(sys.argv) == 1:
        make()
    elif sys.argv[1] == "check":
        got = torch.load(sys.argv[2], weights_only=True)
        want = load_file(sys.argv[3])
        fault = same(got, want)
        print(fault or f"{type(got).__name__} of {len(got)} tensors, the same to the last bit; dtypes {sorted({str(t.dtype) for t in got.values()})}")
        sys.exit(fault is not None)
    else:
        try:
            tensors = flat(torch.load(sys.argv[2], weights_only=True, map_location="cpu"))
        except RuntimeError:
            tensors = dict(torch.jit.load(sys.argv[2], map_location="cpu").state_dict())
        save_file(plain(tensors), sys.argv[3])
