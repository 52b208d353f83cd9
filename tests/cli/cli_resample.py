"""Features with a larger stride, of a fixed length, and in other files: each a folder that verifies."""
import json, os, shutil, struct, subprocess, unittest

from array_files import load, rows
from command_case import CommandCase, digests, encode, run, strays


def interpolate(table, length):
    """F.interpolate(mode="linear", align_corners=False), in doubles."""
    out = []
    for i in range(length):
        position = max(len(table) / length * (i + 0.5) - 0.5, 0)
        low = min(int(position), len(table) - 1)
        high, weight = min(low + 1, len(table) - 1), position - low
        out.append([(1 - weight) * a + weight * b for a, b in zip(table[low], table[high])])
    return out


class Resample(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.make_model("dinov2:tiny")
        cls.videos = cls.make_videos("videos", (30, 61, 95, 12, 77))

    def extract(self, name, *more):
        out = self.folder / name
        if not out.exists():
            self.check(0, "extract", self.videos, "--model", self.model, "--out", out, "--dtype", "f32", *more)
        return out

    def settings(self, folder):
        return json.loads((folder / "features.json").read_text())

    def test_a_larger_stride_is_what_extraction_gives(self):
        for align in ("valid", "backpad"):
            small = self.extract(f"{align}4", "--align", align)
            for stride in (8, 16):
                direct, out = self.extract(f"{align}{stride}", "--align", align, "--stride", str(stride)), self.folder / f"r-{align}{stride}"
                self.check(0, "resample", small, out, "--stride", str(stride))
                self.assertEqual(digests(out), digests(direct))
                a, b = self.settings(out), self.settings(direct)
                self.assertEqual([a[k] for k in ("settings", "model", "files", "consumers")], [b[k] for k in ("settings", "model", "files", "consumers")])
                self.check(0, "verify", out)
                # Extraction accepts the folder: there is nothing to do.
                self.assertIn(" 5 done before", self.check(0, "extract", self.videos, "--model", self.model, "--out", out, "--dtype", "f32", "--align", align,
                                                           "--stride", str(stride)).stdout)

    def test_centred_rows_keep_their_offset(self):
        small, out, twice = self.extract("center4", "--align", "center"), self.folder / "r-center8", self.folder / "r-center16"
        self.check(0, "resample", small, out, "--stride", "8")
        self.check(0, "resample", out, twice, "--stride", "16")
        for folder, step in ((out, 2), (twice, 4)):
            for path in small.glob("*.npy"):
                self.assertEqual(rows(folder / path.name), rows(path)[::step])
            consumers = self.settings(folder)["consumers"]
            self.assertEqual((consumers["feat_stride"], consumers["offset_frames"], consumers["num_frames"]), (4 * step, 2, 4))
            self.check(0, "verify", folder)
            facts = json.loads(self.check(0, "consumer-config", "opentad", folder, "--json").stdout)
            self.assertEqual((facts["feature_stride"], facts["offset_frames"]), (4 * step, 2))
        self.assertIn("every: 2 there", self.check(2, "extract", self.videos, "--model", self.model, "--out", out, "--dtype", "f32", "--align", "center").stderr)

    def test_fixed_lengths(self):
        small = self.extract("valid4", "--align", "valid")
        for length in (1, 100, 128, 192):
            out = self.folder / f"r-{length}"
            self.check(0, "resample", small, out, "--length", str(length))
            for path in small.glob("*.npy"):
                _, shape, _ = load(out / path.name)
                self.assertEqual(shape[0], length)
                for got, wanted in zip(rows(out / path.name), interpolate(rows(path), length)):
                    for a, b in zip(got, wanted):
                        self.assertLess(abs(a - b), 2e-5 * max(1, abs(b)))
            self.check(0, "verify", out)
            line = json.loads((out / "manifest.jsonl").read_text().splitlines()[0])
            self.assertEqual(line["T"], length)
        text = self.check(0, "consumer-config", "opentad", out).stdout
        self.assertIn("resize_length=192", text)
        self.assertNotIn("offset_frames", text)
        self.assertIn("feat_stride: -1", self.check(0, "consumer-config", "actionformer", out).stdout)
        self.assertIn("resample what they came from", self.check(2, "resample", out, self.folder / "no", "--length", "100").stderr)

    def test_other_files(self):
        small, out = self.extract("valid4", "--align", "valid"), self.folder / "r-files"
        self.check(0, "resample", small, out, "--file-key", "feats", "--file-dtype", "f16", "--file-name", "x_{stem}")
        for path in small.glob("*.npy"):
            dtype, shape, values = load(out / f"x_{path.stem}.npz", "feats")
            plain = load(path)
            self.assertEqual((dtype, shape), ("<f2", plain[1]))
            self.assertEqual(values, [struct.unpack("<e", struct.pack("<e", value))[0] for value in plain[2]])
        self.check(0, "verify", out)

    def test_it_goes_on_and_refuses_mixtures(self):
        small, out = self.extract("valid4", "--align", "valid"), self.folder / "r-resumed"
        self.check(0, "resample", small, out, "--stride", "8")
        before = digests(out)
        (out / "v01.npy").unlink()
        (out / "v02.npy").write_bytes(b"torn")
        self.assertIn("2 of 5 files written, 3 there before", self.check(0, "resample", small, out, "--stride", "8").stdout)
        self.assertEqual(digests(out), before)
        self.assertIn("stride: 8 there, 16 asked", self.check(2, "resample", small, out, "--stride", "16").stderr)
        self.assertIn("not a multiple", self.check(2, "resample", small, self.folder / "no", "--stride", "6").stderr)
        self.assertIn("at once", self.check(2, "resample", small, self.folder / "no", "--stride", "8", "--length", "9").stderr)
        self.assertIn("both the input and the output", self.check(2, "resample", small, small, "--stride", "8").stderr)

    def test_features_that_were_made_again_are_taken_again(self):
        videos, features, out = self.folder / "changing", self.folder / "made-again", self.folder / "r-again"
        shutil.copytree(self.videos, videos)
        extract = ["extract", videos, "--model", self.model, "--out", features, "--dtype", "f32"]
        self.check(0, *extract)
        self.check(0, "resample", features, out, "--stride", "8")
        encode(videos / "v00.mp4", "testsrc=size=96x64:rate=25", 30, "-c:v", "mpeg4")               # another video with as many frames
        self.check(0, *extract)
        self.assertIn("1 of 5 files written, 4 there before", self.check(0, "resample", features, out, "--stride", "8").stdout)
        self.check(0, "resample", features, self.folder / "r-new", "--stride", "8")
        self.assertEqual(digests(out), digests(self.folder / "r-new"))
        self.check(0, "verify", out)

    def test_names_that_collide_are_refused(self):
        videos, features, out = self.folder / "twins", self.folder / "of-twins", self.folder / "r-twins"
        videos.mkdir()
        for name, frames in (("a", 30), ("v_a", 45), ("b", 20)):
            encode(videos / f"{name}.mp4", "testsrc=size=96x64:rate=25", frames, "-c:v", "mpeg4")
        self.check(0, "extract", videos, "--model", self.model, "--out", features, "--dtype", "f32")
        done = self.check(2, "resample", features, out, "--file-name", "{bare}")
        self.assertIn("a.npy and v_a.npy would both become a.npy", done.stderr)
        self.assertFalse(out.exists())
        self.check(0, "resample", features, out, "--file-name", "x_{stem}")
        self.assertEqual(len(digests(out)), 3)

    def test_a_second_folder_of_like_names_takes_nothing_away(self):
        out = self.folder / "r-both"
        for name, frames in (("first", 30), ("second", 45)):
            (self.folder / name).mkdir()
            encode(self.folder / name / "x.mp4", "testsrc=size=96x64:rate=25", frames, "-c:v", "mpeg4")
            self.check(0, "extract", self.folder / name, "--model", self.model, "--out", self.folder / f"of-{name}", "--dtype", "f32")
        self.check(0, "resample", self.folder / "of-first", out, "--stride", "8")
        before = digests(out)
        self.assertRegex(self.check(3, "resample", self.folder / "of-second", out, "--stride", "8").stderr, "x.npy: .* are of another video, .*first/x.mp4")
        self.assertEqual(digests(out), before)
        (self.folder / "first" / "x.mp4").unlink()
        self.check(0, "resample", self.folder / "of-second", out, "--stride", "8")
        self.assertNotEqual(digests(out), before)

    def test_what_killed_runs_left_goes(self):
        annotations, small, out = self.folder / "splits.json", self.folder / "split", self.folder / "r-split"
        annotations.write_text(json.dumps({"database": {f"v{i:02}": {"subset": ("one", "two")[i % 2], "annotations": []} for i in range(5)}}))
        self.check(0, "extract", self.videos, "--model", self.model, "--out", small, "--dtype", "f32", "--annotations", annotations, "--file-name", "{split}/{stem}")
        self.check(0, "resample", small, out, "--stride", "8")
        numbers = os.readlink("/proc/self/ns/pid")[5:-1]
        place = os.uname().nodename + ("" if numbers == "4026531836" else f"+{numbers}")
        dead = subprocess.Popen(["true"])
        dead.wait()
        for folder in ("", "one/", "two/"):
            (out / f"{folder}.v00.npy.{place}.{dead.pid}.0.tmp").write_bytes(b"half")
        self.check(0, "resample", small, out, "--stride", "8")
        self.assertEqual(strays(out), [])

    def test_files_that_cannot_be_used_are_named(self):
        small, out = self.folder / "broken", self.folder / "r-broken"
        self.check(0, "extract", self.videos, "--model", self.model, "--out", small, "--dtype", "f32")
        (small / "v03.npy").write_bytes(b"torn")
        (small / "stranger.npy").write_bytes((small / "v00.npy").read_bytes())
        done = self.check(3, "resample", small, out, "--stride", "8")
        self.assertRegex(done.stderr, "failed.*v03.npy")
        self.assertRegex(done.stderr, "failed.*stranger.npy: no line")
        self.assertEqual(sorted(digests(out)), ["v00.npy", "v01.npy", "v02.npy", "v04.npy"])


if __name__ == "__main__":
    unittest.main()
