"""Usage: help, options, values, typing mistakes."""
import json, re, subprocess, unittest

from command_case import ENVIRONMENT, TUBELET, CommandCase

VERBS = ("extract", "embed", "frames", "probe", "init", "convert", "bench", "models", "info", "presets", "verify", "compare", "resample", "consumer-config",
         "report")


class Help(CommandCase):
    def test_overview_names_every_verb(self):
        text = self.check(0, "--help").stdout
        for verb in VERBS:
            self.assertRegex(text, rf"(?m)^  {verb} ")

    def test_help_fits_a_screen(self):
        for verb in VERBS:
            lines = self.check(0, verb, "--help").stdout.splitlines()
            self.assertLessEqual(len(lines), 60, verb)
            self.assertLessEqual(max(map(len, lines)), 100, verb)
            self.assertEqual(self.check(0, "help", verb).stdout.splitlines(), lines)
            groups = re.findall(r"(?m)^  ([a-z]+) +--", "\n".join(lines))
            self.assertEqual(len(groups), len(set(groups)), verb)  # each group once

    def test_every_option_of_the_contract_is_in_the_help(self):
        text = self.check(0, "extract", "--help").stdout
        for name in ("model out preset clip-length stride interval align fps video-stream transform size crop interpolation mean std pool dtype batch threads"
                     " decode-threads prefetch device backend shard recursive annotations retry-failed json dry-run file-name file-type file-key file-dtype").split():
            self.assertIn(f"--{name} ", text.replace("\n", " \n") + " ", name)

    def test_version(self):
        self.assertRegex(self.check(0, "--version").stdout, r"^tubelet \d+\.\d+\.\d+\n$")


class Refusals(CommandCase):
    def refuse(self, words, *arguments):
        error = self.check(2, *arguments).stderr
        for word in words:
            self.assertIn(word, error)

    def test_verbs(self):
        self.refuse(["--help"])
        self.refuse(["did you mean extract"], "extrct")
        self.refuse(["unknown verb"], "zzzzzzzzzz")

    def test_unknown_options_name_the_nearest(self):
        self.refuse(["--strid", "--stride"], "extract", "x", "--strid", "4")
        self.refuse(["--decode-threads"], "extract", "x", "--decode-thread=2")
        self.refuse(["probe", "--stride"], "probe", "x", "--stride", "4")
        self.refuse(["-x"], "probe", "-x")

    def test_options_of_gpu_runs_are_not_swallowed(self):
        self.refuse(["--device-preset", "8xa100-40"], "extract", "x", "--model", "m", "--out", "o", "--device-preset", "a100")

    def test_values_are_parsed_strictly(self):
        for option, value in (("stride", "0"), ("stride", "4x"), ("stride", "-1"), ("stride", " 4"), ("stride", "0x10"), ("stride", "65537"),
                              ("stride", "99999999999999999999"), ("clip-length", "4097"), ("interval", "1025"), ("fps", "0"), ("fps", "nan"), ("fps", "1001"),
                              ("fps", "25fps"), ("size", "224"), ("size", "224x"), ("size", "0x224"), ("size", "224x224x3"), ("crop", "x"), ("mean", "1,2"),
                              ("mean", "1,2,3,4"), ("mean", "a,b,c"), ("std", "0,1,1"), ("std", "1,1,-1"), ("batch", "0"), ("threads", "many"), ("align", "middle"),
                              ("transform", "none"), ("interpolation", "lanczos"), ("pool", "max"), ("dtype", "f64"), ("backend", "pytorch"), ("preset", "thumoss"),
                              ("video-stream", "-1"), ("file-type", "h5"), ("file-dtype", "bf16"), ("shard", "5/4"), ("shard", "1"), ("shard", "-1/4"), ("shard", "0/0"), ("model", "")):
            self.refuse([f"{option}" if option != "shard" else value], "extract", "nowhere", "--model", "m", "--out", "o", f"--{option}={value}")

    def test_names_of_files(self):
        for template in ("x", "../{stem}", "{stem}/", "{id}"):
            self.refuse(['file name "', template], "extract", "nowhere", "--model", "m", "--out", "o", "--file-name", template)
        self.refuse(['key "a b"'], "extract", "nowhere", "--model", "m", "--out", "o", "--file-key", "a b")

    def test_needed_options(self):
        self.refuse(["--model"], "extract", "x", "--out", "o")
        self.refuse(["--out"], "extract", "x", "--model", "m")
        self.refuse(["INPUT"], "extract", "--model", "m", "--out", "o")
        self.refuse(["--frames"], "embed", "--model", "m", "--out", "o")
        self.refuse(["--case"], "bench")
        self.refuse(["needs a value"], "extract", "x", "--model")
        self.refuse(["no value"], "probe", "x", "--json=yes")

    def test_an_instruction_set_that_is_none(self):
        model = self.make_model("videomae:tiny")
        error = self.check(2, "info", model, environment={"TUBELET_ISA": "avx-512"}).stderr
        self.assertIn('TUBELET_ISA is "avx-512"', error)
        for name in ("", "scalar"):
            self.check(0, "info", model, environment={"TUBELET_ISA": name})

    def test_precisions_of_other_devices_name_the_alternative(self):
        model = self.make_model("videomae:tiny")
        error = self.check(6, "info", model, "--device", "cpu", "--dtype", "fp8").stderr
        for dtype in ("auto", "f32"): # every processor has these
            self.assertIn(f"`--dtype {dtype}`", error)
            self.check(0, "info", model, "--device", "cpu", "--dtype", dtype)


class Output(CommandCase):
    def test_models(self):
        rows = [json.loads(line) for line in self.check(0, "models", "--json").stdout.splitlines()]
        names = {row["family"] for row in rows}
        self.assertTrue({"videomae", "onevision", "dinov2", "dinov3"} <= names, names)
        text = self.check(0, "models").stdout
        for row in rows:
            self.assertIn(row["family"], text)

    def test_a_full_disk_under_stdout_is_told(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([TUBELET, "models"], stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.assertEqual(done.returncode, 5, done.stderr)

    def test_a_full_disk_under_findings_is_told(self):
        """Findings set the exit code, but are also reported."""
        with open("/dev/full", "w") as full:
            done = subprocess.run([TUBELET, "probe", __file__, self.make_videos("one", [5]) / "v00.mp4"], stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("standard output", done.stderr)

    def test_a_reader_that_went_away_is_no_error(self):
        child = subprocess.Popen([TUBELET, "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
        child.stdout.close()
        error = child.stderr.read()
        self.assertEqual(child.wait(), 0, error)
        child.stderr.close()


if __name__ == "__main__":
    unittest.main()
