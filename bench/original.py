"""The original extraction script's way of working, as a peer: written anew from what the tuning guide tells of it.

A window at a time is sought and decoded with decord, made float and squeezed to the model's size by torch; a batch of windows goes
through the model. Before the guide's optimisations: 20 windows a batch, one thing after another, float32. After them: a thread
fills a queue of 8 windows, 64 windows a batch, a compiled model, autocast: on a GPU to float16, with TF32 for the rest; on the
processor to bfloat16 in its stead. Batch and queue on a GPU are the guide's for cards of that memory.

As a script it extracts a folder:  original.py MODEL VIDEOS OUT [--device cuda] [--after] [--stride 4] [--windows N] [--skip-done]
and prints one line of JSON. --windows N takes only the first N windows of a video.
"""
import argparse
import json
import os
import pathlib
import queue
import threading
import time

CLIP = 16


def read_window(reader, start):
    import numpy as np

    return reader.get_batch(np.minimum(np.arange(start, start + CLIP), len(reader) - 1)).asnumpy()


def to_input(frames, size=224):
    """uint8 [T, H, W, 3] -> float32 [T, 3, size, size], 0 to 1, bilinear without antialias."""
    import torch
    import torch.nn.functional as F

    clip = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    return F.interpolate(clip, size=(size, size), mode="bilinear", align_corners=False)


def starts_of(frames, stride, most=None):
    return list(range(0, max(1, frames - CLIP + 1), stride))[:most]


def load(folder):
    """The network, whether it takes clips, and its input size."""
    import torch

    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    if config["model_type"] == "onevision_encoder":
        import onevision_torch

        return onevision_torch.load(folder, CLIP), True, 224
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    return model, hasattr(config, "num_frames"), min(config.image_size, 224)


def batch_and_queue(device, after):
    """Windows per batch, windows prepared in advance. After the guide, on a GPU: the guide's values for 80, 40 and 16
    GB."""
    if not after:
        return 20, 0
    if device == "cpu":
        return 64, 8
    import torch

    memory = torch.cuda.get_device_properties(0).total_memory
    return (96, 12) if memory > 70e9 else (64, 8) if memory > 35e9 else (32, 6)


class Extractor:
    def __init__(self, model, after, threads, compiled=True, device="cpu"):
        import torch

        torch.set_num_threads(threads)
        if after and device == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = True
        self.torch, self.after, self.threads, self.device = torch, after, threads, device
        self.batch, self.queue = batch_and_queue(device, after)
        self.model, self.takes_clips, self.size = load(model)
        self.model = self.model.to(device)
        if after and compiled:
            self.model = torch.compile(self.model)

    def warm_up(self, windows):
        """Compiles for the batch sizes to come before timing starts: full batches, and the last one of a video with so
        many windows."""
        for size in {min(self.batch, windows), windows % self.batch} - {0} if self.after else {1}:
            self.features(self.torch.zeros(size, CLIP, 3, self.size, self.size))

    def features(self, clips):
        """[B, T, 3, H, W] -> [B, D]; a frame model runs once for each position in the window."""
        torch = self.torch
        clips = clips.to(self.device, non_blocking=self.after)
        narrow = torch.bfloat16 if self.device == "cpu" else torch.float16
        with torch.inference_mode(), torch.autocast(self.device, narrow, enabled=self.after):
            if self.takes_clips:
                return self.model(clips)[0].mean(1).float().cpu().numpy()
            rows = [self.model(clips[:, t]).pooler_output for t in range(CLIP)]
            return torch.stack(rows, 1).mean(1).float().cpu().numpy()

    def windows(self, reader, starts):
        if not self.after:
            for start in starts:
                yield to_input(read_window(reader, start), self.size)
            return
        ready = queue.Queue(self.queue)

        def fill():
            for start in starts:
                ready.put(to_input(read_window(reader, start), self.size))
            ready.put(None)

        threading.Thread(target=fill, daemon=True).start()
        yield from iter(ready.get, None)

    def extract(self, path, stride, most=None):
        import decord
        import numpy as np

        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=self.threads)
        rows, waiting = [], []
        for clip in self.windows(reader, starts_of(len(reader), stride, most)):
            waiting.append(clip)
            if len(waiting) == self.batch:
                rows.append(self.features(self.torch.stack(waiting)))
                waiting = []
        if waiting:
            rows.append(self.features(self.torch.stack(waiting)))
        return np.concatenate(rows)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("videos", type=pathlib.Path)
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--after", action="store_true")
    p.add_argument("--no-compile", action="store_true")
    p.add_argument("--stride", type=int, default=4)
    p.add_argument("--windows", type=int)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--skip-done", action="store_true", help="leave out videos whose features are there, as a run that resumes")
    a = p.parse_args()
    import numpy as np

    started = time.perf_counter()
    extractor = Extractor(a.model, a.after, a.threads, not a.no_compile, a.device)
    if not a.skip_done:
        extractor.warm_up(a.windows or extractor.batch)
    opened = time.perf_counter()
    a.out.mkdir(parents=True, exist_ok=True)
    clips = skipped = 0
    for path in sorted(a.videos.iterdir()):
        out = a.out / f"{path.stem}.npy"
        if a.skip_done and os.path.isfile(out):
            skipped += 1
            continue
        rows = extractor.extract(path, a.stride, a.windows)
        np.save(out, rows)
        clips += len(rows)
    ended = time.perf_counter()
    print(json.dumps({"seconds": ended - opened, "open_seconds": opened - started, "clips": clips, "skipped": skipped}))


if __name__ == "__main__":
    main()
