"""The network of model/ as one writes it in PyTorch eager: nn.Module, fused attention, packed questions, and for answers
a key-value cache and no mask where none is needed. Its sizes are those of the checkpoint's tensors."""
import glob
import json
import mmap
import os
import re
import struct

import torch
import torch.nn as nn
import torch.nn.functional as F

PREFIX = -1  # the segment of the query tokens, which every question sees


DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "I64": torch.int64, "U8": torch.uint8}


def load_file(path):
    """The tensors of a safetensors file, in torch's own memory."""
    with open(path, "rb") as f:
        data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)
    size = struct.unpack_from("<Q", data)[0]
    out = {}
    for name, t in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            dtype, (start, end) = DTYPES[t["dtype"]], t["data_offsets"]
            out[name] = torch.frombuffer(data, dtype=dtype, count=(end - start) // dtype.itemsize, offset=8 + size + start).view(t["shape"]).clone()
    return out


def attend(q, k, v, mask=None, causal=False, scale=None):
    """In bfloat16, the CPU's fused attention takes ten times as long backwards as in float32 (torch 2.11): half of a
    training step. So autocast stops before it, as in csrc/ops_nn.cpp."""
    if torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), mask, is_causal=causal, scale=scale)
    return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, scale=scale)


def linear(tensors, name):
    out, inner = tensors[name + ".weight"].shape
    return nn.Linear(inner, out)


class Attention(nn.Module):
    def __init__(self, query, key, value, out, head):
        super().__init__()
        self.q, self.k, self.v, self.o = query, key, value, out
        self.heads, self.scale = query.out_features // head, head**-0.5

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, x, source, mask=None, causal=False, cache=None):
        q, k, v = self.split(self.q(x)), self.split(self.k(source)), self.split(self.v(source))
        if cache is not None:
            if cache:
                k, v = torch.cat((cache[0], k), 2), torch.cat((cache[1], v), 2)
            cache[:] = k, v
        y = attend(q, k, v, mask, causal, self.scale)
        return self.o(y.transpose(1, 2).flatten(2))


class VisionLayer(nn.Module):
    def __init__(self, t, name, head):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(t[f"{name}.layer_norm{i}.weight"].shape[0]) for i in (1, 2))
        self.qkv, self.o = linear(t, name + ".self_attn.qkv"), linear(t, name + ".self_attn.projection")
        self.up, self.down = linear(t, name + ".mlp.fc1"), linear(t, name + ".mlp.fc2")
        self.heads, self.scale = self.o.in_features // head, head**-0.5

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        y = attend(q, k, v, scale=self.scale)
        x = x + self.o(y.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class QFormerLayer(nn.Module):
    def __init__(self, t, name, head):
        super().__init__()

        def attention(part):
            a = [linear(t, f"{name}.{part}.attention.{x}") for x in ("query", "key", "value")]
            return Attention(*a, linear(t, f"{name}.{part}.output.dense"), head)

        width = t[name + ".output_query.LayerNorm.weight"].shape[0]
        self.self, self.norm1 = attention("attention"), nn.LayerNorm(width)
        self.cross = self.norm_cross = None
        if f"{name}.crossattention.output.dense.weight" in t:
            self.cross, self.norm_cross = attention("crossattention"), nn.LayerNorm(width)
        self.up, self.down = linear(t, name + ".intermediate_query.dense"), linear(t, name + ".output_query.dense")
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x, picture):
        x = self.norm1(x + self.self(x, x))
        if self.cross is not None:
            x = self.norm_cross(x + self.cross(x, picture))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class LanguageLayer(nn.Module):
    def __init__(self, t, name, head):
        super().__init__()
        a = [linear(t, f"{name}.self_attn.{x}_proj") for x in ("q", "k", "v", "out")]
        self.att = Attention(*a, head)
        width = t[name + ".final_layer_norm.weight"].shape[0]
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = linear(t, name + ".fc1"), linear(t, name + ".fc2")

    def forward(self, x, mask=None, causal=False, cache=None):
        n = self.norm1(x)
        x = x + self.att(n, n, mask, causal, cache)
        return x + self.down(F.relu(self.up(self.norm2(x))))


class Network(nn.Module):
    def __init__(self, folder):
        super().__init__()
        with open(os.path.join(folder, "config.json")) as f:
            c = json.load(f)
        t = {}
        for path in glob.glob(os.path.join(folder, "*.safetensors")):
            t |= load_file(path)
        with torch.device("meta"):  # the modules take over the tensors
            self.build(c, t)
        self.load_state_dict({rename(k): v for k, v in t.items()}, assign=True)
        self.register_buffer("zero", torch.zeros((), dtype=self.queries.dtype), persistent=False)

    def build(self, c, t):
        def layers(kind, name, head):
            count = len({re.match(re.escape(name) + r"\.(\d+)", k)[1] for k in t if k.startswith(name + ".")})
            return nn.ModuleList(kind(t, f"{name}.{i}", head) for i in range(count))

        def norm(name):
            return nn.LayerNorm(t[name + ".weight"].shape[0])

        w = t["vision_model.embeddings.patch_embedding.weight"]
        self.patch = nn.Conv2d(3, w.shape[0], w.shape[2], w.shape[2])
        self.cls = nn.Parameter(torch.empty_like(t["vision_model.embeddings.class_embedding"]))
        self.place = nn.Parameter(torch.empty_like(t["vision_model.embeddings.position_embedding"]))
        self.vision = layers(VisionLayer, "vision_model.encoder.layers", c["vision_config"]["head_dim"])
        self.vision_norm = norm("vision_model.post_layernorm")
        self.queries = nn.Parameter(torch.empty_like(t["query_tokens"]))
        self.query_norm = norm("qformer.layernorm")
        self.qformer = layers(QFormerLayer, "qformer.encoder.layer", c["qformer_config"]["head_dim"])
        self.projection = linear(t, "language_projection")
        d = "language_model.model.decoder."
        self.words = nn.Embedding(*t[d + "embed_tokens.weight"].shape)
        self.positions = nn.Embedding(*t[d + "embed_positions.weight"].shape)
        self.language = layers(LanguageLayer, d + "layers", c["text_config"]["head_dim"])
        self.norm = norm(d + "final_layer_norm")
        self.offset = c["text_config"].get("position_offset", 2)  # rows of the table before position 0
        self.n = self.queries.shape[1]

    def prefix(self, pictures):
        x = self.patch(pictures.to(self.patch.weight.dtype)).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls.expand(len(x), -1, -1), x), 1) + self.place
        for layer in self.vision:
            x = layer(x)
        x = self.vision_norm(x)
        q = self.query_norm(self.queries).expand(len(x), -1, -1)
        for layer in self.qformer:
            q = layer(q, x)
        return self.projection(q)

    def forward(self, pictures, batch):
        """Logits [n, vocabulary] at the scored rows of packed questions."""
        return self.read(self.prefix(pictures), batch)

    def read(self, prefix, batch):
        """The same for a prefix that is there: each token sees it and its own question."""
        own = F.pad(batch["segments"], (self.n, 0), value=PREFIX)
        causal = torch.ones(own.shape[1], own.shape[1], dtype=torch.bool, device=own.device).tril()
        seen = (own[:, None] == own[:, :, None]).logical_or_(own[:, None] == PREFIX).logical_and_(causal)
        mask = self.zero.masked_fill(~seen, -torch.inf)[:, None]
        first = self.offset + self.n
        place = torch.cat((self.positions.weight[self.offset : first].expand(len(own), -1, -1), self.positions(batch["positions"] + first)), 1)
        x = torch.cat((prefix, self.words(batch["ids"]).to(prefix.dtype)), 1) + place
        for layer in self.language:
            x = layer(x, mask)
        x = self.norm(x[:, self.n :].flatten(0, 1).index_select(0, batch["rows"]))
        return F.linear(x, self.words.weight)

    @torch.inference_mode()
    def answer(self, pixels, prompt, most, eos):
        """The greedy answer to one question, token ids, about pixels uint8 [1, 3, size, size]."""
        x = torch.cat((self.prefix(normalised(pixels)), self.words(torch.tensor([prompt], device=pixels.device))), 1)
        at, caches, out = self.offset + x.shape[1], [[] for _ in self.language], []
        x = x + self.positions.weight[self.offset : at]
        while True:
            causal = not out
            for layer, cache in zip(self.language, caches):
                x = layer(x, causal=causal, cache=cache)
            token = F.linear(self.norm(x[:, -1]), self.words.weight).argmax(-1)
            word = token.item()
            if word == eos:
                return out
            out.append(word)
            if len(out) == most:
                return out
            x = self.words(token)[:, None] + self.positions.weight[at]
            at += 1


def normalised(pixels):
    return (pixels.float() - 127.5) / 64


RENAMED = [  # of the checkpoint's names, in this order
    (r"vision_model\.embeddings\.patch_embedding", "patch"), (r"vision_model\.embeddings\.class_embedding", "cls"),
    (r"vision_model\.embeddings\.position_embedding", "place"), (r"vision_model\.encoder\.layers", "vision"),
    (r"vision_model\.post_layernorm", "vision_norm"), ("query_tokens", "queries"), (r"qformer\.layernorm", "query_norm"),
    (r"qformer\.encoder\.layer", "qformer"), ("language_projection", "projection"),
    (r"language_model\.model\.decoder\.embed_tokens", "words"), (r"language_model\.model\.decoder\.embed_positions", "positions"),
    (r"language_model\.model\.decoder\.layers", "language"), (r"language_model\.model\.decoder\.final_layer_norm", "norm"),
    (r"self_attn\.qkv", "qkv"), (r"self_attn\.projection", "o"), (r"self_attn\.([qkv])_proj", r"att.\1"),
    (r"self_attn\.out_proj", "att.o"), (r"\bself_attn_layer_norm", "norm1"), (r"(language\.\d+)\.final_layer_norm", r"\1.norm2"),
    (r"(mlp\.)?fc1", "up"), (r"(mlp\.)?fc2", "down"), (r"layer_norm([12])", r"norm\1"),
    (r"crossattention\.attention\.(.)[a-z]+", r"cross.\1"), (r"crossattention\.output\.dense", "cross.o"),
    (r"crossattention\.output\.LayerNorm", "norm_cross"), (r"\battention\.attention\.(.)[a-z]+", r"self.\1"),
    (r"\battention\.output\.dense", "self.o"), (r"\battention\.output\.LayerNorm", "norm1"),
    (r"intermediate_query\.dense", "up"), (r"output_query\.dense", "down"), (r"output_query\.LayerNorm", "norm2"),
]


def rename(name):
    for pattern, to in RENAMED:
        name = re.sub(pattern, to, name)
    return name
