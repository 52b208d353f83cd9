"""doctor: what it says about this machine, and about this machine with limits."""
import json, os, shutil, subprocess, unittest

from command_case import ENVIRONMENT, TUBELET, CommandCase


class Doctor(CommandCase):
    def machine(self, *arguments, **environment):
        return json.loads(self.check(0, "doctor", "--json", *arguments, environment=environment).stdout)

    def test_what_is_used(self):
        machine = self.machine()
        self.assertEqual(machine["processors_allowed"], len(os.sched_getaffinity(0)))
        self.assertLessEqual(machine["processors"], machine["processors_allowed"])
        self.assertRegex(machine["ffmpeg_licence"], "GPL")
        codecs = {d["codec"]: d for d in machine["decoders"]}
        self.assertLessEqual({"h264", "hevc", "vp9", "av1", "mpeg4"}, set(codecs))
        self.assertIn("libdav1d", codecs["av1"]["software"])
        backends = {b["name"]: b for b in machine["backends"]}
        self.assertTrue(backends["reference"]["found"])
        for backend in backends.values():
            self.assertNotEqual(backend["found"], bool(backend["reason"]), backend)
        for row in machine["optimisations"]:
            self.assertTrue(row["reason"], row)

    def test_text_names_every_part(self):
        text = self.check(0, "doctor").stdout
        for word in ("processor", "memory", "GPU", "backends", "FFmpeg", "licence", "decoders", "output", "frame reuse", "autotune", "bf16"):
            self.assertIn(word, text)

    @unittest.skipUnless(shutil.which("taskset"), "no taskset")
    def test_affinity_is_obeyed(self):
        one = min(os.sched_getaffinity(0))
        done = subprocess.run(["taskset", "-c", str(one), TUBELET, "doctor", "--json"], capture_output=True, text=True, env=ENVIRONMENT)
        machine = json.loads(done.stdout)
        self.assertEqual((machine["processors_allowed"], machine["processors"]), (1, 1))

    def test_instruction_sets_held_back(self):
        machine = self.machine(TUBELET_ISA="scalar")
        self.assertEqual((machine["isa"], machine["isa_reason"], machine["dtype"]), ("scalar", "TUBELET_ISA says so", "f32"))
        self.assertFalse({row["name"]: row["on"] for row in machine["optimisations"]}["bf16"])

    def test_output_folder(self):
        out = self.folder / "features"
        output = self.machine("--out", out)["output"]
        self.assertEqual(output["path"], str(self.folder))
        self.assertGreater(output["bytes_per_second"], 0)
        self.assertGreater(output["free_bytes"], 0)
        self.assertEqual(list(self.folder.iterdir()), [])
        self.assertIn("can't be written", self.machine("--out", "/proc/self/x")["output"]["reason"])


if __name__ == "__main__":
    unittest.main()
