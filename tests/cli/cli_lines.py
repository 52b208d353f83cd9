"""The lines of an extraction: in Chinese, as JSON; and the catalogue has all that the command says."""
import ast, datetime, json, pathlib, re, shutil, subprocess, sys, unittest

from command_case import ENVIRONMENT, CommandCase

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from compile_messages import read

LOCALE = ("LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LC_CTYPE")
MARKED = re.compile(r'(?<![A-Za-z0-9])N?_\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)')


class Lines(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.videos = cls.make_videos("videos", [20, 33])
        (cls.videos / "broken.mp4").write_bytes(b"")
        cls.model = cls.make_model("videomae:tiny")
        cls.number = 0

    def extract(self, *options, **locale):
        type(self).number += 1
        environment = {**{name: "" for name in LOCALE}, **locale}
        return self.check(3, "extract", self.videos, "--model", self.model, "--out", self.folder / f"out{self.number}", *options, environment=environment)

    def is_chinese(self, text):
        self.assertRegex(text, r"(?m)^\[R0\] v00\.mp4 耗时 \d+\.\ds \| 初始化 \d+\.\ds \| 解码 \d+\.\ds \| 转换 \d+\.\ds \| 前向 \d+\.\ds \| 保存 \d+\.\d\ds \| clips=2$")
        self.assertRegex(text, r"(?m)^\[R0\] broken\.mp4 失败：")
        self.assertIn("个视频", text)

    def is_english(self, text):
        self.assertRegex(text, r"(?m)^\[R0\] v00\.mp4 \d+\.\ds \| init \d+\.\ds \| decode \d+\.\ds \| convert \d+\.\ds \| forward \d+\.\ds \| save \d+\.\d\ds \| clips=2$")
        self.assertRegex(text, r"(?m)^\[R0\] broken\.mp4 FAILED: ")
        self.assertRegex(text, r"(?m)^\[R0\] Model compiled with \w+ for faster inference$")

    def test_chinese(self):
        for locale in ({"LANG": "zh_CN.UTF-8"}, {"LC_ALL": "zh_CN.utf8"}, {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN"},
                       {"LANG": "en_US.UTF-8", "LANGUAGE": "xx:zh_CN:en"}):
            with self.subTest(locale=locale):
                self.is_chinese(self.extract(**locale).stdout)

    def test_chinese_by_gettext_itself(self):
        if not shutil.which("localedef") or not pathlib.Path("/usr/share/i18n/locales/zh_CN").exists():
            self.skipTest("no localedef with its sources here: gettext's own way is not tried (apt-get install locales)")
        subprocess.run(["localedef", "-i", "zh_CN", "-f", "UTF-8", self.folder / "zh_CN.UTF-8"], check=True, capture_output=True)
        installed = {"LANG": "zh_CN.UTF-8", "LOCPATH": str(self.folder), "ASAN_OPTIONS": "detect_leaks=0"}  # setlocale() keeps LOCPATH
        self.is_chinese(self.extract(**installed).stdout)
        self.is_english(self.extract(LANGUAGE="en:zh_CN", **installed).stdout)

    def test_english(self):
        for locale in ({}, {"LANG": "C"}, {"LANG": "C.UTF-8", "LANGUAGE": "zh_CN"}, {"LANG": "de_DE.UTF-8"}, {"LANG": "zh_CN.absent"},
                       {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"},
                       {"LANG": "zh_CN.UTF-8", "LANGUAGE": "en:zh_CN"}):
            with self.subTest(locale=locale):
                self.is_english(self.extract(**locale).stdout)

    def test_precision_is_named(self):
        self.assertNotIn("Enabled", self.extract("--dtype", "f32").stdout)
        text = self.extract("--backend", "reference", "--dtype", "f32").stdout
        self.assertNotIn("compiled", text)

    def test_json_lines(self):
        done = self.extract("--log-format", "json")
        lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
        for line in lines:
            self.assertLessEqual({"time", "level", "message"}, line.keys())
            datetime.datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
            self.assertIn(line["level"], ("info", "warning", "error"))
            self.assertNotIn("\x01", line["message"])
        events = {e: [line for line in lines if line.get("event") == e] for e in ("start", "video", "end")}
        self.assertEqual({e: len(found) for e, found in events.items()}, {"start": 1, "video": 3, "end": 1})
        self.assertEqual(sorted(v["status"] for v in events["video"]), ["failed", "ok", "ok"])
        self.assertEqual(events["end"][0]["failed"], 1)
        self.assertIn("FAILED", next(v["message"] for v in events["video"] if v["status"] == "failed"))

    def test_errors_are_json_lines_too(self):
        done = self.check(4, "extract", self.videos, "--model", self.folder / "none", "--out", self.folder / "x", "--log-format", "json")
        line = json.loads(done.stderr)
        self.assertEqual(line["level"], "error")
        self.assertIn("none", line["message"])

    def test_json_events_stay_apart(self):
        done = self.extract("--log-format", "json", "--json")
        for line in done.stdout.splitlines():
            self.assertIn("event", json.loads(line))
            self.assertNotIn("message", json.loads(line))
        for line in done.stderr.splitlines():
            self.assertIn("message", json.loads(line))


class Catalogue(unittest.TestCase):
    def marked(self):
        found = set()
        for path in (ROOT / "cli").glob("*.c"):
            for match in MARKED.finditer(path.read_text()):
                found.add("".join(ast.literal_eval(part) for part in re.findall(r'"(?:[^"\\]|\\.)*"', match[1])))
        return found

    def test_every_text_is_translated_and_no_other(self):
        for path in (ROOT / "po").glob("*.po"):
            self.assertEqual(set(read(path)) - {""}, self.marked(), path)

    def test_compiler_refuses_what_is_no_translation(self):
        compiler = ROOT / "scripts" / "compile_messages.py"
        header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n'
        for text, fault in ((header + 'msgid "%d of %s"\nmsgstr "%s of %d"\n', "directives"), (header + "msgid wrong\n", "can't be read"),
                            ('msgid "a"\nmsgstr "b"\n', "charset"), (header + 2 * 'msgid "a"\nmsgstr "b"\n', "twice")):
            with self.subTest(text=text):
                done = subprocess.run([sys.executable, "-B", compiler, "/dev/stdin", "/dev/null"], input=text, capture_output=True, text=True, env=ENVIRONMENT)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(fault, done.stderr)


if __name__ == "__main__":
    unittest.main()
