"""Small teachers of every family and dtype, and what a run with them needs. Used by dtypes.py."""
import json, os, random
import torch
from PIL import Image
from transformers import Blip2Config, InstructBlipConfig, LlamaConfig, OPTConfig, T5Config
from configs import BOS, EOS, PAD, kind
from images import Files, photo

AROUND, LOADED = "float16 around a float32 Q-Former", "float16 as transformers loads it"
DTYPES = ("float32", "float16", "bfloat16", "float64", AROUND, LOADED)
SIZE = 16  # of the pictures
QUESTIONS = ("what is the dog doing in the snow", "how many are there", "which colour is it", "is it a photo")
WORDS = ("red", "two", "running", "a photo")


def config(family):
    """Small, but everything is there to be cut; the tokenizers' 1,500 words are more than four times the width."""
    text = dict(
        opt=lambda: OPTConfig(hidden_size=32, word_embed_proj_dim=32, ffn_dim=48, num_hidden_layers=2, num_attention_heads=4),
        t5=lambda: T5Config(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_decoder_layers=2, num_heads=4, feed_forward_proj="gated-gelu",
                            decoder_start_token_id=0),
        llama=lambda: LlamaConfig(hidden_size=32, head_dim=8, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                                  pad_token_id=PAD["llama"], bos_token_id=BOS["llama"], eos_token_id=EOS["llama"]))[kind(family)]()
    return (InstructBlipConfig if family.startswith("instruct") else Blip2Config)(
        vision_config=dict(hidden_size=32, num_attention_heads=4, intermediate_size=48, num_hidden_layers=2, patch_size=4, image_size=SIZE),
        qformer_config=dict(hidden_size=24, num_attention_heads=3, intermediate_size=40, num_hidden_layers=4, cross_attention_frequency=2,
                            encoder_hidden_size=32),
        text_config=text.to_dict(), num_query_tokens=4)


RUN = """seed = 1
threads = 1
device = "cpu"
[data]
root = {data}
size = {size}
[importance]
pictures = 4
batch = 4
[teacher]
checkpoint = {teacher}
[[stage]]
name = "blocks"
criterion = "taylor"
keep = {{ vision = 1, qformer = 2, language = 1 }}
alpha = 1.0
[stage.distil]
batch = 4
lr = 1e-3
steps = 3
[[stage]]
name = "inner"
criterion = "gradient"
loss = "margin"
keep = {{ vision = {{ heads = 2, ffn = "50%" }}, qformer = {{ heads = 2, ffn = "50%" }}, language = {{ heads = 2, ffn = "50%" }} }}
alpha = 1.0
[stage.distil]
batch = 4
lr = 1e-3
steps = 2
[[stage]]
name = "hidden"
criterion = "taylor-sample"
keep = {{ vision = 16, qformer = 16, language = 16 }}
cuts = 2
alpha = 1.0
[stage.distil]
batch = 4
lr = 1e-3
steps = 4
[eval]
latency_runs = 2
latency_warmup = 1
throughput_batch = 2
max_answer_tokens = 12
[export]
format = "transformers"
"""


def write_data(folder, seed):
    """Pictures of the network's size, so that nothing is resized, with questions and short answers."""
    r = random.Random(seed)
    for split, pictures in (("train", 8), ("validation", 4), ("test", 4)):
        files = Files(os.path.join(folder, split), seed + len(split))
        with open(os.path.join(folder, split, "metadata.jsonl"), "w") as f:
            for n in range(pictures):
                files.save(f"{n}.png", Image.fromarray(files.draw((SIZE, SIZE), photo)))
                f.writelines(json.dumps(dict(file_name=f"{n}.png", question=q, answer=r.choice(WORDS))) + "\n" for q in QUESTIONS)


def save_teacher(folder, m, processor, dtype):
    """The same weights in another dtype, as transformers writes them."""
    m = m.to(getattr(torch, dtype.split()[0]))
    if dtype == AROUND:
        m.qformer.float()
        m.query_tokens.data = m.query_tokens.data.float()
    m.save_pretrained(folder), processor.save_pretrained(folder)
    if dtype == AROUND:
        as_published(os.path.join(folder, "config.json"))
    if dtype == LOADED:
        type(m).from_pretrained(folder, dtype=torch.float16).save_pretrained(folder)


def as_published(path):
    """config.json says float16 under the key of transformers before 5; a mixture that is saved today is said to be float32."""
    with open(path) as f:
        config = json.load(f)
    del config["dtype"]
    with open(path, "w") as f:
        json.dump(dict(config, torch_dtype="float16"), f, indent=1)
