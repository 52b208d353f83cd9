"""The guide's pages are true: the command accepts each command in them, and each test that they name exists."""
import pathlib, re, shlex, unittest

from command_case import CommandCase, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "tuning-guide.md"
PAGES = [GUIDE, ROOT / "README.md", *sorted(set((ROOT / "docs").glob("*.md")) - {GUIDE})]
COMMAND = re.compile(r"`((?:[A-Z_]+=\S+ )?tubelet [a-z][^`]*)`|^    (?:\$ )?((?:[A-Z_]+=\S+ )?(?:build/)?tubelet [a-z].*)$", re.M)


def commands(page):
    return [a or b for a, b in COMMAND.findall(page.read_text())]


class Guide(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.videos = cls.make_videos("videos", [20, 33])
        (cls.videos / "one.mp4").symlink_to(cls.videos / "v00.mp4")
        cls.model = cls.make_model("videomae:tiny")
        cls.help = {}

    def options(self, verb):
        if verb not in self.help:
            text = self.check(0, verb, "--help").stdout
            self.help[verb] = set(re.findall(r"--[a-z][a-z-]*", text))
        return self.help[verb]

    def test_every_option_is_there(self):
        seen = 0
        for page in PAGES:
            for command in commands(page):
                words = [w for w in shlex.split(command.split(" | ")[0], comments=True) if not re.match(r"[A-Z_]+=", w)]
                with self.subTest(page=page.name, command=command):
                    options = self.options(words[1])
                    for word in words[2:]:
                        if word.startswith("--"):
                            self.assertIn(word.split("=")[0], options)
                            seen += 1
        self.assertGreater(seen, 90)

    def test_every_test_is_there(self):
        named = re.findall(r"\| `([a-z]+)/(\w+)` \|$", GUIDE.read_text(), re.M)
        self.assertGreater(len(named), 25)
        for folder, name in named:
            path = ROOT / "tests" / folder / (f"cli_{name}.py" if folder == "cli" else f"{name}.c")
            self.assertTrue(path.exists(), path)

    def test_every_link_leads_somewhere(self):
        for page in PAGES:
            for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
                if "://" not in target:
                    self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")

    def run_as_printed(self, command, number):
        """A command of the guide with this test's folders; None if it needs a GPU, missing int8 instructions, or a
        custom model."""
        if re.search(r"cuda|tf32|f16|\.onnx|metrics-port|report ", command):
            return None
        if "int8" in command and run("info", self.model, "--dtype", "int8").returncode == 6:
            return None
        words = [w for w in shlex.split(command) if not re.match(r"[A-Z_]+=", w)][1:]
        here = {"videos": self.videos, "videos/one.mp4": self.videos / "one.mp4", "MODEL": self.model, "out": self.folder / f"out{number}",
                "run.html": self.folder / "run.html", "run.prom": self.folder / "run.prom", "run.json": self.folder / "run.json"}
        if "ablation" in words:
            words += ["--repeat", "1"]
        words = ["3" if word == "60" else word for word in words]       # the budget
        return self.check(0, *[here.get(word, word) for word in words], environment={"XDG_CACHE_HOME": str(self.folder / "cache")})

    def test_commands_as_printed(self):
        ran = set()
        for number, command in enumerate(dict.fromkeys(commands(GUIDE))):
            with self.subTest(command=command):
                if self.run_as_printed(command, number):
                    ran.add(command)
        self.assertGreater(len(ran), 15)

    def test_the_samples_lines_are_those_of_a_run(self):
        """Equal except for numbers, names, and what the machine decides."""

        def shapes(text):
            lines = [line for line in text.splitlines() if re.match(r" *\[R0\]", line) and "shard" not in line and "Enabled" not in line and "compiled" not in line]
            for pattern, to in ((r"\S+\.(mp4|mkv|webm|avi)", "FILE"), (r"\d+(\.\d+)?", "#"), (r"bottleneck: \w+", "bottleneck"), (r"threads?\b", "thread")):
                lines = [re.sub(pattern, to, line.strip()) for line in lines]
            return {line for line in lines if "device idle" not in line}

        done = self.check(0, "extract", self.videos, "--model", self.model, "--out", self.folder / "sample")
        ran, sample = shapes(done.stdout), shapes((ROOT / "README.md").read_text())
        self.assertEqual(len(sample), 7)
        self.assertEqual(sample, ran)

    def test_the_settings_page_shows_what_is_printed(self):
        page = (ROOT / "docs" / "settings.md").read_text()
        block = re.search(r"    \$ cat tubelet.conf\n(.*?)\n    \$ (TUBELET_BATCH=16) tubelet (.*?)\n(.*?)\n\n", page, re.S)
        (self.folder / "tubelet.conf").write_text(re.sub(r"(?m)^    ", "", block[1]))
        environment = {"TUBELET_BATCH": "16", "XDG_CONFIG_HOME": "/home/ann/.config"}
        printed = self.check(0, *block[3].split(), cwd=self.folder, environment=environment).stdout.splitlines()
        for line in block[4].splitlines():
            if line.strip() != "...":
                self.assertIn(line[4:].split(), [p.split() for p in printed])


if __name__ == "__main__":
    unittest.main()
