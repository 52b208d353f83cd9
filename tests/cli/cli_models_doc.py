"""docs/models.md equals what the tables say, and the tables agree with the checkpoints."""
import json, math, pathlib, unittest

from command_case import CommandCase, read_safetensors

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "models.md"


class Document(CommandCase):
    def test_it_is_current(self):
        made = self.check(0, "models", "--markdown").stdout
        self.assertTrue(made.startswith("# Models\n"))
        self.assertEqual(DOCUMENT.read_text(), made, "docs/models.md is stale: run make docs-models and commit it")


class Tables(CommandCase):
    def test_sizes_agree_with_checkpoints(self):
        for line in self.check(0, "models", "--json").stdout.splitlines():
            family = json.loads(line)
            sizes = {size["size"]: size for size in family["published"]}
            self.assertEqual(list(sizes), family["sizes"].split(","), family["family"])
            tiny = sizes["tiny"]
            folder = self.make_model(f"{family['family']}:tiny")
            tensors, _ = read_safetensors(folder / "model.safetensors")
            info = json.loads(self.check(0, "info", folder, "--json").stdout)
            self.assertEqual(tiny["parameters"], sum(math.prod(t["shape"]) for t in tensors.values()), family["family"])
            self.assertEqual(info["family"], family["family"])
            self.assertEqual(info["size"], "tiny", family["family"])
            self.assertEqual(info["per_frame"], family["per_frame"])
            for key in ("parameters", "dim", "hidden", "layers", "heads", "mlp", "patch"):
                self.assertEqual(info[key], tiny[key], f"{family['family']}: {key}")

    def test_every_family_is_in_the_text(self):
        text = self.check(0, "models").stdout
        for line in self.check(0, "models", "--json").stdout.splitlines():
            self.assertRegex(text, rf"(?m)^{json.loads(line)['family']} ")


if __name__ == "__main__":
    unittest.main()
