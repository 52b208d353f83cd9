#!/usr/bin/env python3
"""One warm forward of a checkpoint in PyTorch on a GPU: float16 autocast, eager and compiled.

    gpu_peer.py FOLDER ITEMS[,ITEMS...] [MODE]

MODE is torch.compile's: max-autotune (many items; the default) or reduce-overhead (few: latency). Prints the seconds of
both, one line each, for each number of items. torch chooses among its fused attention kernels. Needs torch with CUDA,
transformers and, for OneVision-Encoder, safetensors.
"""
import json
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


def load(folder):
    """The network, and the shape of one item's pixels."""
    if json.loads((folder / "config.json").read_text())["model_type"] == "onevision_encoder":
        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
        import onevision_torch

        return onevision_torch.load(folder), (16, 3, 224, 224)
    frames = getattr(AutoConfig.from_pretrained(folder), "num_frames", None)
    return AutoModel.from_pretrained(folder, dtype=torch.float32).eval(), ((frames,) if frames else ()) + (3, 224, 224)


def compiled_seconds(model, pixels, mode):
    try:
        torch._dynamo.reset()
        compiled = torch.compile(model, mode=mode)
        return f"{seconds(lambda p: compiled(p), pixels):.6f} s"
    except Exception as error:  # what dynamo can't compile is not this script's concern
        return f"failed: {type(error).__name__}"


def main():
    mode = sys.argv[3] if len(sys.argv) > 3 else "max-autotune"
    torch.backends.cuda.matmul.allow_tf32 = True
    model, shape = load(pathlib.Path(sys.argv[1]))
    model = model.cuda()
    for items in map(int, sys.argv[2].split(",")):
        pixels = torch.randn((items, *shape), device="cuda")
        print(f"x {items}, eager autocast f16: {seconds(lambda p: model(p), pixels):.6f} s", flush=True)
        print(f"x {items}, {mode}: {compiled_seconds(model, pixels, mode)}", flush=True)


if __name__ == "__main__":
    main()
