"""Files of formats that keep pixels as they are, or pack them without loss: PNG, GIF, BMP, TIFF."""
import io, struct, zlib
import numpy as np
from PIL import Image
from files import H, W, alpha, indices, packed, picture_tiff, png, r, rgb, rgb_rows, saved


def pngs(case):
    for depth in (1, 2, 4, 8, 16):
        grey = packed(r.integers(0, 1 << depth, (H, W)), depth)
        if depth == 16:
            grey = packed(np.where(np.arange(W) % 2, indices, indices * 256 + 3), 16)
        case(f"png/grey {depth}", png(0, depth, grey))
        for value in sorted({0, 1, 3, (1 << depth) - 1, int(indices[0, 1])}):
            case(f"png/grey {depth}, {value} transparent", png(0, depth, grey, [(b"tRNS", struct.pack(">H", value))]))
    for depth in (1, 2, 4, 8):
        n = 1 << depth
        palette, rows = r.integers(0, 256, (n, 3)).astype(np.uint8), packed(indices % n, depth)
        palette[-1] = palette[0]  # two entries of one colour
        for name, clear in dict(none=None, one=b"\0", second=b"\xff\0", half=b"\x80", several=b"\0\0"[:n], opaque=b"\xff").items():
            chunks = [(b"PLTE", palette.tobytes())] + ([(b"tRNS", clear)] if clear else [])
            case(f"png/palette {depth}, transparent: {name}", png(3, depth, rows, chunks))
    case("png/palette shorter than the indices", png(3, 8, packed(indices, 8), [(b"PLTE", palette[:40].tobytes())]))
    for depth, v in ((8, rgb), (16, rgb.astype(int) * 256 + 77)):
        for name, clear in dict(none=None, one=v[1, 2], other=(1, 2, 3)).items():
            chunks = [] if clear is None else [(b"tRNS", struct.pack(">3H", *map(int, clear)))]
            case(f"png/rgb {depth}, transparent: {name}", png(2, depth, packed(v.reshape(H, -1), depth), chunks))
        scale = 1 if depth == 8 else 256
        case(f"png/grey and alpha {depth}", png(4, depth, packed((np.dstack([rgb[..., 0], alpha]).astype(int) * scale).reshape(H, -1), depth)))
        case(f"png/rgba {depth}", png(6, depth, packed((np.dstack([rgb, alpha]).astype(int) * scale).reshape(H, -1), depth)))
    control = lambda n, *more: struct.pack(">I", n) + struct.pack(">IIIIHHBB", W, H, 0, 0, 1, 10, 0, 0)
    data, other = (zlib.compress(b"".join(b"\0" + x for x in rows)) for rows in (rgb_rows, rgb_rows[::-1]))
    first, frames = [(b"acTL", struct.pack(">II", 2, 0))], [(b"fcTL", control(1)), (b"fdAT", struct.pack(">I", 2) + other)]
    case("png/animated", png(2, 8, rgb_rows, first + [(b"fcTL", control(0))], frames))
    still = [(b"fcTL", control(0)), (b"fdAT", struct.pack(">I", 1) + other), (b"fcTL", control(2)), (b"fdAT", struct.pack(">I", 3) + other)]
    case("png/animated, with a picture of its own", png(2, 8, rgb_rows, first, still))


def gif(canvas=(W, H), frame=(0, 0), palette=None, own=None, clear=None, interlace=0, background=0, before=b""):
    """A GIF of the same indices; palette is the canvas's, own the frame's."""
    table = lambda p: b"" if p is None else p.tobytes()
    flags = lambda p: 0 if p is None else 0x80 | (len(p).bit_length() - 2)
    out = b"GIF89a" + struct.pack("<HHBBB", *canvas, flags(palette), background, 0) + table(palette) + before
    if clear is not None:
        out += b"!\xf9\x04" + struct.pack("<BHB", 1, 0, clear) + b"\0"
    rows = indices % 16
    if interlace:
        rows = rows[[y for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, H, step)]]
    codes = "".join(f"{c:05b}"[::-1] if c is not None else "" for v in rows.flat for c in (16, v))  # a clear code before each
    codes += f"{17:05b}"[::-1]
    body = int(codes[::-1], 2).to_bytes((len(codes) + 7) // 8, "little")
    out += b"," + struct.pack("<HHHHB", *frame, W, H, flags(own) | interlace) + table(own) + b"\4"
    return out + bytes([len(body)]) + body + b"\0;"


def gifs(case):
    p, q = r.integers(0, 256, (16, 3)).astype(np.uint8), r.integers(0, 256, (16, 3)).astype(np.uint8)
    ramp = np.repeat(np.arange(16, dtype=np.uint8)[:, None], 3, 1)
    p[9] = p[3]
    case("gif/plain", gif(palette=p))
    case("gif/palette of the frame", gif(palette=p, own=q))
    case("gif/only a palette of the frame", gif(own=q))
    case("gif/no palette", gif())
    case("gif/palette of greys", gif(palette=ramp))
    case("gif/palette of the frame of greys", gif(palette=p, own=ramp))
    case("gif/palette shorter than the indices", gif(palette=p[:4]))
    case("gif/interlaced", gif(palette=p, interlace=0x40))
    case("gif/with words", gif(palette=p, before=b"!\xfe\x05hello\x03you\0!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"))
    for clear in (0, 3, 15, 200):
        case(f"gif/{clear} transparent", gif(palette=p, clear=clear))
        case(f"gif/{clear} transparent, no palette", gif(clear=clear))
        case(f"gif/{clear} transparent, smaller than the canvas", gif((W + 3, H + 2), (2, 1), p, clear=clear, background=5))
    case("gif/smaller than the canvas", gif((W + 3, H + 2), (2, 1), p, background=5))
    case("gif/smaller than the canvas, palette of the frame", gif((W + 3, H + 2), (2, 1), p, q, background=5))
    case("gif/beyond the canvas", gif((4, 4), (2, 1), p))
    frames = [Image.fromarray(np.roll(rgb, i, 1)) for i in range(3)]
    case("gif/animated", saved("GIF", frames[0], save_all=True, append_images=frames[1:], disposal=2))


def bmp(bits, rows, size=40, height=H, palette=b"", masks=b"", compression=0, used=0):
    rows = b"".join(x + b"\0" * (-len(x) % 4) for x in rows)
    head = struct.pack("<IiiHHIIiiII", size, W, height, 1, bits, compression, len(rows), 0, 0, used, 0) + masks
    head = head.ljust(size, b"\0") + palette
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(rows), 0, 0, 14 + len(head)) + head + rows


def bmps(case):
    quads = lambda n: np.dstack([r.integers(0, 256, (n, 3)), np.zeros(n)]).reshape(-1, 4).astype(np.uint8)
    for bits in (1, 4, 8):
        n = 1 << bits
        rows = packed(indices[::-1] % n, bits)
        p = np.hstack([r.integers(0, 256, (n, 3)), np.zeros((n, 1))]).astype(np.uint8)
        case(f"bmp/palette {bits}", bmp(bits, rows, palette=p.tobytes()))
    case("bmp/palette of 200", bmp(8, packed(indices[::-1] % 200, 8), palette=p[:200].tobytes(), used=200))
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, 1)
    case("bmp/palette of greys", bmp(8, packed(indices[::-1], 8), palette=ramp.tobytes()))
    bgr, bgra = rgb[..., ::-1], np.dstack([rgb[..., ::-1], alpha])
    for size in (40, 108, 124):
        case(f"bmp/24, header of {size}", bmp(24, [x.tobytes() for x in bgr[::-1]], size))
        case(f"bmp/32, header of {size}", bmp(32, [x.tobytes() for x in bgra[::-1]], size))
    case("bmp/24, top row first", bmp(24, [x.tobytes() for x in bgr], height=-H))
    masks = struct.pack("<4I", 0xff0000, 0xff00, 0xff, 0xff000000)
    case("bmp/32 with masks and alpha", bmp(32, [x.tobytes() for x in bgra[::-1]], 108, masks=masks, compression=3))


def tiffs(case):
    colours = r.integers(0, 65536, (3, 256)).astype(int)
    for order in (b"II", b"MM"):
        n, wide = order.decode(), "<u2" if order == b"II" else ">u2"
        for photometric in (0, 1):
            for bits in (1, 8):
                case(f"tiff/{n} grey {bits}, {photometric}", picture_tiff(order, photometric, 1, bits, b"".join(packed(indices >> 8 - bits, bits))))
        grey = np.where(np.arange(W) % 2, indices, indices * 256 + 3)
        case(f"tiff/{n} grey 16", picture_tiff(order, 1, 1, 16, grey.astype(wide).tobytes()))
        case(f"tiff/{n} palette", picture_tiff(order, 3, 1, 8, indices.astype(np.uint8).tobytes(), {320: (3, colours.reshape(-1).tolist())}))
        case(f"tiff/{n} palette 1", picture_tiff(order, 3, 1, 1, b"".join(packed(indices >> 7, 1)), {320: (3, colours[:, :2].reshape(-1).tolist())}))
        four = np.dstack([rgb, alpha])
        for bits, kind, scale in ((8, "u1", 1), (16, wide, 256)):
            as_bytes = lambda v: (v.astype(int) * scale + (scale > 1) * 77).astype(kind).tobytes()
            case(f"tiff/{n} rgb {bits}", picture_tiff(order, 2, 3, bits, as_bytes(rgb)))
            for extra in (None, 0, 1, 2):
                tags = {} if extra is None else {338: (3, [extra])}
                case(f"tiff/{n} rgb and a fourth {bits}, of kind {extra}", picture_tiff(order, 2, 4, bits, as_bytes(four), tags))
            case(f"tiff/{n} cmyk {bits}", picture_tiff(order, 5, 4, bits, as_bytes(four)))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"):
        for mode, pixels in (("rgb", rgb), ("grey", rgb[..., 0]), ("rgba", np.dstack([rgb, alpha]))):
            case(f"tiff/{compression} {mode}", saved("TIFF", pixels, compression=compression))
        case(f"tiff/{compression} grey 16", saved("TIFF", Image.fromarray(rgb[..., 0].astype(np.uint16) * 3), compression=compression))
        case(f"tiff/{compression} cmyk", saved("TIFF", np.dstack([rgb, alpha]), "CMYK", compression=compression))
    for compression in ("tiff_lzw", "tiff_adobe_deflate"):
        for mode, pixels in (("rgb", rgb), ("grey", rgb[..., 0]), ("grey 16", rgb[..., 0].astype(np.uint16) * 3)):
            case(f"tiff/{compression} {mode}, predictor", saved("TIFF", pixels, compression=compression, tiffinfo={317: 2}))
    for compression in ("group3", "group4"):
        case(f"tiff/{compression}", saved("TIFF", Image.fromarray(rgb[..., 0] > 90), compression=compression))
    for name, tag in (("MM fill order", 266), ("II sample format", 339), ("II planes", 284)):
        case(f"tiff/{name}", picture_tiff(name[:2].encode(), 2, 3, 8, rgb.tobytes(), {tag: (3, [1])}))
    case("tiff/many strips", saved("TIFF", rgb, compression="tiff_lzw", strip_size=W * 3))
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "TIFF", save_all=True, append_images=[Image.fromarray(rgb[::-1])])
    case("tiff/two pictures", out.getvalue())


def write(case):
    for make in (pngs, gifs, bmps, tiffs):
        make(case)
