"""What the measuring scripts share: turns, statistics, tables, test videos, checkpoints, our own command.

A measurement is a dictionary of runs, name -> function that does the work once and returns its seconds. Runs take
turns, so that a machine that is busy for a while slows all of them; ratios are computed within a turn. A peer that
can't run is named and left out.
"""
import argparse
import importlib
import importlib.util
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parser(description, turns=5):
    """Options that every script has."""
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tubelet", default=str(ROOT / "build/tubelet"), help="the command to measure")
    p.add_argument("--turns", type=int, default=turns, help=f"how often everything runs ({turns})")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of ours and of each peer (the processors there are)")
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / "tubelet-measure",
                   help="folder of test videos, checkpoints and compiled peers; kept for the next time")
    p.add_argument("--quick", action="store_true", help="small inputs and two turns: shows that all is well, not how fast it is")
    p.add_argument("--prepare", action="store_true", help="only make what is measured with: videos, checkpoints, compiled peers")
    return p


def begin(p, arguments=None):
    a = p.parse_args(arguments)
    a.work.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(a.work / "inductor"))
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("SVT_LOG", "1")
    warnings.simplefilter("ignore")  # the peers warn about each other
    if a.quick:
        a.turns = min(a.turns, 2)
    return a


def need(*modules):
    """For scripts that make no sense without a peer: skips the whole script, and says so."""
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    if missing:
        print(f"left out: needs {', '.join(missing)} from PyPI", flush=True)
        sys.exit()


# ---- runs

def clock(work, *arguments):
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def median_of(times, work):
    """A run that does the work once to warm up, then `times` times."""
    def run():
        work()
        return statistics.median(clock(work) for _ in range(times))
    return run


class Peers:
    """Runs by name. Ours is called "tubelet"."""

    def __init__(self, a):
        self.a, self.runs = a, {}

    def leave_out(self, name, error):
        lines = str(error).splitlines() or [""]
        print(f"{name}: left out ({type(error).__name__}: {lines[0][:160]})", file=sys.stderr)
        self.runs.pop(name, None)

    def add(self, name, make, *arguments, warm=True):
        """`make` imports and builds what the run needs and returns it; if it raises, the peer is left out. `warm`: run
        it once."""
        try:
            self.runs[name] = make(*arguments)
            if warm:
                self.runs[name]()
        except Exception as error:  # third-party code may raise anything
            self.leave_out(name, error)

    def take_turns(self):
        """name -> seconds in each turn."""
        taken = {name: [] for name in self.runs}
        for turn in range(self.a.turns):
            # Every other turn runs in reverse order, so that no run always follows the same one.
            names = list(self.runs) if turn % 2 == 0 else list(reversed(self.runs))
            for name in names:
                try:
                    taken[name].append(self.runs[name]())
                except Exception as error:
                    self.leave_out(name, error)
        return {name: seconds for name, seconds in taken.items() if name in self.runs}


def spread(values):
    return statistics.median(values), min(values), max(values)


def ratio(peer, ours):
    """Median, smallest and largest peer / ours over the turns; above 1, ours is faster."""
    return spread([p / o for p, o in zip(peer, ours)])


# ---- tables

def text_of(value):
    """A spread as 1.23 (1.20-1.31)."""
    if isinstance(value, tuple):
        return f"{value[0]:.2f} ({value[1]:.2f}-{value[2]:.2f})"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def digits(value):
    """Four significant digits, no exponent."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def seconds_text(seconds, scale=1.0, unit="s"):
    m, least, most = spread([s * scale for s in seconds])
    return f"{digits(m)} {unit} ({digits(least)}-{digits(most)})"


def print_table(heads, rows):
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join("" if cell is None else text_of(cell) for cell in row) + " |", flush=True)
    print()


def versus(case, taken, scale=1.0, unit="s"):
    """Rows for print_table(): ours and each peer, with seconds and peer / ours."""
    if "tubelet" not in taken:
        sys.exit(f"{case}: our own command failed")
    ours = taken["tubelet"]
    return [[case, name, seconds_text(seconds, scale, unit), None if name == "tubelet" else ratio(seconds, ours)] for name, seconds in taken.items()]


VERSUS = ["case", "who", "median (min-max)", "peer / ours"]


def print_machine(a, *packages):
    """Prints what a reader of the table must know: the machine, the versions and the command."""
    versions = []
    for name in packages:
        try:
            versions.append(f"{name} {importlib.import_module(name).__version__}")
        except Exception:
            versions.append(f"{name} missing")
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    print(f"{model}, {len(os.sched_getaffinity(0))} processors, {a.threads} threads; {time.strftime('%Y-%m-%d')}; {', '.join(versions)}")
    print(f"`{' '.join(['python3', os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]])}`\n", flush=True)


# ---- ours

def tubelet(a, *arguments):
    """Runs `tubelet ... --json` and returns the last line."""
    run = subprocess.run([a.tubelet, *map(str, arguments), "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.strip().splitlines()[-1])


def bench(a, case, *arguments):
    """A run of `tubelet bench`."""
    return lambda: tubelet(a, "bench", "--case", case, *arguments)["seconds"]


def checkpoint(a, what):
    """A random checkpoint; `what` is what `tubelet init` takes."""
    folder = a.work / "checkpoints" / what.replace(":", "-")
    if not (folder / "config.json").exists():
        subprocess.run([a.tubelet, "init", what, str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder


def peak_bytes(command, **more):
    """Peak resident memory of a process, its seconds, and what it printed."""
    began = time.perf_counter()
    child = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True, **more)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {child.returncode}")
    return usage.ru_maxrss * 1024, time.perf_counter() - began, output


# ---- videos

ENCODERS = {
    "h264": ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23"],
    "hevc": ["-c:v", "libx265", "-preset", "veryfast", "-crf", "25", "-x265-params", "log-level=error"],
    "vp9": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M"],
    "av1": ["-c:v", "libsvtav1", "-preset", "10", "-crf", "35"],
}


def video(a, name, codec="h264", size="854x480", seconds=60, gop=250, rate=30, folder=None):
    """A test video of moving patterns with noise. It is made once, and is the same every time with the same ffmpeg."""
    folder = folder or a.work / "videos"
    path = folder / f"{name}.{'webm' if codec == 'vp9' else 'mkv' if codec == 'av1' else 'mp4'}"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}")
    half = "x".join(str(int(n) // 4 * 2) for n in size.split("x"))
    graph = (f"testsrc2=size={size}:rate={rate}[a];mandelbrot=size={half}:rate={rate}:maxiter=400:end_scale=0.05[b];"
             f"[a][b]overlay=x='mod(n*3,W/2)':y='H/4',noise=alls=6:allf=t:all_seed=1,format=yuv420p[v]")
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-filter_complex", graph, "-map", "[v]", "-t", str(seconds), *ENCODERS[codec],
                    "-g", str(gop), "-f", path.suffix[1:].replace("mkv", "matroska"), str(part)], check=True)
    part.rename(path)
    return path
