"""The original extraction script's way of working, as a peer: written anew from what the tuning guide tells of it.

A window at a time is sought and decoded with decord, made float and squeezed to the model's size by torch; a batch of windows goes
through the model. Before the guide's optimisations: 20 windows a batch, one thing after another, float32. After them: a thread
fills a queue of 8 windows, 64 windows a batch, bfloat16 autocast (the processor's stand-in for float16), a compiled model.

As a script it extracts a folder:  original.py MODEL VIDEOS OUT [--after] [--stride 4] [--windows N] [--skip-done]
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


class Extractor:
    def __init__(self, model, after, threads, compiled=True):
        import torch
        from transformers import AutoConfig, AutoModel

        torch.set_num_threads(threads)
        self.torch, self.after, self.threads = torch, after, threads
        config = AutoConfig.from_pretrained(model)
        self.takes_clips = hasattr(config, "num_frames")
        self.size = 224 if config.image_size > 224 else config.image_size
        self.batch = 64 if after else 20
        self.model = AutoModel.from_pretrained(model, dtype=torch.float32).eval()
        if after and compiled:
            self.model = torch.compile(self.model)

    def warm_up(self, windows):
        """Compiles for the batches to come, before time is taken."""
        self.features(self.torch.zeros(windows, CLIP, 3, self.size, self.size))

    def features(self, clips):
        """[B, T, 3, H, W] -> [B, D]; a frame model runs once for each place in the window."""
        torch = self.torch
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.after):
            if self.takes_clips:
                return self.model(clips).last_hidden_state.mean(1).float().numpy()
            rows = [self.model(clips[:, t]).pooler_output for t in range(CLIP)]
            return torch.stack(rows, 1).mean(1).float().numpy()

    def windows(self, reader, starts):
        if not self.after:
            for start in starts:
                yield to_input(read_window(reader, start), self.size)
            return
        ready = queue.Queue(8)

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
    p.add_argument("--after", action="store_true")
    p.add_argument("--no-compile", action="store_true")
    p.add_argument("--stride", type=int, default=4)
    p.add_argument("--windows", type=int)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--skip-done", action="store_true", help="leave out videos whose features are there, as a run that resumes")
    a = p.parse_args()
    import numpy as np

    started = time.perf_counter()
    extractor = Extractor(a.model, a.after, a.threads, not a.no_compile)
    if not a.skip_done:
        extractor.warm_up(min(extractor.batch, a.windows or extractor.batch) if a.after else 1)
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
