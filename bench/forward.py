#!/usr/bin/env python3
"""One warm forward: tubelet beside PyTorch (eager and compiled) and OpenVINO, on the same random checkpoint.

    forward.py [--models videomae:base,dinov2:small] [--dtypes f32,bf16]

Before anything is timed, the last hidden states of ours and of PyTorch in float32 are compared on the same pixels. Needs torch,
transformers, safetensors, numpy and openvino from PyPI.
"""
import json
import subprocess
import sys

import measure

MODELS = "videomae:small,videomae:base,dinov2:small,dinov2:base,onevision:base,siglip:base"


def load(folder):
    """Returns the network, the shape of its pixels for n items, and a function that takes the last hidden state from
    its output."""
    import torch
    from transformers import AutoConfig, AutoModel

    import onevision_torch

    name = json.loads((folder / "config.json").read_text())["model_type"]
    if name == "onevision_encoder":
        return onevision_torch.load(folder), (16, 3, 224, 224)
    config = AutoConfig.from_pretrained(folder)
    # The size that the family is used at; DINOv2's config says 518.
    size = 224
    frames = getattr(config, "num_frames", None)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    return model, ((frames,) if frames else ()) + (3, size, size)


class Hidden:
    """The last hidden state alone, whatever the network returns."""

    @staticmethod
    def of(model):
        import torch

        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, pixels):
                answer = self.model(pixels)
                return answer[0] if isinstance(answer, tuple) else answer.last_hidden_state

        return Module().eval()


def compare(a, folder, model, shape, dtype):
    """Cosine between our last hidden state and PyTorch's in float32, on noise."""
    import numpy as np
    import torch

    files = {name: a.work / f"{name}.npy" for name in ("frames", "tokens", "pixels", "feature")}
    count = shape[0] if len(shape) == 4 else 1
    frames = np.random.default_rng(0).integers(0, 256, (1, count, *shape[-2:], 3), dtype=np.uint8)
    np.save(files["frames"], frames)
    subprocess.run([a.tubelet, "embed", "--model", folder, "--frames", files["frames"], "--out", files["feature"], "--tokens", files["tokens"], "--pixels",
                    files["pixels"], "--dtype", dtype, "--size", f"{shape[-2]}x{shape[-1]}", "--threads", str(a.threads)], check=True, stdout=subprocess.DEVNULL)
    pixels = torch.from_numpy(np.load(files["pixels"]))
    with torch.inference_mode():
        theirs = Hidden.of(model)(pixels if len(shape) == 4 else pixels[:, 0]).double().flatten()
    ours = torch.from_numpy(np.load(files["tokens"])).double().flatten()
    return float(torch.nn.functional.cosine_similarity(ours, theirs, 0))


def torch_run(model, pixels, dtype, compiled, times):
    import copy

    import torch

    module, x = Hidden.of(model), pixels
    if dtype == "bf16":
        module, x = copy.deepcopy(module).to(torch.bfloat16), pixels.bfloat16()
    if compiled:
        module = torch.compile(module)

    def run():
        with torch.inference_mode():
            module(x)

    return measure.median_of(times, run)


def openvino_run(a, name, model, pixels, dtype, times):
    import openvino

    path = a.work / "openvino" / f"{name.replace(':', '-')}-{pixels.shape[0]}.xml"
    core = openvino.Core()
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        converted = openvino.convert_model(Hidden.of(model), example_input=pixels)
        converted.reshape({0: list(pixels.shape)})
        openvino.save_model(converted, path, compress_to_fp16=False)
    request = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": dtype, "PERFORMANCE_HINT": "LATENCY",
                                                               "INFERENCE_NUM_THREADS": a.threads}).create_infer_request()
    x = pixels.numpy()
    return measure.median_of(times, lambda: request.infer({0: x}))


def run_model(a, name, dtype):
    import torch

    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    torch._dynamo.reset()  # it counts compilations over all models, and gives up after eight
    folder = measure.checkpoint(a, name)
    model, shape = load(folder)
    clips = a.clips or (1 if len(shape) == 4 else 8)
    pixels = torch.randn(clips, *shape)
    cosine = compare(a, folder, model, shape, dtype)
    peers = measure.Peers(a)
    last = {}

    def ours():
        result = measure.tubelet(a, "bench", "--case", "forward", "--model", folder, "--dtype", dtype, "--clips", clips, "--size", f"{shape[-2]}x{shape[-1]}",
                                 "--threads", a.threads, "--repeat", a.times)
        last.update(result)
        last.setdefault("fractions", []).append(result.get("roof_fraction"))
        return result["seconds"]

    peers.add("tubelet", lambda: ours)
    peers.add("torch eager", torch_run, model, pixels, dtype, False, a.times)
    if not a.no_compile:
        peers.add("torch compiled", torch_run, model, pixels, dtype, True, a.times)
    peers.add("openvino", openvino_run, a, name, model, pixels, dtype, a.times)
    if a.prepare:
        return []
    last["fractions"] = []
    taken = peers.take_turns()
    rows = measure.versus(f"{name} {dtype}, {clips} item{'s' * (clips > 1)}", taken, 1e3, "ms")
    speed = last["flops"] / measure.spread(taken["tubelet"])[0] / 1e9
    fractions = [f for f in last["fractions"] if f]
    rows[0] += [f"{speed:.0f}", measure.spread(fractions) if fractions else None, f"{cosine:.6f}"]
    return rows


def main():
    p = measure.parser(__doc__)
    p.add_argument("--models", default=MODELS)
    p.add_argument("--dtypes", default="f32,bf16")
    p.add_argument("--clips", type=int, help="items of one forward (1 clip, or 8 frames of frame models)")
    p.add_argument("--times", type=int, default=3, help="forwards of a turn, of which the median counts (3)")
    p.add_argument("--no-compile", action="store_true", help="leave torch.compile out: it takes minutes to start")
    a = measure.begin(p)
    measure.need("torch", "transformers")  # our outputs are first compared with theirs
    if a.quick:
        a.times = 1
    if not a.prepare:
        measure.print_machine(a, "torch", "transformers", "openvino")
    rows = []
    for name in a.models.split(","):
        for dtype in a.dtypes.split(","):
            try:
                rows += run_model(a, name, dtype)
            except subprocess.CalledProcessError as error:
                print(f"{name} {dtype}: left out ({error})", file=sys.stderr)
    if not a.prepare:
        measure.print_table(measure.VERSUS + ["GFLOP/s", "of the roof", "cosine to torch f32"], [row + [None] * (7 - len(row)) for row in rows])


if __name__ == "__main__":
    main()
