#!/usr/bin/env python3
"""Every measurement of this folder, one after another, each in a process of its own.

    run_all.py [--quick] [--prepare] [--only forward,windows] [--skip end_to_end] [other options, which all scripts get]

--quick shows in some minutes that everything runs; its figures mean little.
"""
import argparse
import os
import subprocess
import sys

import measure

SCRIPTS = ["forward", "int8", "windows", "preprocess", "end_to_end", "cold_start", "memory", "tiny_videos", "resume"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default=",".join(SCRIPTS))
    p.add_argument("--skip", default="")
    a, rest = p.parse_known_args()
    unknown = set(a.only.split(",") + a.skip.split(",")) - {*SCRIPTS, ""}
    if unknown:
        p.error(f"no such script: {', '.join(sorted(unknown))}; there are {', '.join(SCRIPTS)}")
    failed = []
    for name in SCRIPTS:
        if name not in a.only.split(",") or name in a.skip.split(","):
            continue
        print(f"## {name}\n", flush=True)
        if subprocess.run([sys.executable, str(measure.ROOT / "bench" / f"{name}.py"), *rest], env=os.environ).returncode != 0:
            failed.append(name)
    if failed:
        sys.exit(f"these ended with an error: {', '.join(failed)}")


if __name__ == "__main__":
    main()
