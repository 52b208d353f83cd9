#!/usr/bin/env python3
"""tubelet beside the usual Python stack on the same machine, taking turns, so that both see the same load.

    peers.py forward MODEL_DIR [--dtype f32|bf16] [--clips N]     one forward of N clips: PyTorch eager
    peers.py windows VIDEO [--stride 4]                           decoding into 16-frame windows of 224x224:
                                                                  decord and torch, a window at a time

Prints one JSON line: median seconds of each, and the median over turns of peer / ours (above 1: ours is faster).
Needs torch, transformers, decord and numpy from PyPI. Ours are `tubelet bench --case forward|windows`.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

CLIP, SIDE = 16, 224


def ours(a, *arguments):
    run = subprocess.run([a.tubelet, "bench", *arguments, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.strip().splitlines()[-1])["seconds"]


def seconds(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def forward(a):
    import torch
    from transformers import AutoConfig, AutoModel

    torch.set_num_threads(os.cpu_count())
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[a.dtype]
    config = AutoConfig.from_pretrained(a.model)
    model = AutoModel.from_pretrained(a.model, dtype=dtype).eval()
    frames = getattr(config, "num_frames", None)
    shape = (a.clips, *([frames] if frames else []), 3, config.image_size, config.image_size)
    pixels = torch.randn(shape, dtype=dtype)

    def peer():
        with torch.inference_mode():
            model(pixels)

    size = f"{config.image_size}x{config.image_size}"
    peer()  # warm-up; ours warms up by itself
    return peer, lambda: ours(a, "--case", "forward", "--model", a.model, "--dtype", a.dtype, "--clips", str(a.clips),
                              "--size", size)


def windows(a):
    import decord
    import numpy as np
    import torch
    import torch.nn.functional as F

    def peer():
        reader = decord.VideoReader(a.video, ctx=decord.cpu(0))
        for start in range(0, max(1, len(reader) - CLIP + 1), a.stride):
            frames = reader.get_batch(np.minimum(np.arange(start, start + CLIP), len(reader) - 1)).asnumpy()
            clip = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
            F.interpolate(clip, size=(SIDE, SIDE), mode="bilinear", align_corners=False)

    return peer, lambda: ours(a, "--case", "windows", "--video", a.video, "--stride", str(a.stride))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tubelet", default="build/tubelet")
    p.add_argument("--turns", type=int, default=5)
    cases = p.add_subparsers(dest="case", required=True)
    f = cases.add_parser("forward")
    f.add_argument("model")
    f.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    f.add_argument("--clips", type=int, default=2)
    w = cases.add_parser("windows")
    w.add_argument("video")
    w.add_argument("--stride", type=int, default=4)
    a = p.parse_args()
    peer, own = {"forward": forward, "windows": windows}[a.case](a)
    turns = [(own(), seconds(peer)) for _ in range(a.turns)]
    print(json.dumps({"case": a.case, "turns": a.turns,
                      "tubelet_seconds": round(statistics.median(t[0] for t in turns), 4),
                      "peer_seconds": round(statistics.median(t[1] for t in turns), 4),
                      "peer / ours": round(statistics.median(t[1] / t[0] for t in turns), 3)}))


if __name__ == "__main__":
    main()
