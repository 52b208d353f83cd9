#!/usr/bin/env python3
"""Every family at its base size, random weights, over one real video: the cosine between float32 and bfloat16 rows.

  every_family.py [--tubelet build/tubelet] [--stride 64] [--families a,b] [--update docs/numerics.md] VIDEO

For each family of `tubelet models --json`: makes a checkpoint with `tubelet init FAMILY` (its default size), extracts
VIDEO in f32 and in bf16, compares the rows, and deletes the checkpoint. --update replaces what lies between the lines
`<!-- every-family: begin -->` and `<!-- every-family: end -->` of a document. Exits 1 where a family fails or its least
cosine is below --least. Needs numpy, and 2 GB of room in the temporary folder.
"""
import argparse, json, pathlib, subprocess, sys, tempfile, time

import numpy as np

from numerics import update


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[:300]}")
    return done.stdout


def extract(a, model, folder, dtype):
    began = time.monotonic()
    run(a.tubelet, "extract", a.video, "--model", model, "--out", folder, "--stride", a.stride, "--dtype", dtype)
    seconds = time.monotonic() - began
    (path,) = folder.glob("*.npy")
    return np.load(path).astype(np.float64), seconds


def compare(a, family, folder):
    size = family["published"][0]["size"]
    model = folder / "model"
    run(a.tubelet, "init", f"{family['family']}:{size}", model)
    wide, seconds = extract(a, model, folder / "f32", "f32")
    narrow, narrow_seconds = extract(a, model, folder / "bf16", "bf16")
    if wide.shape != narrow.shape or not (np.isfinite(wide).all() and np.isfinite(narrow).all()):
        raise RuntimeError(f"rows of shape {wide.shape} and {narrow.shape}, or not finite")
    cosine = (wide * narrow).sum(1) / (np.linalg.norm(wide, axis=1) * np.linalg.norm(narrow, axis=1))
    relative = np.linalg.norm(wide - narrow) / np.linalg.norm(wide)
    return size, wide.shape, float(cosine.min()), float(relative), seconds, narrow_seconds


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tubelet", default="build/tubelet")
    p.add_argument("--stride", default="64")
    p.add_argument("--least", type=float, default=0.999)
    p.add_argument("--families", help="only these, separated by commas")
    p.add_argument("--update", metavar="DOCUMENT")
    p.add_argument("video")
    a = p.parse_args()
    lines = ["| Family | Size | Rows | Least cosine | rel-L2 | f32, s | bf16, s |", "|---|---|---|---|---|---|---|"]
    failed = 0
    print("\n".join(lines), flush=True)
    for family in map(json.loads, run(a.tubelet, "models", "--json").splitlines()):
        if a.families and family["family"] not in a.families.split(","):
            continue
        with tempfile.TemporaryDirectory(prefix="every-family-") as folder:
            try:
                size, shape, cosine, relative, *seconds = compare(a, family, pathlib.Path(folder))
                line = (f"| {family['family']} | {size} | {shape[0]} x {shape[1]} | {cosine:.6f} | {relative:.1e} |"
                        f" {seconds[0]:.1f} | {seconds[1]:.1f} |")
                failed += not cosine >= a.least
            except (RuntimeError, ValueError) as error:
                line = f"| {family['family']} | | failed | | | | |"
                print(f"{family['family']}: {error}", file=sys.stderr)
                failed += 1
        lines.append(line)
        print(line, flush=True)
    if a.update:
        update(a.update, "every-family", ["", *lines, ""])
    print(f"{len(lines) - 2} families, {failed} below {a.least} or failed")
    return 1 if failed or len(lines) == 2 else 0


if __name__ == "__main__":
    sys.exit(main())
