"""A broken folder is reported file by file; a good one passes; missing_files.txt lists what a trainer must leave
out."""
import json, math, os, pathlib, pty, shutil, struct, subprocess, time, unittest

from array_files import npy_bytes, rows
from command_case import ENVIRONMENT, TUBELET, CommandCase, run


class Verify(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model, cls.other_model = cls.make_model("dinov2:tiny"), cls.folder / "other"
        assert run("init", "dinov2:tiny", cls.other_model, "--seed", "9").returncode == 0
        cls.videos = cls.make_videos("videos", (30, 45, 60, 75, 33, 52, 41, 24))
        cls.good = cls.folder / "good"
        cls.extract(cls.good)

    @classmethod
    def extract(cls, out, *more, model=None):
        done = run("extract", cls.videos, "--model", model or cls.model, "--out", out, "--dtype", "f32", *more)
        assert done.returncode == 0, done.stderr

    def copy(self, name):
        folder = self.folder / name
        shutil.copytree(self.good, folder)
        return folder

    def findings(self, folder, *more, code=3):
        """{(kind, file or id)}, the texts by the same keys, and the end event."""
        events = [json.loads(line) for line in self.check(code, "verify", folder, "--json", *more).stdout.splitlines()]
        found = [event for event in events if event["event"] == "finding"]
        return {(e["kind"], e["file"] or e["id"]): e["text"] for e in found}, events[-1]

    def test_a_good_folder_has_no_findings(self):
        found, end = self.findings(self.good, code=0)
        self.assertEqual(found, {})
        self.assertEqual((end["files"], end["good"], end["videos"], end["missing"]), (8, 8, 8, 0))
        self.assertEqual((self.good / "missing_files.txt").read_text(), "")
        self.assertIn("8 files, 8 good", self.check(0, "verify", self.good, "--quick").stdout)
        self.findings(self.good, "--deep", code=0)

    def test_each_break_is_named(self):
        folder = self.copy("broken")
        other = self.folder / "other-features"
        self.extract(other, model=self.other_model)
        wide = rows(folder / "v02.npy")
        data = bytearray((folder / "v01.npy").read_bytes())
        data[128 + 4 * 40:128 + 4 * 41] = struct.pack("<f", math.nan)
        (folder / "v01.npy").write_bytes(data)                                                  # NaN
        (folder / "v00.npy").write_bytes((folder / "v00.npy").read_bytes()[:-100])              # truncated
        (folder / "v02.npy").write_bytes(npy_bytes([row[:-1] for row in wide]))                 # wrong C
        shutil.copy(other / "v03.npy", folder / "v03.npy")                                      # another model's, same shape
        (folder / "v04.npy").unlink()                                                           # gone
        (folder / "v05.npy").write_bytes(npy_bytes(rows(folder / "v05.npy")[:-2]))              # T
        (folder / "v06.npy").write_bytes(npy_bytes(rows(folder / "v06.npy"), "<f2"))            # float16
        shutil.copy(folder / "v07.npy", folder / "stranger.npy")                                # not in the manifest
        found, end = self.findings(folder)
        expected = {("broken", "v00.npy"), ("not-finite", "v01.npy"), ("checksum", "v01.npy"), ("dim", "v02.npy"), ("checksum", "v02.npy"),
                    ("checksum", "v03.npy"), ("missing", "v04.npy"), ("rows", "v05.npy"), ("checksum", "v05.npy"), ("dtype", "v06.npy"),
                    ("checksum", "v06.npy"), ("extra", "stranger.npy")}
        self.assertEqual(set(found), expected)
        self.assertIn("truncated", found["broken", "v00.npy"])
        self.assertIn(f"row {40 // len(wide[0])}", found["not-finite", "v01.npy"])
        self.assertIn("other", found["checksum", "v03.npy"])
        self.assertEqual((folder / "missing_files.txt").read_text().split(), ["v00", "v01", "v02", "v03", "v04", "v05", "v06"])
        self.assertEqual(end["good"], 1)                                                        # v07
        text = self.check(3, "verify", folder).stdout
        for kind, name in expected:
            self.assertRegex(text, rf"(?m)^{kind} +{name}: ")

    def test_a_large_file_is_in_memory_once(self):
        """Hours of video may have gigabytes of rows."""
        folder, rows_of_64 = self.copy("large"), 1 << 20
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows_of_64}, 64), }}".ljust(117) + "\n"
        with open(folder / "v00.npy", "wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.encode())
            file.truncate(128 + rows_of_64 * 64 * 4)
        lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
        for line in lines:
            if line["output"] == "v00.npy":
                line.update(T=rows_of_64, bytes=128 + rows_of_64 * 64 * 4, frames_used=4 * (rows_of_64 - 1) + 16)
        (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        process = subprocess.Popen([TUBELET, "verify", folder], stdout=subprocess.PIPE, env=ENVIRONMENT)
        with process.stdout as said:
            self.assertRegex(said.read().decode(), r"(?m)^checksum +v00.npy: not the bytes")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 3)
        self.assertLess(usage.ru_maxrss * 1024, 1.5 * rows_of_64 * 64 * 4)

    def test_a_terminal_is_not_told_of_each_file(self):
        try:
            ours, theirs = pty.openpty()
        except OSError as error:
            self.skipTest(f"no terminal can be made here: {error}")
        folder, files = self.folder / "many", 3000
        folder.mkdir()
        for i in range(files):
            (folder / f"{i}.npy").write_bytes(npy_bytes([[1.0, 2.0]]))
        began = time.monotonic()
        process = subprocess.Popen([TUBELET, "verify", "--read-only", folder], stdout=subprocess.PIPE, stderr=theirs, env={**ENVIRONMENT, "TERM": "xterm"})
        os.close(theirs)
        said = b""
        try:
            while data := os.read(ours, 1 << 16):
                said += data
        except OSError:                                     # Linux's error at the end of a terminal
            pass
        os.close(ours)
        with process:
            self.assertIn(f"{files} files, {files} good", process.stdout.read().decode())
        self.assertEqual(process.returncode, 0)
        self.assertLessEqual(said.count(b" files"), 10 * (time.monotonic() - began) + 1)
        self.assertEqual(said.rpartition(b"\r")[2], b"\x1b[K" if said else b"")     # no status line is left

    def test_half_of_a_run_with_other_settings(self):
        folder = self.copy("mixed")
        other = self.folder / "stride8"
        self.extract(other, "--stride", "8")
        lines = {json.loads(line)["output"]: line for line in (other / "manifest.jsonl").read_text().splitlines()}
        half = ["v00.npy", "v01.npy", "v02.npy", "v03.npy"]
        for name in half:
            shutil.copy(other / name, folder / name)
        (folder / "manifest.1.jsonl").write_text("".join(lines[name] + "\n" for name in half))
        found, _ = self.findings(folder)
        self.assertEqual(set(found), {("settings", name) for name in half})
        self.assertIn("stride 8, the folder's 4", found["settings", "v00.npy"])

    def test_lines_of_another_model(self):
        folder = self.copy("models")
        other = self.folder / "other-lines"
        self.extract(other, model=self.other_model)
        shutil.copy(other / "v03.npy", folder / "v03.npy")
        line = next(x for x in (other / "manifest.jsonl").read_text().splitlines() if json.loads(x)["output"] == "v03.npy")
        (folder / "manifest.1.jsonl").write_text(line + "\n")
        self.assertEqual(set(self.findings(folder)[0]), {("model", "v03.npy")})

    def test_of_two_lines_the_one_of_the_file_counts(self):
        """Clocks of several machines differ: the later line doesn't always have the later time."""
        folder = self.folder / "clocks"
        self.extract(folder)
        lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
        for line in lines:
            line.update(time="2099" + line["time"][4:], T=line["T"] + 1, checksum="0" * 32, bytes=line["bytes"] + 4, mtime_ns=line["mtime_ns"] - 1)
        (folder / "manifest.1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.assertEqual(self.findings(folder, code=0)[0], {})

    def test_a_wrong_length_by_its_frames(self):
        folder = self.copy("frames")
        lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
        for line in lines:
            if line["output"] == "v05.npy":
                line["frames_used"] += 9
        (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        found, _ = self.findings(folder)
        self.assertEqual(set(found), {("rows", "v05.npy")})
        self.assertIn("T is 10, 61 frames give 12", found["rows", "v05.npy"])

    def test_annotations(self):
        folder = self.copy("annotated")
        lengths = {f"v{i:02}": frames / rate for i, (frames, rate) in enumerate(zip((30, 45, 60, 75, 33, 52, 41, 24), (25, 30, 24) * 3))}
        database = {name: {"duration": seconds, "subset": "validation", "annotations": []} for name, seconds in lengths.items()}
        annotations = self.folder / "anno.json"
        annotations.write_text(json.dumps({"database": database}))
        self.findings(folder, "--annotations", annotations, code=0)
        database["v03"]["duration"] = 44.0                  # the video was cut, or is another one
        database["v04"] = {"subset": "validation"}          # says nothing
        database["lost"] = {"duration": 3, "subset": "training", "annotations": []}
        annotations.write_text(json.dumps({"database": database}))
        (folder / "v01.npy").write_bytes(b"")
        found, end = self.findings(folder, "--annotations", annotations)
        self.assertEqual(set(found), {("duration", "v03.npy"), ("missing", "lost"), ("broken", "v01.npy")})
        self.assertEqual(end["without_length"], 1)
        self.assertEqual((folder / "missing_files.txt").read_text(), "v01\nlost\n")
        (folder / "missing_files.txt").unlink()
        self.findings(folder, "--annotations", annotations, "--read-only")
        self.assertFalse((folder / "missing_files.txt").exists())

    def test_without_annotations_their_missing_ids_stay_listed(self):
        """OpenTAD stops at the first id of its annotations that has no features and isn't in the list."""
        folder = self.copy("listed")
        (folder / "missing_files.txt").write_text("v02\nv_v03\nv04\nlost\n")        # two have features by now, under either name
        (folder / "v04.npy").write_bytes(b"")
        self.assertIn("2 of 9 videos", self.check(3, "verify", folder).stdout)
        self.assertEqual((folder / "missing_files.txt").read_text(), "v04\nlost\n")
        annotations = self.folder / "two.json"
        annotations.write_text(json.dumps({"database": {"v02": {"annotations": []}, "v05": {"annotations": []}}}))
        self.findings(folder, "--annotations", annotations)
        self.assertEqual((folder / "missing_files.txt").read_text(), "")                # all ids that they list are there

    def test_a_replaced_video_is_stale(self):
        videos = self.folder / "replaced"
        shutil.copytree(self.videos, videos)
        out = self.folder / "stale"
        self.check(0, "extract", videos, "--model", self.model, "--out", out, "--dtype", "f32")
        self.findings(out, code=0)
        shutil.copy(videos / "v03.mp4", videos / "v00.mp4")
        found, _ = self.findings(out)
        self.assertEqual(set(found), {("stale", "v00.npy")})
        (videos / "v01.mkv").unlink()
        self.assertEqual(set(self.findings(out)[0]), {("stale", "v00.npy")})
        self.assertEqual(set(self.findings(out, "--deep")[0]), {("stale", "v00.npy"), ("stale", "v01.npy")})

    def test_frames_are_counted_in_the_stream_that_was_read(self):
        videos, out = self.folder / "streams", self.folder / "of-a-stream"
        videos.mkdir()
        command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=2.4",
                   "-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=1.2", "-map", "0", "-map", "1", "-c:v", "mpeg4", str(videos / "two.mkv")]
        subprocess.run(command, check=True)
        for stream in ("0", "1"):
            self.check(0, "extract", videos, "--model", self.model, "--out", out / stream, "--dtype", "f32", "--video-stream", stream)
            self.assertEqual(self.findings(out / stream, "--deep", code=0)[0], {})
        self.assertNotEqual(*[json.loads((out / stream / "manifest.jsonl").read_text())["frames"] for stream in ("0", "1")])

    def test_what_was_found_is_told_where_nothing_can_be_written(self):
        folder = self.copy("blocked")
        (folder / "missing_files.txt").unlink(missing_ok=True)
        (folder / "missing_files.txt").mkdir()
        done = self.check(5, "verify", folder)
        self.assertIn("8 files, 8 good", done.stdout)
        self.assertIn("--read-only checks without writing it", done.stderr)
        self.check(0, "verify", folder, "--read-only")

    def test_failures_are_told_with_their_reason(self):
        videos = self.folder / "some"
        videos.mkdir()
        shutil.copy(self.videos / "v00.mp4", videos / "a.mp4")
        (videos / "bad.mp4").write_bytes(b"not a video at all" * 50)
        out = self.folder / "failed"
        self.check(3, "extract", videos, "--model", self.model, "--out", out, "--dtype", "f32")
        found, _ = self.findings(out)
        self.assertEqual(set(found), {("failed", "bad")})
        self.assertEqual((out / "missing_files.txt").read_text(), "bad\n")

    def test_names_of_two_lines(self):
        """The list of what to leave out doesn't name a good video that is a part of a bad one's name."""
        videos, out = self.folder / "two-lines", self.folder / "of-two-lines"
        videos.mkdir()
        shutil.copy(self.videos / "v00.mp4", videos / "good.mp4")
        (videos / "bad\ngood.mp4").write_bytes(b"no video")
        self.check(3, "extract", videos, "--model", self.model, "--out", out)
        self.assertEqual(self.findings(out)[1]["missing"], 1)
        self.assertEqual((out / "missing_files.txt").read_text(), "")

    def test_folders_of_others(self):
        folder = self.folder / "foreign"
        folder.mkdir()
        for i in range(4):
            (folder / f"x{i}.npy").write_bytes(npy_bytes([[1.0, 2.0, 3.0]] * (i + 2)))
        self.findings(folder, code=0)
        (folder / "x1.npy").write_bytes(npy_bytes([[1.0, 2.0]]))
        self.assertEqual(set(self.findings(folder)[0]), {("dim", "x1.npy")})

    def test_every_container_and_type(self):
        for i, more in enumerate((("--file-type", "npz"), ("--file-dtype", "f16"), ("--file-key", "feature", "--file-dtype", "f16"),
                                  ("--fps", "10", "--align", "center"), ("--align", "backpad", "--interval", "3"))):
            out = self.folder / f"kind{i}"
            self.extract(out, *more)
            self.findings(out, code=0)

    def test_refusals(self):
        self.assertIn("No such file", self.check(2, "verify", self.folder / "nowhere").stderr)
        self.assertIn("not an annotation file", self.check(2, "verify", self.good, "--annotations", self.good / "features.json").stderr)

    def test_a_folder_without_features_is_no_good_one(self):
        """Another folder than was meant: it isn't in order, and nothing is written into it."""
        videos = sorted(p.name for p in self.videos.iterdir())
        self.assertIn(f"{self.videos}: no features in it", self.check(2, "verify", self.videos).stderr)
        self.assertEqual(sorted(p.name for p in self.videos.iterdir()), videos)

    def test_a_folder_that_isnt_there_is_named_with_what_makes_one(self):
        for verb in (["verify"], ["consumer-config", "opentad"], ["compare", self.good]):
            done = self.check(2, *verb, self.folder / "nowhere")
            self.assertRegex(done.stderr, r"/nowhere: No such file or directory: .*tubelet extract --out")


if __name__ == "__main__":
    unittest.main()
