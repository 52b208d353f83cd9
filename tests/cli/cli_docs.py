"""Runs the commands of the README and of docs/*.md in a shell as they are printed, if what they name is there.

cli_guide.py does so for the tuning guide. Small models and videos take the printed names.
"""
import json, os, pathlib, re, shutil, subprocess, unittest

from cli_guide import GUIDE, PAGES, ROOT, commands
from command_case import ENVIRONMENT, TUBELET, CommandCase

# Not commands but mentions of them: a verb alone, or a part of a command.
BARE = {"doctor", "models", "presets", "man"}
MENTIONED = {"tubelet bench --case NAME", "tubelet embed --tokens", "tubelet extract --device cuda", "tubelet bench --case ablation",
             "tubelet bench --case ablation --interval 4 --clip-length 4 --stride 16", "tubelet extract --preset NAME", "tubelet init FAMILY[:SIZE] DIR",
             "tubelet tune INPUT... --model DIR"}
NEEDS = {"man -l": "man", "completion fish": "fish"}  # programs that a system may lack


def is_command(text):
    words = text.split()
    return text not in MENTIONED and (len(words) > 2 or words[-1] in BARE)


class Docs(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shelf = cls.folder / "shelf"
        cls.shelf.mkdir()
        cls.videos = cls.make_videos("videos", [20, 33, 26])
        cls.model, cls.frames = cls.make_model("videomae:tiny"), cls.make_model("dinov2:tiny")
        programs = cls.folder / "bin"
        programs.mkdir()
        (programs / "tubelet").symlink_to(pathlib.Path(TUBELET).resolve())
        cls.environment = {**ENVIRONMENT, "PATH": f"{programs}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(cls.folder / "cache")}
        for name, more in (("f32", ["--dtype", "f32"]), ("s4", ["--stride", "4"])):
            cls.make_features(name, *more)
        for name in ("before", "after"):
            cls.make_features(name, "--report", cls.shelf / f"{name}.html")
        annotations = {p.stem: {"subset": "training", "duration": 1.0, "frame": 25, "annotations": []} for p in cls.videos.iterdir()}
        (cls.shelf / "anno.json").write_text(json.dumps({"database": annotations}))

    @classmethod
    def make_features(cls, name, *more):
        done = subprocess.run(["tubelet", "extract", cls.videos, "--model", cls.model, "--out", cls.shelf / name, *more], capture_output=True, text=True, env=cls.environment)
        assert done.returncode == 0, done.stderr

    def desk(self, number, command):
        """A folder with everything that the command names."""
        desk = self.folder / f"desk{number}"
        (desk / "features").mkdir(parents=True)
        (desk / "demo").mkdir()
        (desk / "build").mkdir()
        (desk / "build" / "tubelet").symlink_to(self.folder / "bin" / "tubelet")
        for name in ("videos", "two-videos", "FOLDER", "demo/videos"):
            (desk / name).symlink_to(self.videos)
        for name in ("MODEL", "dinov2-small", "demo/dinov2"):
            (desk / name).symlink_to(self.model if name == "MODEL" else self.frames)
        for name, source in {"features/demo": "f32", "features/thumos": "f32", "features/f32": "f32", "features/bf16": "f32", "features/s4": "s4"}.items():
            shutil.copytree(self.shelf / source, desk / name)
        if "tubelet report" in command:
            for name, source in {"A": "before", "B": "after", "before.html": "before", "after.html": "after"}.items():
                shutil.copy(self.shelf / f"{source}.html", desk / name)
        else:
            for name in ("A", "B", "OUT", "IN", "THEIRS"):
                shutil.copytree(self.shelf / "s4", desk / name)
        shutil.copy(self.shelf / "anno.json", desk)
        if "convert MODEL DIR" not in command:
            (desk / "DIR").symlink_to(self.model)
        if "--print-config" in command:
            (desk / "tubelet.conf").write_text("model = /data/videomae\nout = features\nbatch = 8\n")
        return desk

    def run_as_printed(self, number, command):
        command = command.replace("--repeat 3", "--repeat 1")
        if "--case ablation" in command and "--repeat" not in command:
            command += " --repeat 1"  # the measured values don't matter
        if "resample IN OUT" in command:
            command += "2 --stride 8"  # the page asks for these one sentence later
        shell = ["fish"] if "completion fish" in command else ["bash", "-o", "pipefail"]
        return subprocess.run([*shell, "-c", command], cwd=self.desk(number, command), capture_output=True, text=True, errors="replace",
                              timeout=300, env=self.environment)

    def test_every_command_as_printed(self):
        printed = dict.fromkeys(c for page in PAGES if page != GUIDE for c in commands(page))
        ran = 0
        for number, command in enumerate(filter(is_command, printed)):
            missing = [program for words, program in NEEDS.items() if words in command and not shutil.which(program)]
            if missing or re.search(r"\.onnx", command):  # Debian has no OpenVINO
                continue
            with self.subTest(command=command):
                done = self.run_as_printed(number, command)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertTrue(done.stdout or re.search("report|source", command))
                ran += 1
        self.assertGreater(ran, 20)
        # The commands that aren't run are still printed somewhere.
        self.assertEqual(MENTIONED - set(printed), set())

    def test_every_field_of_a_record_is_told(self):
        told = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "features.md").read_text()))
        videos, out = self.folder / "one-broken", self.folder / "recorded"
        videos.mkdir()
        (videos / "broken.mp4").write_bytes(b"not a video" * 100)
        (videos / "whole.mp4").symlink_to(self.videos / "v00.mp4")
        self.check(3, "extract", videos, "--model", self.model, "--out", out)
        for name in ("manifest.jsonl", "failures.jsonl"):
            line = json.loads((out / name).read_text())
            self.assertEqual(set(line) - told, set(), name)

    def test_the_numbers_of_device_presets(self):
        page = (ROOT / "docs" / "gpu.md").read_text()
        presets = [row for row in map(json.loads, self.check(0, "tune", "--list", "--json").stdout.splitlines()) if row["event"] == "device-preset"]
        self.assertGreater(len(presets), 3)
        for row in presets:
            self.assertIn(f"`{row['name']}` {row['batch']}/{row['decode_threads']}/{row['prefetch']}", page)


if __name__ == "__main__":
    unittest.main()
