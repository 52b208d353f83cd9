"""Settings: files, environment, command line; which of them counts; the message if one is wrong."""
import json, os, pathlib

from command_case import CommandCase


class Settings(CommandCase):
    def setUp(self):
        self.project = self.folder / self.id().rsplit(".", 1)[-1]
        self.user = self.project / "home" / "tubelet" / "config"
        self.user.parent.mkdir(parents=True)

    def settings(self, *arguments, project="", user="", code=0, verb="extract", **environment):
        (self.project / "tubelet.conf").write_text(project)
        self.user.write_text(user)
        environment["XDG_CONFIG_HOME"] = str(self.user.parent.parent)
        return self.check(code, verb, *arguments, cwd=self.project, environment=environment)

    def values(self, *arguments, **more):
        """{name: (value, source)} as --print-config prints them."""
        text = self.settings("--print-config", "--json", *arguments, **more).stdout
        rows = [json.loads(line) for line in text.splitlines()]
        return {row["name"]: (row["value"], row["source"]) for row in rows if row["source"] and row["name"] != "json"}

    def test_the_stronger_layer_counts(self):
        layers = dict(user="stride = 2\nbatch = 2\ninterval = 2\nalign = center\n", project="stride = 3\nbatch = 3\ninterval = 3\n", TUBELET_STRIDE="4", TUBELET_BATCH="4")
        values = self.values("--stride", "5", **layers)
        self.assertEqual(values, {"stride": ("5", "command line"), "batch": ("4", "TUBELET_BATCH"), "interval": ("3", "tubelet.conf:3"),
                                  "align": ("center", f"{self.user}:4")})

    def test_a_named_file_stands_for_the_projects(self):
        other = self.project / "other.conf"
        other.write_text("stride = 7\n")
        self.assertEqual(self.values("--config", other, project="batch = 3\n", user="interval = 2\n"),
                         {"stride": ("7", f"{other}:1"), "interval": ("2", f"{self.user}:1")})
        self.assertEqual(self.values(project="batch = 3\n", TUBELET_CONFIG=str(other)), {"stride": ("7", f"{other}:1")})
        self.assertEqual(self.values("--config", "none", project="batch = 3\n", user="interval = 2\n"), {})
        self.assertIn("gone.conf", self.settings("--print-config", "--config", "gone.conf", code=2).stderr)

    def test_forms_of_a_line(self):
        values = self.values(project="# all\n\n  --stride 3\nbatch=4   # a comment\nout = \"a # b\"\nmodel\t/m#1\n--recursive\nretry-failed = no\nmean = 0.1,0.2,0.3\n"
                                     "[probe]\nvideo-stream = 3\n[ extract ]\nbatch = 8\n")
        self.assertEqual({k: v for k, (v, _) in values.items()}, {"stride": "3", "batch": "8", "out": "a # b", "model": "/m#1", "recursive": "yes",
                                                                  "retry-failed": "no", "mean": "0.1,0.2,0.3"})

    def test_a_file_of_windows(self):
        self.assertEqual(self.values(project="\ufeffbatch = 8\r\nstride = 3\r\n"), {"batch": ("8", "tubelet.conf:1"), "stride": ("3", "tubelet.conf:2")})

    def test_what_is_printed_can_be_read_again(self):
        line = ["--stride", "3", "--out", 'a "b" # c\\', "--model", "m", "--no-recursive", "--fps", "25"]
        first = self.settings("--print-config", *line).stdout
        again = self.settings("--print-config", project=first).stdout
        strip = lambda text: [row.split("  #")[0].rstrip() for row in text.splitlines() if " = " in row]
        self.assertEqual(strip(first), strip(again))
        self.assertEqual(len(strip(first)), 5)

    def test_flags_are_taken_back(self):
        self.assertEqual(self.values("--no-recursive", TUBELET_RECURSIVE="yes"), {"recursive": ("no", "command line")})
        self.assertEqual(self.values(project="recursive = yes\n", TUBELET_RECURSIVE="0"), {"recursive": ("no", "TUBELET_RECURSIVE")})
        self.assertIn("no value", self.settings("--no-recursive=1", code=2).stderr)

    def test_mistakes_name_the_line_and_what_to_do(self):
        for project, words in (("strid = 4", ["tubelet.conf:1", "did you mean stride"]), ("\nstride = 0", ["tubelet.conf:2: stride 0", "from 1"]),
                               ("stride", ["tubelet.conf:1: stride", "whole number"]), ("[extrct]", ["tubelet.conf:1", "did you mean [extract]"]), ("[extract", ["[VERB]"]),
                               ("[probe]\nstride = 4", ["tubelet.conf:2", "probe takes no stride"]), ("help = yes", ["command line"]), ("config = x", ["command line"]),
                               ("recursive = maybe", ["yes or no"]), ("out = \"x", ["quotes"]), ("dtype = bf61", ["did you mean bf16"]), ("model =", ["isn't empty"]),
                               ("zzzzzzzzzz = 1", ["--print-config"]), ("a\0b", ["settings file"])):
            with self.subTest(project):
                error = self.settings("x", project=project, code=2).stderr
                for word in words:
                    self.assertIn(word, error)
        self.assertIn("TUBELET_STRIDE 4x: expected a whole number", self.settings("x", code=2, TUBELET_STRIDE="4x").stderr)
        self.assertIn("settings file", self.settings("x", "--config", self.project, code=2).stderr)

    def test_variables_that_mean_nothing_are_named(self):
        for name, meant in (("TUBELET_STRDE", "TUBELET_STRIDE"), ("TUBELET_DECODE_THREAD", "TUBELET_DECODE_THREADS"), ("TUBELET_IAS", "TUBELET_ISA"),
                            ("TUBELET_OPEN_VINO", "TUBELET_OPENVINO"), ("TUBELET_stride", "TUBELET_STRIDE"), ("TUBELET_CONFG", "TUBELET_CONFIG")):
            with self.subTest(name):
                error = self.settings("--print-config", **{name: "4"}).stderr
                self.assertIn(f"warning: {name} in the environment is no setting, and ignored: did you mean {meant}?", error)
        self.assertIn("TUBELET_XYZZY in the environment is no setting, and ignored: tubelet VERB", self.settings("--print-config", TUBELET_XYZZY="4").stderr)
        self.assertIn("TUBELET_STRDE", self.settings("videos", "--model", "gone", "--out", "out", TUBELET_STRDE="4", code=2).stderr)
        # Variables of other verbs, of things that aren't options, of the tests, and empty ones.
        quiet = self.settings("--print-config", TUBELET_BUDGET="4", TUBELET_ISA="scalar", TUBELET_OPENVINO="/x", TUBELET_CUDA_PLUGIN="/x", TUBELET_TEST_KILLS="1",
                              TUBELET_STRDE="", TUBELET="x")
        self.assertEqual(quiet.stderr, "")
        lines = self.settings("videos", "--model", "gone", "--out", "out", "--log-format", "json", TUBELET_STRDE="4", code=2).stderr.splitlines()
        self.assertEqual([json.loads(line)["level"] for line in lines], ["warning", "error"])

    def test_a_file_that_cannot_be_there(self):
        """HOME that is a file; HOME of another user who started us, which we can't look into."""
        (self.project / "a-file").write_text("")
        self.check(0, "presets", environment={"XDG_CONFIG_HOME": str(self.project / "a-file")})
        closed = self.project / "closed"
        closed.mkdir(mode=0)
        self.folder.chmod(0o755)
        for path in self.project.rglob("*"):
            path.chmod(0o755 if path != closed else 0)
        other = {"user": 65534} if os.geteuid() == 0 else {}
        try:
            done = self.check(0, "presets", environment={"XDG_CONFIG_HOME": str(closed)}, cwd=self.project, **other)
        except PermissionError:
            self.skipTest("another user can't run the command")
        self.assertIn(f"warning: settings file {closed}/tubelet/config: Permission denied: done without it", done.stderr)

    def test_a_broken_file_doesnt_stop_help(self):
        self.assertIn("Usage", self.settings("--help", project="???").stdout)

    def test_a_run_uses_them_and_says_so(self):
        videos, model = self.make_videos("settings-videos", [40]), self.make_model("dinov2:tiny")
        text = self.settings(videos, project=f"model = {model}\nstride = 10\nsize = 28x28\n", TUBELET_OUT=str(self.project / "out")).stdout
        self.assertIn("stride = 10 (tubelet.conf:2)", text)
        self.assertIn("out = ", text)
        self.assertRegex(text, "clips=3")
        self.assertTrue((self.project / "out" / "v00.npy").exists())


if __name__ == "__main__":
    import unittest

    unittest.main()
