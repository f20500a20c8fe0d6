"""Makes the fixtures of transformers here: tiny networks of five families, their inputs, and what transformers computes.

    $(bench/parity/setup.sh | tail -n 1) model/modeltest/testdata/make_hub.py     # some two minutes

A folder holds config.json, model.safetensors and generation_config.json as save_pretrained writes them, and

    io.safetensors     inputs, outputs in float32, greedy ids; row 1 is padded on the left by two
    exact.safetensors  the outputs in a true float64, and generate_margins: at each step of an answer, the best logit less the second
    grads.safetensors  the gradients of the loss in a true float64
    errors.json        the largest difference of transformers' own float32 from that, over the settings in bench/parity/exact.py

The loss is the mean cross entropy of the labels: those of an encoder-decoder against its logits as they are, others against
the logits of the token before. Made with the versions in bench/parity/requirements.txt."""
import json, os, sys, warnings, torch, torch.nn.functional as F, transformers
from safetensors.torch import load_file
from transformers import (Blip2Config, Blip2ForConditionalGeneration, InstructBlipConfig,
                          InstructBlipForConditionalGeneration, LlamaConfig, OPTConfig, T5Config)
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../bench/parity"))
import exact
from cases import save, save_json

QUERIES, IMAGE, STEPS = 4, 63, 8  # query tokens, the picture's placeholder, tokens of an answer
OUTPUTS = ("vision_last_hidden", "vision_pooler", "qformer_output", "language_projection", "logits")
VISION = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=24, patch_size=8)
QFORMER = dict(hidden_size=24, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4, encoder_hidden_size=32,
               cross_attention_frequency=2, vocab_size=40, max_position_embeddings=20)
OPT = OPTConfig(vocab_size=64, hidden_size=40, word_embed_proj_dim=40, ffn_dim=80, num_hidden_layers=2, num_attention_heads=4,
                max_position_embeddings=32, pad_token_id=1, bos_token_id=2, eos_token_id=2, dropout=0.)
T5 = T5Config(vocab_size=64, d_model=40, d_kv=8, d_ff=80, num_layers=2, num_decoder_layers=2, num_heads=4,
              relative_attention_num_buckets=8, relative_attention_max_distance=16, feed_forward_proj="gated-gelu",
              tie_word_embeddings=False, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, dropout_rate=0.)
LLAMA = LlamaConfig(vocab_size=64, hidden_size=40, head_dim=6, intermediate_size=56, num_hidden_layers=2, num_attention_heads=8,
                    num_key_value_heads=2, attention_bias=True, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2)
FAMILIES = dict(blip2_opt=OPT, blip2_t5=T5, instructblip_t5=T5, blip2_llama=LLAMA, instructblip_llama=LLAMA)


def build(name):
    config, network = (InstructBlipConfig, InstructBlipForConditionalGeneration) if name.startswith("instruct") else (Blip2Config, Blip2ForConditionalGeneration)
    return network(config(vision_config=VISION, qformer_config=QFORMER, text_config=FAMILIES[name].to_dict(),
                          num_query_tokens=QUERIES, image_token_index=IMAGE)).eval()


def randomise(m, seed):
    """Weights under which each part matters."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for n, p in sorted(m.named_parameters()):
            noise = torch.randn(p.shape, generator=g)
            if p.ndim == 1:
                p.copy_(1 + .2 * noise if "norm" in n.lower() and n.endswith("weight") else .1 * noise)
            else:
                table = any(s in n for s in ("embed", "query_tokens", "shared", "position"))
                p.copy_(noise * (.3 if table else 1.4 / p.shape[-1] ** .5))


def draw(m):
    """The inputs, and the labels of the loss."""
    g = torch.Generator().manual_seed(7)
    text, encoder_decoder = m.config.text_config, m.config.text_config.model_type == "t5"
    pixels = torch.randn(2, 3, 24, 24, generator=g)
    words = torch.randint(5, 60, (2, 5), generator=g)
    ids = torch.cat([torch.full((2, QUERIES), IMAGE), torch.full((2, 1), 2), words], 1)
    ids[1] = torch.cat([torch.full((2,), text.pad_token_id), ids[1, :-2]])
    mask = torch.ones_like(ids)
    mask[1, :2] = 0
    inputs = dict(pixel_values=pixels, input_ids=ids, attention_mask=mask)
    if m.config.model_type == "instructblip":
        question = torch.randint(3, 40, (2, 6), generator=g)
        there = torch.ones_like(question)
        there[1, 4:] = question[1, 4:] = 0
        inputs.update(qformer_input_ids=question, qformer_attention_mask=there)
    if not encoder_decoder:
        return inputs, ids[:, -4:]
    inputs["decoder_input_ids"] = torch.cat([torch.zeros(2, 1, dtype=torch.long), torch.randint(5, 60, (2, 4), generator=g)], 1)
    return inputs, torch.randint(5, 60, (2, 5), generator=g)


def compute(m, inputs, labels):
    """Outputs with the loss, and the gradients of that, by name."""
    kept = []
    hook = m.language_projection.register_forward_hook(lambda _m, _i, out: kept.append(out))
    out = m(**inputs)
    hook.remove()
    shifted = out.logits if "decoder_input_ids" in inputs else out.logits[:, -labels.shape[1] - 1:-1]
    m.zero_grad()
    loss = F.cross_entropy(shifted.flatten(0, 1), labels.flatten())
    loss.backward()
    found = (out.vision_outputs.last_hidden_state, out.vision_outputs.pooler_output, out.qformer_outputs.last_hidden_state, kept[0], out.logits)
    return dict(zip(OUTPUTS, found), loss=loss.reshape(1)), {n: p.grad for n, p in m.named_parameters() if p.grad is not None}


def greedy(m, inputs):
    """The ids as generate returns them, and the margins of the choices."""
    inputs = {k: v for k, v in inputs.items() if k != "decoder_input_ids"}
    out = m.generate(**inputs, do_sample=False, num_beams=1, max_new_tokens=STEPS, min_new_tokens=STEPS, output_scores=True, return_dict_in_generate=True)
    best = torch.stack(out.scores, 1).topk(2, -1).values
    return out.sequences, best[..., 0] - best[..., 1]


def varied(ids):
    answers = ids[:, -STEPS:]
    return min(len(set(a.tolist())) for a in answers) >= 5 and not answers[0].equal(answers[1])


def make(name):
    torch.manual_seed(0)
    m = build(name)
    inputs, labels = draw(m)
    for seed in range(1, 400):
        randomise(m, seed)
        ids, _ = greedy(m, inputs)
        if varied(ids):
            break
    else:
        sys.exit(f"make_hub.py: {name}: no weights give varied answers")
    outputs, _ = compute(m, inputs, labels)
    folder = os.path.join(HERE, name)
    m.save_pretrained(folder)
    save(folder, "io.safetensors", dict(inputs, **outputs, labels=labels, generate_ids=ids))
    large = exact.double(m)
    with exact.float64():
        outputs, gradients = compute(large, exact.doubled(inputs), labels)
        again, margins = greedy(large, exact.doubled(inputs))
    assert again.equal(ids), name
    save(folder, "exact.safetensors", dict({k: exact.seen(k, v, inputs, inputs.get("decoder_input_ids")) for k, v in outputs.items()}, generate_margins=margins))
    save(folder, "grads.safetensors", gradients)
    save_json(folder, "errors.json", exact.under_every_setting(__file__, name))
    print(f"{name}: weights of seed {seed}, smallest margin {margins.min():.3g}")


def errors(name):
    """Prints how far float32 lies from the kept float64 on this CPU."""
    folder, m = os.path.join(HERE, name), build(name)
    m = type(m).from_pretrained(folder).eval()
    inputs, labels = draw(m)
    want = load_file(os.path.join(folder, "exact.safetensors")), load_file(os.path.join(folder, "grads.safetensors"))
    worst = {}, {}
    for _ in exact.ways(m):
        for found, kept, to in zip(compute(m, inputs, labels), want, worst):
            for n, v in found.items():
                exact.farther(to, n, exact.seen(n, v.detach(), inputs, inputs.get("decoder_input_ids")), kept[n])
    print(json.dumps(dict(zip(("outputs", "gradients"), worst))))


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    if len(sys.argv) > 1:
        errors(sys.argv[1])
    else:
        for family in FAMILIES:
            make(family)
