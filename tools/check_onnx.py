#!/usr/bin/env python3
"""Compare an exported model as `tubelet` runs it with the same model in PyTorch.

  check_onnx.py [NAME | my_model.py]... [--tubelet build/tubelet] [--keep FOLDER] [--dtype f32 bf16]

Without a name: the built-in examples of export_onnx.py (videomae, dinov2, resnet, mc3). For a model of your own give the
Python file that export_onnx.py takes; it says there what to write into it.

Each model is exported to ONNX with a free batch, with a fixed batch of 3, and (where `openvino` is installed) saved as
OpenVINO IR. `tubelet embed` runs each on random frames; what entered the model (--pixels) goes through PyTorch in float32.
Compared are the feature and the tokens by relative L2 and the smallest cosine:

  f32   relative L2 below 1e-4
  bf16  relative L2 below 4e-2, cosine above 0.999

and the features of other batches, threads and neighbours byte by byte. One line a comparison; exits 1 if any failed.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch

import export_onnx

BOUNDS = {"f32": (1e-4, 0.99999), "bf16": (4e-2, 0.999), "f16": (4e-3, 0.9999)}


def relative(a, b):
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30))


def cosine(a, b):
    a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
    return float(np.min((a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))))


class Model:
    """One model, its frames, and what PyTorch computes from the pixels."""

    def __init__(self, name, seed):
        self.name = pathlib.Path(name).stem
        self.model = export_onnx.load(name, seed)
        shape = self.model["shape"]
        self.clips = len(shape) == 5
        self.channels_first = self.clips and shape[1] == 3 and shape[2] != 3
        self.length = 1 if not self.clips else shape[2] if self.channels_first else shape[1]
        height, width = shape[-2:]
        size = (7, self.length) if self.clips else (7,)
        self.frames = np.random.default_rng(seed).integers(0, 256, (*size, height + 17, width + 40, 3), dtype=np.uint8)

    def torch(self, pixels):
        """[N, (T,) 3, h, w] -> feature [N, D] and tokens [N, tokens, D], by `tubelet`'s rules."""
        x = torch.from_numpy(pixels)
        x = x.transpose(1, 2) if self.channels_first else x
        with torch.no_grad():
            out = self.model["module"](x)
        out = list(out.values()) if isinstance(out, dict) else [out] if torch.is_tensor(out) else list(out)
        named = dict(zip(self.model["outputs"], (tensor.double().numpy() for tensor in out)))
        row = next((named[n] for n in ("pooler_output", "image_embeds") if n in named), next(iter(named.values())))
        tokens = named.get("last_hidden_state", row) if row.ndim == 2 else row
        return self.pool(row), self.tokens(tokens)

    @staticmethod
    def tokens(x):
        return x[:, None] if x.ndim == 2 else x if x.ndim == 3 else np.moveaxis(x.reshape(*x.shape[:2], -1), 1, 2)

    def pool(self, x):
        return x if x.ndim == 2 else self.tokens(x).mean(1)


class Check:
    def __init__(self, tubelet, folder):
        self.tubelet, self.folder, self.failed = tubelet, folder, 0

    def say(self, label, text, good):
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {label:36} {text}", flush=True)

    def embed(self, model, path, frames, dtype, *more):
        """Arrays by name, or None after a message."""
        np.save(self.folder / "frames.npy", frames)
        out = {name: self.folder / f"{name}.npy" for name in ("feature", "tokens", "pixels")}
        triples = [option for name in ("mean", "std") for option in (f"--{name}", ",".join(map(str, model.model[name])))]
        run = subprocess.run(
            [self.tubelet, "embed", "--model", path, "--frames", self.folder / "frames.npy", "--out", out["feature"],
             "--tokens", out["tokens"], "--pixels", out["pixels"], "--dtype", dtype, *triples, *more],
            capture_output=True, text=True)
        if run.returncode:
            self.say(f"{model.name} {dtype}", f"exit {run.returncode}: {run.stderr.strip()}", False)
            return None
        return {name: np.load(file) for name, file in out.items()}

    def compare(self, model, path, dtype, label):
        got = self.embed(model, path, model.frames, dtype)
        if got is None:
            return
        feature, tokens = model.torch(got["pixels"])
        most, least = BOUNDS[dtype]
        for name, want in (("feature", feature), ("tokens", tokens)):
            have = got[name].astype(np.float64)
            if have.shape != want.shape:
                self.say(f"{label} {name}", f"shape {have.shape}, PyTorch's is {want.shape}", False)
                continue
            error, angle = relative(have, want), cosine(have, want)
            good = np.isfinite(have).all() and error < most and angle > least
            worst = float(np.abs(have - want).max())
            self.say(f"{label} {name}", f"rel-L2 {error:.2e}  max-abs {worst:.2e}  cosine {angle:.8f}", good)

    def same_bytes(self, model, path, dtype, label):
        first = self.embed(model, path, model.frames, dtype)
        order = [3, 0, 6, 6, 1]
        others = [self.embed(model, path, model.frames[order], dtype, *more)
                  for more in ((), ("--batch", "1"), ("--batch", "3", "--threads", "1"), ("--batch", "5"))]
        good = first is not None and all(
            other is not None and all(np.array_equal(first[n][order], other[n]) for n in ("feature", "tokens"))
            for other in others)
        self.say(f"{label} same bytes", "other order, batches of 1, 3 and 5, one thread", good)

    def model(self, name, dtypes, seed):
        model = Model(name, seed)
        paths = {}
        for label, batch in (("onnx", None), ("onnx batch 3", 3)):
            folder = self.folder / f"{model.name} {label}"
            export_onnx.export(model.model, folder, batch)
            paths[label] = folder
        try:
            import openvino
            paths["ir"] = self.folder / f"{model.name} ir" / "model.xml"
            openvino.save_model(openvino.Core().read_model(paths["onnx"] / "model.onnx"), paths["ir"],
                                compress_to_fp16=False)
        except ImportError:
            print(f"     {model.name} ir: skipped, no Python package openvino")
        for label, path in paths.items():
            for dtype in dtypes:
                self.compare(model, path, dtype, f"{model.name} {label} {dtype}")
                self.same_bytes(model, path, dtype, f"{model.name} {label} {dtype}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(export_onnx.EXAMPLES))
    parser.add_argument("--tubelet", default=pathlib.Path(__file__).parent.parent / "build/tubelet")
    parser.add_argument("--keep", type=pathlib.Path, help="leave the exports here")
    parser.add_argument("--dtype", nargs="+", default=["f32", "bf16"], choices=list(BOUNDS))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        check = Check(args.tubelet, folder)
        for name in args.names or export_onnx.EXAMPLES:
            check.model(name, args.dtype, args.seed)
    print(f"{check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
