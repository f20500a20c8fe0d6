"""What the scripts of formats.json share: one small picture, and the bare bones of files."""
import io, struct, zlib
import numpy as np
from PIL import Image

W, H = 7, 5
r = np.random.default_rng(11)
rgb = (np.mgrid[0:H, 0:W].sum(0)[..., None] * (9, 17, 5) + r.integers(0, 120, (H, W, 3))).astype(np.uint8)
rgb[1:3, 2:5] = (230, 30, 40)
alpha = r.integers(0, 256, (H, W)).astype(np.uint8)
alpha[0] = 0, 255, 1, 128, 0, 255, 7
indices = r.integers(0, 256, (H, W))


def saved(format, pixels=rgb, mode=None, **how):
    out = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels, mode)).save(out, format, **how)
    return out.getvalue()


def png(colour, depth, rows, before=(), after=(), width=W, height=H):
    """rows: packed bytes of each line; before and after: (type, content) of chunks around the pixels."""
    chunk = lambda t, d: struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
    out = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    for t, d in [*before, (b"IDAT", zlib.compress(b"".join(b"\0" + x for x in rows))), *after, (b"IEND", b"")]:
        out += chunk(t, d)
    return b"\x89PNG\r\n\x1a\n" + out


def packed(values, depth):
    if depth == 16: return [row.astype(">u2").tobytes() for row in values]
    if depth == 8: return [row.astype(np.uint8).tobytes() for row in values]
    bits = ((values[..., None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(len(values), -1)
    return [np.packbits(row).tobytes() for row in bits]


rgb_rows = packed(rgb.reshape(H, -1), 8)


def jpeg(*segments):
    """segments: (marker, content) before all others"""
    data = saved("JPEG", quality=95, subsampling=0)
    extra = b"".join(b"\xff" + bytes([m]) + struct.pack(">H", len(d) + 2) + d for m, d in segments)
    return data[:2] + extra + data[2:]


def webp(*chunks, flags=0, pixels=None):
    """chunks: (name, content) after the pixels of a file in the extended form"""
    one = lambda n, d: n + struct.pack("<I", len(d)) + d + b"\0" * (len(d) % 2)
    size = lambda n: struct.pack("<I", n - 1)[:3]
    body = b"WEBP" + one(b"VP8X", bytes([flags, 0, 0, 0]) + size(W) + size(H)) + (pixels or saved("WEBP", lossless=True))[12:]
    body += b"".join(one(*c) for c in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(order, tags, strip, at=None):
    """tags: {tag: (type, values)}; the directory stands at the end, or at a place in front of which bytes are added."""
    e = "<" if order == b"II" else ">"
    code = {1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I"}
    out = order + struct.pack(e + "HI", 42, 0) + strip
    lines = []
    for tag, (kind, values) in tags.items():
        raw = values if isinstance(values, bytes) else b"".join(struct.pack(e + c, v) for c, v in zip(code[kind] * len(values), values))
        count = len(values) // (2 if kind in (5, 10) else 1)
        if len(raw) > 4:
            out += b"\0" * (len(out) % 2)
            raw, out = struct.pack(e + "I", len(out)), out + raw
        lines.append(struct.pack(e + "HHI", tag, kind, count) + raw.ljust(4, b"\0"))
    out += b"\0" * (len(out) % 2 if at is None else max(0, at - len(out)))
    head = order + struct.pack(e + "HI", 42, len(out))
    return head + out[8:] + struct.pack(e + "H", len(lines)) + b"".join(lines) + b"\0" * 4


def picture_tiff(order, photometric, samples, bits, rows, extra={}, compression=1):
    """A TIFF of one strip; rows: its bytes, packed as compression says."""
    tags = {256: (3, [W]), 257: (3, [H]), 258: (3, [bits] * samples), 259: (3, [compression]), 262: (3, [photometric]), 273: (4, [8]),
            277: (3, [samples]), 278: (3, [H]), 279: (4, [len(rows)]), **extra}
    return tiff(order, dict(sorted(tags.items())), rows)
