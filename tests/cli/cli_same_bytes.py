"""The same input gives the same bytes, however the work is divided."""
import os, shutil, unittest

from command_case import CommandCase, digests, npy_shape, run

LENGTHS = [9, 16, 33, 61, 24]       # the first is shorter than a window
ROWS = [1, 1, 5, 12, 3]
ISA = ["scalar", "avx2", "avx512", "avx512_bf16", "amx"]


class SameBytes(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.videos = cls.make_videos("videos", LENGTHS)
        cls.number = 0

    def extract(self, model, *options, inputs=None, out=None, environment=None):
        type(self).number += 1
        out = out or self.folder / f"out{self.number}"
        self.check(0, "extract", *(inputs or [self.videos]), "--model", model, "--out", out, *options, environment=environment)
        return digests(out), out

    def compare(self, model, *fixed):
        whole, out = self.extract(model, *fixed)
        self.assertEqual([npy_shape(out / f"v{i:02}.npy")[0][0] for i in range(len(ROWS))], ROWS)
        self.assertEqual(len(set(whole.values())), len(ROWS))
        for options in (["--batch", "1"], ["--batch", "7"], ["--batch", "16"], ["--threads", "1"], ["--threads", "2"], ["--decode-threads", "1"],
                        ["--decode-threads", "3"], ["--prefetch", "1", "--batch", "3", "--threads", "2"]):
            with self.subTest(options=options):
                self.assertEqual(self.extract(model, *fixed, *options)[0], whole)
        with self.subTest("three shards"):
            shards = self.folder / f"shards{self.number}"
            for rank in range(3):
                self.extract(model, *fixed, "--shard", f"{rank}/3", out=shards)
            self.assertEqual(digests(shards), whole)
            manifests = sorted(p.name for p in shards.glob("manifest*.jsonl"))
            self.assertEqual(manifests, ["manifest.0.jsonl", "manifest.1.jsonl", "manifest.2.jsonl"])
        with self.subTest("each alone"):
            alone = {}
            for video in sorted(self.videos.iterdir()):
                alone.update(self.extract(model, *fixed, inputs=[video])[0])
            self.assertEqual(alone, whole)

    def test_closed_standard_files(self):
        """No video's features are opened in the place of stdout or stderr, where lines would be written into them."""
        videos = self.folder / "many"
        videos.mkdir()
        for i in range(120):
            shutil.copy(self.videos / ("v00.mp4", "v03.mp4", "v02.avi")[i % 3], videos / f"{i}{('.mp4', '.mp4', '.avi')[i % 3]}")
        fixed = ["extract", videos, "--model", self.make_model("dinov2:tiny"), "--dtype", "f32", "--json", "--out"]
        self.check(0, *fixed, self.folder / "open")
        for closed, code in (((1,), 5), ((2,), 0), ((0, 1, 2), 5)):
            with self.subTest(closed=closed):
                out = self.folder / f"closed{len(closed)}{closed[0]}"
                done = run(*fixed, out, preexec_fn=lambda: [os.close(fd) for fd in closed])
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(digests(out), digests(self.folder / "open"))
                self.assertTrue(all(line.startswith('{"video":') for line in (out / "manifest.jsonl").read_text().splitlines()))

    def test_clip_model(self):
        self.compare(self.make_model("videomae:tiny"))

    def test_clip_model_f32(self):
        self.compare(self.make_model("videomae:tiny"), "--dtype", "f32")

    def test_frame_model(self):
        self.compare(self.make_model("dinov2:tiny"))

    def test_frame_model_f32(self):
        self.compare(self.make_model("dinov2:tiny"), "--dtype", "f32")

    def test_reference_backend(self):
        self.compare(self.make_model("dinov3:tiny"), "--backend", "reference", "--dtype", "f32")

    def test_every_level_equals_itself(self):
        for model in (self.make_model("videomae:tiny"), self.make_model("dinov2:tiny")):
            for level in ISA:
                with self.subTest(level=level, model=model.name):
                    level = {"TUBELET_ISA": level}
                    one, _ = self.extract(model, "--batch", "1", "--threads", "1", environment=level)
                    other, _ = self.extract(model, "--batch", "7", "--threads", "2", environment=level)
                    self.assertEqual(one, other)

    def test_recursion_lists_and_repeated_inputs(self):
        model = self.make_model("dinov2:tiny")
        whole, _ = self.extract(model)
        tree = self.folder / "tree"
        (tree / "below").mkdir(parents=True)
        for i, video in enumerate(sorted(self.videos.iterdir())):
            shutil.copy(video, tree / "below" / video.name if i % 2 else tree / video.name)
        self.assertEqual(self.extract(model, "--recursive", inputs=[tree])[0], whole)
        self.assertEqual(len(self.extract(model, inputs=[tree])[0]), 3)
        (tree / "list.txt").write_text("".join(f"{p.relative_to(tree)}\n" for p in sorted(tree.rglob("v*"))))
        self.assertEqual(self.extract(model, inputs=[f"@{tree / 'list.txt'}"])[0], whole)


if __name__ == "__main__":
    unittest.main()
