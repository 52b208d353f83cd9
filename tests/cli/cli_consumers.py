"""What trainers compute from our configuration blocks: where they look for a file, and which second row i is at.

The formulas are OpenTAD's and ActionFormer's own, written down again here. The truth that they must match is in pixels:
a flash in a black video changes the rows whose windows contain it, and the seconds of these rows are around the
flash's.
"""
import ast, json, math, os, pathlib, re, subprocess, unittest

from array_files import load, rows
from command_case import CommandCase, encode, run

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "annotations"
FRAMES, RATE, FLASH = 300, 30, 4
PHASES = 4  # videos whose flashes are a quarter of a stride apart


def opentad(text):
    """The block as mmengine would run it."""
    names = {}
    exec(compile(text, "config", "exec"), {"dict": dict}, names)
    return names


def actionformer(text):
    """The block as yaml.safe_load would read it."""
    values, word = {}, {"null": None}
    for line in text.splitlines():
        found = re.fullmatch(r"  (\w+): (\"(?:[^\"\\]|\\.)*\"|\S+)(?:\s+#.*)?", line)
        if found:
            value = found[2]
            values[found[1]] = word[value] if value in word else ast.literal_eval(value)
    return values


# OpenTAD: LoadFeats, SlidingWindowDataset.__getitem__, convert_to_seconds.
def opentad_path(block, loader, video):
    return os.path.join(block["data_path"], f"{loader['prefix']}{video}{loader['suffix']}.{loader['feat_format']}")


def opentad_grid(block, second, fps):
    return (second * fps - int(block["offset_frames"])) / (block["feature_stride"] * block["sample_stride"])


def opentad_second(block, row, fps):
    return (row * block["feature_stride"] * block["sample_stride"] + int(block["offset_frames"])) / fps


# ActionFormer: the data sets' __getitem__, meta_archs.postprocessing.
def actionformer_path(block, video):
    return os.path.join(block["feat_folder"], (block["file_prefix"] or "") + video + block["file_ext"])


def actionformer_grid(block, second, fps):
    return (second * fps - 0.5 * block["num_frames"]) / block["feat_stride"]


def actionformer_second(block, row, fps):
    return (row * block["feat_stride"] + 0.5 * block["num_frames"]) / fps


def windows(preset, frames):
    """First and last frame of each row's window, from the definitions of the three alignments."""
    span = (preset["clip_length"] - 1) * preset["interval"] + 1
    stride, align = preset["stride"], preset["align"]
    if align == "center":
        begins = [centre - preset["clip_length"] // 2 * preset["interval"] for centre in range(stride // 2, frames, stride)] or [stride // 2]
    else:
        begins = list(range(0, frames - span + 1, stride)) or [0]
        if align == "backpad" and begins[-1] + span < frames:
            begins.append(frames - span)
    return [(begin, begin + span) for begin in begins]


class Consumers(CommandCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.make_model("dinov2:tiny")
        cls.presets = [json.loads(line) for line in run("presets", "--json").stdout.splitlines()]

    def flashes(self, stride, rate):
        """Videos whose flashes begin at these frames, a quarter of a stride (of frames at `rate`) apart."""
        folder = self.folder / f"flash-{stride}-{rate:g}"
        starts = [140 + round(k * stride * RATE / rate / PHASES) for k in range(PHASES)]
        if not folder.exists():
            folder.mkdir()
            for k, start in enumerate(starts):
                encode(folder / f"f{k}.mkv", f"color=black:size=32x32:rate={RATE},drawbox=color=white:t=fill:enable='between(n,{start},{start + FLASH - 1})'",
                       FRAMES, "-c:v", "ffv1")
        return folder, starts

    def blocks(self, out, *more):
        block = opentad(self.check(0, "consumer-config", "opentad", out, *more).stdout)
        return block, actionformer(self.check(0, "consumer-config", "actionformer", out, *more).stdout)

    def centre(self, path, key, second):
        """The mean time of the changed rows, weighted by how much each changed."""
        table = rows(path, key)
        weights = [math.dist(row, table[0]) for row in table]
        total = sum(weights)
        self.assertGreater(total, 0, path)
        return sum(weight * second(i) for i, weight in enumerate(weights)) / total

    def check_alignment(self, name, *options):
        out = self.folder / f"out-{name.replace('/', '-')}"
        settings = json.loads((out / "features.json").read_text())["settings"] if (out / "features.json").exists() else None
        self.assertIsNone(settings)
        stride, rate = self.stride_and_rate(options)
        videos, starts = self.flashes(stride, rate)
        self.check(0, "extract", videos, "--model", self.model, "--out", out, "--dtype", "f32", "--transform", "model", *options)
        block, yaml = self.blocks(out)
        features, loader, key = block["features"], block["load_feats"], json.loads((out / "features.json").read_text())["files"]["key"]
        self.assertEqual((features["fps"], yaml["default_fps"]), (rate, rate))
        self.assertEqual(features["block_list"], str(out) + "/missing_files.txt")
        errors = {"opentad": 0, "actionformer": 0}
        for k, start in enumerate(starts):
            truth = (start + FLASH / 2) / RATE
            path = opentad_path(features, loader, f"f{k}")
            self.assertEqual(path, actionformer_path(yaml, f"f{k}"))
            shape = load(path, key)[1]
            self.assertEqual((shape[-1], yaml["input_dim"]), (block["model"]["projection"]["in_channels"],) * 2)
            errors["opentad"] += (self.centre(path, key, lambda i: opentad_second(features, i, features["fps"])) - truth) / PHASES
            errors["actionformer"] += (self.centre(path, key, lambda i: actionformer_second(yaml, i, yaml["default_fps"])) - truth) / PHASES
            for second in (truth, 0.0, 7.3):  # there and back
                self.assertAlmostEqual(opentad_second(features, opentad_grid(features, second, rate), rate), second)
                self.assertAlmostEqual(actionformer_second(yaml, actionformer_grid(yaml, second, rate), rate), second)
                self.assertAlmostEqual(opentad_grid(features, second, rate), actionformer_grid(yaml, second, rate))
        for consumer, error in errors.items():
            self.assertLess(abs(error) * rate, 2.1, f"{name}: {consumer} is off by {error * rate:.2f} frames")
        return features, yaml

    def stride_and_rate(self, options):
        if options[0] == "--preset":
            row = next(p for p in self.presets if p["preset"] == options[1])
            return row["stride"], float(row["fps"] or RATE)
        words = dict(zip(options[::2], options[1::2]))
        return int(words.get("--stride", 4)), float(words.get("--fps", RATE))

    def test_every_preset(self):
        for preset in self.presets:
            with self.subTest(preset=preset["preset"]):
                features, yaml = self.check_alignment(preset["preset"], "--preset", preset["preset"])
                self.assertEqual((features["feature_stride"], features["offset_frames"]), (preset["stride"], preset["offset_frames"]))
                self.assertEqual((yaml["feat_stride"], yaml["num_frames"]), (preset["stride"], preset["num_frames"]))
                for line in (pathlib.Path(features["data_path"]) / "manifest.jsonl").read_text().splitlines():
                    told = json.loads(line)
                    self.assertEqual(told["T"], len(windows(preset, told["frames_used"])))

    def test_every_alignment(self):
        for align in ("valid", "center", "backpad"):
            for stride in ("1", "3", "8"):
                with self.subTest(align=align, stride=stride):
                    self.check_alignment(f"{align}-{stride}", "--align", align, "--stride", stride, "--clip-length", "8")
        self.check_alignment("resampled", "--align", "center", "--fps", "12", "--stride", "2", "--clip-length", "6")
        self.check_alignment("spread", "--interval", "3", "--stride", "4", "--clip-length", "6")

    def test_the_mistake_to_avoid_would_be_seen(self):
        """Valid windows read with the offset of centered ones, as published for Charades: six frames off."""
        out = self.folder / "out-thumos"
        if not out.exists():
            self.check_alignment("thumos", "--preset", "thumos")
        videos, starts = self.flashes(4, 30.0)
        wrong = {"feature_stride": 4, "sample_stride": 1, "offset_frames": 2}
        error = sum(self.centre(out / f"f{k}.npy", None, lambda i: opentad_second(wrong, i, 30)) - (start + FLASH / 2) / RATE for k, start in enumerate(starts))
        self.assertAlmostEqual(error / PHASES * 30, -6, delta=1)

    def test_no_suffix_stands_twice(self):
        """video-mamba-suite's loaders put `feature_type` between the id and `file_ext`, which already contains it."""
        videos, _ = self.flashes(4, 30.0)
        for preset, told in (("thumos/internvideo2-6b", True), ("thumos/i3d", False)):
            out = self.folder / f"suffix-{told}"
            self.check(0, "extract", videos, "--model", self.model, "--out", out, "--preset", preset)
            text = self.check(0, "consumer-config", "actionformer", out).stdout
            self.assertEqual('feature_type: ""' in text, told, text)
            self.assertIn("# Data sets that resize", self.check(0, "consumer-config", "opentad", out).stdout)

    def test_annotation_files_find_their_features(self):
        """Every id of real annotation files, and every end of its segments, is in the row whose window is there."""
        for source in ("sitreach_label.json", "opentad_inference_annotation_cjk.json"):
            database = json.loads((DATA / source).read_text())["database"]
            videos = self.folder / f"videos-{source[:4]}"
            videos.mkdir()
            ids = list(database)[:6]
            for video in ids:
                encode(videos / f"v_{video}.mkv", f"testsrc2=size=32x32:rate={RATE}", min(round(database[video]["duration"] * RATE), 120), "-c:v", "mpeg4")
            out = self.folder / f"out-{source[:4]}"
            self.check(0, "extract", videos, "--model", self.model, "--out", out, "--dtype", "f32", "--annotations", DATA / source)
            block, yaml = self.blocks(out, "--annotations", DATA / source)
            self.assertEqual((block["load_feats"]["prefix"], yaml["file_prefix"], block["annotation_path"]), ("v_", "v_", str(DATA / source)))
            missing = (out / "missing_files.txt").read_text().splitlines()
            self.assertEqual(missing, [video for video in database if video not in ids])
            for video in ids:
                table = rows(opentad_path(block["features"], block["load_feats"], video))
                self.assertEqual(table, rows(actionformer_path(yaml, video)))
                for second in [end for action in database[video]["annotations"] for end in action["segment"]]:
                    row = round(actionformer_grid(yaml, second, RATE))
                    window = (row * 4, row * 4 + 16)    # valid, 16 frames, stride 4
                    self.assertLessEqual(abs(sum(window) / 2 - second * RATE), 2)

    def test_every_preset_on_annotation_files(self):
        """For each video of real annotations: each row's second is its window's middle, and each segment's ends are in
        the rows."""
        for source in ("sitreach_label.json", "opentad_inference_annotation_cjk.json"):
            for video, facts in json.loads((DATA / source).read_text())["database"].items():
                for preset in self.presets:
                    with self.subTest(source=source, video=video, preset=preset["preset"]):
                        self.check_video(preset, facts)

    def check_video(self, preset, facts):
        fps = preset["fps"] or facts.get("fps") or facts["frame"] / facts["duration"]
        frames = round(facts["duration"] * fps)
        block = {"feature_stride": preset["stride"], "sample_stride": 1, "offset_frames": preset["offset_frames"]}
        yaml = {"feat_stride": preset["stride"], "num_frames": preset["num_frames"]}
        table = windows(preset, frames)
        # The part of a centered window beyond its middle, which no published offset takes into account.
        apart = (preset["interval"] - 1) / 2 if preset["align"] == "center" else 0
        for row, (begin, end) in enumerate(table):
            on_grid = preset["align"] != "backpad" or begin == row * preset["stride"]
            for second in (opentad_second(block, row, fps), actionformer_second(yaml, row, fps)):
                self.assertLessEqual(abs(second * fps - (begin + end) / 2), apart + 1e-6 if on_grid else preset["stride"])
        for action in facts["annotations"]:
            for second in map(float, action["segment"]):
                row = opentad_grid(block, second, fps)
                self.assertAlmostEqual(row, actionformer_grid(yaml, second, fps))
                nearest = min(max(round(row), 0), len(table) - 1)
                if 0 <= row <= len(table) - 1:
                    begin, end = table[nearest]
                    self.assertLessEqual(abs((begin + end) / 2 - second * fps), preset["stride"] / 2 + apart + (preset["stride"] if preset["align"] == "backpad" else 0))

    def test_splits_and_keys(self):
        database = {"b0": {"subset": "training", "duration": 1, "annotations": []}, "b1": {"subset": "validation", "duration": 1, "annotations": []}}
        annotations = self.folder / "splits.json"
        annotations.write_text(json.dumps({"database": database}))
        videos = self.folder / "splits"
        videos.mkdir()
        for video in database:
            encode(videos / f"{video}.mkv", "testsrc2=size=32x32:rate=25", 24, "-c:v", "mpeg4")
        out = self.folder / "out-splits"
        self.check(0, "extract", videos, "--model", self.model, "--out", out, "--annotations", annotations, "--file-name", "{split}/v_{bare}_x", "--file-key", "feature")
        self.assertIn("annotations must tell", self.check(2, "consumer-config", "opentad", out).stderr)
        text = self.check(0, "consumer-config", "opentad", out, "--annotations", annotations).stdout
        block = opentad(text)
        self.assertIn("`feature`", text)
        for split, video in (("training", "b0"), ("validation", "b1")):
            path = opentad_path(block["features"], block[f"load_feats_{split}"], video)
            self.assertEqual(load(path, "feature")[1][0], 1)
        text = self.check(0, "consumer-config", "actionformer", out, "--annotations", annotations).stdout
        keys = re.findall(r"(?m)^  (\w+):", text)
        self.assertEqual(sorted(keys), sorted(set(keys))) # a reader would take the last of two equal keys
        self.assertEqual(load(actionformer_path(actionformer(text), "b0"), "feature")[1][0], 1)
        self.assertIn('# of the split validation, in a configuration of its own:\n  # file_prefix: "validation/v_"', text)
        facts = json.loads(self.check(0, "consumer-config", "opentad", out, "--annotations", annotations, "--json").stdout)
        self.assertEqual([name["prefix"] for name in facts["names"]], ["training/v_", "validation/v_"])
        self.assertEqual((facts["key"], facts["container"]), ("feature", "npz"))

    def test_annotations_are_what_is_trained_with(self):
        """Named from one folder, read in another; OpenTAD's base configurations give the data sets another file unless
        told."""
        videos, out, anno = self.make_videos("named", (30,)), self.folder / "out-named", self.folder / "named.json"
        anno.write_text(json.dumps({"database": {p.stem: {"subset": "training", "duration": 1.2, "annotations": []} for p in videos.iterdir()}}))
        self.check(0, "extract", videos, "--model", self.model, "--out", out)
        block, yaml = self.blocks(out, "--annotations", os.path.relpath(anno))
        self.assertEqual([block["dataset"][split]["ann_file"] for split in ("train", "val", "test")], [str(anno)] * 3)
        self.assertEqual((block["evaluation"]["ground_truth_filename"], yaml["json_file"]), (str(anno), str(anno)))

    def test_rates_that_differ_are_left_to_the_annotations(self):
        videos = self.make_videos("rates", (30, 30))
        out = self.folder / "out-rates"
        self.check(0, "extract", videos, "--model", self.model, "--out", out)
        block, yaml = self.blocks(out)
        self.assertNotIn("fps", block["features"])
        self.assertIsNone(yaml["default_fps"])
        # For rows that tile the duration, the loader needs a rate. Annotations of ActivityNet have none, and any rate
        # will do.
        self.check(0, "resample", out, self.folder / "out-rates-8", "--length", "8")
        text = self.check(0, "consumer-config", "actionformer", self.folder / "out-rates-8").stdout
        self.assertGreater(actionformer(text)["default_fps"], 0)
        self.assertIn("loaders `anet` and `hacs`", text)

    def test_a_rate_that_counts_empty_packets(self):
        """An AVI file made by stream copy states twice its rate: rows would be at half of their second."""
        videos, out = self.folder / "copied", self.folder / "out-copied"
        videos.mkdir()
        encode(self.folder / "whole.mp4", "testsrc2=size=64x48:rate=25", 60, "-c:v", "mpeg4", "-bf", "2")
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", self.folder / "whole.mp4", "-c", "copy", videos / "v.avi"], check=True)
        stated = int(re.search(r"(\d+) frames/s", self.check(0, "probe", videos / "v.avi").stdout).group(1))
        self.assertIn(stated, (50, 600)) # ffmpeg 5.1, 7.1
        self.check(0, "extract", videos, "--model", self.model, "--out", out)
        line = json.loads((out / "manifest.jsonl").read_text())
        self.assertEqual((line["frames"], line["fps"], line["fps_native"]), (60, 25, stated))
        block, yaml = self.blocks(out)
        self.assertEqual((block["features"]["fps"], yaml["default_fps"]), (25, 25))

    def test_a_rate_that_frames_were_left_out_of(self):
        """Matroska states 25 for a video with two of three frames left out: rows would be before their second."""
        videos, out = self.folder / "left-out", self.folder / "out-left-out"
        videos.mkdir()
        encode(self.folder / "all.mp4", "testsrc2=size=64x48:rate=25", 180, "-c:v", "mpeg4", "-g", "1")
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", self.folder / "all.mp4", "-c", "copy", "-bsf:v", "noise=drop=mod(n\\,3)", videos / "v.mkv"], check=True)
        self.assertIn("25 frames/s", self.check(0, "probe", videos / "v.mkv").stdout)
        self.check(0, "extract", videos, "--model", self.model, "--out", out)
        line = json.loads((out / "manifest.jsonl").read_text())
        self.assertEqual((line["frames"], line["fps_native"]), (60, 25))
        self.assertAlmostEqual(line["fps"], 25 / 3, delta=0.01)
        block, yaml = self.blocks(out)
        self.assertAlmostEqual(block["features"]["fps"], 25 / 3, delta=0.01)
        self.assertEqual(yaml["default_fps"], block["features"]["fps"])

    def test_refusals(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.assertIn("features.json", self.check(2, "consumer-config", "opentad", empty).stderr)
        self.assertIn("known are: opentad, actionformer", self.check(2, "consumer-config", "detectron", empty).stderr)


if __name__ == "__main__":
    unittest.main()
