#!/usr/bin/env python3
"""From nothing to the first row: a process that starts, opens ViT-B, decodes what one row needs and writes it.

    cold_start.py [--models videomae:base,dinov2:base] [--dtypes f32,bf16]

The tubelet command beside Python with torch, transformers and decord doing the same work in the same precision: one clip of 16
frames for a clip model, one frame for a frame model. Files are in the page cache for both. Ours also with packed weights kept by an
earlier run (--cache-weights), in a folder of this measurement's own.
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
frames, dtype = int(sys.argv[6]), {"f32": torch.float32, "bf16": torch.bfloat16}[sys.argv[7]]
model = AutoModel.from_pretrained(sys.argv[1], dtype=dtype).eval()
reader = decord.VideoReader(sys.argv[2], ctx=decord.cpu(0))
images = original.to_input(reader.get_batch(np.arange(frames)).asnumpy()).to(dtype)
with torch.inference_mode():
    tokens = model(images if frames == 1 else images[None]).last_hidden_state
np.save(sys.argv[3], (tokens[:, 0] if frames == 1 else tokens.mean(1)).float().numpy())
"""

FRAME_MODELS = ("dinov2", "dinov3", "siglip")


def ours_run(a, model, frames, dtype, path, out, *more):
    words = [a.tubelet, "extract", path, "--model", model, "--out", out, "--dtype", dtype, "--transform", "opentad", "--clip-length", frames, "--stride", 64,
             "--threads", a.threads, *more]
    environment = {**os.environ, "XDG_CACHE_HOME": str(a.work / "cache")}

    def run():
        shutil.rmtree(out, ignore_errors=True)
        return measure.clock(lambda: subprocess.run([str(w) for w in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment))

    return run


def peer_run(a, model, frames, dtype, path, out):
    words = [sys.executable, "-c", PEER, model, path, out, os.path.dirname(os.path.abspath(__file__)), a.threads, frames, dtype]
    return lambda: measure.clock(lambda: subprocess.run([str(w) for w in words], check=True, stderr=subprocess.DEVNULL))


def compare(a, what, dtype, path):
    model, frames = measure.checkpoint(a, what), 1 if what.startswith(FRAME_MODELS) else 16
    peers = measure.Peers(a)
    peers.add("tubelet", lambda: ours_run(a, model, frames, dtype, path, a.work / "cold"))
    peers.add("tubelet --cache-weights", lambda: ours_run(a, model, frames, dtype, path, a.work / "cold", "--cache-weights"))
    peers.add("python, torch, transformers", lambda: peer_run(a, model, frames, dtype, path, a.work / "cold.npy"))
    case = f"{what} {dtype}, a row of {frames} frame{'s' if frames > 1 else ''}"
    taken = peers.take_turns()
    kept = {"tubelet": taken.pop("tubelet --cache-weights"), **{name: seconds for name, seconds in taken.items() if name != "tubelet"}}
    return measure.versus(case, taken) + measure.versus(f"{case}, weights kept", kept)


def main():
    p = measure.parser(__doc__)
    p.add_argument("--models", default="videomae:base,dinov2:base", help="as of tubelet init (videomae:base,dinov2:base)")
    p.add_argument("--dtypes", default="f32,bf16")
    a = measure.begin(p)
    # One window and no more for a clip model; a frame model takes its one-frame windows every 64 frames.
    path = measure.video(a, "one-window", "h264", "320x240", 16 / 30)
    cases = [(what, dtype) for what in a.models.split(",") for dtype in a.dtypes.split(",")]
    for what, _ in cases:
        measure.checkpoint(a, what)
    if a.prepare:
        return
    measure.print_machine(a, "torch", "transformers", "decord")
    measure.print_table(measure.VERSUS, [row for what, dtype in cases for row in compare(a, what, dtype, path)])


if __name__ == "__main__":
    main()
