"""Runs on GPUs: several of them, one that fails, one that is small, ranks. The GPUs are fakes (tests/support/fake_gpu_plugin.c) in host memory."""
import json, os, re, shutil, subprocess, unittest

from command_case import ENVIRONMENT, TUBELET, CommandCase, digests, encode, run

PLUGIN = os.environ["FAKE_GPU_PLUGIN"]
LENGTHS = [20, 33, 61, 24, 47]


def gpus(text, **more):
    return {"TUBELET_CUDA_PLUGIN": PLUGIN, "TUBELET_NO_AUTOTUNE": "1", "FAKE_GPU": text, **more}


class Gpus(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.videos = cls.make_videos("videos", LENGTHS)
        cls.h264 = cls.folder / "h264"
        cls.h264.mkdir()
        encode(cls.h264 / "a.mp4", "testsrc2=size=96x64:rate=25", 61, "-c:v", "libx264", "-bf", "2")
        cls.number = 0
        cls.model = cls.make_model("videomae:tiny")

    def extract(self, environment, *options, code=0, videos=None, **more):
        type(self).number += 1
        out = self.folder / f"out{self.number}"
        done = self.check(code, "extract", videos or self.videos, "--model", self.model, "--out", out, "--batch", "4", *options, environment=environment, **more)
        return digests(out), done, out

    def setUp(self):
        if not hasattr(type(self), "whole"):
            type(self).whole, _, out = self.extract(gpus("devices=1"), "--device", "cuda")
            self.assertEqual(len(self.whole), len(LENGTHS))
            settings = json.loads((out / "features.json").read_text())["settings"]
            self.assertIn("cuda", json.dumps(settings))
            self.assertIn("f16", json.dumps(settings))

    def test_auto_takes_the_gpu(self):
        self.assertEqual(self.extract(gpus("devices=1"))[0], self.whole)

    def test_the_plugin_lies_beside_the_command(self):
        folder = self.folder / "installed"
        folder.mkdir()
        shutil.copy(TUBELET, folder / "tubelet")
        shutil.copy(PLUGIN, folder / "libtubelet_cuda.so")
        for name in "tubelet", str(folder / "tubelet"), "../elsewhere/tubelet":  # on the PATH, as bench calls itself, ..
            done = subprocess.run([name, "doctor"], executable=folder / "tubelet", capture_output=True, text=True, cwd="/", env={**ENVIRONMENT, "FAKE_GPU": "devices=1"})
            self.assertIn("on cuda: f32", done.stdout, name)
        loader = re.search(rb"/lib[^\0]*/ld-[^\0]*", (folder / "tubelet").read_bytes()).group().decode()
        self.assertIn("on cuda: f32", subprocess.run([loader, folder / "tubelet", "doctor"], capture_output=True, text=True, env={**ENVIRONMENT, "FAKE_GPU": "devices=1"}).stdout)

    def test_any_number_gives_the_same_bytes(self):
        self.assertEqual(self.extract(gpus("devices=3"), "--device", "cuda")[0], self.whole)
        self.assertEqual(self.extract(gpus("devices=3"), "--device", "cuda:0,2", "--batch", "7")[0], self.whole)
        self.assertEqual(self.extract(gpus("devices=2"), "--device", "cuda:1", "--batch", "1")[0], self.whole)

    def test_plan_says_what_several_take(self):
        def bounds(devices):
            done = self.check(0, "plan", self.videos, "--model", self.model, "--out", self.folder / "planned", "--budget", "0", "--batch", "4", "--json",
                              environment=gpus(f"devices={devices}"))
            return {e["name"]: e for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "bound"}

        one, two = bounds(1), bounds(2)
        self.assertEqual((one["batch"]["value"], one["prefetch"]["value"]), ("4 clips", "4 clips"))
        self.assertEqual((two["batch"]["value"], two["prefetch"]["value"]), ("4 clips a GPU", "8 clips"))
        self.assertNotIn("at once follows", one["decode threads"]["reason"])  # all of them work, next to a GPU

    def test_one_that_fails_costs_no_video(self):
        for call in (1, 10, 33):
            features, done, _ = self.extract(gpus(f"devices=2 fail_device=1 fail_call={call}"), "--device", "cuda")
            self.assertEqual(features, self.whole)
            self.assertIn("the others take its work", done.stderr)

    def test_the_only_one_that_fails_ends_the_run(self):
        _, done, out = self.extract(gpus("devices=1 fail_device=0 fail_call=33"), "--device", "cuda", code=6)
        self.assertIn("fell off the bus", done.stderr)
        # and another run does the rest
        self.check(0, "extract", self.videos, "--model", self.model, "--out", out, environment=gpus("devices=1"))
        self.assertEqual(digests(out), self.whole)

    def test_short_memory_halves_the_batch(self):
        features, done, _ = self.extract(gpus("devices=1 short_call=33"), "--device", "cuda")
        self.assertEqual(features, self.whole)
        self.assertIn("out of GPU memory: 2 items at once from now on instead of 4", done.stderr)

    def test_memory_that_is_short_twice_halves_it_twice(self):
        for call in (1, 33):    # in the first batch and in a later one; no overlap: a queued batch would run short
            features, done, out = self.extract(gpus(f"devices=1 short_call={call} short_times=2"), "--device", "cuda", "--batch", "8", "--blocking-copies")
            self.assertEqual(features, self.whole)
            said = [line for line in done.stderr.splitlines() if "out of GPU memory" in line]
            self.assertEqual([re.search(r"(\d+) items at once from now on instead of (\d+)", line).groups() for line in said], [("4", "8"), ("2", "4")])
            manifest = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
            self.assertEqual({entry["status"] for entry in manifest}, {"ok"})

    def test_a_model_that_cant_be_compiled_goes_to_the_next_backend(self):
        tiny = gpus("devices=1 memory=50000")
        features, done, out = self.extract(tiny)
        here, _, _ = self.extract(tiny, "--device", "cpu")
        self.assertEqual(features, here)
        self.assertRegex(done.stderr, r"warning: backend cuda can't run this model, so \w+ on cpu does: .*has no \d+ bytes")
        # A folder keeps to what it was made with: a request for something else is refused.
        self.check(0, "extract", self.videos, "--model", self.model, "--out", out, environment=gpus("devices=1"))
        self.assertEqual(digests(out), here)
        for options in (["--device", "cuda"], ["--backend", "cuda"]):
            _, done, _ = self.extract(tiny, *options, code=1)
            self.assertIn("has no", done.stderr)
            self.assertNotIn("does:", done.stderr)

    def test_a_limit_is_kept(self):
        features, done, _ = self.extract(gpus("devices=1"), "--device", "cuda", "--batch", "64", "--gpu-memory", "38")
        self.assertEqual(features, self.whole)
        self.assertIn("GPU memory is short", done.stderr)

    def test_unequal_ones_take_batches_of_their_own_size(self):
        for small in (0, 1):    # and slow
            environment = gpus(f"devices=2 small={38 << 20} small_device={small} slow=20000 slow_device={small}")
            features, done, _ = self.extract(environment, "--device", "cuda", "--batch", "64", "--verbose")
            self.assertEqual(features, self.whole)
            self.assertRegex(done.stderr, rf"fake GPU {small}: \d+ items at once instead of 64, which its free memory has room for")
            self.assertNotIn(f"fake GPU {1 - small}: ", done.stderr)

    def test_a_rank_takes_its_own(self):
        # Of three GPUs the first two are broken: rank 2 isn't affected.
        for told in ({"LOCAL_RANK": "2", "LOCAL_WORLD_SIZE": "3"}, {"SLURM_LOCALID": "2", "SLURM_STEP_TASKS_PER_NODE": "3"},
                     {"SLURM_LOCALID": "2", "SLURM_STEP_TASKS_PER_NODE": "1,3(x2)", "SLURM_NODEID": "2"},
                     {"SLURM_LOCALID": "0", "OMPI_COMM_WORLD_LOCAL_RANK": "2", "OMPI_COMM_WORLD_LOCAL_SIZE": "3"}):
            environment = gpus("devices=3 fail_device=0 fail_call=1", **told)
            features, done, _ = self.extract(environment, "--shard", "0/1")
            self.assertEqual(features, self.whole)
            self.assertNotIn("take its work", done.stderr)

    def test_a_single_task_takes_all(self):
        """Also in Slurm, where a batch script, and a step with one task per node, have a SLURM_LOCALID of 0."""
        for told in ({}, {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}, {"SLURM_LOCALID": "0", "SLURM_TASKS_PER_NODE": "8"},
                     {"SLURM_LOCALID": "0", "SLURM_STEP_TASKS_PER_NODE": "1"}, {"SLURM_LOCALID": "0", "SLURM_STEP_TASKS_PER_NODE": "1(x4)", "SLURM_NODEID": "3"},
                     {"SLURM_LOCALID": "0", "SLURM_STEP_TASKS_PER_NODE": "2(x2),1", "SLURM_NODEID": "2"}):
            done = self.check(0, "plan", self.videos, "--model", self.model, "--out", self.folder / "planned", "--budget", "0", environment=gpus("devices=2", **told))
            self.assertIn("clips a GPU", done.stdout, told)

    def test_a_folder_of_the_processors_goes_on_there_aloud(self):
        _, _, out = self.extract({}, "--device", "cpu", videos=self.videos / "v00.mp4")
        more = ["extract", self.videos, "--model", self.model, "--out", out]
        done = self.check(6, *more, "--device", "cuda", environment=gpus("devices=2"))
        self.assertRegex(done.stderr, rf"{out.name} holds features that the \w+ backend computed in .*choose another output folder")
        done = self.check(0, *more, "--dry-run", "--device", "cpu", environment=gpus("devices=2"))
        self.assertNotIn("not used", done.stderr)
        done = self.check(0, *more, environment=gpus("devices=2"))
        self.assertEqual(done.stderr.count("GPUs are there, but not used"), 1, done.stderr)
        self.assertNotIn("not used", self.check(0, *more, environment=gpus("devices=2")).stderr)  # nothing is to do

    def test_a_folder_of_a_gpus_elsewhere(self):
        one = self.videos / "v00.mp4"
        _, _, out = self.extract(gpus("devices=1"), videos=one)
        before = (out / "features.json").read_bytes()
        finished, more = (["extract", videos, "--model", self.model, "--out", out] for videos in (one, self.videos))
        for options in ([], ["--device", "cpu"], ["--dtype", "f16"]):
            done = self.check(6, *more, *options)
            self.assertRegex(done.stderr, rf"{out.name} holds features that the cuda backend computed in f16, .*choose another output folder")
            self.check(0, *finished, *options)     # if there is nothing to do, no GPU is needed
        self.check(2, *finished, "--dtype", "f32")
        self.check(2, *finished, "--backend", "native")
        self.check(2, *finished, "--stride", "8")
        self.assertEqual((out / "features.json").read_bytes(), before)

    def test_what_is_not_there_is_said(self):
        _, done, _ = self.extract(gpus("devices=2"), "--device", "cuda:2", code=6)
        self.assertIn("cuda:2", done.stderr)
        _, done, _ = self.extract(gpus("devices=1 major=7"), "--device", "cuda", "--dtype", "bf16", code=6)
        self.assertIn("8.0", done.stderr)
        _, done, _ = self.extract({"TUBELET_CUDA_PLUGIN": "/nowhere.so"}, "--device", "cuda", code=6)
        self.assertIn("--device cpu", done.stderr)

    def test_a_gpu_that_is_passed_over_is_told(self):
        driver = {"LD_LIBRARY_PATH": os.environ["FAKE_NVDEC_FOLDER"]}
        nowhere = {"TUBELET_CUDA_PLUGIN": "/nowhere.so"}
        said = "warning: 1 GPU is there, but not used: CUDA: libtubelet_cuda.so can't be loaded"
        _, done, _ = self.extract({**nowhere, **driver})
        self.assertEqual(done.stderr.count(said), 1, done.stderr)
        self.assertIn("use --device cpu", done.stderr)
        # Not if there is none, nor if the processor was asked for.
        for environment, options in ((nowhere, []), ({**nowhere, **driver, "FAKE_NVDEC": "no_gpu"}, []), ({**nowhere, **driver}, ["--device", "cpu"]),
                                     ({**nowhere, **driver}, ["--backend", "native"])):
            self.assertNotIn("GPU", self.extract(environment, *options)[1].stderr)
        done = self.check(0, "tune", "--model", self.model, "--budget", "1", environment={**nowhere, **driver, "XDG_CACHE_HOME": str(self.folder / "tuned")})
        self.assertEqual(done.stderr.count(said), 1, done.stderr)

    def test_every_precision(self):
        for dtype in ("f32", "tf32", "bf16", "f16"):
            features, _, out = self.extract(gpus("devices=1"), "--device", "cuda", "--dtype", dtype)
            self.assertEqual(json.loads((out / "features.json").read_text())["settings"]["dtype"], dtype)
            self.assertEqual(features == self.whole, dtype == "f16")

    def test_what_fp8_costs_is_told_once(self):
        features, done, out = self.extract(gpus("devices=2"), "--device", "cuda", "--dtype", "fp8")
        self.assertEqual(json.loads((out / "features.json").read_text())["settings"]["dtype"], "fp8")
        self.assertNotEqual(features, self.whole)
        told = re.findall(r"fp8: the first row's cosine with that in f16 is (\S+), their distance", done.stderr)
        self.assertLessEqual(len(told), 1) # none if the other GPU took all videos
        for cosine in told:
            self.assertGreater(float(cosine), 0.99)
        self.assertEqual(self.extract(gpus("devices=1"), "--device", "cuda", "--dtype", "fp8", "--batch", "7")[0], features)
        _, done, _ = self.extract(gpus("devices=1 major=8"), "--device", "cuda", "--dtype", "fp8", code=6)
        self.assertIn("9.0", done.stderr)
        _, done, _ = self.extract(gpus("devices=1 no_row_scales=1"), "--device", "cuda", "--dtype", "fp8", code=6)
        self.assertIn("needs cuBLASLt 12.9", done.stderr)

    def test_what_gpus_can_do_without(self):
        for options in (["--no-graph"], ["--blocking-copies"], ["--no-graph", "--no-autotune", "--blocking-copies"]):
            self.assertEqual(self.extract(gpus("devices=1"), "--device", "cuda", *options)[0], self.whole)
        cache = {"XDG_CACHE_HOME": str(self.folder / "cache")}
        tuned, _, _ = self.extract(gpus("devices=1", TUBELET_NO_AUTOTUNE="no", **cache), "--device", "cuda")
        self.assertEqual(tuned, self.whole)
        kept = list((self.folder / "cache" / "tubelet").glob("gpu-*.txt"))
        self.assertEqual(len(kept), 1)
        kept[0].unlink()
        self.extract({"TUBELET_CUDA_PLUGIN": PLUGIN, **cache}, "--device", "cuda", "--no-autotune")
        self.assertFalse(kept[0].exists())
        own, _, _ = self.extract(gpus("devices=1"), "--device", "cuda", "--no-cudnn")
        self.assertNotEqual(own, self.whole)

    def test_videos_are_decoded_on_the_gpu(self):
        # The decoder is a fake too: it returns the frames of the one video that it is told of.
        video = self.h264 / "a.mp4"
        nvdec = {"LD_LIBRARY_PATH": os.environ["FAKE_NVDEC_FOLDER"], "FAKE_NVDEC_VIDEO": str(video)}
        plain, _, _ = self.extract(gpus("devices=1"), "--device", "cuda", videos=video)
        features, done, _ = self.extract(gpus("devices=1", **nvdec), "--device", "cuda", "--decoder", "nvdec", videos=video)
        self.assertEqual(features, plain)
        self.assertNotIn("decoded on the processor", done.stderr)
        features, done, _ = self.extract(gpus("devices=1", FAKE_NVDEC="small", **nvdec), "--device", "cuda", "--decoder", "nvdec", videos=video)
        self.assertEqual(features, plain)
        self.assertEqual(done.stderr.count("decoded on the processor"), 1)
        self.assertIn("this GPU decodes h264 of 48x48 to 64x64", done.stderr)
        result = json.loads(self.check(0, "bench", "--case", "decode", "--video", video, "--decoder", "nvdec", "--repeat", "1", "--json", environment=nvdec).stdout)
        self.assertEqual((result["decoder"], result["frames"]), ("nvdec", 61))

    def test_tuning_compares_the_gpus_decoder_and_no_profile_has_it(self):
        video = self.h264 / "a.mp4"
        nvdec = {"LD_LIBRARY_PATH": os.environ["FAKE_NVDEC_FOLDER"], "FAKE_NVDEC_VIDEO": str(video)}
        cache = {"XDG_CACHE_HOME": str(self.folder / "tune-cache")}
        common = ["tune", video, "--model", self.model, "--device", "cuda", "--batch", "4", "--dtype", "f16", "--prefetch", "4", "--decode-threads", "2"]
        def rows(wanted, environment, *options):
            for budget in ("20", "60", "200"): # on a busy machine the first isn't enough for all
                done = self.check(0, *common, *options, "--budget", budget, "--json", environment={**gpus("devices=1"), **environment, **cache})
                found = {row["decoder"]: row for row in map(json.loads, done.stdout.splitlines()) if row["event"] == "row"}
                if set(found) == wanted:
                    break
            self.assertEqual(set(found), wanted, done.stderr)
            return found, done.stderr
        found, text = rows({"auto", "nvdec", "both"}, nvdec)
        self.assertTrue(all(row["rate"] > 0 and not row["reason"] for row in found.values()), found)
        self.assertTrue(found["auto"]["winner"])
        for decoder in ("nvdec", "both"): # printed if it is faster
            self.assertEqual(f"--decoder {decoder} is " in text, found[decoder]["rate"] > 1.04 * found["auto"]["rate"], text)
        rows({"both"}, nvdec, "--decoder", "both") # a given option isn't varied
        found, text = rows({"auto", "nvdec", "both"}, {}) # there is no NVDEC here
        self.assertEqual({found[d]["reason"] for d in ("nvdec", "both")}, {"the GPU decoded none of the videos"}, found)
        # The profile is from a run on a GPU.
        for device, line in (("cuda", "profile: f16 on cuda"), ("cpu", "profile of f16 on cuda left aside, as this run is on device cpu: ")):
            _, done, _ = self.extract(gpus("devices=1", **cache), "--device", device, videos=video)
            self.assertIn(line, done.stdout)
            self.assertNotIn("decoded on the processor", done.stderr)

    def test_frames_are_made_where_they_are(self):
        video = self.h264 / "a.mp4"
        nvdec = {"LD_LIBRARY_PATH": os.environ["FAKE_NVDEC_FOLDER"], "FAKE_NVDEC_VIDEO": str(video)}
        for transform, devices in (("model", 1), ("opentad", 2)):
            common = ["--transform", transform, "--device", "cuda"]
            plain, _, _ = self.extract(gpus("devices=1"), *common, videos=video)
            # A GPU that makes no frame after the tenth shows whether it was asked to make them.
            for decoder, resize, asked in (("nvdec", "auto", True), ("nvdec", "cpu", False), ("nvdec", "gpu", True), ("both", "auto", True), ("cpu", "auto", False), ("cpu", "gpu", True)):
                for text in ("", " fail_frame=10") if asked else (" fail_frame=1",):
                    features, done, _ = self.extract(gpus(f"devices={devices}{text}", **nvdec), *common, "--decoder", decoder, "--resize", resize, videos=video)
                    self.assertEqual(features, plain)
                    self.assertEqual("GPU 0 makes no more frames, the processor does" in done.stderr, asked and bool(text), (decoder, resize, text))

    @unittest.skipUnless(os.environ.get("EMULATED_GPU_PLUGIN"), "no C++ compiler")
    def test_the_plugins_own_kernels_give_the_same_bytes(self):
        video = self.h264 / "a.mp4"
        emulated = {"TUBELET_CUDA_PLUGIN": os.environ["EMULATED_GPU_PLUGIN"]}
        nvdec = {"LD_LIBRARY_PATH": os.environ["FAKE_NVDEC_FOLDER"], "FAKE_NVDEC_VIDEO": str(video)}
        for options in ([], ["--no-cudnn", "--dtype", "bf16"], ["--dtype", "fp8"], ["--decoder", "nvdec", "--dtype", "f32", "--no-cudnn"]):
            plain, own = (self.extract({**gpus("devices=2"), **nvdec, **plugin}, "--device", "cuda", *options, videos=video)[0] for plugin in ({}, emulated))
            self.assertEqual(own, plain, options)

    def test_a_gpu_that_fails_loses_none_of_its_frames(self):
        for call in (1, 4, 9):
            features, done, _ = self.extract(gpus(f"devices=2 fail_device=1 fail_call={call}"), "--device", "cuda", "--resize", "gpu")
            self.assertEqual(features, self.whole)
            self.assertIn("the others take its work", done.stderr)

    def test_frames_that_no_gpu_makes(self):
        _, done, _ = self.extract(gpus("devices=1"), "--device", "cpu", "--resize", "gpu", code=6)
        self.assertIn("frames can't be resized on a GPU: the encoder computes on cpu: take `--resize auto`", done.stderr)

    def test_frames_are_the_same_whatever_decodes(self):
        for decoder in ("cpu", "nvdec"):
            done = self.check(0, "frames", self.h264 / "a.mp4", "--out", self.folder / f"{decoder}.npy", "--decoder", decoder,
                              environment={"FAKE_NVDEC": "no_gpu", "LD_LIBRARY_PATH": os.environ["FAKE_NVDEC_FOLDER"]})
            self.assertEqual("a.mp4: decoded on the processor: GPU 0 can't be used" in done.stderr, decoder == "nvdec")
        self.assertEqual((self.folder / "cpu.npy").read_bytes(), (self.folder / "nvdec.npy").read_bytes())

    def test_a_preset_sets_the_batch(self):
        done = run("extract", self.videos, "--model", self.model, "--out", self.folder / "dry", "--device-preset", "8xv100-16", "--json", environment=gpus("devices=1"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(digests(self.folder / "dry"), self.whole)


if __name__ == "__main__":
    unittest.main()
