#!/usr/bin/env python3
"""Makes the expected results of tests/unit/test_pixels.c with torch and torchvision, beside this file.

  make_pixels.py        (needs numpy, torch, torchvision and Pillow >= 13; the tests need only the .npy files)

Two small frames, one of noise (odd sizes) and one smooth; for each case of `cases` the reference's answer: uint8
[h, w, 3], or float32 [3, h, w] for cases in the float domain. The same table is in test_pixels.c.
"""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

HERE = pathlib.Path(__file__).parent
MODES = {"nearest": InterpolationMode.NEAREST, "centred": InterpolationMode.NEAREST_EXACT,
         "bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
IMAGENET = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)

# name, frame, size (h, w) or shortest edge, interpolation, antialias, crop (h, w) or None
U8 = [
    ("bilinear_down", "noise", (20, 24), "bilinear", True, None),
    ("bicubic_down", "noise", (20, 24), "bicubic", True, None),
    ("bilinear_up", "smooth", (48, 45), "bilinear", True, None),
    ("bicubic_up", "noise", (50, 65), "bicubic", True, None),
    ("bicubic_one_way", "noise", (47, 30), "bicubic", True, None),
    ("bilinear_other_way", "noise", (13, 61), "bilinear", True, None),
    ("shortest_crop", "noise", 28, "bicubic", True, (28, 28)),
    ("shortest_pad", "smooth", 20, "bilinear", True, (33, 30)),
    ("bilinear_plain", "noise", (31, 37), "bilinear", False, None),
    ("bicubic_plain", "noise", (31, 37), "bicubic", False, None),
    ("nearest", "noise", (31, 37), "nearest", False, None),
    ("nearest_centred", "noise", (31, 37), "centred", False, None),
    ("to_one", "noise", (1, 3), "bilinear", True, None),
]
# name, frame, size (h, w) or shortest edge, Pillow's interpolation, crop; Pillow 13 takes the vertical pass of
# pillow_down_first first
PILLOW = [
    ("pillow_bilinear", "noise", (20, 24), Image.BILINEAR, None),
    ("pillow_bicubic", "noise", (50, 30), Image.BICUBIC, None),
    ("pillow_down_first", "noise", (13, 50), Image.BICUBIC, None),
    ("pillow_one_way", "smooth", (40, 61), Image.BILINEAR, None),
    ("pillow_shortest", "noise", 36, Image.BILINEAR, (32, 32)),
    ("pillow_nearest", "noise", (31, 37), Image.NEAREST, None),
    ("pillow_nearest_sums", "smooth", (30, 37), Image.NEAREST, None),
]
# name, frame, size, interpolation, antialias, normalize
FLOAT = [
    ("opentad_down", "noise", (20, 24), "bilinear", False, False),
    ("opentad_up", "smooth", (36, 35), "bilinear", False, False),
    ("dinov3", "noise", (20, 24), "bilinear", True, True),
    ("bicubic_float", "noise", (24, 20), "bicubic", True, True),
    ("bicubic_float_plain", "smooth", (24, 37), "bicubic", False, False),
]


def frames():
    noise = np.random.default_rng(20).integers(0, 256, (47, 61, 3), dtype=np.uint8)
    y, x = np.mgrid[0:40, 0:23]
    smooth = np.stack([(x * 11) % 256, (y * 6 + x) % 256, 128 + 100 * np.sin(x / 3 + y / 5)], -1).astype(np.uint8)
    return {"noise": noise, "smooth": smooth}


def size_of(frame, size):
    if isinstance(size, tuple):
        return list(size)
    h, w = frame.shape[:2]
    return [int(size * h / w), size] if w <= h else [size, int(size * w / h)]


def crop(x, size):
    """transformers' center_crop: zeros around, floor(difference / 2) on the left and top."""
    (h, w), (ch, cw) = x.shape[-2:], size
    left, top = max((cw - w) // 2, 0), max((ch - h) // 2, 0)
    x = F.pad(x, [left, max(cw - w, 0) - left, top, max(ch - h, 0) - top])
    h, w = x.shape[-2:]
    top, left = (h - ch) // 2, (w - cw) // 2
    return x[..., top:top + ch, left:left + cw]


def main():
    source = frames()
    for name, frame in source.items():
        np.save(HERE / f"in_{name}.npy", frame)
    for name, frame, size, mode, antialias, crop_size in U8:
        x = torch.from_numpy(source[frame]).permute(2, 0, 1)[None]
        x = tv.resize(x, size_of(source[frame], size), MODES[mode], antialias=antialias)[0]
        x = crop(x, crop_size) if crop_size else x
        np.save(HERE / f"{name}.npy", np.ascontiguousarray(x.permute(1, 2, 0).numpy()))
    for name, frame, size, mode, crop_size in PILLOW:
        h, w = size_of(source[frame], size)
        x = torch.from_numpy(np.array(Image.fromarray(source[frame]).resize((w, h), mode))).permute(2, 0, 1)
        x = crop(x, crop_size) if crop_size else x
        np.save(HERE / f"{name}.npy", np.ascontiguousarray(x.permute(1, 2, 0).numpy()))
    for name, frame, size, mode, antialias, normalise in FLOAT:
        x = torch.from_numpy(source[frame]).permute(2, 0, 1)[None].float()
        x = x * (1 / 255) if antialias else x / 255
        x = F.interpolate(x, size, mode=mode, align_corners=False, antialias=antialias)[0]
        x = (x - IMAGENET[0]) / IMAGENET[1] if normalise else x
        np.save(HERE / f"{name}.npy", np.ascontiguousarray(x.numpy()))


if __name__ == "__main__":
    main()
