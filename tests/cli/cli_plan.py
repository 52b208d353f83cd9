"""plan: extract then does what it says."""
import json

from command_case import CommandCase, npy_shape


class Plan(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.videos = cls.make_videos("videos", [60, 50, 3])
        cls.model = cls.make_model("dinov2:tiny")

    def events(self, verb, out, *arguments, code=0, videos=None):
        done = self.check(code, verb, videos or self.videos, "--model", self.model, "--size", "28x28", "--out", self.folder / out, "--json", *arguments)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def plan(self, out, *arguments, **more):
        events = self.events("plan", out, "--budget", "1", *arguments, **more)
        return {e["stem"]: e for e in events if e["event"] == "plan"}, {e["name"]: e for e in events if e["event"] == "bound"}, events[-1]

    def test_rows_and_bytes_are_those_that_come(self):
        items, _, end = self.plan("out", "--stride", "7")
        self.assertFalse((self.folder / "out").exists())
        self.events("extract", "out", "--stride", "7")
        for stem, item in items.items():
            path = self.folder / "out" / f"{stem}.npy"
            self.assertEqual((item["rows"], item["bytes"]), (npy_shape(path)[0][0], path.stat().st_size))
        self.assertEqual(end["rows"], sum(i["rows"] for i in items.values()))
        self.assertEqual(end["to_do"], 3)

    def test_videos_shorter_than_a_frame_of_the_grid(self):
        """Each gives a row, and its headers state its length: nothing is guessed."""
        items, _, end = self.plan("sparse", "--fps", "0.5")
        self.events("extract", "sparse", "--fps", "0.5")
        self.assertEqual({stem: item["rows"] for stem, item in items.items()},
                         {p.stem: npy_shape(p)[0][0] for p in (self.folder / "sparse").glob("*.npy")})
        self.assertEqual([item["by_size"] for item in items.values()], [0, 0, 0])

    def test_an_estimate_is_measured(self):
        _, _, end = self.plan("estimate")
        self.assertGreater(end["rows_per_second"], 0)
        self.assertAlmostEqual(end["seconds"], end["rows"] / end["rows_per_second"], places=5)
        self.assertIn(end["bottleneck"], ("forward", "decode", "convert"))
        self.assertEqual(self.events("plan", "none", "--budget", "0")[-1]["rows_per_second"], 0)

    def test_what_is_done_and_skipped_and_why(self):
        broken = self.folder / "some"
        broken.mkdir()
        (broken / "broken.mp4").write_bytes(b"no video")
        (broken / "good.mp4").write_bytes((self.videos / "v00.mp4").read_bytes())
        items, _, end = self.plan("mixed", videos=broken)
        self.assertIn("broken.mp4", items["broken"]["error"])
        self.events("extract", "mixed", videos=broken, code=3)
        items, _, end = self.plan("mixed", videos=broken)
        self.assertEqual((items["good"]["state"], items["broken"]["state"], end["to_do"], end["rows"]), ("done", "failed before", 0, 0))
        text = self.check(0, "extract", "--dry-run", broken, "--model", self.model, "--size", "28x28", "--out", self.folder / "mixed").stdout
        self.assertIn("skipped without --retry-failed", text)
        self.assertIn("skipped, as its features are there", text)
        self.assertIn("nothing was written", text)

    def test_bounds_say_what_decides(self):
        _, bounds, _ = self.plan("bounds", "--batch", "3", "--threads", "1", "--decode-threads", "2")
        for name, value in (("batch", "3 frames"), ("compute threads", "1"), ("decode threads", "2")):
            self.assertEqual((bounds[name]["value"], bounds[name]["reason"]), (value, "as asked for"))
        _, bounds, end = self.plan("bounds")
        self.assertNotEqual(bounds["batch"]["reason"], "as asked for")
        for name in ("processors", "precision", "prefetch", "frame slots", "memory"):
            self.assertTrue(bounds[name]["reason"])
        self.assertGreater(end["memory"], 0)
        both = [e["reason"] for e in self.events("plan", "bounds", "--budget", "0", "--decoder", "both") if e.get("name") == "decode threads"]
        self.assertIn("and 8 for each GPU's decoders", both[0])

    def test_a_run_that_would_be_refused_is_refused(self):
        self.events("extract", "pinned")
        self.check(2, "plan", self.videos, "--model", self.model, "--size", "28x28", "--stride", "9", "--out", self.folder / "pinned")

    def test_collisions_are_counted(self):
        folder = self.folder / "collide"
        for sub in ("a", "b"):
            (folder / sub).mkdir(parents=True)
            for name in ("x", "y"):
                (folder / sub / f"{name}.mp4").write_bytes((self.videos / "v00.mp4").read_bytes())
        error = self.check(2, "plan", folder, "--recursive", "--model", self.model, "--out", self.folder / "none").stderr
        self.assertIn("would both become x.npy", error)
        self.assertIn("1 more names collide", error)


if __name__ == "__main__":
    import unittest

    unittest.main()
