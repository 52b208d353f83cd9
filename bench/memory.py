#!/usr/bin/env python3
"""Peak memory of a run over a long video: the tubelet command beside the original script's loop.

    memory.py [--minutes 10] [--size 1920x1080] [--model videomae:small] [--stride 16]

Ours runs over all of the video. The original's loop runs over the first --windows windows: it is at its peak from its second batch
on. The resident set's maximum as the kernel tells it, of the whole process.
"""
import subprocess
import sys

import measure


def main():
    p = measure.parser(__doc__, 1)
    p.add_argument("--minutes", type=float, default=10)
    p.add_argument("--size", default="1920x1080")
    p.add_argument("--model", default="videomae:small")
    p.add_argument("--stride", type=int, default=16)
    p.add_argument("--windows", type=int, default=40)
    a = measure.begin(p)
    if a.quick:
        a.minutes = 0.5
    # The same 30 seconds repeated: encoding ten minutes would take longer than measuring them.
    piece = measure.video(a, f"piece-{a.size}", "h264", a.size, 30)
    model, folder = measure.checkpoint(a, a.model), a.work / f"long-{a.size}-{a.minutes}"
    path = folder / "long.mp4"
    if not path.exists():
        folder.mkdir(exist_ok=True)
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-stream_loop", str(round(a.minutes * 2) - 1), "-i", str(piece), "-c", "copy", str(path)],
                       check=True)
    if a.prepare:
        return
    measure.print_machine(a, "torch", "transformers", "decord")
    ours = measure.tubelet(a, "bench", "--case", "end-to-end", "--model", model, "--video", folder, "--transform", "opentad", "--size", "224x224",
                           "--stride", a.stride, "--threads", a.threads)
    rows = [["tubelet", f"{ours['frames']} frames, {ours['clips']} windows", f"{ours['peak_bytes'] / 1e6:.0f} MB", None]]
    for name, more in (("original before", []), ("original after", ["--after", "--no-compile"])):
        try:
            peak, _, _ = measure.peak_bytes([sys.executable, measure.ROOT / "bench/original.py", model, folder, a.work / "features", "--stride", a.stride,
                                             "--windows", a.windows, "--threads", a.threads, *more], stderr=subprocess.DEVNULL)
        except Exception as error:
            print(f"{name}: left out ({error})", file=sys.stderr)
            continue
        rows.append([name, f"the first {a.windows} windows", f"{peak / 1e6:.0f} MB", peak / ours["peak_bytes"]])
    measure.print_table([f"{a.size}, {a.minutes:g} min, {a.model}", "of", "peak", "peer / ours"], rows)


if __name__ == "__main__":
    main()
