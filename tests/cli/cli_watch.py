"""Watching an extraction: trace, metrics, JSON lines, the report."""
import json, os, re, shutil, socket, subprocess, threading, time, unittest, urllib.error, urllib.request

from command_case import ENVIRONMENT, TUBELET, CommandCase, run

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (-?[0-9.]+(?:e[-+]?[0-9]+)?)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')


def parse_metrics(text):
    """Parses Prometheus's text format strictly: {name: {labels: value}}. Every sample comes after its HELP and TYPE."""
    found, types = {}, {}
    assert text.endswith("\n")
    name = None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in types, f"{name} twice"
            assert line.split(" ", 3)[3]
        elif line.startswith("# TYPE "):
            _, _, again, kind = line.split(" ")
            assert again == name and kind in ("counter", "gauge"), line
            assert (kind == "counter") == name.endswith("_total"), line
            types[name] = kind
        else:
            match = SAMPLE.match(line)
            assert match, f"no sample: {line!r}"
            assert match[1] == name and name in types, line
            labels = LABEL.findall(match[2])
            key = tuple(sorted(labels))
            assert key not in found.setdefault(name, {}), f"twice: {line}"
            found[name][key] = float(match[3])
    return found


def value(metrics, metric, **labels):
    """The only sample whose labels include these."""
    hits = [v for key, v in metrics["tubelet_" + metric].items() if set(labels.items()) <= set(key)]
    assert len(hits) == 1, (metric, labels, metrics["tubelet_" + metric])
    return hits[0]


def check_nesting(case, events):
    """Of one thread, two spans don't overlap, or one contains the other."""
    by_thread = {}
    for e in events:
        if e["ph"] == "X":
            by_thread.setdefault(e["tid"], []).append(e)
    for spans in by_thread.values():
        spans.sort(key=lambda e: (e["ts"], -e["dur"]))
        open_ends = []
        for e in spans:
            while open_ends and open_ends[-1] <= e["ts"] + .002:
                open_ends.pop()
            case.assertTrue(not open_ends or e["ts"] + e["dur"] <= open_ends[-1] + .002, e)
            open_ends.append(e["ts"] + e["dur"])
    return by_thread


class Watch(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.videos = cls.make_videos("videos", [20, 33, 61])
        (cls.videos / "broken.mp4").write_bytes(b"")
        cls.model = cls.make_model("videomae:tiny")

    def extract(self, name, *options, code=3, **more):
        return self.check(code, "extract", self.videos, "--model", self.model, "--out", self.folder / name, *options, **more)

    def test_trace(self):
        path = self.folder / "run.json"
        self.extract("traced", "--trace", path, "--decode-threads", "2")
        trace = json.loads(path.read_text())
        events = trace["traceEvents"]
        names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
        self.assertEqual(sorted(names.values()), ["decode", "decode", "device", "write"])
        by_thread = check_nesting(self, events)
        stages = {}
        for thread, spans in by_thread.items():
            stages.setdefault(names[thread], set()).update(e["name"] for e in spans)
        self.assertLessEqual({"video", "open", "decode", "convert"}, stages["decode"])
        self.assertIn("forward", stages["device"])
        self.assertIn("finish video", stages["write"])
        rows = sum(e["args"]["value"] for e in events if e["name"] == "forward")
        self.assertEqual(rows, 2 + 5 + 12)
        videos = [e["args"]["detail"] for e in events if e["name"] == "video"]
        self.assertEqual(len(videos), 4)
        self.assertEqual(trace["otherData"]["dropped"], 0)

    def test_metrics_file(self):
        path = self.folder / "run.prom"
        self.extract("metered", "--metrics-file", path)
        metrics = parse_metrics(path.read_text())
        self.assertEqual(value(metrics, "videos", state="ok"), 3)
        self.assertEqual(value(metrics, "videos", state="failed"), 1)
        self.assertEqual(value(metrics, "videos", state="pending"), 0)
        self.assertEqual(value(metrics, "rows_total"), 2 + 5 + 12)
        self.assertEqual(value(metrics, "frames_decoded_total"), 20 + 33 + 61)
        self.assertEqual(value(metrics, "frames_left_out_total"), 0)
        self.assertEqual(value(metrics, "run_finished"), 1)
        self.assertEqual(value(metrics, "run_info", family="videomae", rank="0"), 1)
        self.assertGreater(value(metrics, "stage_seconds_total", stage="forward"), 0)
        self.assertGreater(value(metrics, "cpu_seconds_total"), 0)
        stages = {stage: value(metrics, "stage_cpu_seconds_total", stage=stage) for stage in ("decode", "convert", "forward", "other")}
        self.assertTrue(all(stages.values()), stages)
        self.assertAlmostEqual(sum(stages.values()), value(metrics, "cpu_seconds_total"), places=3)
        self.assertEqual(value(metrics, "queue_depth", queue="clips"), 0)
        self.assertEqual([p.name for p in self.folder.glob("*.tmp")], [])

    def test_metrics_over_http(self):
        process = subprocess.Popen([TUBELET, "extract", str(self.videos), "--model", str(self.model), "--out", str(self.folder / "http"),
                                    "--metrics-port", "0", "--backend", "reference", "--dtype", "f32", "--stride", "1"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stderr.close)
        url = re.search(r"http://127\.0\.0\.1:\d+/metrics", process.stderr.readline())
        self.assertTrue(url)
        seen = {}
        try:
            for _ in range(400):
                text = urllib.request.urlopen(url[0], timeout=5).read().decode()
                if text:
                    seen = parse_metrics(text)
                    break
                time.sleep(.01)
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(url[0] + "x", timeout=5)
            self.assertEqual(refused.exception.code, 404)
            refused.exception.close()
        except (ConnectionError, urllib.error.URLError):
            self.assertIsNotNone(process.wait(timeout=60))  # it had finished
        self.assertIn("tubelet_queue_depth", seen)

    @unittest.skipUnless(os.environ.get("FAKE_GPU"), "the build's fake GPU isn't named")
    def test_gpus_are_watched(self):
        prom, record = self.folder / "gpu.prom", self.folder / "gpu.json"
        fakes = {"TUBELET_CUDA_PLUGIN": os.environ["FAKE_GPU"], "TUBELET_NO_AUTOTUNE": "1", "LD_LIBRARY_PATH": os.environ["FAKES"],
                 "CUDA_VISIBLE_DEVICES": "3"}
        self.extract("gpu", "--device", "cuda:0", "--metrics-file", prom, "--report", record, environment=fakes)
        metrics = parse_metrics(prom.read_text())
        labels = {"gpu": "0", "name": '"Fake \\"H100\\""'[1:-1]}
        self.assertEqual(value(metrics, "gpu_utilization_ratio", **labels), .87)
        self.assertEqual(value(metrics, "gpu_power_watts", **labels), 412.5)
        self.assertEqual(value(metrics, "gpu_clock_hertz", **labels), 1755e6)
        self.assertEqual(value(metrics, "gpu_memory_used_bytes", **labels), 30 << 30)
        self.assertNotIn("tubelet_gpu_temperature_celsius", metrics)
        samples = json.loads(record.read_text())["samples"]
        self.assertEqual(set(samples["gpu_use"]), {.87})
        self.assertEqual(set(samples["gpu_power"]), {412.5})

    def test_files_that_cannot_be_written_are_refused_before_the_run(self):
        for option in ("--trace", "--metrics-file", "--report"):
            for path in (self.folder / "nowhere" / "x.html", self.folder, self.folder / ("x" * 255)):
                with self.subTest(option=option, path=path):
                    done = self.extract("refused", option, path, code=5)
                    self.assertIn(option, done.stderr)
        self.assertFalse((self.folder / "refused").exists())

    def test_files_in_the_folder_that_the_run_makes(self):
        out = self.folder / "with-report"
        self.extract("with-report", "--report", f"{out}/run.html", "--metrics-file", f"{out}/run.prom", "--trace", f"{out}//trace.json")
        self.assertEqual({p.name for p in out.iterdir()} & {"run.html", "run.prom", "trace.json"}, {"run.html", "run.prom", "trace.json"})
        self.extract("with-report", "--report", out / "deeper" / "run.html", code=5)

    def test_ports_that_cannot_be_had(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assertIn(str(port), self.extract("refused", "--metrics-port", port, code=2).stderr)
        for wrong in ("http", "70000", "localhost:", ":80"):
            self.assertIn("--metrics-port", self.extract("refused", "--metrics-port", wrong, code=2).stderr)

    def test_interrupted_runs_are_reported_too(self):
        path = self.folder / "half.json"
        process = subprocess.Popen([TUBELET, "extract", str(self.videos), "--model", str(self.model), "--out", str(self.folder / "half"), "--stride", "1",
                                    "--backend", "reference", "--dtype", "f32", "--report", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   text=True, env=ENVIRONMENT)
        for line in process.stdout:
            if "to do" in line:
                break
        process.terminate()
        process.communicate()
        if process.returncode == 143:
            record = json.loads(path.read_text())
            self.assertEqual(record["status"], "cancelled")
            self.assertGreater(record["totals"]["pending"], 0)


class Report(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.videos = cls.make_videos("videos", [20, 33, 200])
        (cls.videos / "broken <b>&.mp4").write_bytes(b"")
        cls.model = cls.make_model("videomae:tiny")
        for name, options in (("a.html", ["--dtype", "f32"]), ("b.json", [])):
            done = run("extract", cls.videos, "--model", cls.model, "--out", cls.folder / f"{name[0]}<" / "script>", "--stride", "1", "--report", cls.folder / name, *options)
            assert done.returncode == 3, done.stderr
        done = run("report", cls.folder / "a.html", cls.folder / "b.json", "--out", cls.folder / "both.html")
        assert done.returncode == 0, done.stderr

    def runs(self, name):
        text = (self.folder / name).read_text()
        return json.loads(text.split('id="runs">')[1].split("</script>")[0])

    def test_record(self):
        run = json.loads((self.folder / "b.json").read_text())
        self.assertEqual(run["kind"], "tubelet run")
        self.assertEqual((run["totals"]["ok"], run["totals"]["failed"]), (3, 1))
        self.assertEqual(run["totals"]["frames"], 253)
        self.assertEqual(run["failures"][0]["name"], "broken <b>&.mp4")
        self.assertEqual({(f["codec"], f["width"], f["height"]) for f in run["formats"]}, {("mpeg4", 96, 64), ("mpeg4", 80, 60), ("mpeg2video", 64, 96)})
        self.assertEqual(sorted(v["name"] for v in run["slowest"]), ["v00.mp4", "v01.mkv", "v02.avi"])
        lengths = {len(column) for column in run["samples"].values()}
        self.assertEqual(len(lengths), 1)
        self.assertEqual(run["samples"]["t"], sorted(run["samples"]["t"]))
        self.assertEqual(run["samples"]["rows"][-1], run["totals"]["rows"])
        waits = sum(run["totals"][f"idle_{k}"] for k in "start open decode convert input".split())
        self.assertAlmostEqual(waits, run["totals"]["device_wait"], places=5)
        self.assertRegex(run["advice"], r"^device (idle|busy) \d+ %: ")
        self.assertAlmostEqual(sum(run["totals"][f"{k}_cpu"] for k in ("decode", "convert", "forward", "other")), run["totals"]["cpu"], places=3)
        self.assertGreater(run["samples"]["convert_cpu"][-1], 0)

    def test_pages_hold_their_runs(self):
        self.assertEqual([r["model"]["dtype"] for r in self.runs("a.html")], ["f32"])
        self.assertEqual(len(self.runs("both.html")), 2)
        self.assertEqual(self.runs("both.html")[0], self.runs("a.html")[0])

    def test_pages_are_self_contained(self):
        for name in ("a.html", "both.html"):
            text = (self.folder / name).read_text()
            self.assertNotIn("@DATA@", text)
            self.assertEqual(text.count("</script>"), 2)     # "...<" "/script>" in a path doesn't end a script
            links = set(re.findall(r"https?://[^\"' )]+", text)) - {"http://www.w3.org/2000/svg"}
            self.assertEqual(links, set())
            self.assertIsNone(re.search(r"<link|<img|@import|url\(|\bsrc=|fetch\(|XMLHttpRequest", text))
            self.assertIn("default-src 'none'", text)

    def test_what_is_no_report_is_refused(self):
        other = self.folder / "other.json"
        other.write_text('{"kind": "tubelet run", "schema": 1}')
        for path in (other, self.folder / "a.html" / "x", self.videos / "v00.mp4"):
            self.assertIn(path.name, self.check(2, "report", path, "--out", self.folder / "x.html").stderr)
        self.assertFalse((self.folder / "x.html").exists())
        self.check(2, "report", self.folder / "b.json")
        self.check(5, "report", self.folder / "b.json", "--out", self.folder / "no" / "x.html")

    def chromium(self, url, *options):
        browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not browser:
            self.skipTest("no chromium here: the page is not looked at (apt-get install chromium)")
        return subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={self.folder / 'profile'}",
                               "--enable-logging=stderr", "--dump-dom", *options, url], capture_output=True, text=True, timeout=120)

    def browse(self, name, *options):
        """(the page's DOM after its script, what the console shows)"""
        done = self.chromium((self.folder / name).as_uri(), *options)
        if done.returncode != 0 and self.chromium("about:blank").returncode != 0:
            self.skipTest("chromium doesn't start here: the page is not looked at")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    def test_pages_in_a_browser(self):
        for name in ("a.html", "both.html"):
            for options in ([], ["--window-size=390,844"], ["--blink-settings=preferredColorScheme=0"]):
                with self.subTest(name=name, options=options):
                    dom, console = self.browse(name, *options)
                    self.assertEqual(console, [])
                    plots = re.search(r'<html[^>]* data-plots="(\d+)"', dom)
                    self.assertTrue(plots, "the page's script didn't come to its end")
                    self.assertGreaterEqual(int(plots[1]), 13)
                    curves = re.findall(r'<path class="curve" d="(M[^"]+)"', dom)
                    self.assertGreaterEqual(len(curves), 9)
                    self.assertFalse([c for c in curves if "NaN" in c or "Infinity" in c])
                    self.assertIn("broken &lt;b&gt;&amp;.mp4", dom)

    def test_pages_fit_a_phone(self):
        page = (self.folder / "a.html").read_text()
        check = "<script>document.documentElement.dataset.overflow = document.documentElement.scrollWidth - innerWidth;</script>"
        (self.folder / "phone.html").write_text(page.replace("</body>", check + "</body>"))
        dom, _ = self.browse("phone.html", "--window-size=500,900")   # headless windows have a minimum width
        overflow = re.search(r'data-overflow="(-?\d+)"', dom)
        self.assertLessEqual(int(overflow[1]), 0)


if __name__ == "__main__":
    unittest.main()
