"""Checks with unmodified transformers what this program has computed and written.

    python back.py FOLDER...

Each FOLDER is a checkpoint (config.json and model.safetensors, or shards with their index) with forward.safetensors: the
inputs pixel_values, input_ids, attention_mask, and of InstructBLIP qformer_input_ids and qformer_attention_mask, of T5
decoder_input_ids, and this program's logits [rows, tokens, vocabulary]; optionally its vision_last_hidden, qformer_output
and language_projection. transformers loads the checkpoint, with no tensor missing, left over or of another shape, runs the
inputs, and must agree to within 1e-4 (--tolerance) where attention_mask is 1. A FOLDER without config.json is taken as a folder
of such folders. One line a folder; the exit status is 1 if one fails. setup.sh makes the Python environment."""
import argparse, os, sys, warnings
import torch, transformers
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoConfig

INPUTS = ("pixel_values", "input_ids", "attention_mask", "qformer_input_ids", "qformer_attention_mask", "decoder_input_ids")
NEEDED = INPUTS[:3]
CLASSES = {"blip-2": "Blip2ForConditionalGeneration", "instructblip": "InstructBlipForConditionalGeneration"}


class Fail(Exception):
    pass


def load(folder):
    """The model, in the dtype of its checkpoint."""
    config = AutoConfig.from_pretrained(folder)
    name = (config.architectures or [CLASSES.get(config.model_type)])[0]
    if name not in CLASSES.values():
        raise Fail(f"config.json names {name or config.model_type}, not one of {', '.join(CLASSES.values())}")
    m, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True, ignore_mismatched_sizes=True, dtype="auto")
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        found = sorted(map(str, info.get(what) or []))
        if found:
            raise Fail(f"{len(found)} {what.replace('_', ' ')}: {', '.join(found[:4])}{', …' if len(found) > 4 else ''}")
    return m.eval()


def forward(m, inputs):
    """transformers' outputs under the names of forward.safetensors."""
    kept = []
    hook = m.language_projection.register_forward_hook(lambda _m, _i, out: kept.append(out))
    with torch.no_grad():
        out = m(**inputs)
    hook.remove()
    return dict(logits=out.logits, vision_last_hidden=out.vision_outputs.last_hidden_state,
                vision_pooler=out.vision_outputs.pooler_output, qformer_output=out.qformer_outputs.last_hidden_state,
                language_projection=kept[0])


def farthest(name, ours, theirs, inputs):
    """The greatest difference; logits of a decoder count where attention_mask is 1, text of the Q-Former where its mask is."""
    if ours.shape != theirs.shape:
        raise Fail(f"{name} is {list(ours.shape)} here and {list(theirs.shape)} in transformers")
    mask = None
    if name == "logits" and "decoder_input_ids" not in inputs:
        mask = inputs["attention_mask"].bool()
    elif name == "qformer_output" and "qformer_attention_mask" in inputs:
        text = inputs["qformer_attention_mask"].bool()
        queries = torch.ones(len(text), ours.shape[1] - text.shape[1], dtype=torch.bool)
        mask = torch.cat([queries, text], 1)
    ours, theirs = ours.double(), theirs.double()
    gap = ((ours - theirs) if mask is None else (ours[mask] - theirs[mask])).abs().max().item()
    if gap != gap:
        raise Fail(f"{name} holds NaN")
    return gap


def check(folder, tolerance):
    """A folder's line; raises Fail."""
    path = os.path.join(folder, "forward.safetensors")
    if not os.path.exists(path):
        raise Fail("no forward.safetensors")
    tensors = load_file(path)
    lacking = [n for n in (*NEEDED, "logits") if n not in tensors]
    if lacking:
        raise Fail(f"forward.safetensors lacks {', '.join(lacking)}")
    m = load(folder)
    inputs = {n: t if t.is_floating_point() else t.long() for n, t in tensors.items() if n in INPUTS}
    theirs = forward(m, inputs)
    gaps = {n: farthest(n, tensors[n], t, inputs) for n, t in theirs.items() if n in tensors}
    words = ", ".join(f"{n} {gap:.1e}" for n, gap in gaps.items())
    if max(gaps.values()) > tolerance:
        raise Fail(f"differs by more than {tolerance:g}: {words}")
    return f"{sum(p.numel() for p in m.parameters()):,} parameters; differs by {words}"


def folders_of(given):
    """The given folder, or the folders in it."""
    if os.path.exists(os.path.join(given, "config.json")) or not os.path.isdir(given):
        return [given]
    return sorted(p for p in (os.path.join(given, n) for n in os.listdir(given)) if os.path.isdir(p)) or [given]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folders", nargs="+", metavar="FOLDER")
    p.add_argument("--tolerance", type=float, default=1e-4, help="greatest absolute difference (1e-4)")
    a = p.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    failed = total = 0
    for folder in (f for given in a.folders for f in folders_of(given)):
        total += 1
        try:
            print(f"ok    {folder}: {check(folder, a.tolerance)}", flush=True)
        except (Fail, OSError, ValueError, RuntimeError, SafetensorError) as e:
            failed += 1
            print(f"FAIL  {folder}: {str(e).strip().splitlines()[0] if not isinstance(e, Fail) else e}", flush=True)
    print(f"back.py: {total - failed} of {total} checkpoints agree with transformers {transformers.__version__}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
