#!/usr/bin/env python3
"""From nothing to the first row: a process that starts, opens ViT-B, decodes a window and writes its row, in float32.

    cold_start.py [--model vit:base] [--frames 1]

The tubelet command beside Python with torch, transformers and decord doing the same. Files are in the page cache for both. A window
of 1 frame shows the start; with 16, most of the time is the forward of 16 frames.
"""
import os
import shutil
import subprocess
import sys

import measure

PEER = """
import sys
import numpy as np, torch, decord
from transformers import AutoModel
sys.path.insert(0, sys.argv[4])
import original
torch.set_num_threads(int(sys.argv[5]))
model = AutoModel.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
reader = decord.VideoReader(sys.argv[2], ctx=decord.cpu(0))
clip = original.to_input(original.read_window(reader, 0)[: int(sys.argv[6])])
with torch.inference_mode():
    rows = model(clip).last_hidden_state[:, 0].mean(0, keepdim=True)
np.save(sys.argv[3], rows.numpy())
"""


def ours_run(a, model, path, out):
    def run():
        shutil.rmtree(out, ignore_errors=True)
        return measure.clock(lambda: subprocess.run([a.tubelet, "extract", path, "--model", model, "--out", out, "--dtype", "f32", "--transform", "opentad",
                                                     "--clip-length", str(a.frames), "--stride", "64", "--threads", str(a.threads)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    return run


def peer_run(a, model, path, out):
    words = [sys.executable, "-c", PEER, model, path, out, os.path.dirname(os.path.abspath(__file__)), a.threads, a.frames]
    return lambda: measure.clock(lambda: subprocess.run([str(w) for w in words], check=True, stderr=subprocess.DEVNULL))


def main():
    p = measure.parser(__doc__)
    p.add_argument("--model", default="vit:base")
    p.add_argument("--frames", type=int, default=1, help="of the window, at most 16 (1)")
    a = measure.begin(p)
    model, path = measure.checkpoint(a, a.model), measure.video(a, "one-window", "h264", "320x240", 16 / 30)
    if a.prepare:
        return
    measure.print_machine(a, "torch", "transformers", "decord")
    peers = measure.Peers(a)
    peers.add("tubelet", lambda: ours_run(a, model, path, a.work / "cold"))
    peers.add("python, torch, transformers", lambda: peer_run(a, model, path, a.work / "cold.npy"))
    measure.print_table(measure.VERSUS, measure.versus(f"{a.model}, one row of {a.frames} frames", peers.take_turns()))


if __name__ == "__main__":
    main()
