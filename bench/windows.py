#!/usr/bin/env python3
"""A video into windows of 16 frames of 224x224, floats from 0 to 1: tubelet beside the usual ways.

    windows.py [--strides 4,16] [--codecs h264,hevc,av1,vp9] [--seconds 60]

Window by window (what overlapping windows cost those who seek): the original's decord and torch, torchcodec. At stride 16, where
windows lie side by side: all of them reading on, PyAV, OpenCV, and ffmpeg decoding to nowhere, which makes no pixels at all. Needs
decord, torch, torchcodec, av, opencv-python-headless and numpy from PyPI, and the ffmpeg command.
"""
import subprocess
import sys

import measure
import original

CLIP, SIDE = 16, 224


def whole_windows(frames, stride):
    return (frames - CLIP) // stride + 1


def check(count, wanted):
    if count != wanted:
        raise RuntimeError(f"{count} windows instead of {wanted}")


def decord_run(a, path, stride, wanted):
    """The original script's way."""
    import decord
    import torch

    torch.set_num_threads(a.threads)

    def work():
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=a.threads)
        starts = original.starts_of(len(reader), stride)
        for start in starts:
            original.to_input(original.read_window(reader, start), SIDE)
        check(len(starts), wanted)

    return lambda: measure.clock(work)


def torchcodec_run(a, path, stride, wanted):
    import torch
    from torchcodec.decoders import VideoDecoder
    from torchvision.transforms import v2

    torch.set_num_threads(a.threads)

    def work():
        decoder = VideoDecoder(str(path), num_ffmpeg_threads=a.threads, seek_mode="approximate")
        starts = original.starts_of(len(decoder), stride)
        for start in starts:
            frames = decoder.get_frames_in_range(start, start + CLIP).data
            v2.functional.resize(frames, [SIDE, SIDE], antialias=False).float() / 255
        check(len(starts), wanted)

    return lambda: measure.clock(work)


def group(frames, wanted):
    """Turns frames of 224x224, uint8, into adjacent windows of floats."""
    import numpy as np

    window, count = [], 0
    for frame in frames:
        window.append(frame)
        if len(window) == CLIP:
            np.stack(window).transpose(0, 3, 1, 2).astype(np.float32) / 255
            window, count = [], count + 1
    check(count, wanted)


def av_run(a, path, stride, wanted):
    import av

    def work():
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_count, stream.thread_type = a.threads, "AUTO"
            group((f.reformat(SIDE, SIDE, "rgb24", interpolation="BILINEAR").to_ndarray() for f in container.decode(stream)), wanted)

    return lambda: measure.clock(work)


def opencv_run(a, path, stride, wanted):
    import cv2

    cv2.setNumThreads(a.threads)

    def frames():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, a.threads])
        while True:
            ok, frame = capture.read()
            if not ok:
                return
            yield cv2.cvtColor(cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2RGB)

    return lambda: measure.clock(lambda: group(frames(), wanted))


def ffmpeg_run(a, path):
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", str(a.threads), "-i", str(path), "-f", "null", "-"]
    return lambda: measure.clock(lambda: subprocess.run(command, check=True))


def run_case(a, codec, stride):
    path = measure.video(a, f"{codec}-480p-{a.seconds}s", codec, "854x480", a.seconds)
    wanted = whole_windows(30 * a.seconds, stride)
    peers = measure.Peers(a)
    peers.add("tubelet", lambda: measure.bench(a, "windows", "--video", path, "--stride", stride))
    peers.add("original (decord, torch)", decord_run, a, path, stride, wanted)
    peers.add("torchcodec", torchcodec_run, a, path, stride, wanted)
    if stride >= CLIP:
        peers.add("PyAV", av_run, a, path, stride, wanted)
        peers.add("OpenCV", opencv_run, a, path, stride, wanted)
        peers.add("ffmpeg -f null", ffmpeg_run, a, path)
    return measure.versus(f"{codec} 480p, {a.seconds} s, stride {stride}", peers.take_turns())


def main():
    p = measure.parser(__doc__, 3)
    p.add_argument("--strides", default="4,16")
    p.add_argument("--codecs", default="h264,hevc,av1,vp9", help="of stride 16; stride 4 is measured on h264")
    p.add_argument("--seconds", type=int, default=60, help="of video, 30 frames a second, a key frame every 250")
    a = measure.begin(p)
    if a.quick:
        a.seconds = 10
    if a.prepare:
        for codec in a.codecs.split(","):
            measure.video(a, f"{codec}-480p-{a.seconds}s", codec, "854x480", a.seconds)
        return
    measure.print_machine(a, "decord", "torchcodec", "av", "cv2")
    rows = []
    for stride in map(int, a.strides.split(",")):
        for codec in a.codecs.split(",") if stride >= CLIP else ["h264"]:
            rows += run_case(a, codec, stride)
    measure.print_table(measure.VERSUS, rows)


if __name__ == "__main__":
    main()
