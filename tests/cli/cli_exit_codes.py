"""Bad input: a clear error that names the file and what is wrong with it, the right exit code, nothing half-written."""
import json, os, pathlib, re, resource, shutil, unittest

from command_case import CommandCase, npy_shape, read_safetensors, strays, write_npy, write_safetensors


class BadInput(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.frame_model, cls.clip_model = cls.make_model("dinov2:tiny"), cls.make_model("videomae:tiny")
        cls.videos = cls.make_videos("videos", [20, 17])
        cls.number = 0

    def setUp(self):
        type(self).number += 1
        self.out = self.folder / f"out{self.number}"

    def extract(self, code, *inputs, model=None, out=None, words=(), **more):
        done = self.check(code, "extract", *inputs, "--model", model or self.frame_model, "--out", out or self.out, *more.pop("options", ()), **more)
        for word in words:
            self.assertIn(str(word), done.stderr)
        if code not in (0, 3) and self.out.is_dir():
            self.assertEqual(list(self.out.glob("*.npy")) + strays(self.out), [])
        return done

    # inputs

    def test_no_such_path(self):
        self.extract(2, self.folder / "nowhere.mp4", words=["nowhere.mp4"])

    def test_no_such_video_stream(self):
        """Named by the requested number."""
        video = self.videos / "v00.mp4"
        for verb in (["frames", video, "--out", self.folder / "f.npy"], ["probe", video]):
            self.assertIn("no video stream 3: it has 1, counted from 0", self.check(2, *verb, "--video-stream", "3").stderr)

    def test_empty_folder(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.extract(2, empty, words=["empty"])

    def test_colliding_stems(self):
        videos = self.folder / "colliding"
        videos.mkdir()
        shutil.copy(self.videos / "v00.mp4", videos / "same.mp4")
        shutil.copy(self.videos / "v01.mkv", videos / "same.mkv")
        self.extract(2, videos, words=["same.mp4", "same.mkv"])

    def test_shard_out_of_range(self):
        self.extract(2, self.videos, options=["--shard", "5/4"], words=["5/4"])

    def test_shard_from_environment(self):
        self.extract(2, self.videos, environment={"RANK": "7", "WORLD_SIZE": "2"})
        text = self.extract(0, self.videos, environment={"RANK": "1", "WORLD_SIZE": "2"}).stdout
        self.assertIn("1/2", text)
        self.assertEqual(len(list(self.out.glob("*.npy"))), 1)

    def test_annotations_without_database(self):
        path = self.folder / "annotations.json"
        path.write_text('{"version": 1}')
        self.extract(2, self.videos, options=["--annotations", path], words=["annotations.json", "database"])

    def test_annotations_choose_and_report(self):
        path = self.folder / "some.json"
        path.write_text(json.dumps({"database": {"v00": {}, "elsewhere": {}}}))
        self.extract(0, self.videos, options=["--annotations", path])
        self.assertEqual([p.name for p in self.out.glob("*.npy")], ["v00.npy"])
        self.assertEqual((self.out / "missing_files.txt").read_text(), "elsewhere\n")

    def test_undecodable_video_fails_alone(self):
        videos = self.folder / "mixed"
        shutil.copytree(self.videos, videos)
        (videos / "broken.mp4").write_bytes(b"not a video" * 100)
        done = self.extract(3, videos)
        self.assertIn("broken.mp4", done.stdout)
        self.assertIn("--retry-failed", done.stdout)
        self.assertEqual(sorted(p.name for p in self.out.glob("*.npy")), ["v00.npy", "v01.npy"])
        failures = [json.loads(line) for line in (self.out / "failures.jsonl").read_text().splitlines()]
        self.assertEqual(len(failures), 1)
        # Recorded failures stay failures, and are tried again on request.
        self.extract(3, videos)
        shutil.copy(self.videos / "v00.mp4", videos / "broken.mp4")
        self.extract(0, videos, options=["--retry-failed"])
        self.assertEqual(npy_shape(self.out / "broken.npy")[0], npy_shape(self.out / "v00.npy")[0])

    def test_failures_are_in_the_files_that_are_named(self):
        videos = self.folder / "broken-in-shards"
        videos.mkdir()
        for name in ("a", "b", "c", "d"):
            (videos / f"{name}.mp4").write_bytes(b"not a video" * 100)
        for options in (["--shard", "0/2"], ["--shard", "1/2"], []):
            done = self.extract(3, videos, options=options)
            told = int(re.search(r"(\d+) failed, all of them in", done.stdout)[1])
            files = list(self.out.parent.glob(f"{self.out.name}/" + re.search(r"all of them in \S+/(\S+):", done.stdout)[1]))
            self.assertEqual(sum(len(path.read_text().splitlines()) for path in files), told, done.stdout)

    # outputs

    def test_output_is_a_file(self):
        path = self.folder / "a-file"
        path.write_text("x")
        self.extract(5, self.videos, out=path, words=["a-file"])
        self.extract(5, self.videos, out=path / "below", words=["a-file"])
        self.assertEqual(path.read_text(), "x")

    def test_output_can_not_be_written(self):
        self.extract(5, self.videos, out="/proc/tubelet-out", words=["/proc/tubelet-out"])

    def test_files_of_limited_size(self):
        """ulimit -f acts like a full disk, and doesn't kill the process."""
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))
        self.assertIn("File too large", self.extract(5, self.videos, preexec_fn=limit).stderr)

    def test_output_is_a_device(self):
        """Root's rename would put a file in its place: /dev/null would be gone for everyone. A pipe is used instead."""
        pipe, record = self.folder / "pipe", self.folder / "run.json"
        os.mkfifo(pipe)
        for option in ("--report", "--metrics-file", "--trace"):
            self.extract(5, self.videos, options=[option, pipe], words=[option, "pipe"])
        self.extract(0, self.videos, options=["--report", record])
        self.assertIn("pipe", self.check(5, "report", record, "--out", pipe).stderr)
        self.assertIn("pipe", self.check(5, "frames", self.videos / "v00.mp4", "--out", pipe).stderr)
        self.assertTrue(pipe.is_fifo())

    def test_dry_run_writes_nothing(self):
        text = self.extract(0, self.videos, options=["--dry-run"]).stdout
        self.assertFalse(self.out.exists())
        self.assertEqual(text.count("to do"), 4)

    # models

    def bad_model(self, change, words, base=None, code=4):
        model = self.folder / f"model{self.number}"
        shutil.copytree(base or self.frame_model, model)
        change(model)
        self.extract(code, self.videos, model=model, words=words)
        shutil.rmtree(model)

    def change_config(self, **keys):
        def change(model):
            config = json.loads((model / "config.json").read_text())
            config.update(keys)
            (model / "config.json").write_text(json.dumps(config))

        return change

    def change_tensors(self, edit):
        def change(model):
            path = model / "model.safetensors"
            header, data = read_safetensors(path)
            tensors = {n: (t["dtype"], t["shape"], data[t["data_offsets"][0] : t["data_offsets"][1]]) for n, t in header.items()}
            edit(tensors)
            write_safetensors(path, tensors)

        return change

    def test_rewritten_tensors_still_load(self):
        model = self.folder / "rewritten"
        shutil.copytree(self.frame_model, model)
        self.change_tensors(lambda tensors: None)(model)
        self.extract(0, self.videos, model=model)

    def test_no_model(self):
        self.extract(4, self.videos, model=self.folder / "no-model", words=["no-model"])

    def test_no_config(self):
        self.bad_model(lambda model: (model / "config.json").unlink(), ["config.json"])

    def test_config_is_not_json(self):
        self.bad_model(lambda model: (model / "config.json").write_text("{"), ["config.json"])

    def test_unknown_model_type(self):
        self.bad_model(self.change_config(model_type="resnet"), ["resnet", "videomae", "dinov2"])

    def test_no_weights(self):
        self.bad_model(lambda model: (model / "model.safetensors").unlink(), ["model.safetensors"])

    def test_missing_tensor(self):
        name = "encoder.layer.0.norm1.weight"
        self.bad_model(self.change_tensors(lambda tensors: tensors.pop(name)), [name])

    def test_weights_that_are_not_numbers(self):
        """Features that `tubelet verify` complains about aren't written as good ones."""
        model = self.folder / "nan"
        shutil.copytree(self.clip_model, model)

        def spoil(tensors):
            name = next(n for n in tensors if "bias" in n)
            dtype, shape, data = tensors[name]
            tensors[name] = dtype, shape, b"\0\0\xc0\x7f" * (len(data) // 4)

        self.change_tensors(spoil)(model)
        done = self.extract(3, self.videos, model=model)
        self.assertIn("row 0 has the value nan", done.stdout)
        self.assertEqual(list(self.out.glob("*.npy")) + strays(self.out), [])
        lines = [json.loads(line) for line in (self.out / "failures.jsonl").read_text().splitlines()]
        self.assertEqual([line["error"] for line in lines], ["model rejected"] * 2)

    def test_unexpected_tensor(self):
        self.bad_model(self.change_tensors(lambda tensors: tensors.update({"encoder.surplus": ("F32", [1], b"\0\0\0\0")})), ["encoder.surplus"])

    def test_tensor_of_another_shape(self):
        name = "encoder.layer.0.norm1.weight"

        def edit(tensors):
            dtype, shape, data = tensors[name]
            tensors[name] = (dtype, [1, *shape], data)

        self.bad_model(self.change_tensors(edit), [name])

    def test_truncated_weights(self):
        def cut(model):
            path = model / "model.safetensors"
            os.truncate(path, path.stat().st_size - 10)

        self.bad_model(cut, ["model.safetensors"])

    def test_clip_length_that_the_model_can_not_take(self):
        self.extract(4, self.videos, model=self.clip_model, options=["--clip-length", "7"], words=["7"])

    # device

    def test_devices_that_are_not_there(self):
        self.extract(6, self.videos, options=["--device", "cuda"])
        self.extract(6, self.videos, options=["--backend", "cuda"])

    def test_what_can_not_be_had_is_not_advised_again(self):
        done = self.extract(6, self.videos, options=["--device", "cpu", "--resize", "gpu"], words=["--resize auto"])
        self.assertNotIn("run again", done.stdout)


class OtherVerbs(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.frame_model, cls.clip_model = cls.make_model("dinov2:tiny"), cls.make_model("videomae:tiny")
        cls.videos = cls.make_videos("videos", [20])
        cls.video = cls.videos / "v00.mp4"

    def test_frames(self):
        out = self.folder / "frames.npy"
        self.check(0, "frames", self.video, "--out", out)
        self.assertEqual(npy_shape(out), ((20, 64, 96, 3), "|u1"))
        self.check(0, "frames", self.video, "--out", out, "--size", "32x48")
        self.assertEqual(npy_shape(out)[0], (20, 32, 48, 3))
        self.check(0, "frames", self.video, "--out", out, "--transform", "opentad", "--size", "16x24")
        self.assertEqual(npy_shape(out), ((20, 3, 16, 24), "<f4"))
        self.check(0, "frames", self.video, "--out", out, "--transform", "model", "--model", self.frame_model)
        self.assertEqual(npy_shape(out)[1], "<f4")
        self.check(2, "frames", self.video, "--out", out, "--transform", "model")
        self.check(2, "frames", self.video, "--out", out, "--video-stream", "3")
        self.check(2, "frames", self.folder / "nowhere.mp4", "--out", out)
        self.check(5, "frames", self.video, "--out", self.folder / "no" / "folder.npy")

    def test_bad_video(self):
        bad = self.folder / "bad.mp4"
        bad.write_bytes(b"not a video" * 100)
        out = self.folder / "bad.npy"
        self.assertIn("bad.mp4", self.check(3, "frames", bad, "--out", out).stderr)
        self.assertFalse(out.exists())
        # The other videos are still probed.
        done = self.check(3, "probe", bad, self.video, "--json")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row["status"] for row in rows], ["failed", "ok"])
        self.assertEqual((rows[1]["frames"], rows[1]["width"], rows[1]["height"]), (20, 96, 64))
        self.check(2, "probe", self.folder / "nowhere.mp4", self.video)

    def test_embed(self):
        frames, out, tokens, pixels = (self.folder / f"{name}.npy" for name in ("in", "feature", "tokens", "pixels"))
        self.check(0, "frames", self.video, "--out", frames)
        self.check(0, "embed", "--model", self.frame_model, "--frames", frames, "--out", out, "--tokens", tokens, "--pixels", pixels, "--dtype", "f32")
        (rows, dim), kind = npy_shape(out)
        self.assertEqual((rows, kind), (20, "<f4"))
        self.assertEqual((npy_shape(tokens)[0][0], len(npy_shape(tokens)[0])), (20, 3))
        self.assertEqual(npy_shape(pixels)[0][:2], (20, 3))
        # One frame at a time gives the same bytes.
        single = self.folder / "single.npy"
        self.check(0, "embed", "--model", self.frame_model, "--frames", frames, "--out", single, "--dtype", "f32", "--batch", "1")
        self.assertEqual(single.read_bytes(), out.read_bytes())
        # A clip model requires clips of its own length.
        data = bytes(frames.read_bytes()[128:])
        self.assertIn("[N, T, H, W, 3]", self.check(2, "embed", "--model", self.clip_model, "--frames", frames, "--out", out).stderr)
        write_npy(frames, "|u1", (4, 5, 64, 96, 3), data)
        self.check(4, "embed", "--model", self.clip_model, "--frames", frames, "--out", single)
        self.check(0, "embed", "--model", self.frame_model, "--frames", frames, "--out", out, "--tokens", tokens, "--pixels", pixels)
        self.assertEqual(npy_shape(out)[0], (4, dim))
        self.assertEqual(npy_shape(tokens)[0][:2], (4, 5))
        self.assertEqual(npy_shape(pixels)[0][:3], (4, 5, 3))
        for twice in (["--tokens", out], ["--tokens", tokens, "--pixels", tokens]):
            self.assertIn("two arrays", self.check(2, "embed", "--model", self.frame_model, "--frames", frames, "--out", out, *twice).stderr)
        self.assertEqual(strays(self.folder), [])

    def test_embed_refuses_other_arrays(self):
        path, out = self.folder / "other.npy", self.folder / "other-out.npy"
        arguments = ["embed", "--model", self.frame_model, "--frames", path, "--out", out]
        for data in (b"nothing like it", b"\x93NUMPY\x01\x00"):
            path.write_bytes(data)
            self.assertIn("other.npy", self.check(2, *arguments).stderr)
        write_npy(path, "<f4", (1, 2, 2, 3), bytes(48))
        self.check(2, *arguments)
        write_npy(path, "|u1", (2, 2, 3), bytes(12))
        self.check(2, *arguments)
        write_npy(path, "|u1", (1, 4, 4, 3), bytes(20))
        self.check(2, *arguments)
        path.unlink()
        self.check(2, *arguments)
        self.assertFalse(out.exists())

    def test_init(self):
        self.assertIn("dinov2", self.check(2, "init", "resnet", self.folder / "x").stderr)
        self.check(2, "init", "dinov2:gigantic", self.folder / "x")
        self.assertFalse((self.folder / "x").exists())
        self.check(5, "init", "dinov2:tiny", self.frame_model)
        (self.folder / "file").write_text("")
        self.check(5, "init", "dinov2:tiny", self.folder / "file")
        for name, seed in (("one", 5), ("two", 5), ("three", 6)):
            self.check(0, "init", "dinov2:tiny", self.folder / name, "--seed", seed)
        weights = [(self.folder / name / "model.safetensors").read_bytes() for name in ("one", "two", "three")]
        self.assertEqual(weights[0], weights[1])
        self.assertNotEqual(weights[0], weights[2])

    def test_convert(self):
        out = self.folder / "converted"
        self.check(0, "convert", self.clip_model, out)
        self.assertEqual((out / "config.json").read_bytes(), (self.clip_model / "config.json").read_bytes())
        self.assertTrue((out / "model.safetensors").exists())
        self.check(5, "convert", self.clip_model, out)
        error = self.check(4, "convert", pathlib.Path(__file__).parent.parent / "data/torch/bad/global_system.pt", self.folder / "never").stderr
        self.assertIn("refuses to load posix.system", error)
        self.assertFalse((self.folder / "never").exists())
        self.assertIn("hf download nobody/nothing", self.check(4, "convert", "nobody/nothing", self.folder / "never").stderr)
        self.check(2, "convert", self.clip_model)

    def test_bench(self):
        done = self.check(0, "bench", "--case", "forward", "--model", self.clip_model, "--dtype", "f32", "--clips", "2", "--repeat", "2", "--json")
        row = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((row["case"], row["clips"], row["dtype"]), ("forward", 2, "f32"))
        self.assertGreater(row["seconds"], 0)
        done = self.check(0, "bench", "--case", "windows", "--video", self.video, "--json")
        row = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((row["case"], row["clips"], row["frames"]), ("windows", 2, 20))
        self.assertGreater(row["seconds"], 0)
        self.check(2, "bench", "--case", "windows", "--video", self.folder / "nowhere.mp4")
        self.check(4, "bench", "--case", "forward", "--model", self.folder)


if __name__ == "__main__":
    unittest.main()
