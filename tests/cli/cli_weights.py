"""--cache-weights: the same bytes with packed weights new, reused and damaged, and with processes that start
together."""
import subprocess, unittest

from command_case import CommandCase, ENVIRONMENT, TUBELET, digests, settle

ISA = ["scalar", "avx2", "avx512", "avx512_bf16", "amx"]


class Weights(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.videos = cls.make_videos("videos", [20, 9])
        cls.model = cls.make_model("videomae:tiny")
        settle(cls.model)
        cls.number = 0

    def setUp(self):
        type(self).number += 1
        self.cache = self.folder / f"cache{self.number}"
        self.runs = 0

    def kept(self):
        return sorted(self.cache.glob("tubelet/weights/*"))

    def extract(self, *options, environment=None):
        """(digests, stderr)"""
        self.runs += 1
        out = self.folder / f"out{self.number}-{self.runs}"
        environment = {"XDG_CACHE_HOME": str(self.cache), **(environment or {})}
        done = self.check(0, "extract", self.videos, "--model", self.model, "--out", out, "--backend", "native", "--verbose", *options, environment=environment)
        return digests(out), done.stderr

    def test_made_taken_damaged(self):
        plain, said = self.extract()
        self.assertNotIn("packed weights", said)
        self.assertEqual(self.kept(), [])
        made, said = self.extract("--cache-weights")
        self.assertIn("packed weights are kept in", said)
        path, = self.kept()
        taken, said = self.extract("--cache-weights", "--threads", "1", "--batch", "1")
        self.assertIn(f"packed weights from {path}", said)
        whole = bytearray(path.read_bytes())
        whole[len(whole) // 2] ^= 1
        for damaged in (bytes(whole), bytes(whole[:5000]), b"", b"something else" * 1000):
            path.write_bytes(damaged)
            mended, said = self.extract("--cache-weights")
            self.assertIn("the weights are packed anew", said)
            self.assertEqual(mended, plain)
            self.assertIn("packed weights from", self.extract("--cache-weights")[1])
        self.assertEqual(made, plain)
        self.assertEqual(taken, plain)
        self.assertEqual(self.kept(), [path])

    def test_levels_and_types_have_files_of_their_own(self):
        count = 0
        for level in ISA:
            for dtype in ("f32", "auto"):
                with self.subTest(level=level, dtype=dtype):
                    level_only = {"TUBELET_ISA": level}
                    plain, _ = self.extract("--dtype", dtype, environment=level_only)
                    made, said = self.extract("--dtype", dtype, "--cache-weights", environment=level_only)
                    taken, again = self.extract("--dtype", dtype, "--cache-weights", environment=level_only)
                    count += "are kept in" in said
                    self.assertIn("packed weights from", again)
                    self.assertEqual(made, plain)
                    self.assertEqual(taken, plain)
                    self.assertEqual(len(self.kept()), count)

    def test_settings(self):
        self.extract(environment={"TUBELET_CACHE_WEIGHTS": "yes"})
        self.assertEqual(len(self.kept()), 1)
        conf = self.folder / "weights.conf"
        conf.write_text("cache-weights = yes\n")
        self.assertIn("packed weights from", self.extract("--config", conf)[1])
        self.assertNotIn("packed weights", self.extract("--config", conf, "--no-cache-weights")[1])

    def test_processes_that_start_together(self):
        environment = {**ENVIRONMENT, "XDG_CACHE_HOME": str(self.cache)}
        outs = [self.folder / f"together{i}" for i in range(4)]
        running = [subprocess.Popen([TUBELET, "extract", self.videos, "--model", self.model, "--out", out, "--backend", "native", "--threads", "1", "--cache-weights"],
                                    env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for out in outs]
        for process in running:
            self.assertEqual(process.communicate(timeout=120)[1], "")
            self.assertEqual(process.returncode, 0)
        self.assertEqual(len(self.kept()), 1)
        plain, _ = self.extract()
        for out in outs:
            self.assertEqual(digests(out), plain)
        self.assertIn("packed weights from", self.extract("--cache-weights")[1])

    def test_no_room(self):
        # A file in the place of the folder.
        self.cache.mkdir()
        (self.cache / "tubelet").write_text("")
        plain, _ = self.extract()
        there, said = self.extract("--cache-weights")
        self.assertIn("warning: packed weights aren't cached", said)
        self.assertEqual(there, plain)


if __name__ == "__main__":
    unittest.main()
