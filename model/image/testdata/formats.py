"""Writes formats.json: small files of many formats, and what transformers makes of each when it is given the path.

    pip install numpy "pillow<13" transformers && python formats.py    (made with Pillow 12.3.0, transformers 5.23.0)

That is load_image (ImageOps.exif_transpose, then convert("RGB")) and the image processor's own convert_to_rgb, which lays
what transparency is left over white: the one transparent colour of a PNG or GIF, never an alpha channel."""
import base64, io, json, struct, warnings, zlib
import numpy as np
from PIL import Image
from transformers.image_transforms import convert_to_rgb
from transformers.image_utils import load_image
import bitmaps, notes
from files import H, W, alpha, indices, rgb, saved, webp

warnings.filterwarnings("ignore")
cases = []


def case(name, data, tolerance=0):
    pixels = convert_to_rgb(load_image(Image.open(io.BytesIO(data))), return_numpy=True)
    encode = lambda b: base64.b64encode(b).decode()
    cases.append(dict(name=name, file=encode(data), width=pixels.shape[1], height=pixels.shape[0], tolerance=tolerance,
                      pixels=encode(pixels.transpose(2, 0, 1).tobytes())))


def jpegs():
    case("jpeg/rgb", saved("JPEG", keep_rgb=True, quality=95, subsampling=0), 2)
    cmyk = saved("JPEG", np.dstack([rgb, alpha]), "CMYK", quality=95)
    at = cmyk.index(b"Adobe")
    case("jpeg/cmyk", cmyk, 2)
    case("jpeg/ycck", cmyk[:at + 11] + b"\2" + cmyk[at + 12:], 3)


def webps():
    frames = [Image.fromarray(np.dstack([np.roll(rgb, i, 1), alpha])) for i in range(3)]
    for lossless in (False, True):
        how = dict(save_all=True, append_images=frames[1:], duration=50, lossless=lossless, exact=True)
        for name, first in (("alpha", frames[0]), ("opaque", Image.fromarray(rgb))):
            out = io.BytesIO()
            first.save(out, "WEBP", **how)
            case(f"webp/animated {name}, {'lossless' if lossless else 'lossy'}", out.getvalue())
    lossy = saved("WEBP", np.dstack([rgb, alpha]), quality=80, exact=True)
    case("webp/alpha without its flag", lossy[:20] + b"\0" + lossy[21:])
    case("webp/flag of alpha without alpha", webp(flags=16, pixels=saved("WEBP", rgb, quality=80)))
    out = bytearray(out.getvalue())  # the canvas made larger, and the first frame moved
    out[24], out[27] = W + 3, H + 4
    at = out.index(b"ANMF") + 8
    out[at], out[at + 3] = 1, 2
    case("webp/animated, frame smaller than canvas", bytes(out))


for make in (notes, bitmaps):
    make.write(case)
jpegs()
webps()
with open("formats.json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "files")
