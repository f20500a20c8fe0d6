"""Makes the fixtures of decoders without towers here: tiny networks of transformers', their inputs, and what it computes in a true float64.

    $(bench/parity/setup.sh | tail -n 1) model/modeltest/testdata/make_decoders.py

A folder holds config.json and model.safetensors as save_pretrained writes them, and io.safetensors: inputs, of which row 1 is padded
on the left by two, logits, and greedy ids, none of them near a tie. Made with the versions in bench/parity/requirements.txt."""
import os, torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM
from make_hub import exact, randomise

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = 6
NETWORKS = dict(
    opt=OPTForCausalLM(OPTConfig(vocab_size=32, hidden_size=16, word_embed_proj_dim=16, ffn_dim=24, num_hidden_layers=2, num_attention_heads=2,
                                 max_position_embeddings=20, pad_token_id=1, bos_token_id=2, eos_token_id=2, dropout=0.)),
    llama=LlamaForCausalLM(LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
                                       num_key_value_heads=2, max_position_embeddings=32, pad_token_id=0, bos_token_id=1, eos_token_id=2)))

for name, m in NETWORKS.items():
    m.eval()
    g = torch.Generator().manual_seed(7)
    ids = torch.randint(5, 30, (2, 6), generator=g)
    ids[1, :2] = m.config.pad_token_id
    mask = torch.ones_like(ids)
    mask[1, :2] = 0
    for seed in range(1, 400):
        randomise(m, seed)
        out = m.generate(input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=STEPS, min_new_tokens=STEPS, output_scores=True, return_dict_in_generate=True)
        best = torch.stack(out.scores, 1).topk(2, -1).values
        if (best[..., 0] - best[..., 1]).min() > .05 and len(set(out.sequences[:, 6:].flatten().tolist())) > 6:
            break
    folder = os.path.join(HERE, "decoder_" + name)
    m.save_pretrained(folder)
    os.remove(os.path.join(folder, "generation_config.json"))
    exactly = exact.double(m)
    with torch.no_grad(), exact.float64():
        logits = exactly(input_ids=ids, attention_mask=mask).logits
    save_file(dict(input_ids=ids, attention_mask=mask, logits=logits.contiguous(), generate_ids=out.sequences[:, 6:].contiguous()), os.path.join(folder, "io.safetensors"))
