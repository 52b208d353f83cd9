#!/usr/bin/env python3
"""Makes the golden cases of tests/data/golden again: tiny random checkpoints and what PyTorch computes from them.

    make_goldens.py [--out tests/data/golden] [CASE ...]

A case is a folder:

    config.json, preprocessor_config.json, model*.safetensors     a checkpoint in Hugging Face layout
    input.npy               uint8 RGB [N, T, H, W, 3]
    pixel_values.npy        float32 [N, T, 3, h, w], what the reference's image processor makes of it
    last_hidden_state.npy   float32 [N, (T,) tokens, D]; the frames axis with frame models only
    feature.npy             float32 [N, D]
    meta.json               where it comes from, PyTorch's own errors, and the tolerances that follow from them

Outputs are computed in float64 from the files as saved, and rounded once. Every parameter is random, biases, norm
weights and layer scales too, so that nothing can be left out unnoticed. The same seed gives the same bytes with the
same versions of the packages (they are in meta.json).

Needs torch, torchvision, transformers, safetensors and numpy from PyPI. The tests only read the results.
"""
import argparse
import json
import math
import pathlib
import shutil

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
BILINEAR, BICUBIC = 2, 3


# ---------------------------------------------------------------- inputs and parameters

def synthetic_video(seed, clips, frames, height, width):
    """Drifting waves, noise, and a hard-edged black and white square, which makes cubic filters overshoot."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    video = np.empty((clips, frames, height, width, 3), np.uint8)
    for clip in video:
        speed, wave, phase = rng.uniform(0.5, 2.0, 3), rng.uniform(0.1, 0.6, (3, 2)), rng.uniform(0, 2 * math.pi, 3)
        for t, frame in enumerate(clip):
            for c in range(3):
                signal = np.sin(wave[c, 0] * (x + speed[c] * t) + phase[c]) + np.cos(wave[c, 1] * (y - t) + phase[c])
                frame[..., c] = np.clip(128 + 55 * signal + 12 * rng.standard_normal((height, width)), 0, 255).round()
            side = max(3, height // 4)
            top, left = rng.integers(0, height - side), rng.integers(0, width - side)
            frame[top:top + side, left:left + side] = 255
            frame[top + side // 2, left:left + side] = 0
    return video


def randomize(model, seed):
    """Sizable values everywhere, drawn in the order of the names, so that they depend on nothing else."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        noise = torch.randn(p.shape, generator=generator)
        leaf = name.split(".")[-1]
        if "norm" in name:
            value = 1 + 0.25 * noise if leaf == "weight" else 0.2 * noise
        elif leaf == "lambda1":
            value = 0.6 + 0.3 * noise
        elif any(word in name for word in ("token", "position", "probe")):
            value = 0.8 * noise
        elif p.ndim > 1:
            value = 1.2 * noise / math.sqrt(p[0].numel())
        else:
            value = 0.2 * noise
        p.data.copy_(value)


# ---------------------------------------------------------------- OneVision-Encoder, which transformers doesn't have

class OneVisionBlock(nn.Module):
    def __init__(self, c, norm):
        super().__init__()
        d = c["hidden_size"]
        self.heads = c["num_attention_heads"]
        self.self_attn = nn.ModuleDict({f"{n}_proj": nn.Linear(d, d) for n in ("q", "k", "v", "out")})
        self.layer_norm1, self.layer_norm2 = norm(), norm()
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, c["intermediate_size"]), "fc2": nn.Linear(c["intermediate_size"], d)})

    def forward(self, x, angles):
        y = self.layer_norm1(x)
        q, k, v = (split_heads(self.self_attn[f"{n}_proj"](y), self.heads) for n in "qkv")
        a = F.scaled_dot_product_attention(rotate_pairs(q, angles), rotate_pairs(k, angles), v)
        x = x + self.self_attn["out_proj"](merge_heads(a))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.layer_norm2(x))))


class OneVisionHead(nn.Module):
    """One learned query attends to all tokens; an MLP follows. The norm before the MLP is RMS whatever the blocks
    use."""

    def __init__(self, c):
        super().__init__()
        d = c["hidden_size"]
        self.heads = c["num_attention_heads"]
        self.probe = nn.Parameter(torch.zeros(1, 1, d))
        self.attention = nn.MultiheadAttention(d, self.heads, batch_first=True)
        self.norm = nn.RMSNorm(d, eps=c.get("head_norm_eps", c["layer_norm_eps"]))
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, c["intermediate_size"]), "fc2": nn.Linear(c["intermediate_size"], d)})

    def forward(self, x):
        wq, wk, wv = self.attention.in_proj_weight.chunk(3)
        bq, bk, bv = self.attention.in_proj_bias.chunk(3)
        q = F.linear(self.probe.expand(len(x), -1, -1), wq, bq)
        q, k, v = (split_heads(t, self.heads) for t in (q, F.linear(x, wk, bk), F.linear(x, wv, bv)))
        a = self.attention.out_proj(merge_heads(F.scaled_dot_product_attention(q, k, v)))
        return (a + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm(a)))))[:, 0]


class OneVision(nn.Module):
    MODEL_TYPE, ARCHITECTURE = "onevision_encoder", "OneVisionEncoderModel"
    DEFAULTS = dict(patch_size=14, hidden_act="gelu", layer_norm_eps=1e-6, layer_norm_type="layer_norm",
                    rope_theta=10000.0, rope_temporal_size=64, use_head=True)

    def __init__(self, c):
        super().__init__()
        self.c = c = {**self.DEFAULTS, **c}
        d, eps = c["hidden_size"], c["layer_norm_eps"]
        rms = c["layer_norm_type"] == "rms_norm"
        norm = (lambda: nn.RMSNorm(d, eps=eps)) if rms else (lambda: nn.LayerNorm(d, eps=eps))
        self.embeddings = nn.ModuleDict(
            {"patch_embedding": nn.Conv2d(3, d, c["patch_size"], c["patch_size"], bias=False)})
        self.layernorm_pre = norm()
        self.encoder = nn.ModuleDict(
            {"layers": nn.ModuleList(OneVisionBlock(c, norm) for _ in range(c["num_hidden_layers"]))})
        if c["use_head"]:
            self.layernorm_post = norm()
            self.head = OneVisionHead(c)

    def angles(self, t, h, w, dtype):
        """[t*h*w, head dim]: time, row and column, each axis with its own frequencies; the whole list is repeated
        once."""
        unit = self.c["hidden_size"] // self.c["num_attention_heads"] // 32
        theta = [self.c["rope_theta"] ** (-torch.arange(n, dtype=torch.float64) / n) for n in (4 * unit, 6 * unit, 6 * unit)]
        grid = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (t, h, w)), indexing="ij")
        half = torch.cat([g.flatten()[:, None] * f for g, f in zip(grid, theta)], 1)
        # In float32, like the original, whatever the type of everything else.
        return torch.cat([half, half], 1).to(torch.float64 if dtype == torch.float64 else torch.float32)

    def forward(self, pixels):
        n, t = pixels.shape[:2]
        patches = self.embeddings["patch_embedding"](pixels.flatten(0, 1))
        h, w = patches.shape[2:]
        x = patches.flatten(2).transpose(1, 2).reshape(n, t * h * w, -1)
        x = self.layernorm_pre(x)
        angles = self.angles(t, h, w, x.dtype)
        for block in self.encoder["layers"]:
            x = block(x, angles)
        if not self.c["use_head"]:
            return x, x.mean(1)
        x = self.layernorm_post(x)
        return x, self.head(x)


class LlavaVit(OneVision):
    """The original script's network: the same with other names and torch's own epsilons, and always with the last
    norm."""
    MODEL_TYPE, ARCHITECTURE = "llava_vit", "LlavaViTEncoder"
    DEFAULTS = {**OneVision.DEFAULTS, "layer_norm_eps": 1e-5, "head_norm_eps": torch.finfo(torch.float32).eps}
    NAMES = [("embeddings.patch_embedding", "conv1"), ("layernorm_pre", "ln_pre"), ("layernorm_post", "ln_post"),
             ("encoder.layers", "transformer.layers"), ("layer_norm", "ln_"), ("self_attn.out_proj", "attn.out_proj")]

    def original_names(self):
        tensors = {}
        for name, t in self.state_dict().items():
            if not name.startswith("head."):
                for ours, original in self.NAMES:
                    name = name.replace(ours, original)
                name = name.replace("mlp.fc1", "mlp.0").replace("mlp.fc2", "mlp.2")
            at, _, leaf = name.partition(".self_attn.")
            if leaf:        # q, k and v are one layer
                name = f"{at}.attn.in_proj.{leaf.split('.')[1]}"
                t = torch.cat([tensors.get(name, t[:0]), t]) if leaf[0] != "q" else t
            tensors[name] = t
        return tensors

    def load_original(self, tensors):
        for name, t in self.original_names().items():
            assert t.shape == tensors[name].shape
        state = self.state_dict()
        for i in range(self.c["num_hidden_layers"]):
            for leaf in ("weight", "bias"):
                parts = tensors.pop(f"transformer.layers.{i}.attn.in_proj.{leaf}").chunk(3)
                state.update({f"encoder.layers.{i}.self_attn.{n}_proj.{leaf}": t for n, t in zip("qkv", parts)})
        for name, t in tensors.items():
            if not name.startswith("head."):
                for ours, original in self.NAMES:
                    name = name.replace(original, ours)
                name = name.replace("mlp.0", "mlp.fc1").replace("mlp.2", "mlp.fc2")
            state[name] = t
        self.load_state_dict(state)


# ---------------------------------------------------------------- VideoMAE v2, which transformers doesn't have

class VideoMAE2Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, hidden = c["embed_dim"], int(c["embed_dim"] * c["mlp_ratio"])
        self.heads = c["num_heads"]
        self.norm1, self.norm2 = (nn.LayerNorm(d, eps=c["layer_norm_eps"]) for _ in range(2))
        self.attn = nn.ParameterDict({"q_bias": torch.zeros(d), "v_bias": torch.zeros(d), "scale": torch.zeros(self.heads, 1, 1)})
        self.attn.add_module("qkv", nn.Linear(d, 3 * d, bias=False))
        self.attn.add_module("proj", nn.Linear(d, d))
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, hidden), "fc2": nn.Linear(hidden, d)})
        self.gamma_1, self.gamma_2 = (nn.Parameter(torch.ones(d)) for _ in range(2))

    def forward(self, x):
        a = self.attn
        q, k, v = a.qkv(self.norm1(x)).chunk(3, -1)
        q, k, v = (split_heads(t, self.heads) for t in (q + a["q_bias"], k, v + a["v_bias"]))
        # Attention of directions: q and k have length 1, and each head has its own scale.
        weights = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT * a["scale"].clamp(max=4.6052).exp()
        x = x + self.gamma_1 * a.proj(merge_heads(weights.softmax(-1) @ v))
        return x + self.gamma_2 * self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class VideoMAE2(nn.Module):
    MODEL_TYPE, ARCHITECTURE = "VideoMAEv2_Base", "VideoMAEv2_Base"
    DEFAULTS = dict(layer_norm_eps=1e-6, qkv_bias=True, qk_scale=None)

    def __init__(self, c):
        super().__init__()
        self.c = c = {**self.DEFAULTS, **c}
        d, kernel = c["embed_dim"], (c["tubelet_size"], c["patch_size"], c["patch_size"])
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv3d(3, d, kernel, kernel)})
        self.blocks = nn.ModuleList(VideoMAE2Block(c) for _ in range(c["depth"]))
        self.fc_norm = nn.LayerNorm(d, eps=c["layer_norm_eps"])

    def forward(self, pixels):
        x = self.patch_embed["proj"](pixels.transpose(1, 2)).flatten(2).transpose(1, 2)
        place, column = torch.arange(x.shape[1], dtype=torch.float64)[:, None], torch.arange(x.shape[2])
        angle = place / 10000 ** (2 * (column // 2) / x.shape[2])
        x = x + torch.where(column % 2 == 0, angle.sin(), angle.cos()).to(x.dtype)
        for block in self.blocks:
            x = block(x)
        return x, self.fc_norm(x.mean(1))


# ---------------------------------------------------------------- InternVideo2, which transformers doesn't have

class InternVideo2Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, hidden = c["embed_dim"], int(c["embed_dim"] * c["mlp_ratio"])
        rms = lambda: nn.RMSNorm(d, eps=c["rms_norm_eps"])
        self.heads = c["num_heads"]
        self.norm1, self.norm2 = rms(), rms()
        self.attn = nn.ModuleDict({"qkv": nn.Linear(d, 3 * d, bias=False), "q_norm": rms(), "k_norm": rms(), "proj": nn.Linear(d, d)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, hidden), "fc2": nn.Linear(hidden, d)})
        self.ls1, self.ls2 = (nn.ParameterDict({"gamma": torch.ones(d)}) for _ in range(2))

    def forward(self, x):
        q, k, v = self.attn["qkv"](self.norm1(x)).chunk(3, -1)
        q, k = self.attn["q_norm"](q), self.attn["k_norm"](k)     # over the full width, before the heads
        q, k, v = (split_heads(t, self.heads) for t in (q, k, v))
        x = x + self.ls1["gamma"] * self.attn["proj"](merge_heads(F.scaled_dot_product_attention(q, k, v)))
        return x + self.ls2["gamma"] * self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x)), approximate="tanh"))


class InternVideo2Projector(nn.Module):
    """The mean of all tokens attends to all tokens."""

    def __init__(self, c):
        super().__init__()
        d = c["embed_dim"]
        self.heads = c["attn_pool_num_heads"]
        self.norm1_q, self.norm1_k, self.norm1_v = (nn.LayerNorm(d, eps=c["pool_layer_norm_eps"]) for _ in range(3))
        self.cross_attn = nn.ParameterDict({f"{n}_bias": torch.zeros(d) for n in "qkv"})
        for n in "qkv":
            self.cross_attn.add_module(n, nn.Linear(d, d, bias=False))
        self.cross_attn.add_module("proj", nn.Linear(d, c["clip_embed_dim"]))

    def forward(self, x):
        inputs = {"q": self.norm1_q(x.mean(1, keepdim=True)), "k": self.norm1_k(x), "v": self.norm1_v(x)}
        a = self.cross_attn
        q, k, v = (split_heads(getattr(a, n)(t) + a[f"{n}_bias"], self.heads) for n, t in inputs.items())
        return a.proj(merge_heads(F.scaled_dot_product_attention(q, k, v)))[:, 0]


class InternVideo2(nn.Module):
    MODEL_TYPE, ARCHITECTURE = "internvideo2", "InternVideo2"
    DEFAULTS = dict(tubelet_size=1, rms_norm_eps=1e-6, pool_layer_norm_eps=1e-5, attn_pool_num_heads=16,
                    hidden_act="gelu_pytorch_tanh", qkv_bias=False, qk_normalization=True)

    def __init__(self, c):
        super().__init__()
        self.c = c = {**self.DEFAULTS, **c}
        d, kernel = c["embed_dim"], (c["tubelet_size"], c["patch_size"], c["patch_size"])
        grid = (c["img_size"] // c["patch_size"]) ** 2
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv3d(3, d, kernel, kernel)})
        self.cls_token, self.pos_embed_cls = (nn.Parameter(torch.zeros(1, 1, d)) for _ in range(2))
        self.pos_embed_spatial = nn.Parameter(torch.zeros(1, grid, d))
        self.pos_embed_temporal = nn.Parameter(torch.zeros(1, c["num_frames"] // c["tubelet_size"], d))
        self.blocks = nn.ModuleList(InternVideo2Block(c) for _ in range(c["depth"]))
        self.clip_projector = InternVideo2Projector(c)

    def forward(self, pixels):
        x = self.patch_embed["proj"](pixels.transpose(1, 2)).flatten(3).permute(0, 2, 3, 1)     # [n, t, h*w, d]
        x = x + self.pos_embed_spatial[:, None] + self.pos_embed_temporal[:, :, None]
        x = torch.cat([(self.cls_token + self.pos_embed_cls).expand(len(x), -1, -1), x.flatten(1, 2)], 1)
        for block in self.blocks:
            x = block(x)
        return x, self.clip_projector(x)


def split_heads(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


def rotate_pairs(x, angles):
    """Neighbors form a pair, and each takes its own column's angle. That is no true rotation, but it is what the model
    does."""
    swapped = torch.stack([-x[..., 1::2], x[..., 0::2]], -1).flatten(-2)
    return (x * angles.cos() + swapped * angles.sin()).to(x.dtype)


# ---------------------------------------------------------------- forward passes: model, pixels -> tokens, feature

def run_videomae(model, pixels):
    tokens = model.videomae(pixels).last_hidden_state
    mean = tokens.mean(1)
    fc_norm = getattr(model, "fc_norm", None)
    return tokens, mean if fc_norm is None else fc_norm(mean)


def run_frames(model, pixels):
    out = model(pixel_values=pixels.flatten(0, 1))
    shape = pixels.shape[:2]
    return out.last_hidden_state.unflatten(0, shape), out.pooler_output.unflatten(0, shape).mean(1)


def run_tower(model, pixels):
    return run_frames(model.vision_model, pixels)


def run_vjepa2(model, pixels):
    tokens = model.vjepa2.encoder(pixel_values_videos=pixels).last_hidden_state
    return tokens, model.pooler(tokens)


def run_class_token(model, pixels):
    tokens = getattr(model, model.base_model_prefix, model)(pixels).last_hidden_state
    return tokens, tokens[:, 0]


def run_space_only(model, pixels):
    tokens = model(pixels).last_hidden_state.unflatten(0, pixels.shape[:2])
    return tokens.flatten(1, 2), tokens[:, :, 0].mean(1)


def run_whole(model, pixels):
    return model(pixels)


# ---------------------------------------------------------------- writing

def rel_l2(have, want):
    return float(np.linalg.norm(have - want) / np.linalg.norm(want))


def least_cosine(have, want):
    return float(np.min((have * want).sum(1) / np.linalg.norm(have, axis=1) / np.linalg.norm(want, axis=1)))


def float64(tensor):
    return tensor.detach().to(torch.float64).numpy()


def measure(make, run, pixels, want):
    """PyTorch's own error in a type, relative to float64."""
    errors = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with torch.no_grad():
            have = [float64(t) for t in run(make().to(dtype), pixels.to(dtype))]
        e = errors[name] = {}
        for key, h, w in zip(("lhs", "feature"), have, want):
            e[f"{key}_max_abs"], e[f"{key}_rel_l2"] = float(np.abs(h - w).max()), rel_l2(h, w)
        e["feature_cos"] = least_cosine(have[1], want[1])
    return errors


def tolerances(errors, want):
    """Twice PyTorch's own error, but at least what another order of the same sums costs."""
    largest = {"lhs": float(np.abs(want[0]).max()), "feature": float(np.abs(want[1]).max())}
    fp32 = {f"{k}_max_abs": max(2 * errors["fp32"][f"{k}_max_abs"], 1e-5 * largest[k]) for k in largest}
    bf16 = {f"{k}_rel_l2": max(2 * errors["bf16"][f"{k}_rel_l2"], 4e-3) for k in largest}
    bf16["feature_cos"] = min(1 - 4 * (1 - errors["bf16"]["feature_cos"]), 0.9999)
    return {"fp32": fp32, "bf16": bf16}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def write_shards(folder, count):
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    where = {}
    for i in range(count):
        name = f"model-{i + 1:05d}-of-{count:05d}.safetensors"
        part = {key: tensors[key] for key in sorted(tensors)[i::count]}
        save_file(part, folder / name, metadata={"format": "pt"})
        where.update(dict.fromkeys(part, name))
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": where})


def save_processor(folder, processor):
    """Hub files have one preprocessor_config.json; newer transformers may nest it elsewhere."""
    processor.save_pretrained(folder)
    for other in ("processor_config.json", "video_preprocessor_config.json"):
        if (folder / other).exists():
            (folder / other).rename(folder / "preprocessor_config.json")


def make_terse(folder, defaults):
    """Files on the Hub hold only the keys that differ from the class's defaults."""
    config = json.loads((folder / "config.json").read_text())
    unset = object()
    write_json(folder / "config.json", {k: v for k, v in config.items() if k == "model_type" or v != defaults.get(k, unset)})


PLAIN = OneVision, VideoMAE2, InternVideo2      # not part of transformers


def save_plain(folder, model, dtype):
    c = dict(model.c, model_type=model.MODEL_TYPE, architectures=[model.ARCHITECTURE], dtype=str(dtype).removeprefix("torch."))
    write_json(folder / "config.json", c)
    state = model.original_names() if isinstance(model, LlavaVit) else model.state_dict()
    tensors = {name: t.detach().to(dtype).contiguous() for name, t in state.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def load_plain(kind, folder):
    model = kind(json.loads((folder / "config.json").read_text()))
    tensors = load_file(folder / "model.safetensors")
    model.load_original(tensors) if kind is LlavaVit else model.load_state_dict(tensors)
    return model.eval()


def process(processor, video):
    """[N, T, 3, h, w] float32. One clip at a time: some processors take a list for one video."""
    clips = []
    for clip in video:
        out = processor(list(clip), return_tensors="pt")
        pixels = out["pixel_values_videos" if "pixel_values_videos" in out else "pixel_values"].to(torch.float32)
        clips.append(pixels[0] if pixels.ndim == 5 else pixels)
    return torch.stack(clips)


def write_case(folder, seed, model, processor, run, frames, dtype=torch.float32, shards=0, float_resize=False,
               terse=False, video=(2, 4, 30, 38), feature="", attention="sdpa", kernel="torchvision_u8_int16weights"):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    randomize(model, seed)
    if isinstance(model, PLAIN):
        save_plain(folder, model, dtype)
        load = lambda kind: load_plain(type(model), folder).to(kind)
    else:
        model.to(dtype).save_pretrained(folder)
        load = lambda kind: type(model).from_pretrained(folder, dtype=kind, attn_implementation=attention).eval()
    if terse:
        make_terse(folder, model.DEFAULTS if isinstance(model, PLAIN) else type(model.config)().to_dict())
    save_processor(folder, processor)
    saved, loaded = model.state_dict(), load(torch.float64).state_dict()
    assert all(torch.equal(loaded[name], t.to(dtype).double()) for name, t in saved.items()), "the files lost something"
    clips, length, height, width = video
    source = synthetic_video(seed, clips, frames or length, height, width)
    pixels = process(processor, source)
    with torch.no_grad():
        want = [float64(t) for t in run(load(torch.float64), pixels.double())]
    assert all(np.isfinite(w).all() for w in want)
    errors = measure(lambda: load(torch.float32), run, pixels, want)
    if shards:
        write_shards(folder, shards)
    np.save(folder / "input.npy", source)
    np.save(folder / "pixel_values.npy", pixels.contiguous().numpy())
    np.save(folder / "last_hidden_state.npy", np.ascontiguousarray(want[0], np.float32))
    np.save(folder / "feature.npy", np.ascontiguousarray(want[1], np.float32))
    write_json(folder / "meta.json", {
        "made_by": "tools/make_goldens.py", "seed": seed, "feature": feature, "per_frame": run in (run_frames, run_tower),
        "versions": {m.__name__: m.__version__ for m in (torch, torchvision, transformers, np)},
        "pixel_values_layout": "[N,T,3,h,w]", "weights": str(dtype).removeprefix("torch."),
        "preprocess": {"resize_kernel": "float" if float_resize else kernel,
                       "rescale": processor.rescale_factor, "std": list(processor.image_std)},
        # In 8 bits the resize is exact, so only the affine map rounds.
        "pixel_max_abs": 5e-5 if float_resize else 2e-6,
        "torch_error": errors, "tolerance": tolerances(errors, want)})


# ---------------------------------------------------------------- the cases

def shortest(cls, edge, height, width, resample, **more):
    return cls(size={"shortest_edge": edge}, crop_size={"height": height, "width": width}, resample=resample, **more)


def videomae_pretrain(folder):
    c = transformers.VideoMAEConfig(
        image_size=24, num_frames=4, patch_size=8, tubelet_size=2, hidden_size=48, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=80, use_mean_pooling=False, decoder_hidden_size=16,
        decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=16)
    write_case(folder, 11, transformers.VideoMAEForPreTraining(c),
               shortest(transformers.VideoMAEImageProcessor, 26, 24, 24, BILINEAR, **IMAGENET), run_videomae, 4, shards=3, terse=True,
               feature="mean of the last hidden state, which has the encoder's norm")


def videomae_finetuned(folder):
    c = transformers.VideoMAEConfig(
        image_size=20, num_frames=6, patch_size=5, tubelet_size=3, hidden_size=60, num_hidden_layers=2,
        num_attention_heads=3, intermediate_size=72, layer_norm_eps=1e-3, use_mean_pooling=True, num_labels=3)
    write_case(folder, 12, transformers.VideoMAEForVideoClassification(c),
               shortest(transformers.VideoMAEImageProcessor, 20, 20, 20, BILINEAR), run_videomae, 6, dtype=torch.float16,
               video=(2, 6, 37, 29), feature="fc_norm (eps 1e-5) of the mean of the last hidden state")


def onevision(folder, seed, dtype, crop, **c):
    defaults = dict(intermediate_size=80, num_hidden_layers=2, patch_size=8)
    write_case(folder, seed, OneVision({**defaults, **c}), shortest(transformers.CLIPImageProcessor, 26, *crop, BICUBIC),
               run_whole, 3, dtype=dtype, terse=c.get("use_head", True),
               feature="the head's output" if c.get("use_head", True) else "mean of the last hidden state")


def onevision_head(folder):
    onevision(folder, 21, torch.bfloat16, (24, 32), hidden_size=96, num_attention_heads=3, image_size=24,
              layer_norm_eps=1e-3)


def onevision_nohead(folder):
    onevision(folder, 22, torch.float32, (24, 24), hidden_size=64, num_attention_heads=1, image_size=24, use_head=False,
              layer_norm_type="rms_norm", layer_norm_eps=1e-3, rope_theta=500.0)


def dinov3(folder, seed, height, width, frame=(30, 38), terse=False, **c):
    defaults = dict(image_size=32, patch_size=8, hidden_size=48, num_hidden_layers=2, num_attention_heads=2,
                    intermediate_size=80, num_register_tokens=4)
    config = transformers.DINOv3ViTConfig(**{**defaults, **c})
    processor = transformers.DINOv3ViTImageProcessor(size={"height": height, "width": width}, resample=BILINEAR, **IMAGENET)
    write_case(folder, seed, transformers.DINOv3ViTModel(config), processor, run_frames, 2, float_resize=True, terse=terse,
               video=(2, 2, *frame), feature="class token of the last hidden state, mean over the clip's frames")


def dinov3_plain(folder):
    dinov3(folder, 31, 32, 32, terse=True)


def dinov3_gated(folder):
    dinov3(folder, 32, 24, 24, use_gated_mlp=True, hidden_act="silu", query_bias=False, value_bias=False,
           num_register_tokens=0, hidden_size=40, layer_norm_eps=1e-3)


def dinov3_nonsquare(folder):
    # 8 divides neither side, so the right and bottom remainders are dropped. The frames are smaller than the model's
    # input.
    dinov3(folder, 33, 44, 28, frame=(21, 35), key_bias=True, mlp_bias=False, proj_bias=False, rope_theta=50.0,
           num_register_tokens=1)


def dinov2(folder, seed, cls, config, edge, height, width, frame=(30, 38), terse=False, **c):
    defaults = dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, patch_size=8)
    processor = shortest(transformers.BitImageProcessor, edge, height, width, BICUBIC, **IMAGENET)
    write_case(folder, seed, cls(config(**{**defaults, **c})), processor, run_frames, 2, terse=terse, video=(2, 2, *frame),
               feature="class token of the last hidden state, mean over the clip's frames")


def dinov2_interpolated(folder):
    dinov2(folder, 41, transformers.Dinov2Model, transformers.Dinov2Config, 28, 24, 24, image_size=40, terse=True)


def dinov2_swiglu(folder):
    dinov2(folder, 42, transformers.Dinov2Model, transformers.Dinov2Config, 24, 24, 24, image_size=24,
           use_swiglu_ffn=True, mlp_ratio=3, hidden_size=40, qkv_bias=False, layer_norm_eps=1e-3)


def dinov2_registers_nonsquare(folder):
    dinov2(folder, 43, transformers.Dinov2WithRegistersModel, transformers.Dinov2WithRegistersConfig, 35, 32, 48,
           frame=(26, 41), image_size=40, num_register_tokens=3)


SMALL = dict(hidden_size=40, num_hidden_layers=2, num_attention_heads=2, intermediate_size=60)
TINY_TEXT = dict(vocab_size=20, max_position_embeddings=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                 intermediate_size=16)


def siglip_whole(folder):
    # 8 doesn't divide 28, so the right and bottom remainders are dropped.
    c = transformers.SiglipConfig(vision_config=dict(SMALL, image_size=28, patch_size=8, layer_norm_eps=1e-3), text_config=TINY_TEXT)
    processor = transformers.SiglipImageProcessor(size={"height": 28, "width": 28}, resample=BICUBIC)
    write_case(folder, 91, transformers.SiglipModel(c), processor, run_tower, 2,
               feature="the head's output, mean over the clip's frames")


def clip_tower(folder):
    c = transformers.CLIPVisionConfig(**SMALL, image_size=24, patch_size=8, layer_norm_eps=1e-3)
    write_case(folder, 92, transformers.CLIPVisionModel(c), shortest(transformers.CLIPImageProcessor, 24, 24, 24, BICUBIC),
               run_frames, 2, terse=True, feature="class token through post_layernorm, mean over the clip's frames")


def metaclip2_whole(folder):
    vision = dict(SMALL, image_size=24, patch_size=8, hidden_act="gelu")
    c = transformers.MetaClip2Config(vision_config=vision, text_config=dict(TINY_TEXT, eos_token_id=2), projection_dim=12)
    write_case(folder, 93, transformers.MetaClip2Model(c), shortest(transformers.CLIPImageProcessor, 24, 24, 24, BICUBIC),
               run_tower, 2, feature="class token through post_layernorm, mean over the clip's frames")


def vit_pooler(folder):
    c = transformers.ViTConfig(**SMALL, image_size=24, patch_size=8, layer_norm_eps=1e-3, qkv_bias=False)
    processor = transformers.ViTImageProcessor(size={"height": 24, "width": 24}, resample=BILINEAR)
    write_case(folder, 94, transformers.ViTModel(c), processor, run_frames, 2, terse=True,
               feature="the pooler's output, mean over the clip's frames")


def aimv2_native(folder):
    c = transformers.Aimv2VisionConfig(**SMALL, image_size=24, patch_size=8, is_native=True, rms_norm_eps=1e-3, qkv_bias=True,
                                       mlp_bias=True)
    write_case(folder, 95, transformers.Aimv2VisionModel(c), shortest(transformers.CLIPImageProcessor, 24, 24, 32, BICUBIC),
               run_frames, 2, terse=True, feature="the head's output, mean over the clip's frames")


def videomaev2_directions(folder):
    c = dict(embed_dim=40, depth=2, num_heads=2, mlp_ratio=1.5, patch_size=8, img_size=24, num_frames=4, tubelet_size=2,
             cos_attn=True, layer_norm_eps=1e-3)
    write_case(folder, 96, VideoMAE2(c), shortest(transformers.VideoMAEImageProcessor, 24, 24, 24, BILINEAR, **IMAGENET),
               run_whole, 4, feature="fc_norm of the mean of the last hidden state")


def llavavit(folder):
    c = dict(hidden_size=64, intermediate_size=80, num_hidden_layers=2, num_attention_heads=2, patch_size=8, image_size=24)
    write_case(folder, 97, LlavaVit(c), shortest(transformers.CLIPImageProcessor, 24, 24, 32, BICUBIC), run_whole, 3, terse=True,
               feature="the head's output")


def vjepa2_pooler(folder):
    # A third of 20 channels leaves 2 of them without rotation. Two frames are too few for tubelets of 3: they are
    # doubled.
    c = transformers.VJEPA2Config(
        crop_size=24, frames_per_clip=2, tubelet_size=3, patch_size=8, hidden_size=40, num_hidden_layers=2,
        num_attention_heads=2, mlp_ratio=1.5, layer_norm_eps=1e-3, num_pooler_layers=1, num_labels=3, pred_hidden_size=12,
        pred_num_attention_heads=2, pred_num_hidden_layers=1, pred_num_mask_tokens=1)
    write_case(folder, 51, transformers.VJEPA2ForVideoClassification(c), transformers.VJEPA2VideoProcessor(crop_size=24),
               run_vjepa2, 2, terse=True, feature="the attentive pooler's output")


def timesformer(folder, seed, cls, run, frames, feature, **c):
    defaults = dict(image_size=24, patch_size=8, num_frames=frames, hidden_size=40, num_hidden_layers=2,
                    num_attention_heads=2, intermediate_size=60, layer_norm_eps=1e-3)
    processor = shortest(transformers.VideoMAEImageProcessor, 26, 24, 32, BILINEAR, image_mean=[0.45] * 3, image_std=[0.225] * 3)
    write_case(folder, seed, cls(transformers.TimesformerConfig(**{**defaults, **c})), processor, run, frames,
               attention="eager", terse=True, feature=feature)


def timesformer_divided(folder):
    timesformer(folder, 61, transformers.TimesformerForVideoClassification, run_class_token, 3,
                "class token of the last hidden state", num_labels=3)


def timesformer_space_only(folder):
    timesformer(folder, 62, transformers.TimesformerModel, run_space_only, 2,
                "mean of the frames' class tokens of the last hidden state", attention_type="space_only", qkv_bias=False)


def vivit_rectangles(folder):
    c = transformers.VivitConfig(
        image_size=24, num_frames=4, tubelet_size=[2, 8, 6], hidden_size=40, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=60, layer_norm_eps=1e-3, num_labels=3)
    write_case(folder, 71, transformers.VivitForVideoClassification(c),
               shortest(transformers.VivitImageProcessor, 27, 24, 24, BILINEAR), run_class_token, 4, terse=True,
               kernel="pillow_u8", feature="class token of the last hidden state")


def internvideo2_separate(folder):
    c = dict(embed_dim=40, depth=2, num_heads=2, mlp_ratio=1.5, patch_size=8, img_size=24, num_frames=3,
             attn_pool_num_heads=5, clip_embed_dim=24, rms_norm_eps=1e-3, pool_layer_norm_eps=1e-3)
    write_case(folder, 81, InternVideo2(c), shortest(transformers.VideoMAEImageProcessor, 24, 24, 24, BILINEAR, **IMAGENET),
               run_whole, 3, terse=True, feature="the attention-pooling projector's output")


CASES = [videomae_pretrain, videomae_finetuned, onevision_head, onevision_nohead, dinov3_plain, dinov3_gated,
         dinov3_nonsquare, dinov2_interpolated, dinov2_swiglu, dinov2_registers_nonsquare, vjepa2_pooler,
         timesformer_divided, timesformer_space_only, vivit_rectangles, internvideo2_separate, siglip_whole, clip_tower,
         metaclip2_whole, vit_pooler, aimv2_native, videomaev2_directions, llavavit]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = pathlib.Path(__file__).resolve().parent.parent / "tests/data/golden"
    p.add_argument("--out", type=pathlib.Path, default=default)
    p.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(c.__name__ for c in CASES))
    a = p.parse_args()
    unknown = set(a.cases) - {c.__name__ for c in CASES}
    if unknown:
        p.error(f"no such case: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    for case in CASES:
        if not a.cases or case.__name__ in a.cases:
            torch.manual_seed(0)
            case(a.out / case.__name__)
            size = sum(f.stat().st_size for f in (a.out / case.__name__).iterdir())
            print(f"{case.__name__}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
