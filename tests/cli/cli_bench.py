"""tubelet bench: every case with tiny settings prints what is documented, and removes what it makes."""
import json, os, pathlib, subprocess, sys, unittest

from command_case import CommandCase, encode

SPREAD = {"seconds", "min_seconds", "max_seconds", "repetitions"}
OPTIMIZATIONS = ["batch size", "threads", "prefetch", "precision", "decode once", "preprocess once", "frame reuse", "needed frames only", "cross-video batches", "backend",
                 "pixels on the GPU", "CUDA graphs", "autotuning", "cuDNN", "non-blocking copies", "total"]
GPU = {"pixels on the GPU", "CUDA graphs", "autotuning", "cuDNN", "non-blocking copies"}


class Bench(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.videos = cls.make_videos("videos", [40, 25])
        cls.video = cls.videos / "v00.mp4"
        cls.temporary = cls.folder / "temporary"
        cls.temporary.mkdir()

    def bench(self, case, *arguments, **environment):
        """Returns the last line of stdout, after checking what is left behind."""
        done = self.check(0, "bench", "--case", case, *arguments, "--json", environment={"TMPDIR": str(self.temporary), **environment})
        self.assertEqual(os.listdir(self.temporary), [])
        result = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual(result["case"], case)
        self.assertGreater(result["seconds"], 0)
        return result

    def check_spread(self, result, repetitions):
        self.assertLessEqual(SPREAD, result.keys())
        self.assertEqual(result["repetitions"], repetitions)
        self.assertLessEqual(result["min_seconds"], result["seconds"])
        self.assertLessEqual(result["seconds"], result["max_seconds"])

    def test_forward(self):
        result = self.bench("forward", "--model", self.make_model("videomae:tiny"), "--clips", 3, "--repeat", 2, "--dtype", "f32")
        self.check_spread(result, 2)
        self.assertEqual((result["family"], result["clips"], result["dtype"]), ("videomae", 3, "f32"))
        self.assertGreater(result["flops"], 0)

        if "roof_flops" in result:
            self.assertAlmostEqual(result["roof_fraction"], result["flops"] / result["seconds"] / result["roof_flops"], delta=1e-3)

    def test_roof(self):
        result = self.bench("roof", "--repeat", 2, "--threads", 1)
        self.assertEqual(result["roofs"][0]["dtype"], "f32")
        for roof in result["roofs"]:
            self.assertGreater(roof["min_flops_per_second"], 1e8)
            self.assertLessEqual(roof["min_flops_per_second"], roof["flops_per_second"])
        only = self.bench("roof", "--dtype", "f32", "--repeat", 1)
        self.assertEqual([roof["dtype"] for roof in only["roofs"]], ["f32"])

    def test_windows(self):
        result = self.bench("windows", "--video", self.video, "--stride", 8)
        self.assertEqual((result["clips"], result["frames"], result["height"], result["width"]), ((40 - 16) // 8 + 1, 40, 224, 224))

    def test_decode(self):
        result = self.bench("decode", "--video", self.video, "--repeat", 3)
        self.check_spread(result, 3)
        self.assertEqual((result["frames"], result["codec"], result["height"], result["width"]), (40, "mpeg4", 64, 96))

    def test_preprocess(self):
        result = self.bench("preprocess", "--video", self.video, "--size", "32x48", "--repeat", 2)
        self.check_spread(result, 2)
        self.assertEqual((result["height"], result["width"], result["video_height"], result["video_width"]), (32, 48, 64, 96))

    def test_end_to_end(self):
        result = self.bench("end-to-end", "--video", self.videos, "--model", self.make_model("dinov2:tiny"), "--repeat", 2, "--stride", 8, "--dtype", "f32")
        self.check_spread(result, 2)
        self.assertEqual((result["videos"], result["frames"], result["clips"]), (2, 65, 4 + 2))
        self.assertEqual((result["family"], result["dtype"], result["stride"]), ("dinov2", "f32", 8))
        for key in ("init", "decode", "convert", "forward", "save", "start"):
            self.assertGreater(result[f"{key}_seconds"], 0, key)
        self.assertGreater(result["peak_bytes"], 1e6)

    def test_end_to_end_passes_failures_on(self):
        broken = self.folder / "broken"
        broken.mkdir(exist_ok=True)
        (broken / "x.mp4").write_bytes(b"no video")
        done = self.check(3, "bench", "--case", "end-to-end", "--video", broken, "--model", self.make_model("dinov2:tiny"))
        self.assertIn("x.mp4", done.stderr)

    def test_resume(self):
        result = self.bench("resume", "--outputs", 30, "--repeat", 2)
        self.check_spread(result, 2)
        self.assertEqual(result["outputs"], 30)
        self.bench("resume", "--outputs", 1, "--repeat", 1, "--model", self.make_model("videomae:tiny"))

    def check_ablation(self, result, skipped):
        skipped = skipped | (set() if result["backend"] == "native" else {"backend"}) | (set() if result["backend"] == "cuda" else GPU)
        self.assertEqual([row["optimization"] for row in result["rows"]], OPTIMIZATIONS)
        for row in result["rows"]:
            if row["optimization"] in skipped:
                self.assertIsNone(row["speedup"])
                self.assertTrue(row["note"])
                continue
            self.check_spread(row, result["repetitions"])
            self.assertLessEqual(row["min_speedup"], row["speedup"])
            self.assertLessEqual(row["speedup"], row["max_speedup"])
            if row["optimization"] not in ("precision", "backend", "cuDNN", "total"):
                self.assertTrue(row["same_rows"], row)

    def test_ablation(self):
        arguments = ("--repeat", 2, "--stride", 8)
        result = self.bench("ablation", "--video", self.videos, "--model", self.make_model("dinov2:tiny"), *arguments)
        self.assertEqual((result["videos"], result["frames"], result["clips"]), (2, 65, 6))
        self.check_ablation(result, {"needed frames only"} | ({"precision"} if result["dtype"] == "f32" else set()))
        result = self.bench("ablation", "--video", self.video, "--model", self.make_model("videomae:tiny"), "--dtype", "f32", *arguments)
        self.check_ablation(result, {"precision", "frame reuse", "needed frames only", "cross-video batches"})

    def test_ablation_of_frames_that_no_window_holds(self):
        video = self.folder / "b_frames.mp4"
        encode(video, "testsrc2=size=96x64:rate=25", 60, "-c:v", "libx264", "-bf", "3")
        arguments = ("--repeat", 1, "--clip-length", 4, "--interval", 4, "--stride", 16)
        result = self.bench("ablation", "--video", video, "--model", self.make_model("dinov2:tiny"), "--dtype", "f32", *arguments)
        self.check_ablation(result, {"precision", "cross-video batches"})

    def test_ablation_on_a_gpu(self):
        arguments = ("--repeat", 1, "--stride", 8, "--batch", 4, "--video", self.video, "--model", self.make_model("videomae:tiny"))
        fake = {"TUBELET_CUDA_PLUGIN": os.environ["FAKE_GPU_PLUGIN"]}
        result = self.bench("ablation", *arguments, "--dtype", "tf32", **fake)
        self.assertEqual((result["backend"], result["dtype"]), ("cuda", "tf32"))
        self.check_ablation(result, {"frame reuse", "needed frames only", "cross-video batches", "pixels on the GPU"})
        result = self.bench("ablation", *arguments, "--no-graph", "--no-autotune", "--resize", "gpu", **fake)
        self.assertEqual((result["backend"], result["dtype"]), ("cuda", "f16"))
        self.check_ablation(result, {"frame reuse", "needed frames only", "cross-video batches", "CUDA graphs", "autotuning"})

    def test_tables(self):
        done = self.check(0, "bench", "--case", "ablation", "--video", self.video, "--model", self.make_model("dinov2:tiny"), "--repeat", 1, "--markdown")
        for name in OPTIMIZATIONS:
            self.assertRegex(done.stdout, rf"(?m)^\| {name} \|")
        self.assertRegex(self.check(0, "bench", "--case", "decode", "--video", self.video, "--markdown").stdout, r"(?m)^\| frames \| 40 \|$")
        self.assertIn("decode: 40 frames", self.check(0, "bench", "--case", "decode", "--video", self.video).stdout)

    def test_usage(self):
        model = self.make_model("dinov2:tiny")
        for words, arguments in ((["--case"], ()), (["--case"], ("--case", "forwards")), (["--model"], ("--case", "forward")), (["--video"], ("--case", "windows")),
                                 (["--video"], ("--case", "decode")), (["--video"], ("--case", "preprocess")), (["--model"], ("--case", "end-to-end")),
                                 (["--video"], ("--case", "end-to-end", "--model", model)), (["--video"], ("--case", "ablation", "--model", model)),
                                 (["--outputs"], ("--case", "resume", "--outputs", "0")), (["--repeat"], ("--case", "ablation", "--model", model, "--video", self.video, "--repeat", "101")),
                                 (["nowhere"], ("--case", "decode", "--video", "nowhere.mp4")), (["nowhere"], ("--case", "ablation", "--model", model, "--video", "nowhere"))):
            error = self.check(2, "bench", *arguments).stderr
            for word in words:
                self.assertIn(word, error)
        self.check(4, "bench", "--case", "forward", "--model", self.folder)


class Scripts(unittest.TestCase):
    """The scripts of bench/, which compare us with others, as far as they run without the others' packages."""

    folder = pathlib.Path(__file__).resolve().parents[2] / "bench"

    def run_script(self, *arguments):
        return subprocess.run([sys.executable, "-B", *map(str, arguments)], capture_output=True, text=True)

    def test_each_explains_itself(self):
        scripts = [path for path in self.folder.glob("*.py") if "__main__" in path.read_text()]
        self.assertGreaterEqual(len(scripts), 11)
        for path in scripts:
            done = self.run_script(path, "--help")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(path.name, done.stdout)

    def test_all_are_known_to_the_one_that_runs_all(self):
        done = self.run_script(self.folder / "run_all.py", "--only", "nothing")
        self.assertEqual(done.returncode, 2)
        for path in self.folder.glob("*.py"):
            if "measure.parser(" in path.read_text():
                self.assertIn(path.stem, done.stderr)


if __name__ == "__main__":
    unittest.main()
