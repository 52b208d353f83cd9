#!/usr/bin/env python3
"""How far features are from PyTorch's: four numbers a case, in f32 and bf16, as the tables of docs/numerics.md.

  numerics.py [--tubelet build/tubelet] [--dtype f32 --dtype bf16] [--arg ...] [--update docs/numerics.md [--mark NAME]] CASE...

CASE: a folder as tools/make_goldens.py makes them (a checkpoint, meta.json, input.npy, feature.npy, last_hidden_state.npy),
or a folder of such folders. Their outputs are PyTorch's, computed in float64 from the checkpoint's files. Runs
`tubelet embed` on each case and compares:

  max-abs      largest absolute difference
  rel-max      the same over the largest absolute value
  rel-L2       ||difference|| / ||PyTorch's||
  non-finite   values that are not finite

--update replaces what lies between the lines `<!-- NAME: begin -->` and `<!-- NAME: end -->` of a document (numerics). Exits
1 if a case can't run or has values that aren't finite. Needs numpy.
"""
import argparse, json, pathlib, subprocess, sys, tempfile

import numpy as np

ARRAYS = (("feature", "feature"), ("tokens", "last_hidden_state"))


def cases(paths):
    for path in map(pathlib.Path, paths):
        found = [path] if (path / "meta.json").exists() else sorted(p.parent for p in path.glob("*/meta.json"))
        yield from (p for p in found if (p / "feature.npy").exists() and not p.name.endswith("_optional"))


def pixel_options(case, meta):
    """The pixels that enter the model, if the checkpoint has no preprocessor."""
    if any((case / f"{kind}preprocessor_config.json").exists() for kind in ("", "video_")):
        return []
    pre = meta["preprocess"]
    options = ["--transform", "opentad", "--size", f"{pre['resize']['height']}x{pre['resize']['width']}"]
    if pre.get("mean"):
        options += ["--mean", ",".join(map(str, pre["mean"])), "--std", ",".join(map(str, pre["std"]))]
    return options


def four(have, want):
    """max-abs, rel-max, rel-L2, non-finite; computed in float64."""
    have, want = have.astype(np.float64).reshape(want.shape), want.astype(np.float64)
    good = np.isfinite(have)
    difference = np.where(good, have - want, 0)
    worst = float(np.abs(difference).max())
    return worst, worst / float(np.abs(want).max()), float(np.linalg.norm(difference) / np.linalg.norm(want)), int((~good).sum())


def family_of(binary, case, options):
    done = subprocess.run([binary, "info", str(case), "--json", *options], capture_output=True, text=True)
    return json.loads(done.stdout)["family"] if done.returncode == 0 else "?"


def measure(a, case, dtype):
    """{"feature": four numbers, "tokens": four numbers}, or the command's error message."""
    meta = json.loads((case / "meta.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        out = {name: pathlib.Path(folder) / f"{name}.npy" for name, _ in ARRAYS}
        command = [a.tubelet, "embed", "--model", case, "--frames", case / "input.npy", "--out", out["feature"], "--tokens", out["tokens"], "--dtype", dtype,
                   *pixel_options(case, meta), *a.arg]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
        if done.returncode:
            return f"exit {done.returncode}: {done.stderr.strip()[:300]}"
        return {name: four(np.load(out[name]), np.load(case / f"{reference}.npy")) for name, reference in ARRAYS}


def torch_own(case, dtype):
    """PyTorch's own relative L2 in this type against float64, as measured when the case was made."""
    meta = json.loads((case / "meta.json").read_text())
    measured = meta.get("torch_measured_error_vs_float64") or meta.get("torch_error") or {}
    value = measured.get({"f32": "fp32", "f16": "fp16"}.get(dtype, dtype), {}).get("feature_rel_l2")
    return f"{value:.1e}" if value is not None else "–"


def row(case, family, got, own):
    feature, tokens = got["feature"], got["tokens"]
    return (f"| {family} | {case.name} | {feature[0]:.1e} | {feature[1]:.1e} | {feature[2]:.1e} | {feature[3]} | {own} |"
            f" {tokens[0]:.1e} | {tokens[1]:.1e} | {tokens[2]:.1e} | {tokens[3]} |")


def table(a, dtype, every):
    yield f"### {dtype}"
    yield ""
    yield ("| Family | Case | Feature: max-abs | rel-max | rel-L2 | non-finite | PyTorch's own rel-L2 | Hidden state: max-abs | rel-max | rel-L2 | non-finite |")
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for family, case in every:
        got = measure(a, case, dtype)
        if isinstance(got, str):
            a.failed.append(f"{case.name}, {dtype}: {got}")
            yield f"| {family} | {case.name} | {' | '.join(['failed'] + [''] * 8)} |"
            continue
        if got["feature"][3] or got["tokens"][3]:
            a.failed.append(f"{case.name}, {dtype}: values that aren't finite")
        yield row(case, family, got, torch_own(case, dtype))


def update(path, mark, lines):
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    text = pathlib.Path(path).read_text()
    before, rest = text.split(begin, 1)
    _, after = rest.split(end, 1)
    pathlib.Path(path).write_text(before + begin + "\n" + "\n".join(lines) + "\n" + end + after)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tubelet", default="build/tubelet")
    p.add_argument("--dtype", action="append", choices=["f32", "bf16", "f16", "int8", "fp8"], help="again for more (f32 and bf16)")
    p.add_argument("--arg", action="append", default=[], help="an extra argument for tubelet embed")
    p.add_argument("--update", metavar="DOCUMENT")
    p.add_argument("--mark", metavar="NAME", default="numerics")
    p.add_argument("cases", nargs="+", metavar="CASE")
    a = p.parse_args()
    a.failed = []
    every = sorted(((family_of(a.tubelet, c, pixel_options(c, json.loads((c / "meta.json").read_text()))), c) for c in cases(a.cases)),
                   key=lambda pair: (pair[0], pair[1].name))
    lines = []
    for dtype in a.dtype or ["f32", "bf16"]:
        for line in [*table(a, dtype, every), ""]:
            lines.append(line)
            print(line, flush=True)
    if a.update:
        update(a.update, a.mark, ["", *lines[:-1], ""])
    for line in a.failed:
        print(line, file=sys.stderr)
    print(f"{len(every)} cases of {len({f for f, _ in every})} families, {len(a.failed)} failures")
    return 1 if a.failed or not every else 0


if __name__ == "__main__":
    sys.exit(main())
