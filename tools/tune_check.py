#!/usr/bin/env python3
"""Whether `extract` with the profile of `tubelet tune` is slower than with defaults.

  tune_check.py [--tubelet build/tubelet] [--budget 60] [--rounds 5] [--least 0.97] VIDEOS MODEL...

For each model: tunes on VIDEOS (a folder), and checks that the winner is within 5 % of the best in its own table. Then
runs extract with and without the profile in turns, `rounds` times each, and prints the median of the ratios of their
speeds (wall time of the run, without the start of the process; above 1: the profile is faster). Exits 1 if a winner
isn't within 5 % or a median is below --least. Profiles and features go into a temporary folder. Python's standard
library only.
"""
import argparse, json, os, pathlib, statistics, subprocess, sys, tempfile


def events(a, environment, *arguments):
    done = subprocess.run([a.tubelet, *map(str, arguments), "--json"], capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"tubelet {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.strip()[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def seconds(a, environment, model, out, profile):
    end = events(a, environment, "extract", a.videos, "--model", model, "--out", out, "--profile", profile)[-1]
    if end["ok"] == 0:
        sys.exit(f"{a.videos}: nothing was extracted")
    return end["seconds"]


def settings(row):
    return f"{row['backend']} {row['dtype']}, batch {row['batch']}, decode threads {row['decode_threads']}, prefetch {row['prefetch']}"


def check(a, environment, model, folder):
    table = events(a, environment, "tune", a.videos, "--model", model, "--budget", a.budget)
    rows = [e for e in table if e["event"] == "row"]
    winner = next(r for r in rows if r["winner"])
    best = max(r["rate"] for r in rows)
    ratios = []
    for i in range(a.rounds):
        order = ("auto", "none") if i % 2 else ("none", "auto")
        took = {profile: seconds(a, environment, model, folder / f"{pathlib.Path(model).name}-{i}-{profile}", profile) for profile in order}
        ratios.append(took["none"] / took["auto"])
    median = statistics.median(ratios)
    print(f"{pathlib.Path(model).name}: {settings(winner)}: {winner['rate'] / best:.3f} of the best of {len(rows)} settings;"
          f" with the profile {median:.3f} times as fast (median of {a.rounds}: {min(ratios):.3f} to {max(ratios):.3f})", flush=True)
    return winner["rate"] >= 0.95 * best and median >= a.least


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tubelet", default="build/tubelet")
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least", type=float, default=0.97)
    parser.add_argument("videos")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        good = [check(a, environment, model, pathlib.Path(folder)) for model in a.models]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
