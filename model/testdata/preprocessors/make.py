"""Makes golden.safetensors: what transformers' image processors make of drawn pictures, by the configs that a checkpoint may
hold. Each tensor is pixel_values [3, size, size]; the metadata has the config and the picture's width and height under its
name. The pictures are drawn by a formula that preprocessor_golden_test.go repeats. Run with the interpreter that
bench/parity/setup.sh names; made with transformers 5.23.0 and Pillow 12.3.0."""
import json, os
import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

CLASSES = dict(BlipImageProcessor=BlipImageProcessorPil, CLIPImageProcessor=CLIPImageProcessorPil, SiglipImageProcessor=SiglipImageProcessorPil,
               ViTImageProcessor=ViTImageProcessorPil)
SQUARE = dict(height=12, width=12)
BLIP, CLIP, SIGLIP, VIT = (dict(image_processor_type=t) for t in CLASSES)
CONFIGS = [
    BLIP | dict(size=SQUARE),
    BLIP | dict(size=12),
    BLIP | dict(size=[12, 12]),
    BLIP | dict(size=SQUARE, do_normalize=False),
    BLIP | dict(size=SQUARE, do_rescale=False),
    BLIP | dict(size=SQUARE, do_rescale=False, do_normalize=False),
    BLIP | dict(size=SQUARE, do_convert_rgb=False),
    BLIP | dict(size=SQUARE, image_mean=[.1, .2, .7], image_std=[.5, .25, 2.], rescale_factor=1 / 127.5),
    BLIP | dict(size=SQUARE, image_mean=.4, image_std=.3),
    BLIP | dict(size=SQUARE, crop_size=8),  # crops only where do_center_crop says so
    BLIP | dict(size=dict(height=16, width=16), do_center_crop=True, crop_size=SQUARE),
    BLIP | dict(size=dict(height=15, width=21), do_center_crop=True, crop_size=12),
    CLIP | dict(size=dict(shortest_edge=12), crop_size=SQUARE),
    CLIP | dict(size=dict(shortest_edge=15), crop_size=SQUARE),
    CLIP | dict(size=16, crop_size=12),
    CLIP | dict(size=16, crop_size=12, default_to_square=True),
    CLIP | dict(size=SQUARE, do_center_crop=False),
    CLIP | dict(size=SQUARE, crop_size=SQUARE),
    SIGLIP | dict(size=SQUARE),
    VIT | dict(size=SQUARE, resample=3),
]
SHAPES = [(30, 19), (19, 31), (12, 12), (5, 7)]


def picture(width, height):
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return Image.fromarray(((7 * x + 13 * y + 31 * c + x * y * (c + 1) + x // 5 * 90) % 256).astype(np.uint8))


tensors, about = {}, {}
for i, config in enumerate(CONFIGS):
    processor = CLASSES[config["image_processor_type"]](**{k: v for k, v in config.items() if k != "image_processor_type"})
    for width, height in SHAPES if "crop_size" in config else SHAPES[:1]:
        name = f"{i:02d}-{width}x{height}"
        tensors[name] = np.ascontiguousarray(processor(picture(width, height), return_tensors="np")["pixel_values"][0].astype(np.float32))
        about[name] = json.dumps(dict(config=config, width=width, height=height))
save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.safetensors"), about)
