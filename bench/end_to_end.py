#!/usr/bin/env python3
"""A 480p video to features, 16-frame windows, stride 4: the tubelet command beside the original script's loop.

    end_to_end.py [--models dinov2:small,videomae:base] [--dtypes f32,bf16] [--seconds 60] [--windows 40]

Ours is the whole command, from its start to its end, over all of the video. The original's loop (original.py, before and after the
tuning guide; or --peer PATH, a script of the same options as the acceptance checks' seed_pipeline.py) is timed without its start,
and over the first --windows windows, since it may need many minutes for all: what is compared is seconds a window. Needs torch,
transformers, decord and numpy from PyPI.
"""
import json
import subprocess
import sys

import measure


def ours_run(a, folder, videos, dtype):
    def run():
        result = measure.tubelet(a, "bench", "--case", "end-to-end", "--model", folder, "--video", videos, "--dtype", dtype, "--transform", "opentad",
                                 "--size", "224x224", "--stride", 4, "--threads", a.threads)
        return result["seconds"] / result["clips"]

    return run


def original_run(a, folder, videos, after):
    command = [sys.executable, measure.ROOT / "bench/original.py", folder, videos, a.work / "features", "--windows", a.windows, "--threads", a.threads]
    if a.peer:
        command = [sys.executable, a.peer, folder, videos, a.work / "features", "--max-clips", a.windows, "--threads", a.threads]
        command += ["--variant", "after" if after else "before"]
    elif after:
        command.append("--after")
    if a.no_compile and after:
        command.append("--no-compile")

    def run():
        out = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True).stdout
        result = json.loads(out.strip().splitlines()[-1])
        return result.get("seconds", result.get("total_s")) / result["clips"]

    return run


def main():
    p = measure.parser(__doc__, 3)
    p.add_argument("--models", default="dinov2:small,videomae:base")
    p.add_argument("--dtypes", default="f32,bf16")
    p.add_argument("--variants", default="before,after")
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--windows", type=int, default=40)
    p.add_argument("--peer", help="another script in original.py's place")
    p.add_argument("--no-compile", action="store_true", help="the original's loop without torch.compile")
    a = measure.begin(p)
    if a.quick:
        a.seconds, a.windows = 4, 4
    videos = a.work / f"end-to-end-{a.seconds}s"
    measure.video(a, "video", "h264", "854x480", a.seconds, folder=videos)
    for model in a.models.split(","):
        measure.checkpoint(a, model)
    if a.prepare:
        return
    measure.print_machine(a, "torch", "transformers", "decord")
    for model in a.models.split(","):
        folder = measure.checkpoint(a, model)
        peers = measure.Peers(a)
        for dtype in a.dtypes.split(","):
            peers.add(f"tubelet {dtype}", lambda: ours_run(a, folder, videos, dtype), warm=False)
        for variant in a.variants.split(","):
            peers.add(f"original {variant}", lambda: original_run(a, folder, videos, variant == "after"), warm=False)
        taken = peers.take_turns()
        rows = []
        for name, seconds in taken.items():
            against = [measure.ratio(seconds, taken[f"tubelet {dtype}"]) if name.startswith("original") and f"tubelet {dtype}" in taken else None
                       for dtype in a.dtypes.split(",")]
            rows.append([f"{model}, {a.seconds} s, stride 4", name, measure.seconds_text(seconds, 1e3, "ms") + " a window", *against])
        measure.print_table(["case", "who", "median (min-max)", *(f"peer / ours {dtype}" for dtype in a.dtypes.split(","))], rows)


if __name__ == "__main__":
    main()
