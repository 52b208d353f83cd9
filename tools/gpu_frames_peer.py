#!/usr/bin/env python3
"""From NV12 in a GPU's memory to patches in float16 with PyTorch and torchvision v2 on that GPU.

    gpu_frames_peer.py [FRAMES]

1920x1080 frames, all of them at once: conversion to RGB (BT.709, limited range), an antialiased resize of the shorter
side to 224 in 8 bits, the middle 224x224, normalization, patches of 16x16. Prints microseconds per frame. Needs torch
with CUDA and torchvision.
"""
import statistics
import sys

import torch
from torchvision.transforms.v2 import functional

SIDE, PATCH = 224, 16


def to_rgb(luma, chroma):
    y = (luma.float() - 16) * (255 / 219)
    uv = (chroma.float() - 128).repeat_interleave(2, 1).repeat_interleave(2, 2)
    u, v = uv[..., 0], uv[..., 1]
    rgb = torch.stack((y + 1.7927 * v, y - 0.2132 * u - 0.5329 * v, y + 2.1124 * u), 1)
    return rgb.round_().clamp_(0, 255).to(torch.uint8)


def to_patches(luma, chroma):
    rgb = functional.center_crop(functional.resize(to_rgb(luma, chroma), [SIDE], antialias=True), [SIDE, SIDE])
    x = functional.normalize(rgb.half() / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    n, across = x.shape[0], SIDE // PATCH
    return x.reshape(n, 3, across, PATCH, across, PATCH).permute(0, 2, 4, 1, 3, 5).reshape(n, across * across, -1).contiguous()


def main():
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    luma = torch.randint(0, 256, (frames, 1080, 1920), dtype=torch.uint8, device="cuda")
    chroma = torch.randint(0, 256, (frames, 540, 960, 2), dtype=torch.uint8, device="cuda")
    times = []
    for i in range(10):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        to_patches(luma, chroma)
        end.record()
        torch.cuda.synchronize()
        if i > 2:
            times.append(start.elapsed_time(end) * 1000 / frames)
    print(f"torchvision v2 {statistics.median(times):.1f} us a frame")


if __name__ == "__main__":
    main()
