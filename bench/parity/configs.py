"""Random but small configs of the five families, with every variant that their checkpoints have. Used by cases.py."""
from transformers import (Blip2Config, Blip2ForConditionalGeneration, InstructBlipConfig,
                          InstructBlipForConditionalGeneration, LlamaConfig, OPTConfig, T5Config)

FAMILIES = ("blip2_opt", "blip2_t5", "blip2_llama", "instructblip_t5", "instructblip_llama")
PAD = dict(opt=1, t5=0, llama=0)
BOS = dict(opt=2, llama=1)  # T5 has none
EOS = dict(opt=2, t5=1, llama=2)


def kind(family):
    return family.split("_")[1]


def turn(i, *values):
    """The i-th value, round and round: what must occur is not left to chance."""
    return values[i % len(values)]


def tower(r, sizes=(4, 6, 8, 10, 12), most=5):
    """Heads and head size of a tower, 8 to 48 wide."""
    while True:
        heads, size = r.randint(1, most), r.choice(sizes)
        if 8 <= heads * size <= 48:
            return heads, size


def vision(r, i):
    heads, size = tower(r)
    patch, grid = r.choice((3, 4, 5, 7, 8)), r.randint(1, 4)
    rest = r.randint(1, patch - 1) if i % 10 == 7 else 0  # pixels that fill no patch are not looked at
    return dict(hidden_size=heads * size, num_attention_heads=heads, intermediate_size=r.randint(17, 90),
                num_hidden_layers=r.randint(1, 4), patch_size=patch, image_size=patch * grid + rest,
                layer_norm_eps=turn(i, 1e-6, 1e-6, 1e-5), qkv_bias=i % 4 != 3)


def qformer(r, i, instruct):
    heads, size = tower(r)
    c = dict(hidden_size=heads * size, num_attention_heads=heads, intermediate_size=r.randint(17, 90),
             num_hidden_layers=r.randint(1, 4), cross_attention_frequency=turn(i, 2, 1, 3), layer_norm_eps=turn(i, 1e-12, 1e-12, 1e-6))
    if instruct:
        c.update(vocab_size=r.randint(31, 70), max_position_embeddings=r.randint(9, 20))
    return c


def opt(r, i):
    heads, size = tower(r)
    width = heads * size
    embedding = width
    if i == 9:
        embedding = max(4, width - r.randint(3, 9))
    elif i == 14:
        embedding = width + r.randint(3, 9)
    elif i == 20:
        embedding = width - 3
    return OPTConfig(hidden_size=width, num_attention_heads=heads, word_embed_proj_dim=embedding, ffn_dim=r.randint(17, 90),
                     num_hidden_layers=r.randint(1, 4), vocab_size=r.randint(35, 103), max_position_embeddings=r.randint(36, 50),
                     activation_function=turn(i, "relu", "gelu", "relu", "gelu_new"), do_layer_norm_before=i % 5 != 4,
                     _remove_final_layer_norm=i % 7 == 3, enable_bias=i not in (6, 17), tie_word_embeddings=i % 6 != 5)


def t5(r, i):
    heads, size = tower(r)
    width = r.randint(10, 48)
    layers = r.randint(1, 4)
    buckets = r.choice((4, 6, 8, 9, 16))
    return T5Config(d_model=width, num_heads=heads, d_kv=size, d_ff=r.randint(17, 90), num_layers=layers,
                    num_decoder_layers=turn(i, r.randint(1, 4), layers, None), vocab_size=r.randint(35, 103),
                    relative_attention_num_buckets=buckets, relative_attention_max_distance=r.choice((6, 9, 16, 40)) + buckets // 2,
                    feed_forward_proj=turn(i, "gated-gelu", "relu", "gated-silu", "gated-relu", "gelu", "gated-gelu"),
                    decoder_start_token_id=0, tie_word_embeddings=i % 2 == 1,  # transformers makes of this: scale_decoder_outputs
                    layer_norm_epsilon=turn(i, 1e-6, 1e-6, 1e-5))


def llama(r, i):
    heads = r.choice((2, 4, 6))
    kv = turn(i, 1, heads // 2, heads)
    size = r.choice((4, 6, 8, 10))
    width = heads * size
    if i % 3 == 1:
        size = r.choice([s for s in (4, 6, 8, 10, 12) if s != size])
    theta = r.choice((100., 1000., 10000., 500000.))
    rope = turn(i, dict(rope_type="default"), dict(rope_type="linear", factor=r.choice((2., 4., 2.5))), dict(rope_type="default"),
                dict(rope_type="llama3", factor=r.choice((2., 8.)), low_freq_factor=1., high_freq_factor=4.,
                     original_max_position_embeddings=r.choice((8, 16, 32))))
    return LlamaConfig(hidden_size=width, num_attention_heads=heads, num_key_value_heads=kv, head_dim=size,
                       intermediate_size=r.randint(17, 90), num_hidden_layers=r.randint(1, 4), vocab_size=r.randint(35, 103),
                       max_position_embeddings=64, hidden_act=turn(i, "silu", "silu", "silu", "gelu"), rms_norm_eps=turn(i, 1e-6, 1e-5),
                       rope_parameters=dict(rope, rope_theta=theta), attention_bias=i % 5 in (1, 2), mlp_bias=i % 5 in (2, 3),
                       tie_word_embeddings=i % 4 == 2, pad_token_id=PAD["llama"], bos_token_id=BOS["llama"], eos_token_id=EOS["llama"])


def model(family, r, i):
    """A model of the family's i-th case, with transformers' own first weights."""
    instruct = family.startswith("instruct")
    text = dict(opt=opt, t5=t5, llama=llama)[kind(family)](r, i)
    config = (InstructBlipConfig if instruct else Blip2Config)(
        vision_config=vision(r, i), qformer_config=qformer(r, i, instruct), text_config=text.to_dict(),
        num_query_tokens=1 + (i * 4 + r.randint(0, 1)) % 9, image_token_index=r.randint(5, text.vocab_size - 1))
    config.qformer_config.encoder_hidden_size = config.vision_config.hidden_size
    return (InstructBlipForConditionalGeneration if instruct else Blip2ForConditionalGeneration)(config)
