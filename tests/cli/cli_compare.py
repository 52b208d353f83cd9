"""Compares two folders row by row: equal ones, similar ones, shifted ones."""
import json, pathlib, random, resource, shutil, unittest, xml.etree.ElementTree

from array_files import npy_bytes, rows
from command_case import CommandCase, strays


class Compare(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.make_model("dinov2:tiny")
        cls.videos = cls.make_videos("videos", (150, 130, 170))

    def extract(self, name, *more):
        out = self.folder / name
        if not out.exists():
            self.check(0, "extract", self.videos, "--model", self.model, "--out", out, "--dtype", "f32", *more)
        return out

    def copy(self, folder, name, change):
        """Copies the folder with changed rows in each file; the records about them stay."""
        out = self.folder / name
        shutil.copytree(folder, out)
        for path in out.glob("*.npy"):
            path.write_bytes(npy_bytes(change(path)))
        return out

    def events(self, code, *arguments):
        events = [json.loads(line) for line in self.check(code, "compare", *arguments, "--json").stdout.splitlines()]
        return {e["a"] or e["b"]: e for e in events if e["event"] == "video"}, events[-1]

    def test_equal(self):
        a = self.extract("stride4")
        videos, end = self.events(0, a, a)
        self.assertTrue(all(v["equal"] and v["cosine"] == 1 and v["max_abs"] == 0 for v in videos.values()))
        self.assertEqual((end["videos"], end["equal"], end["shifted"], end["lag"]), (3, 3, False, 0))
        self.assertIn("no shift", self.check(0, "compare", a, a).stdout)

    def test_near(self):
        a = self.extract("stride4")
        draw = random.Random(1)
        b = self.copy(a, "noisy", lambda path: [[x + draw.uniform(-1e-3, 1e-3) for x in row] for row in rows(path)])
        videos, end = self.events(0, a, b)
        self.assertFalse(end["shifted"])
        for video in videos.values():
            self.assertTrue(0.99 < video["least_cosine"] <= video["cosine"] < 1)
            self.assertTrue(0.9e-3 < video["max_abs"] < 1.01e-3)

    def test_a_copy_shifted_by_six_frames(self):
        """Row i of B shows what A shows six frames later: one and a half rows."""
        single, a = self.extract("stride1", "--stride", "1"), self.extract("stride4")
        for frames in (6, 4, 18):
            later = self.copy(a, f"later-{frames}", lambda path: rows(single / path.name)[frames::4])
            for first, second, lag in ((a, later, frames), (later, a, -frames)):
                with self.subTest(lag=lag):
                    videos, end = self.events(3, first, second)
                    self.assertTrue(end["shifted"])
                    self.assertEqual(end["lag"], lag)
                    for video in videos.values():   # for a short video one frame more or less
                        self.assertLessEqual(abs(video["lag"] - lag), 1)
                    self.assertIn(f"B is shifted by {frames} frames", self.check(3, "compare", first, second).stdout)

    def test_every_n_th_of_the_same_rows_is_no_shift(self):
        """Two or three rows have another mean than all rows: with that subtracted, equal rows would differ."""
        a = self.folder / "frames"
        self.check(0, "extract", self.make_videos("short", (60, 45, 70)), "--model", self.model, "--out", a, "--dtype", "f32", "--clip-length", "1", "--stride", "2")
        for stride in (46, 60, 64):
            with self.subTest(stride=stride):
                b = self.folder / f"frames-{stride}"
                self.check(0, "resample", a, b, "--stride", stride)
                _, end = self.events(0, a, b)
                self.assertEqual((end["shifted"], end["max_abs"]), (False, 0))

    def test_alignments_that_are_told_are_no_shift(self):
        """Centered windows begin six frames earlier, and their features.json says so."""
        a, b = self.extract("stride4"), self.extract("center4", "--align", "center")
        videos, end = self.events(0, a, b)
        self.assertFalse(end["shifted"])
        lie = self.folder / "lie"
        shutil.copytree(b, lie)
        shutil.copy(a / "features.json", lie / "features.json")
        _, end = self.events(3, a, lie)
        self.assertEqual((end["shifted"], end["lag"]), (True, -6))

    def test_other_strides_meet_where_they_can(self):
        a, b = self.extract("stride4"), self.extract("stride8", "--stride", "8")
        videos, end = self.events(0, a, b)
        for name, video in videos.items():
            self.assertEqual((video["rows"], video["max_abs"]), (len(rows(b / name)), 0))
        self.assertFalse(end["shifted"])

    def test_what_does_not_fit_is_told(self):
        a = self.extract("stride4")
        b = self.folder / "odd"
        shutil.copytree(a, b)
        (b / "v00.npy").unlink()
        (b / "v01.npy").write_bytes(b"torn")
        (b / "v02.npy").write_bytes(npy_bytes([row[:-1] for row in rows(a / "v02.npy")]))
        (b / "new.npy").write_bytes(npy_bytes([[1.0, 2.0]]))
        videos, end = self.events(3, a, b)
        self.assertEqual((end["videos"], end["only_a"], end["only_b"], end["failed"]), (0, 1, 1, 2))
        self.assertIn("only in A", videos["v00.npy"]["problem"])
        self.assertIn("not a .npy", videos["v01.npy"]["problem"])
        self.assertIn("C is 64 in A and 63 in B", videos["v02.npy"]["problem"])

    def test_folders_of_others(self):
        a = self.extract("stride4")
        b = self.folder / "published"
        b.mkdir()
        for path in a.glob("*.npy"):
            (b / f"v_{path.name}").write_bytes(npy_bytes(rows(path), "<f2"))
        videos, end = self.events(0, a, b)
        self.assertEqual((end["videos"], end["grid_known"], end["shifted"]), (3, False, False))
        self.assertGreater(end["least_cosine"], 0.99999)

    def test_names_that_differ_by_a_prefix(self):
        """x and v_x are one video in two folders, but two videos if one folder has both."""
        both, one = self.folder / "both", self.folder / "one"
        for folder, names in ((both, ("x", "v_x")), (one, ("x",))):
            folder.mkdir()
            for i, name in enumerate(names):
                (folder / f"{name}.npy").write_bytes(npy_bytes([[1.0, 2.0 + i, -3.0]] * (i + 4)))
        _, end = self.events(0, both, both)
        self.assertEqual((end["videos"], end["equal"], end["only_a"], end["only_b"]), (2, 2, 0, 0))
        _, end = self.events(3, both, one)
        self.assertEqual((end["videos"], end["equal"], end["only_a"], end["only_b"]), (1, 1, 1, 0))

    def test_lengths(self):
        """Rows of other lengths are on no common grid, so no lag is found between them."""
        a, short, long = self.extract("stride4"), self.folder / "len10", self.folder / "len12"
        self.check(0, "resample", a, short, "--length", "10")
        self.check(0, "resample", a, long, "--length", "12")
        for first, second in ((a, short), (short, a), (short, long)):
            self.assertIn("was resampled to 1", self.check(2, "compare", first, second).stderr)
        self.assertIn("row i is held against row i", self.check(0, "compare", short, short).stdout)

    def test_plot(self):
        a, b = self.extract("stride4"), self.folder / "later-plot"
        if not b.exists():
            single = self.extract("stride1", "--stride", "1")
            self.copy(a, "later-plot", lambda path: rows(single / path.name)[6::4])
        plot = self.folder / "a & b.svg"
        self.check(3, "compare", a, b, "--plot", plot, "--lag", "16")
        root = xml.etree.ElementTree.parse(plot).getroot()
        curve = root.find("{http://www.w3.org/2000/svg}polyline")
        points = [tuple(map(float, point.split(","))) for point in curve.get("points").split()]
        self.assertEqual(len(points), 33)
        best = min(points, key=lambda point: point[1])
        self.assertEqual(points.index(best), 16 + 6)
        self.assertNotIn("http", plot.read_text().replace("http://www.w3.org/2000/svg", ""))
        self.assertEqual(self.check(5, "compare", a, b, "--plot", self.folder / "no" / "x.svg").returncode, 5)
        # A full disk, simulated by the limit, leaves the existing plot as it is.
        whole = plot.read_bytes()
        full = {"restore_signals": False, "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))}
        self.assertIn("a & b.svg", self.check(5, "compare", a, b, "--plot", plot, **full).stderr)
        self.assertEqual(plot.read_bytes(), whole)
        self.assertEqual(strays(self.folder), [])

    def test_refusals(self):
        a = self.extract("stride4")
        empty = self.folder / "empty"
        empty.mkdir()
        self.assertIn("no video has features in both", self.check(2, "compare", a, empty).stderr)


if __name__ == "__main__":
    unittest.main()
