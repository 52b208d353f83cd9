#!/usr/bin/env python3
"""Many tiny videos (two windows each) and a small model: the tubelet command beside the original script's loop.

    tiny_videos.py [--videos 2000] [--model dinov2:tiny]

What counts is what a video costs beyond its pixels: opening, handing over, writing. Ours is the whole command, from its start to
its end; the original's loop (before the tuning guide) is timed without its start. Needs torch, transformers, decord and numpy
from PyPI.
"""
import json
import shutil
import subprocess
import sys

import measure


def main():
    p = measure.parser(__doc__, 3)
    p.add_argument("--videos", type=int, default=2000)
    p.add_argument("--model", default="dinov2:tiny")
    p.add_argument("--dtype", default="f32")
    a = measure.begin(p)
    if a.quick:
        a.videos = 50
    folder = a.work / f"tiny-{a.videos}"
    for i in range(a.videos):
        path = folder / f"v{i:05}.mp4"
        if i < 20:
            measure.video(a, path.stem, "h264", "160x120", 20 / 30, folder=folder)
        elif not path.exists():
            shutil.copyfile(folder / f"v{i % 20:05}.mp4", path)
    model = measure.checkpoint(a, a.model)
    if a.prepare:
        return
    measure.print_machine(a, "torch", "transformers", "decord")
    clips = {}

    def ours():
        result = measure.tubelet(a, "bench", "--case", "end-to-end", "--model", model, "--video", folder, "--transform", "opentad", "--dtype", a.dtype,
                                 "--threads", a.threads)
        clips["ours"] = result["clips"]
        return result["seconds"]

    def loop():
        out = a.work / "features"
        shutil.rmtree(out, ignore_errors=True)
        run = subprocess.run([sys.executable, str(measure.ROOT / "bench/original.py"), str(model), str(folder), str(out), "--threads", str(a.threads)],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        result = json.loads(run.stdout.strip().splitlines()[-1])
        clips["original"] = result["clips"]
        return result["seconds"]

    peers = measure.Peers(a)
    peers.add("tubelet", lambda: ours, warm=False)
    peers.add("original before", lambda: loop, warm=False)
    taken = peers.take_turns()
    if len(set(clips.values())) != 1:
        sys.exit(f"different numbers of windows: {clips}")
    measure.print_table(measure.VERSUS, measure.versus(f"{a.videos} videos of 20 frames, {a.model}", taken))


if __name__ == "__main__":
    main()
