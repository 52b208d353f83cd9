"""tubelet info: what it says agrees with what embed does, and what it can't describe is refused."""
import json, math, unittest

from command_case import CommandCase, npy_shape, run, write_npy


class Info(CommandCase):
    def info(self, *arguments):
        return json.loads(self.check(0, "info", *arguments, "--json").stdout)

    def embed(self, model, shape):
        write_npy(self.folder / "in.npy", "|u1", shape, bytes(i * 7 % 256 for i in range(math.prod(shape))))
        self.check(0, "embed", "--model", model, "--frames", self.folder / "in.npy", "--out", self.folder / "f.npy", "--tokens", self.folder / "t.npy",
                   "--pixels", self.folder / "p.npy", "--backend", "reference", "--dtype", "f32")
        return [npy_shape(self.folder / f"{name}.npy")[0] for name in "ftp"]

    def test_shapes_are_those_of_embed(self):
        for family in ("videomae", "dinov3"):
            model = self.make_model(f"{family}:tiny")
            told = self.info(model)
            frames = 2 if told["per_frame"] else told["frames"]
            feature, tokens, pixels = self.embed(model, (1, frames, 40, 50, 3))
            self.assertEqual(feature, (1, told["dim"]))
            self.assertEqual(tokens[-2:], (told["tokens"], told["token_dim"]))
            self.assertEqual(pixels, (1, frames, 3, told["height"], told["width"]))

    def test_program(self):
        model = self.make_model("dinov2:tiny")
        told = self.info(model, "--program")
        self.assertAlmostEqual(sum(o["flops"] for o in told["program"]), told["flops"], delta=1)
        self.assertEqual(told["program"][0]["operation"], "patches")
        text = self.check(0, "info", model, "--program").stdout
        self.assertIn("layer 1 attention", text)
        self.assertIn(f"{len(told['program'])} operations", text)

    def test_options_change_it(self):
        model = self.make_model("onevision:tiny")
        few, many = self.info(model, "--clip-length", 4), self.info(model, "--clip-length", 8)
        self.assertEqual((few["frames"], many["frames"]), (4, 8))
        self.assertEqual(2 * few["tokens"], many["tokens"])
        self.assertGreater(many["flops"], 2 * few["flops"] * 0.99)
        self.assertEqual(self.info(model, "--transform", "opentad")["transform"]["normalize"], False)
        self.assertEqual(self.info(model, "--pool", "mean")["pool"], "mean")
        self.assertEqual(self.info(self.make_model("dinov2:tiny"), "--layer", 1)["pool"], "cls")
        self.assertIn("(block 1 of 2)", self.check(0, "info", model, "--layer", 1).stdout)
        narrow = run("info", model, "--json", "--dtype", "bf16")
        self.assertIn(narrow.returncode, (0, 6), narrow.stderr)  # 6: this machine has no backend or processor for it
        if narrow.returncode == 0:
            self.assertLess(json.loads(narrow.stdout)["weight_bytes"], self.info(model, "--dtype", "f32")["weight_bytes"])

    def test_files_and_hash(self):
        model = self.make_model("siglip:tiny")
        told = self.info(model)
        self.assertEqual([f["path"].rsplit("/")[-1] for f in told["files"]], ["config.json", "model.safetensors"])
        for file in told["files"]:
            self.assertEqual(file["bytes"], (model / file["path"].rsplit("/")[-1]).stat().st_size)
        self.assertIn(told["hash"], self.check(0, "info", model).stdout)

    def test_refusals(self):
        self.check(4, "info", self.folder / "nowhere")
        self.check(2, "info")
        self.check(4, "info", self.make_model("videomae:tiny"), "--clip-length", 7)
        self.check(4, "info", self.make_model("videomae:tiny"), "--pool", "cls")
        for dtype, capability in (("fp8", "9.0"), ("tf32", "8.0 or later"), ("f16", "7.0 or later")):
            done = self.check(6, "info", self.make_model("videomae:tiny"), "--device", "cpu", "--dtype", dtype)
            self.assertIn(f"{dtype} is computed by NVIDIA GPUs of compute capability {capability}, and none is used here", done.stderr)


if __name__ == "__main__":
    unittest.main()
