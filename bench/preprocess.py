#!/usr/bin/env python3
"""One decoded frame (YUV 4:2:0) into a model's input, float32 [3, 224, 224] from 0 to 1: tubelet beside the usual ways.

    preprocess.py [--sizes 854x480,1920x1080,3840x2160]

Everybody starts from the same decoded frame and works with one thread, as each decoding thread of a run does. The original's way
is timed from the frame (swscale to RGB, then float, then torch's bilinear) and from ready RGB. Needs torch, torchvision, av,
opencv-python-headless and numpy from PyPI.
"""
import measure
import original

SIDE = 224


def decoded(path):
    import av

    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def repeated(work, least=0.05):
    """A run of enough repetitions to be timed; its seconds are those of one."""
    times = 1
    while measure.clock(lambda: [work() for _ in range(times)]) < least:
        times *= 2
    return lambda: measure.clock(lambda: [work() for _ in range(times)]) / times


def original_run(path):
    import torch

    torch.set_num_threads(1)
    frame = decoded(path)
    return repeated(lambda: original.to_input(frame.to_ndarray(format="rgb24")[None], SIDE))


def original_rgb_run(path):
    import torch

    torch.set_num_threads(1)
    rgb = decoded(path).to_ndarray(format="rgb24")[None]
    return repeated(lambda: original.to_input(rgb, SIDE))


def swscale_run(path):
    """One pass: scales while converting."""
    import numpy as np

    frame = decoded(path)

    def work():
        small = frame.reformat(SIDE, SIDE, "rgb24", interpolation="BILINEAR", threads=1).to_ndarray()
        return small.transpose(2, 0, 1).astype(np.float32) / 255

    return repeated(work)


def torchvision_run(path):
    import torch
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    frame = decoded(path)

    def work():
        rgb = torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)
        return v2.functional.resize(rgb, [SIDE, SIDE], antialias=True).float() / 255

    return repeated(work)


def opencv_run(path):
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    frame = decoded(path)

    def work():
        rgb = cv2.cvtColor(frame.to_ndarray(format="yuv420p"), cv2.COLOR_YUV2RGB_I420)
        return cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1).astype(np.float32) / 255

    return repeated(work)


def main():
    p = measure.parser(__doc__)
    p.add_argument("--sizes", default="854x480,1920x1080,3840x2160")
    a = measure.begin(p)
    if not a.prepare:
        measure.print_machine(a, "torch", "torchvision", "av", "cv2")
    rows = []
    for size in a.sizes.split(","):
        path = measure.video(a, f"frame-{size}", "h264", size, 1)
        if a.prepare:
            continue
        peers = measure.Peers(a)
        peers.add("tubelet", lambda: measure.bench(a, "preprocess", "--video", path, "--size", f"{SIDE}x{SIDE}"))
        peers.add("original (swscale, torch float)", original_run, path)
        peers.add("original from RGB (torch float)", original_rgb_run, path)
        peers.add("swscale in one pass", swscale_run, path)
        peers.add("torchvision uint8", torchvision_run, path)
        peers.add("OpenCV", opencv_run, path)
        rows += measure.versus(size, peers.take_turns(), 1e3, "ms")
    if not a.prepare:
        measure.print_table(measure.VERSUS, rows)


if __name__ == "__main__":
    main()
