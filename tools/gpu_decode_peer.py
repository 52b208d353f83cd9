#!/usr/bin/env python3
"""Videos through torchcodec into a checkpoint of VideoMAE, 16 frames at a time, one window behind the other.

    gpu_decode_peer.py MODEL VIDEOS [--decode-on cpu|cuda] [--threads N] [--batch 64]

N threads have a video each; a window is decoded, brought to the GPU, resized, cropped and normalised there (torchvision v2), and
batches go through the model in float16 autocast. With `--decode-on cuda` NVDEC decodes. Prints a line: clips, seconds without
opening the model. Needs torch, transformers, torchvision and torchcodec; without CUDA the processor computes, to try it out.
"""
import argparse
import concurrent.futures
import pathlib
import queue
import time

import torch
from torchcodec.decoders import VideoDecoder
from torchvision.transforms.v2 import functional
from transformers import AutoModel

CLIP, SIDE = 16, 224
DEVICE, NARROW = ("cuda", torch.float16) if torch.cuda.is_available() else ("cpu", torch.bfloat16)


def to_clip(frames):
    """uint8 [T, 3, H, W] -> [T, 3, 224, 224]."""
    frames = functional.resize(frames.to(DEVICE, non_blocking=True), [SIDE], antialias=True)
    frames = functional.center_crop(frames, [SIDE, SIDE]).to(NARROW) / 255
    return functional.normalize(frames, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def read(path, decode_on, clips):
    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1, device=decode_on, seek_mode="approximate")
    for start in range(0, len(decoder) - CLIP + 1, CLIP):
        clips.put(to_clip(decoder.get_frames_in_range(start, start + CLIP).data))


def encode(model, clips):
    with torch.inference_mode(), torch.autocast(DEVICE, NARROW):
        return model(torch.stack(clips)).last_hidden_state.mean(1).float().cpu()


def extract(model, videos, a):
    clips, rows, waiting = queue.Queue(2 * a.batch), 0, []
    with concurrent.futures.ThreadPoolExecutor(a.threads) as pool:
        readers = [pool.submit(read, path, a.decode_on, clips) for path in videos]
        ended = False
        while not ended:
            ended = all(r.done() for r in readers) and clips.empty()
            try:
                waiting.append(clips.get(block=not ended, timeout=0.01))
            except queue.Empty:
                pass
            if len(waiting) == a.batch or (ended and waiting):
                rows += len(encode(model, waiting))
                waiting = []
    for r in readers:
        r.result()
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("videos", type=pathlib.Path)
    p.add_argument("--decode-on", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--threads", type=int, default=16)
    p.add_argument("--batch", type=int, default=64)
    a = p.parse_args()
    model = AutoModel.from_pretrained(a.model, dtype=torch.float32).eval().to(DEVICE)
    videos = sorted(a.videos.iterdir())
    encode(model, [torch.zeros(CLIP, 3, SIDE, SIDE, device=DEVICE, dtype=NARROW)] * a.batch)
    began = time.perf_counter()
    rows = extract(model, videos, a)
    print(f"torchcodec on {a.decode_on}, eager autocast: {rows} clips in {time.perf_counter() - began:.3f} s")


if __name__ == "__main__":
    main()
