"""The guide's pages say what is so: each command of theirs is one that the command takes, each test that they name is there."""
import pathlib, re, shlex, unittest

from command_case import CommandCase

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs" / f"{name}.md" for name in ("tuning-guide", "optimizations", "watching")]
COMMAND = re.compile(r"`((?:[A-Z_]+=\S+ )?tubelet [a-z][^`]*)`|^    ((?:[A-Z_]+=\S+ )?tubelet .*)$", re.M)


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
                words = [w for w in shlex.split(command, comments=True) if not re.match(r"[A-Z_]+=", w)]
                with self.subTest(page=page.name, command=command):
                    options = self.options(words[1])
                    for word in words[2:]:
                        if word.startswith("--"):
                            self.assertIn(word.split("=")[0], options)
                            seen += 1
        self.assertGreater(seen, 60)

    def test_every_test_is_there(self):
        named = re.findall(r"\| `([a-z]+)/(\w+)` \|$", PAGES[0].read_text(), re.M)
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
        """A command of the guide with this test's folders; None where it needs a GPU or a custom model."""
        if re.search(r"cuda|tf32|f16|\.onnx|metrics-port|report ", command):
            return None
        words = [w for w in shlex.split(command) if not re.match(r"[A-Z_]+=", w)][1:]
        here = {"videos": self.videos, "videos/one.mp4": self.videos / "one.mp4", "MODEL": self.model, "out": self.folder / f"out{number}",
                "run.html": self.folder / "run.html", "run.prom": self.folder / "run.prom", "run.json": self.folder / "run.json"}
        if "ablation" in words:
            words += ["--repeat", "1"]
        words = ["3" if word == "60" else word for word in words]       # of the budget
        return self.check(0, *[here.get(word, word) for word in words], environment={"XDG_CACHE_HOME": str(self.folder / "cache")})

    def test_commands_as_printed(self):
        ran = set()
        for number, command in enumerate(dict.fromkeys(commands(PAGES[0]))):
            with self.subTest(command=command):
                if self.run_as_printed(command, number):
                    ran.add(command)
        self.assertGreater(len(ran), 15)


if __name__ == "__main__":
    unittest.main()
