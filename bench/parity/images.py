"""Draws pictures in many file formats and writes what transformers' BLIP image processor makes of them.

    python images.py OUT [--seed N]

Writes OUT/images/, and for each size OUT/pixels-224.safetensors and OUT/pixels-48.safetensors: for each file, under its
name, pixel_values [3, size, size] float32 that BlipImageProcessorPil makes of the path: it turns the picture as its notes
say, drops an alpha channel, and lays what PIL then still calls transparent (one colour of a PNG or GIF) over white.
Under "direct/NAME", only where it differs, is what the processor makes of Image.open's picture: not turned, and all
transparency laid over white.
OUT/images.json: for each file its size, its mode in PIL, and how far the processor on torchvision (BlipImageProcessor) is
from these values. The same seed makes the same files with the same Pillow. setup.sh makes the Python environment."""
import argparse, json, os, warnings
import numpy as np, torch, transformers
from PIL import Image
from safetensors.torch import save_file
from transformers.image_utils import load_image
from transformers.models.blip.image_processing_blip import BlipImageProcessor
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

SIZES = (224, 48)
SHAPES = [(13, 9), (48, 48), (224, 224), (47, 49), (301, 199), (640, 5), (3, 501), (225, 223), (997, 31), (17, 403), (512, 384), (1, 1),
          (160, 120), (96, 2), (1, 77)]


def noise(r, w, h):
    return r.integers(0, 256, (h, w, 3)).astype(np.uint8)


def gradient(r, w, h):
    y, x = np.mgrid[0:h, 0:w]
    waves = [128 + 127 * np.sin(r.uniform(-9, 9) * x / w + r.uniform(-9, 9) * y / h + r.uniform(0, 6)) for _ in range(3)]
    return np.stack(waves, -1).astype(np.uint8)


def edges(r, w, h):
    """Rectangles and thin lines of hard colours."""
    a = np.full((h, w, 3), 255, np.uint8)
    for _ in range(12):
        x, y = sorted(r.integers(0, w + 1, 2)), sorted(r.integers(0, h + 1, 2))
        a[y[0]:y[1], x[0]:x[1]] = r.integers(0, 2, 3) * 255
    a[::max(2, h // 9)] = 0
    a[:, ::max(2, w // 7)] = (255, 0, 64)
    return a


def photo(r, w, h):
    """Something of all, as a camera's picture has."""
    mixed = .6 * gradient(r, w, h) + .25 * edges(r, w, h) + .15 * noise(r, w, h)
    return mixed.astype(np.uint8)


class Files:
    """Writes pictures, each with the next shape and drawing unless told."""

    def __init__(self, folder, seed):
        self.folder, self.r, self.n, self.names = folder, np.random.default_rng(seed), 0, []
        os.makedirs(folder, exist_ok=True)

    def draw(self, shape=None, kind=None):
        w, h = shape or SHAPES[self.n % len(SHAPES)]
        kind = kind or (noise, gradient, edges, photo)[self.n % 4]
        self.n += 1
        return kind(self.r, w, h)

    def alpha(self, a):
        """Some of it clear, some half so."""
        h, w = a.shape[:2]
        alpha = gradient(self.r, w, h)[..., 0]
        alpha[:h // 3] = 0
        alpha[:, 2 * w // 3:] = 255
        return alpha

    def save(self, name, image, **how):
        image.save(os.path.join(self.folder, name), **how)
        self.names.append(name)


def pngs(f):
    for i, shape in enumerate(SHAPES):
        f.save(f"rgb-{i:02d}.png", Image.fromarray(f.draw(shape)))
    for i, mode in enumerate(("L", "1", "P", "P", "L", "P")):
        how, colours = {}, {}
        if mode == "P":
            how = dict(bits={2: 1, 3: 2, 5: 4}[i])
            colours = dict(palette=Image.Palette.ADAPTIVE, colors=2 ** how["bits"])
        image = Image.fromarray(f.draw(kind=photo)).convert(mode, **colours)
        f.save(f"{dict([('L', 'grey'), ('P', 'palette'), ('1', 'bilevel')])[mode]}-{i}.png", image, **how)
    f.save("palette-256.png", Image.fromarray(f.draw((120, 90))).convert("P"))
    f.save("palette-clear.png", Image.fromarray(f.draw((121, 90))).convert("P"), transparency=bytes(i % 256 for i in range(0, 1280, 5)))
    f.save("rgb-clear.png", Image.fromarray(f.draw((77, 60), edges)), transparency=(255, 0, 64))
    f.save("grey-clear.png", Image.fromarray(f.draw((77, 60), edges)).convert("L"), transparency=0)
    for i, shape in enumerate(((131, 67), (30, 41))):
        a = f.draw(shape, photo)
        f.save(f"rgba-{i}.png", Image.fromarray(np.dstack([a, f.alpha(a)])))
        f.save(f"grey-alpha-{i}.png", Image.fromarray(np.dstack([a[..., 0], f.alpha(a)])))
    dark = f.draw((83, 61), gradient)[..., 0].astype(np.uint16) * 2
    f.save("grey-16-bit.png", Image.fromarray(dark))


def jpegs(f):
    for name, sub in (("444", 0), ("422", 1), ("420", 2)):
        for k, shape in enumerate(((301, 199), (33, 17), (640, 480))):
            f.save(f"jpeg-{name}-{k}.jpg", Image.fromarray(f.draw(shape, photo)), quality=(95, 85, 60)[k], subsampling=sub)
    for k, shape in enumerate(((255, 257), (19, 101))):
        f.save(f"progressive-{k}.jpg", Image.fromarray(f.draw(shape, photo)), quality=80, progressive=True, subsampling=2 * k)
        f.save(f"grey-{k}.jpg", Image.fromarray(f.draw(shape, photo)).convert("L"), quality=90)
    f.save("cmyk.jpg", Image.fromarray(f.draw((90, 70), photo)).convert("CMYK"), quality=92)
    for o in range(1, 9):
        f.save(f"turned-{o}.jpg", Image.fromarray(f.draw((150, 83), photo)), quality=92, exif=turned(o))


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def webps(f):
    for k, shape in enumerate(((301, 199), (17, 33), (49, 640), (225, 223))):
        f.save(f"lossy-{k}.webp", Image.fromarray(f.draw(shape, photo)), quality=(90, 75, 50, 30)[k])
        f.save(f"lossless-{k}.webp", Image.fromarray(f.draw(shape)), lossless=True)
    for name, how in (("lossy", dict(quality=80)), ("lossless", dict(lossless=True))):
        a = f.draw((99, 71), photo)
        f.save(f"alpha-{name}.webp", Image.fromarray(np.dstack([a, f.alpha(a)])), exact=True, **how)


def others(f):
    """GIF, BMP, TIFF; the first picture of several; orientation in other files than JPEG."""
    for i, shape in enumerate(((131, 67), (30, 41), (225, 223))):
        a = f.draw(shape, photo)
        image, grey = Image.fromarray(a), Image.fromarray(a[..., 0])
        clear, frames = Image.fromarray(np.dstack([a, f.alpha(a)])), [Image.fromarray(f.draw(shape, edges)) for _ in range(2)]
        f.save(f"plain-{i}.gif", image.convert("P", palette=Image.Palette.ADAPTIVE))
        f.save(f"clear-{i}.gif", clear)
        f.save(f"animated-{i}.gif", image, save_all=True, append_images=frames)
        f.save(f"animated-{i}.png", image, save_all=True, append_images=frames)
        f.save(f"animated-{i}.webp", clear, save_all=True, append_images=frames, quality=80, exact=True)
        for mode, picture in dict(rgb=image, grey=grey, palette=image.convert("P"), bilevel=grey.convert("1"), rgba=clear).items():
            f.save(f"{mode}-{i}.bmp", picture)
            f.save(f"{mode}-{i}.tif", picture, compression=(None, "tiff_lzw", "tiff_adobe_deflate")[i])
        f.save(f"cmyk-{i}.tif", image.convert("CMYK"), compression=("packbits", "tiff_lzw", None)[i])
    for o in range(2, 9):
        for kind, how in dict(png={}, webp=dict(lossless=True), tif={}).items():
            f.save(f"turned-{o}.{kind}", Image.fromarray(f.draw((150, 83), photo)), exif=turned(o), **how)


def values(processor, image):
    return processor(images=image, return_tensors="pt")["pixel_values"][0].float().contiguous()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", help="the folder to write to")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore")
    folder = os.path.join(a.out, "images")
    files = Files(folder, a.seed)
    pngs(files), jpegs(files), webps(files), others(files)
    about, farthest = {}, {}
    for size in SIZES:
        pil, fast = (c(size=dict(height=size, width=size)) for c in (BlipImageProcessorPil, BlipImageProcessor))
        pixels = {}
        for name in sorted(files.names):
            direct = Image.open(os.path.join(folder, name))
            line = about.setdefault(name, dict(width=direct.width, height=direct.height, mode=direct.mode))
            pixels[name] = values(pil, os.path.join(folder, name))
            untouched = values(pil, direct)
            if not torch.equal(untouched, pixels[name]):
                pixels[f"direct/{name}"] = untouched
            gap = (values(fast, load_image(direct)) - pixels[name]).abs()
            line[f"torchvision_{size}"] = dict(greatest=round(gap.max().item(), 5), mean=round(gap.mean().item(), 6))
            farthest[size] = max(farthest.get(size, (0, "")), (gap.max().item(), name))
        save_file(pixels, os.path.join(a.out, f"pixels-{size}.safetensors"))
    with open(os.path.join(a.out, "images.json"), "w") as f:
        json.dump(about, f, indent=1)
        f.write("\n")
    print(f"{len(about)} pictures; torchvision's processor is off by up to " +
          ", ".join(f"{gap:.4f} at {size} ({name})" for size, (gap, name) in farthest.items()))


if __name__ == "__main__":
    main()
