"""Writes the small pictures of this folder and golden.json: what transformers makes of each path, and PIL of some when it
resizes them. Run: pip install numpy "pillow<13" transformers && python make.py
(made with Pillow 12.3.0 and transformers 5.23.0; why not Pillow 13: ../resize.go)"""
import base64, io, json, struct, zlib
import numpy as np
from PIL import Image
from transformers.image_transforms import convert_to_rgb
from transformers.image_utils import load_image

W, H = 13, 9
r = np.random.default_rng(7)
yy, xx = np.mgrid[0:H, 0:W]
smooth = np.stack([xx * 18, yy * 27, (xx + yy) * 10], -1) + r.integers(0, 30, (H, W, 3))  # compresses and has edges
smooth[2:5, 4:9] = (230, 30, 40)
rgb = np.clip(smooth, 0, 255).astype(np.uint8)
alpha = (r.integers(0, 256, (H, W)) * (xx > 2)).astype(np.uint8)
golden = []


def planar(im):
    return base64.b64encode(np.asarray(im.convert("RGB")).transpose(2, 0, 1).tobytes()).decode()


def golden_of(name, tolerance=0):
    im = Image.fromarray(convert_to_rgb(load_image(name), return_numpy=True))  # as in formats.py
    golden.append(dict(file=name, width=im.width, height=im.height, tolerance=tolerance, pixels=planar(im)))


def png(name, color, depth, rows, palette=None, trns=None, interlace=0):
    """PIL cannot write every kind of PNG, so the chunks are written here; rows: packed bytes of each line."""
    chunk = lambda t, d: struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, depth, color, 0, 0, interlace))
    if palette is not None: out += chunk(b"PLTE", palette)
    if trns is not None: out += chunk(b"tRNS", trns)
    out += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + x for x in rows))) + chunk(b"IEND", b"")
    open(name, "wb").write(out)
    golden_of(name)


def packed(values, depth):
    if depth == 16: return [row.astype(">u2").tobytes() for row in values]
    if depth == 8: return [row.astype(np.uint8).tobytes() for row in values]
    bits = ((values[..., None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(H, -1)
    return [np.packbits(row).tobytes() for row in bits]


for depth in (1, 2, 4, 8, 16):
    png(f"grey{depth}.png", 0, depth, packed(r.integers(0, 1 << depth, (H, W)), depth))
for depth in (1, 2, 4, 8):
    n = 1 << depth
    pal, index = r.integers(0, 256, (n, 3)).astype(np.uint8).tobytes(), packed(r.integers(0, n, (H, W)), depth)
    png(f"palette{depth}.png", 3, depth, index, pal)
    png(f"palette{depth}_clear.png", 3, depth, index, pal, trns=bytes([0, 128][:n]))
png("grey8_clear.png", 0, 8, packed(r.integers(0, 4, (H, W)), 8), trns=b"\0\2")
png("rgb8.png", 2, 8, packed(rgb.reshape(H, -1), 8))
png("rgb8_clear.png", 2, 8, packed(rgb.reshape(H, -1), 8), trns=struct.pack(">3H", 230, 30, 40))
png("rgb16.png", 2, 16, packed(r.integers(0, 65536, (H, W * 3)), 16))
png("grey_alpha8.png", 4, 8, packed(r.integers(0, 256, (H, W * 2)), 8))
png("grey_alpha16.png", 4, 16, packed(r.integers(0, 65536, (H, W * 2)), 16))
png("rgba8.png", 6, 8, packed(np.dstack([rgb, alpha]).reshape(H, -1), 8))
png("rgba16.png", 6, 16, packed(r.integers(0, 65536, (H, W * 4)), 16))


def adam7():
    """a true interlaced picture: seven passes, each its own rows"""
    rows = []
    for y0, x0, dy, dx in [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]:
        rows += [x.tobytes() for x in rgb[y0::dy, x0::dx] if x.size]
    png("interlaced.png", 2, 8, rows, interlace=1)


adam7()
im = Image.fromarray(rgb)
# Go's inverse cosine transform and libjpeg's differ by a level now and then; after colour conversion that can be two.
for name, sub in (("444", 0), ("422", 1), ("420", 2)):
    im.save(f"jpeg{name}.jpg", quality=90, subsampling=sub); golden_of(f"jpeg{name}.jpg", 2)
im.crop((0, 0, 4, 3)).save("jpeg420_narrow.jpg", quality=90, subsampling=2); golden_of("jpeg420_narrow.jpg", 2)
im.save("progressive.jpg", quality=85, progressive=True); golden_of("progressive.jpg", 2)
im.convert("L").save("grey.jpg", quality=90); golden_of("grey.jpg", 1)
ink = np.dstack([np.asarray(im.convert("CMYK"))[..., :3] // 2, 8 * xx + 10 * yy]).astype(np.uint8)
Image.fromarray(ink, "CMYK").save("cmyk.jpg", quality=95); golden_of("cmyk.jpg", 2)
for o in range(1, 9):
    exif = Image.Exif(); exif[0x0112] = o
    im.crop((0, 0, 8, 5)).save(f"turned{o}.jpg", quality=90, subsampling=0, exif=exif); golden_of(f"turned{o}.jpg", 2)
im.save("lossy.webp", quality=80); golden_of("lossy.webp")
im.crop((1, 1, 13, 9)).save("lossy_even.webp", quality=80); golden_of("lossy_even.webp")
im.save("lossless.webp", lossless=True); golden_of("lossless.webp")
Image.fromarray(np.dstack([rgb, alpha])).save("alpha.webp", quality=80, exact=True); golden_of("alpha.webp")
Image.fromarray(np.dstack([rgb, alpha])).save("lossless_alpha.webp", lossless=True, exact=True); golden_of("lossless_alpha.webp")

resized = []
for w, h in [(5, 5), (16, 16), (13, 4), (24, 9), (1, 1), (48, 31)]:
    resized.append(dict(file="rgb8.png", width=w, height=h, pixels=planar(im.resize((w, h), Image.Resampling.BICUBIC))))
json.dump(dict(decoded=golden, resized=resized), open("golden.json", "w"), indent=0)
