"""transformers in a true float64, and how far its own float32 lies from that. Used by cases.py and by the scripts that made
model/modeltest/testdata.

`model.double()` is not enough: transformers casts norms, rotary angles, softmax and logits to float32 whatever the weights
are. Here each such cast is one to float64, and a computation that is still done in float32 ends the program."""
import contextlib, copy, json, os, subprocess, sys, torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers.models.t5.modeling_t5 import T5Attention

# Settings of the CPU's instructions under which float32 rounds in other places.
SETTINGS = [dict(ATEN_CPU_CAPABILITY=c) for c in ("default", "avx2", "avx512")] + [
    dict(ATEN_CPU_CAPABILITY="default", ONEDNN_MAX_CPU_ISA="SSE41", MKL_ENABLE_INSTRUCTIONS="SSE4_2")]


class Lifted(TorchFunctionMode):
    """Every float32 that Python code asks for is a float64."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        lift = lambda v: torch.float64 if v is torch.float32 else v
        if func is torch.Tensor.float:
            return args[0].double()
        return func(*map(lift, args), **{k: lift(v) for k, v in (kwargs or {}).items()})


class Watched(TorchDispatchMode):
    """Refuses whatever is computed in less than float64."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for t in tree_leaves(out):
            if isinstance(t, torch.Tensor) and t.dtype in (torch.float32, torch.float16, torch.bfloat16):
                sys.exit(f"exact.py: {func} is computed in {t.dtype}")
        return out


@contextlib.contextmanager
def float64():
    """Within it transformers computes in float64 alone."""
    bucket, default = T5Attention._relative_position_bucket, torch.get_default_dtype()

    def choice(*args, **kwargs):
        # Which bucket a distance belongs to is a choice: made in float32, as the model itself makes it.
        with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
            torch.set_default_dtype(torch.float32)
            try:
                return bucket(*args, **kwargs)
            finally:
                torch.set_default_dtype(torch.float64)

    T5Attention._relative_position_bucket = staticmethod(choice)
    torch.set_default_dtype(torch.float64)
    try:
        with Lifted(), Watched():
            yield
    finally:
        torch.set_default_dtype(default)
        T5Attention._relative_position_bucket = staticmethod(bucket)


def double(m):
    """A copy of a float32 model in float64; rotary frequencies are computed anew."""
    m = copy.deepcopy(m).double()
    with float64():
        for part in m.modules():
            if hasattr(part, "inv_freq"):
                fresh = type(part)(part.config)
                part.inv_freq, part.original_inv_freq = fresh.inv_freq, fresh.original_inv_freq
    return m


def doubled(tensors):
    """Tensors with every float32 among them in float64."""
    return {k: v.double() if torch.is_floating_point(v) else v for k, v in tensors.items()}


def seen(name, value, inputs, decoder):
    """Without the logits of padding, which mean nothing."""
    return value * inputs["attention_mask"][..., None] if name == "logits" and decoder is None else value


def farther(errors, name, got, want):
    """Keeps in errors[name] the largest difference from the float64 value."""
    errors[name] = max(errors.get(name, 0.), (got.double() - want).abs().max().item())


def ways(m):
    """Runs of a float32 model that round in other places: attention in one piece or step by step, with oneDNN and without."""
    first = m.config._attn_implementation
    for attention in ("sdpa", "eager"):
        m.set_attn_implementation(attention)
        for onednn in (True, False):
            with torch.backends.mkldnn.flags(enabled=onednn):
                yield
    m.set_attn_implementation(first)


def under_every_setting(script, *args):
    """Runs a script that prints errors as JSON under each of SETTINGS; gives the largest of each."""
    worst = {}
    for setting in SETTINGS:
        out = subprocess.run([sys.executable, script, *args], env=dict(os.environ, **setting), check=True, stdout=subprocess.PIPE).stdout
        for kind, errors in json.loads(out.splitlines()[-1]).items():
            for name, e in errors.items():
                worst.setdefault(kind, {})[name] = max(worst.get(kind, {}).get(name, 0.), e)
    return worst
