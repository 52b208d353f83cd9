"""What the tests of the command share: running it, small videos, small checkpoints. Python's standard library only.

The command is $TUBELET; everything is written below one temporary folder, which is removed at the end.
"""
import hashlib, json, os, pathlib, shutil, struct, subprocess, tempfile, time, unittest

TUBELET = os.environ.get("TUBELET", "build/tubelet")
# Variables that say which shard this is must not leak into the tests.
FOREIGN = ("SLURM_", "OMPI_", "PMI_", "RANK", "WORLD_SIZE", "TUBELET_ISA", "NO_COLOR", "LANG", "LC_")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
# Nor may the settings and profiles of the user who runs them.
ENVIRONMENT["XDG_CONFIG_HOME"] = ENVIRONMENT["XDG_CACHE_HOME"] = "/proc/tubelet-tests"


def run(*arguments, environment=None, **more):
    """The finished process: returncode, stdout, stderr."""
    command = [TUBELET, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, env={**ENVIRONMENT, **(environment or {})}, **more)


def encode(path, source, frames, *options):
    """A video of `frames` frames from a lavfi source."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", source, "-frames:v", str(frames), "-pix_fmt", "yuv420p", *options, str(path)]
    subprocess.run(command, check=True)


def digests(folder):
    """Digests of every .npy in the folder."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in pathlib.Path(folder).glob("*.npy")}


def settle(folder):
    """Waits until no file of a checkpoint counts as just written: only then is its stamp kept."""
    newest = max(max(p.stat().st_mtime, p.stat().st_ctime) for p in pathlib.Path(folder).iterdir())
    while time.time() - newest <= 2.1:
        time.sleep(0.1)


def strays(folder):
    """Files that shouldn't be in an output folder after a run."""
    return [p.name for p in pathlib.Path(folder).rglob("*") if p.name.startswith(".") or "tmp" in p.name or p.suffix == ".part"]


def npy_shape(path):
    with open(path, "rb") as f:
        header = f.read(128)[10:].decode("latin1")
    shape = header.split("'shape': (")[1].split(")")[0]
    return tuple(int(n) for n in shape.split(",") if n.strip()), header.split("'descr': '")[1].split("'")[0]


def write_npy(path, descr, shape, data):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    header = header.ljust(128 - 10 - 1) + "\n"
    pathlib.Path(path).write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def read_safetensors(path):
    """(header without __metadata__, bytes)"""
    raw = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    return header, raw[8 + size :]


def write_safetensors(path, tensors):
    """tensors: {name: (dtype, shape, bytes)}"""
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


class CommandCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tubelet-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)

    def check(self, code, *arguments, **more):
        """Runs the command and requires its exit code."""
        done = run(*arguments, **more)
        self.assertEqual(done.returncode, code, f"tubelet {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
        return done

    @classmethod
    def make_model(cls, what):
        path = cls.folder / what.replace(":", "-")
        if not path.exists():
            done = run("init", what, path)
            assert done.returncode == 0, done.stderr
        return path

    @classmethod
    def make_videos(cls, name, lengths):
        """A folder of one video per length; sizes, codecs and containers vary."""
        folder = cls.folder / name
        folder.mkdir()
        kinds = [("testsrc2=size=96x64:rate=25", "mp4", ["-c:v", "mpeg4"]), ("mandelbrot=size=80x60:rate=30", "mkv", ["-c:v", "mpeg4", "-bf", "2"]),
                 ("testsrc=size=64x96:rate=24", "avi", ["-c:v", "mpeg2video"])]
        for i, frames in enumerate(lengths):
            source, container, options = kinds[i % len(kinds)]
            encode(folder / f"v{i:02}.{container}", source, frames, *options)
        return folder
