"""Checks that files of tensors hold what Python's torch reads from the originals, to the last bit.

    python formats.py ORIGINAL CONVERTED.safetensors [ORIGINAL CONVERTED …]

ORIGINAL: a state dict (torch.load with weights_only) or a TorchScript archive. formats.sh runs it on real files."""
import sys
import torch
from safetensors.torch import load_file


def tensors(path):
    """All tensors of the file by their dotted names."""
    try:
        return dict(torch.jit.load(path, map_location="cpu").state_dict())
    except RuntimeError:
        return dict(torch.load(path, map_location="cpu", weights_only=True))


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.contiguous().flatten().view(torch.uint8), b.contiguous().flatten().view(torch.uint8))


wrong = 0
for original, converted in zip(sys.argv[1::2], sys.argv[2::2]):
    want, got = tensors(original), load_file(converted)
    differ = sorted(want.keys() ^ got.keys()) + [n for n in want.keys() & got.keys() if not same(want[n], got[n])]
    wrong += bool(differ)
    print("differs: " + ", ".join(differ[:5]) if differ else "ok", original, len(want), "tensors,", sum(t.numel() for t in want.values()), "elements")
sys.exit(bool(wrong))
