#!/usr/bin/env python3
"""A run that finds everything done: the tubelet command beside the original script's loop, which asks for each file.

    resume.py [--outputs 100000]

Both are timed as whole processes; of the original's the loop alone is told, too. Ours also reads what its outputs are of and that
they are whole, which the original's doesn't. Needs torch, transformers, decord and numpy from PyPI.
"""
import json
import os
import shutil
import subprocess
import sys

import measure


def main():
    p = measure.parser(__doc__)
    p.add_argument("--outputs", type=int, default=100000)
    a = measure.begin(p)
    if a.quick:
        a.outputs = 1000
    model, folder = measure.checkpoint(a, "dinov2:tiny"), a.work / "resume"
    if a.prepare:
        return
    measure.print_machine(a, "torch", "transformers")
    shutil.rmtree(folder, ignore_errors=True)
    for name, suffix in (("videos", "mp4"), ("out", "npy")):
        (folder / name).mkdir(parents=True)
        for i in range(a.outputs):
            os.close(os.open(folder / name / f"v{i:07}.{suffix}", os.O_WRONLY | os.O_CREAT))
    loop = []

    def original():
        run = [sys.executable, str(measure.ROOT / "bench/original.py"), str(model), str(folder / "videos"), str(folder / "out"), "--skip-done"]
        took = []
        took.append(measure.clock(lambda: took.append(subprocess.run(run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True))))
        result = json.loads(took[0].stdout.strip().splitlines()[-1])
        if result["skipped"] != a.outputs:
            raise RuntimeError(f"{result['skipped']} of {a.outputs} were skipped")
        loop.append(result["seconds"])
        return took[1]

    # Ours makes its outputs before it is timed, so its turns run together. The machine's load matters for a short time
    # only.
    ours = measure.tubelet(a, "bench", "--case", "resume", "--outputs", a.outputs, "--repeat", a.turns)
    peers = measure.Peers(a)
    peers.add("original", lambda: original, warm=False)
    taken = peers.take_turns()
    shutil.rmtree(folder)
    rows = [["tubelet", f"{ours['seconds']:.3g} s ({ours['min_seconds']:.3g}-{ours['max_seconds']:.3g})", None]]
    for name, seconds in (("original, whole process", taken.get("original")), ("original, the loop alone", loop)):
        if seconds:
            rows.append([name, measure.seconds_text(seconds), measure.spread(seconds)[0] / ours["seconds"]])
    measure.print_table([f"{a.outputs} outputs there", "median (min-max)", "peer / ours (of medians)"], rows)


if __name__ == "__main__":
    main()
