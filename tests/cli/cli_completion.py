"""Completions and the manual page, as the shells and man read them (those that are installed)."""
import os, pathlib, pty, re, select, shutil, subprocess, time, unittest

from command_case import ENVIRONMENT, CommandCase


class Completion(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.folder / "films").mkdir()
        (cls.folder / "films" / "a b.mp4").touch()

    def script(self, shell):
        path = self.folder / f"completion.{shell}"
        path.write_text(self.check(0, "completion", shell).stdout)
        return path

    def bash(self, *words):
        """What bash offers for the last word, with words split as readline splits them."""
        line = "COMP_WORDS=(tubelet " + " ".join(f"'{w}'" for w in words) + f"); COMP_CWORD={len(words)}; _tubelet"
        code = f"source {self.script('bash')}; {line}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "--norc", "-c", code], cwd=self.folder, capture_output=True, text=True, env=ENVIRONMENT)
        self.assertEqual(done.stderr, "")
        return [w for w in done.stdout.split("\n") if w]

    def test_bash(self):
        self.assertEqual(self.bash("extr"), ["extract"])
        self.assertTrue({"extract", "probe", "man"} <= set(self.bash("")))
        self.assertEqual(self.bash("extract", "--strid"), ["--stride"])
        self.assertEqual(self.bash("probe", "--strid"), [])
        self.assertEqual(self.bash("extract", "--align", "c"), ["center"])
        self.assertEqual(self.bash("extract", "--align", "=", "b"), ["backpad"])
        self.assertEqual(self.bash("extract", "--align", "="), ["valid", "center", "backpad"])
        self.assertIn("thumos", self.bash("extract", "--preset", "th"))
        self.assertEqual(self.bash("extract", "--model", "fil"), ["films"])
        self.assertEqual(self.bash("extract", "films/a"), ["films/a b.mp4"])
        self.assertEqual(self.bash("completion", "f"), ["fish"])
        self.assertIn("--print-config", self.bash("models", "--p"))

    def test_every_option_is_offered(self):
        for verb in ("extract", "frames", "bench"):
            helped = set(re.findall(r"--[a-z][a-z0-9-]+", self.check(0, verb, "--help").stdout))
            self.assertLessEqual(helped, set(self.bash(verb, "--")) | {"--help"}, verb)

    @unittest.skipUnless(shutil.which("zsh"), "no zsh")
    def test_zsh_reads_its_script(self):
        subprocess.run(["zsh", "-n", self.script("zsh")], check=True)

    @unittest.skipUnless(shutil.which("zsh"), "no zsh")
    def test_zsh_completes(self):
        master, slave = pty.openpty()
        environment = {**ENVIRONMENT, "TERM": "dumb", "HOME": str(self.folder), "ZDOTDIR": str(self.folder)}
        shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave, cwd=self.folder, env=environment, start_new_session=True)
        os.close(slave)
        self.addCleanup(os.close, master)
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)

        def completed(keys, expected):
            os.write(master, f"tubelet {keys}\n".encode())
            seen, until = "", time.monotonic() + 20
            while f"GOT:{expected}:" not in seen and time.monotonic() < until:
                if select.select([master], [], [], .2)[0]:
                    seen += os.read(master, 4096).decode(errors="replace")
            self.assertIn(f"GOT:{expected}:", seen)

        # The completed line is printed, not run.
        os.write(master, f"autoload -U compinit; compinit -D -u; source {self.script('zsh')}; tubelet() {{ print GOT:${{(j: :)@}}: }}\n".encode())
        completed("first", "first")
        completed("extr\t", "extract")
        completed("extract --align c\t", "extract --align center")
        completed("extract --strid\t8", "extract --stride=8")
        completed("extract --model fil\t", "extract --model films")

    @unittest.skipUnless(shutil.which("fish"), "no fish")
    def test_fish_completes(self):
        code = f"source {self.script('fish')}; complete -C 'tubelet extract --align c'"
        done = subprocess.run(["fish", "--no-config", "-c", code], cwd=self.folder, capture_output=True, text=True, env=ENVIRONMENT)
        self.assertEqual(done.stdout.split("\n")[0].split("\t")[0], "center", done.stderr)

    def test_unknown_shells(self):
        self.assertIn("did you mean bash", self.check(2, "completion", "bsh").stderr)
        self.assertIn("zsh", self.check(2, "completion", "powershell").stderr)


class Manual(CommandCase):
    def test_it_names_every_verb_and_option(self):
        text = self.check(0, "man").stdout.replace("\\-", "-")
        verbs = re.findall(r"(?m)^  ([a-z-]+)  ", self.check(0, "--help").stdout.split("Options of every verb")[0])
        self.assertGreater(len(verbs), 10)
        for verb in verbs:
            self.assertIn(f".SS tubelet {verb}\n", text)
            for option in re.findall(r"--[a-z][a-z0-9-]+", self.check(0, verb, "--help").stdout):
                self.assertIn(option, text, verb)
        self.assertIn("TUBELET_DECODE_THREADS", text)
        for word in ("TUBELET_ISA", "amx", "TUBELET_OPENVINO", "TUBELET_CUDA_PLUGIN", "NO_COLOR", "$XDG_CACHE_HOME/tubelet"):
            self.assertIn(word, text)

    def test_roff_has_no_unknown_requests(self):
        text = self.check(0, "man").stdout
        for line in text.splitlines():
            if line.startswith((".", "'")):
                self.assertRegex(line, r"^\.(TH|SH|SS|TP|PP|B|I|RI|IR)\b")

    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "no man")
    def test_man_formats_it_without_a_warning(self):
        page = self.folder / "tubelet.1"
        page.write_text(self.check(0, "man").stdout)
        done = subprocess.run(["man", "--warnings=w", "-l", page], capture_output=True, text=True, env={**ENVIRONMENT, "MANPAGER": "cat", "MANWIDTH": "100"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--decode-threads", done.stdout)

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_mandoc_finds_no_error(self):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "error"], input=self.check(0, "man").stdout, capture_output=True, text=True)
        self.assertEqual(done.stdout, "")


class Installed(CommandCase):
    """The files that the build has written for `cmake --install`."""

    def test_documents_are_the_commands(self):
        folder = pathlib.Path(os.environ.get("TUBELET", "build/tubelet")).parent / "documents"
        for name, words in (("tubelet.1", ["man"]), ("tubelet.bash", ["completion", "bash"]), ("_tubelet", ["completion", "zsh"]), ("tubelet.fish", ["completion", "fish"])):
            self.assertEqual((folder / name).read_text(), self.check(0, *words).stdout, name)


if __name__ == "__main__":
    unittest.main()
