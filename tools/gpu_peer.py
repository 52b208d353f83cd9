#!/usr/bin/env python3
"""One warm forward of a checkpoint in PyTorch on a GPU: float16 autocast, eager and with max-autotune.

    gpu_peer.py FOLDER ITEMS

Prints seconds of both. Needs torch with CUDA and transformers.
"""
import pathlib
import statistics
import sys
import time

import torch
from transformers import AutoConfig, AutoModel


def seconds(forward, pixels, runs=7):
    times = []
    with torch.inference_mode(), torch.autocast("cuda", torch.float16):
        for _ in range(3):
            forward(pixels)
        for _ in range(runs):
            torch.cuda.synchronize()
            start = time.perf_counter()
            forward(pixels)
            torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    folder, items = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    config = AutoConfig.from_pretrained(folder)
    frames = getattr(config, "num_frames", None)
    shape = ((frames,) if frames else ()) + (3, 224, 224)
    torch.backends.cuda.matmul.allow_tf32 = True
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval().cuda()
    pixels = torch.randn((items, *shape), device="cuda")
    eager = seconds(lambda p: model(p), pixels)
    answer = {"eager autocast f16": eager}
    try:
        compiled = torch.compile(model, mode="max-autotune")
        answer["max-autotune"] = seconds(lambda p: compiled(p), pixels)
    except Exception as error:  # what dynamo can't do is not this script's concern
        answer["max-autotune"] = f"failed: {type(error).__name__}"
    print("; ".join(f"{name} {value:.6f} s" if isinstance(value, float) else f"{name} {value}" for name, value in answer.items()))


if __name__ == "__main__":
    main()
