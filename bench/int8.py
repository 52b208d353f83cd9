#!/usr/bin/env python3
"""The int8 forward (opt-in): tubelet's beside its own bfloat16 and OpenVINO's int8 as nncf makes it after training.

    int8.py [--model videomae:base]

Cosines are of the last hidden state against float32's, each of its own program, on the same noise. Needs torch, transformers,
openvino, nncf and numpy from PyPI.
"""
import subprocess
import sys

import forward
import measure


def quantized(a, name, model, pixels):
    """The path of an int8 IR, which is made only once."""
    import nncf
    import openvino
    import torch

    path = a.work / "openvino" / f"{name.replace(':', '-')}-int8.xml"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        converted = openvino.convert_model(forward.Hidden.of(model), example_input=pixels)
        converted.reshape({0: list(pixels.shape)})
        torch.manual_seed(1)
        samples = nncf.Dataset([torch.randn(pixels.shape).numpy() for _ in range(4)])
        small = nncf.quantize(converted, samples, model_type=nncf.ModelType.TRANSFORMER, subset_size=4)
        openvino.save_model(small, path, compress_to_fp16=False)
    return path


def openvino_request(a, path, dtype):
    import openvino

    core = openvino.Core()
    return core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": dtype, "PERFORMANCE_HINT": "LATENCY",
                                                            "INFERENCE_NUM_THREADS": a.threads}).create_infer_request()


def openvino_run(a, name, model, pixels, times, cosines):
    import torch

    x = pixels.numpy()
    request = openvino_request(a, quantized(a, name, model, pixels), "bf16")
    request.infer({0: x})
    ours = torch.from_numpy(request.get_output_tensor(0).data.copy()).double().flatten()
    with torch.inference_mode():
        exact = forward.Hidden.of(model)(pixels).double().flatten()
    cosines["openvino int8"] = float(torch.nn.functional.cosine_similarity(ours, exact, 0))
    return measure.median_of(times, lambda: request.infer({0: x}))


def main():
    p = measure.parser(__doc__)
    p.add_argument("--model", default="videomae:base")
    p.add_argument("--clips", type=int, default=1)
    p.add_argument("--times", type=int, default=3)
    a = measure.begin(p)
    measure.need("torch", "transformers")
    import torch

    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    folder = measure.checkpoint(a, a.model)
    model, shape = forward.load(folder)
    pixels, cosines = torch.randn(a.clips, *shape), {}
    peers = measure.Peers(a)
    peers.add("openvino int8", openvino_run, a, a.model, model, pixels, a.times, cosines)
    if a.prepare:
        return
    measure.print_machine(a, "torch", "openvino", "nncf")
    for dtype in ("bf16", "int8"):
        def ours():
            try:
                cosines[f"tubelet {dtype}"] = forward.compare(a, folder, model, shape, dtype)
            except subprocess.CalledProcessError as error:
                raise RuntimeError(f"tubelet embed --dtype {dtype} ended with {error.returncode}") from None
            return measure.bench(a, "forward", "--model", folder, "--dtype", dtype, "--clips", a.clips, "--size", f"{shape[-2]}x{shape[-1]}", "--threads",
                                 a.threads, "--repeat", a.times)

        peers.add(f"tubelet {dtype}", ours)
    if "tubelet int8" not in peers.runs:
        sys.exit("this build has no int8")
    taken = peers.take_turns()
    rows = []
    for name, seconds in taken.items():
        rows.append([name, measure.seconds_text(seconds, 1e3, "ms"), None if name == "tubelet int8" else measure.ratio(seconds, taken["tubelet int8"]),
                     f"{cosines[name]:.5f}"])
    measure.print_table([f"{a.model}, {a.clips} item", "median (min-max)", "peer / our int8", "cosine to float32"], rows)


if __name__ == "__main__":
    main()
