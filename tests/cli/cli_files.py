"""The names and contents of files of features: templates, .npz, float16, resuming them."""
import json, pathlib, struct, unittest

from array_files import load, rows
from command_case import CommandCase

try:
    import numpy
except ImportError:  # the standard library's zipfile and struct check the same
    numpy = None


class Files(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.make_model("dinov2:tiny")
        cls.videos = cls.make_videos("videos", (30, 21))
        (cls.videos / "v01.mkv").rename(cls.videos / "v_b.mkv")
        cls.annotations = cls.folder / "anno.json"
        cls.annotations.write_text(json.dumps({"database": {
            "v00": {"subset": "training", "duration": 1.2, "annotations": []}, "b": {"subset": "validation", "duration": 0.7, "annotations": []},
            "gone": {"subset": "validation", "duration": 9, "annotations": []}}}))
        cls.plain = cls.folder / "plain"
        assert cls.extract(cls, cls.plain).returncode == 0

    def extract(self, out, *more, code=0):
        from command_case import run
        done = run("extract", self.videos, "--model", self.model, "--out", out, "--dtype", "f32", *more)
        if isinstance(self, unittest.TestCase):
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def again(self, out, *more):
        """The same command, run again, finds nothing to do."""
        before = {p: p.stat().st_mtime_ns for p in pathlib.Path(out).rglob("*.np*")}
        self.assertIn(" 2 done before", self.extract(out, *more).stdout)
        self.assertEqual(before, {p: p.stat().st_mtime_ns for p in pathlib.Path(out).rglob("*.np*")})

    def test_npz_with_the_consumers_key(self):
        out = self.folder / "npz"
        self.extract(out, "--file-type", "npz")
        self.assertEqual(sorted(p.name for p in out.glob("*.npz")), ["v00.npz", "v_b.npz"])
        for name in ("v00", "v_b"):
            self.assertEqual(load(out / f"{name}.npz", "feats"), load(self.plain / f"{name}.npy"))
            if numpy:
                array = numpy.load(out / f"{name}.npz")["feats"]
                self.assertTrue((array == numpy.load(self.plain / f"{name}.npy")).all())
        self.again(out)                          # what is left open is taken from the folder
        self.assertIn("files container", self.extract(out, "--file-type", "npy", code=2).stderr)
        lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
        self.assertEqual(sorted(line["output"] for line in lines), ["v00.npz", "v_b.npz"])

    def test_crops_axis(self):
        out = self.folder / "crops"
        self.extract(out, "--file-key", "feature", "--file-name", "{stem}-rgb")
        dtype, shape, values = load(out / "v00-rgb.npz", "feature")
        plain = load(self.plain / "v00.npy")
        self.assertEqual((dtype, shape, values), ("<f4", (1, *plain[1]), plain[2]))

    def test_float16(self):
        out = self.folder / "half"
        self.extract(out, "--file-dtype", "f16")
        dtype, shape, values = load(out / "v00.npy")
        plain = load(self.plain / "v00.npy")
        self.assertEqual((dtype, shape), ("<f2", plain[1]))
        self.assertEqual(values, [struct.unpack("<e", struct.pack("<e", value))[0] for value in plain[2]])
        if numpy:
            self.assertTrue((numpy.load(out / "v00.npy") == numpy.load(self.plain / "v00.npy").astype("float16")).all())
        self.again(out)
        self.assertIn("files dtype: float16 there, float32 asked", self.extract(out, "--file-dtype", "f32", code=2).stderr)

    def test_names(self):
        out = self.folder / "named"
        self.extract(out, "--file-name", "v_{bare}")
        self.assertEqual(sorted(p.name for p in out.glob("*.npy")), ["v_b.npy", "v_v00.npy"])
        self.again(out)
        self.assertIn("{split} stands in annotations", self.extract(self.folder / "nowhere", "--file-name", "{split}/{stem}", code=2).stderr)
        self.assertFalse((self.folder / "nowhere").exists())

    def test_split_folders(self):
        out = self.folder / "splits"
        more = ("--file-name", "{split}/v_{bare}", "--annotations", self.annotations)
        self.extract(out, *more)
        self.assertEqual(sorted(str(p.relative_to(out)) for p in out.rglob("*.npy")), ["training/v_v00.npy", "validation/v_b.npy"])
        self.assertEqual((out / "missing_files.txt").read_text(), "gone\n")
        self.assertEqual(rows(out / "validation" / "v_b.npy"), rows(self.plain / "v_b.npy"))
        self.again(out, *more)
        (out / "training" / "v_v00.npy").write_bytes(b"torn")
        self.assertIn(" 1 done before", self.extract(out, *more).stdout)
        self.assertEqual(rows(out / "training" / "v_v00.npy"), rows(self.plain / "v00.npy"))
        plan = self.extract(out, *more, "--dry-run").stdout
        self.assertIn(f"{out}/training/v_v00.npy", plan)

    def test_names_that_collide(self):
        twins = self.folder / "twins"
        twins.mkdir()
        for name in ("x.mp4", "v_x.mp4"):
            (twins / name).write_bytes((self.videos / "v00.mp4").read_bytes())
        done = self.check(2, "extract", twins, "--model", self.model, "--out", self.folder / "t", "--file-name", "v_{bare}")
        self.assertIn("would both become v_x.npy", done.stderr)

    def test_preset_brings_its_names(self):
        out = self.folder / "preset"
        self.extract(out, "--preset", "charades/i3d-tridetplus", "--stride", "8")
        self.assertEqual(sorted(p.name for p in out.glob("*.npz")), ["v00-rgb.npz", "v_b-rgb.npz"])
        features = json.loads((out / "features.json").read_text())
        self.assertEqual(features["files"], {"name": "{stem}-rgb", "container": "npz", "key": "feature", "dtype": "float32"})
        self.assertEqual(features["about"]["preset"], "charades/i3d-tridetplus")

    def test_features_explain_themselves(self):
        out = self.folder / "explained"
        self.extract(out, "--fps", "12", "--align", "center", "--stride", "5", "--interval", "2", "--clip-length", "8")
        features = json.loads((out / "features.json").read_text())
        settings = features["settings"]
        self.assertEqual([settings[k] for k in ("clip_length", "stride", "interval", "align", "fps", "dtype", "pool")], [8, 5, 2, "center", 12.0, "f32", "default"])
        self.assertEqual(features["consumers"]["offset_frames"], 2)
        self.assertEqual(features["consumers"]["num_frames"], 4)
        self.assertEqual(features["consumers"]["time"], "row i stands at second (i * 5 + 2) / fps")
        self.assertTrue({"resize", "mean", "std"} <= set(settings["transform"]))
        self.assertEqual(len(features["model"]["hash"]), 32)
        self.assertRegex(features["about"]["tubelet"], r"^\d+\.\d+\.\d+$")
        line = next(x for x in map(json.loads, (out / "manifest.jsonl").read_text().splitlines()) if x["output"] == "v00.npy")
        self.assertEqual((line["frames"], line["fps_native"], line["fps"]), (30, 25.0, 12.0))
        self.assertEqual(line["frames_used"], 14)           # 1.2 s at 12 frames a second
        self.assertEqual((line["T"], line["offset_frames"], line["dtype"], line["file_dtype"]), (3, 2, "f32", "float32"))


if __name__ == "__main__":
    unittest.main()
