"""OneVision-Encoder as a torch module, for comparison: reads what `tubelet init onevision` writes.

Pre-norm blocks over the patches of all frames; queries and keys are rotated by their patch's position in time, height
and width; an attention-pooling head. It returns the last hidden state and the head's output.
"""
import json
import pathlib

import torch
import torch.nn.functional as F
from torch import nn


def rotations(frames, height, width, dim, theta):
    """cos and sin, [tokens, dim]. Of a head's dim/2 angles, 2/8 follow the frame, 3/8 the row, 3/8 the column. The list
    of angles is repeated once although the rotation pairs adjacent columns: that is how the network was trained."""
    unit = dim // 32
    places = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in (frames, height, width))).reshape(-1, 3)
    angles = []
    for axis, count in enumerate((4 * unit, 6 * unit, 6 * unit)):
        steps = theta ** (-torch.arange(count, dtype=torch.float64) / count)
        angles.append(places[:, axis, None] * steps)
    angles = torch.cat(angles, 1).repeat(1, 2)
    return angles.cos().float(), angles.sin().float()


def turn(x, cosine, sine):
    pairs = x.unflatten(-1, (-1, 2))
    crossed = torch.stack((-pairs[..., 1], pairs[..., 0]), -1).flatten(-2)
    return x * cosine + crossed * sine


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["hidden_size"]
        self.heads = c["num_attention_heads"]
        self.layer_norm1 = nn.LayerNorm(d, c["layer_norm_eps"])
        self.layer_norm2 = nn.LayerNorm(d, c["layer_norm_eps"])
        self.self_attn = nn.ModuleDict({name: nn.Linear(d, d) for name in ("q_proj", "k_proj", "v_proj", "out_proj")})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, c["intermediate_size"]), "fc2": nn.Linear(c["intermediate_size"], d)})

    def forward(self, x, cosine, sine):
        y, w = self.layer_norm1(x), self.self_attn
        q, k, v = (w[name](y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for name in ("q_proj", "k_proj", "v_proj"))
        y = F.scaled_dot_product_attention(turn(q, cosine, sine), turn(k, cosine, sine), v)
        x = x + w["out_proj"](y.transpose(1, 2).flatten(2))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.layer_norm2(x))))


class Head(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["hidden_size"]
        self.probe = nn.Parameter(torch.empty(1, 1, d))
        self.attention = nn.MultiheadAttention(d, c["num_attention_heads"], batch_first=True)
        self.norm = nn.RMSNorm(d, c["layer_norm_eps"])
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, c["intermediate_size"]), "fc2": nn.Linear(c["intermediate_size"], d)})

    def forward(self, x):
        probe = self.probe.expand(x.shape[0], -1, -1)
        a = self.attention(probe, x, x, need_weights=False)[0]
        return (a + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm(a)))))[:, 0]


class OneVision(nn.Module):
    def __init__(self, c, frames, size):
        super().__init__()
        d, self.patch = c["hidden_size"], c["patch_size"]
        self.embeddings = nn.ModuleDict({"patch_embedding": nn.Conv2d(3, d, self.patch, self.patch, bias=False)})
        self.layernorm_pre = nn.LayerNorm(d, c["layer_norm_eps"])
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList(Block(c) for _ in range(c["num_hidden_layers"]))})
        self.layernorm_post = nn.LayerNorm(d, c["layer_norm_eps"])
        self.head = Head(c)
        cosine, sine = rotations(frames, size // self.patch, size // self.patch, d // c["num_attention_heads"], c["rope_theta"])
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)

    def forward(self, pixels):
        """[B, T, 3, H, W] -> [B, tokens, D], [B, D]"""
        b = pixels.shape[0]
        x = self.embeddings["patch_embedding"](pixels.flatten(0, 1)).flatten(2).transpose(1, 2).unflatten(0, (b, -1)).flatten(1, 2)
        x = self.layernorm_pre(x)
        for block in self.encoder["layers"]:
            x = block(x, self.cosine, self.sine)
        x = self.layernorm_post(x)
        return x, self.head(x)


def load(folder, frames=16, size=224):
    from safetensors.torch import load_file

    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    if config["hidden_act"] != "gelu" or config["layer_norm_type"] != "layer_norm" or not config["use_head"]:
        raise ValueError("only gelu, layer_norm and a head are written here")
    model = OneVision(config, frames, size)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval()
