"""docs/presets.md equals what the table says; the table agrees with the consumers' configurations."""
import json, pathlib, unittest

from command_case import CommandCase

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "presets.md"

# From the configurations themselves: rate, window, stride, ActionFormer's num_frames, OpenTAD's offset_frames, C.
PUBLISHED = {
    "thumos/i3d": (None, 16, 4, 16, 8, 2048), "thumos/videomaev2-g": (None, 16, 4, 16, 8, 1408), "thumos/videomaev2-g-opentad": (None, 16, 4, 4, 2, 1408),
    "thumos/internvideo2-6b": (None, 16, 4, 16, 8, 3200), "thumos/internvideo1-h": (None, 16, 4, 16, 8, 1280), "multithumos/i3d": (None, 16, 4, 16, 8, 2048),
    "activitynet/tsp": (15, 16, 16, 16, 8, 512), "activitynet/i3d": (25, 16, 16, 16, 8, 2048), "activitynet/internvideo2-6b": (30, 16, 8, 16, 8, 3200),
    "activitynet/internvideo1-h": (None, 16, 16, 16, 8, 1280), "hacs/slowfast": (15, 32, 8, 32, 16, 2304), "hacs/videomaev2-g": (None, 16, 8, 16, 8, 1408),
    "hacs/internvideo2-6b": (30, 16, 8, 16, 8, 3200), "fineaction/internvideo1-h": (30, 16, 16, 16, 8, 1280), "fineaction/videomaev2-g": (None, 16, 16, 16, 8, 1408),
    "fineaction/internvideo2-1b": (30, 16, 4, 16, 8, 1408), "charades/videomae-l": (30, 16, 4, 4, 2, 1024), "charades/i3d-tridetplus": (None, 16, 4, 16, 8, 1024),
    "epic/slowfast": (30, 32, 16, 32, 16, 2304), "epic/internvideo2-1b": (30, 16, 8, 8, 4, 1408), "ego4d/slowfast": (30, 32, 16, 32, 16, 2304),
    "ego4d/omnivore-l": (30, 32, 16, 32, 16, 1536), "ego4d/egovlp": (30, 16, 16, 16, 8, 256), "ego4d/internvideo1-l": (30, 16, 8, 8, 4, 1024),
    "ego4d/internvideo2-1b": (30, 16, 8, 8, 4, 1408),
}


class Presets(CommandCase):
    def test_document_is_current(self):
        made = self.check(0, "presets", "--markdown").stdout
        self.assertTrue(made.startswith("# Presets\n"))
        self.assertEqual(DOCUMENT.read_text(), made, "docs/presets.md is stale: run make docs-presets and commit it")

    def test_numbers_are_the_published_ones(self):
        rows = {row["preset"]: row for row in map(json.loads, self.check(0, "presets", "--json").stdout.splitlines())}
        for name, expected in PUBLISHED.items():
            row = rows[name]
            self.assertEqual((row["fps"], row["clip_length"], row["stride"], row["num_frames"], row["offset_frames"], row["dim"]), expected, name)
        self.assertEqual(rows["epic/slowfast"]["key"], "feats")
        self.assertEqual((rows["charades/i3d-tridetplus"]["file_name"], rows["charades/i3d-tridetplus"]["key"]), ("{stem}-rgb", "feature"))
        self.assertEqual(rows["activitynet/tsp"]["file_name"], "v_{bare}")
        for name in ("thumos", "fineaction", "hacs", "charades"):
            self.assertEqual((rows[name]["transform"], rows[name]["align"], rows[name]["file_name"]), ("opentad", "valid", "{stem}"))

    def test_every_row_is_in_the_text(self):
        text = self.check(0, "presets").stdout
        for line in self.check(0, "presets", "--json").stdout.splitlines():
            row = json.loads(line)
            self.assertRegex(text, rf"(?m)^{row['preset']} ")
            self.assertIn(row["reference"], text)


if __name__ == "__main__":
    unittest.main()
