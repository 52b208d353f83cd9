#!/usr/bin/env python3
"""Export a PyTorch model to ONNX so that `tubelet` can run it, and say how.

  export_onnx.py NAME FOLDER [--batch N] [--seed N]
  export_onnx.py my_model.py FOLDER [--batch N]

NAME is one of the built-in examples: videomae, dinov2 (transformers), resnet, mc3 (torchvision), with random weights
and small sizes, so that nothing is downloaded. For a model of your own write a Python file with one function:

  def build():
      module = ...                    # torch.nn.Module in eval mode: pixels in, one tensor (or a dict of tensors) out
      shape = (1, 16, 3, 224, 224)    # of its input: [N, T, C, H, W], [N, C, T, H, W] or, for frame models, [N, C, H, W]
      return {"module": module, "shape": shape, "outputs": ["last_hidden_state"],
              "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}

FOLDER then holds model.onnx (and model.onnx.data where the weights are large). The batch is dynamic, or N. The exported
file is run by:

  tubelet extract VIDEOS --model FOLDER --out FEATURES --mean R,G,B --std R,G,B

check_onnx.py compares the two. Needs torch, onnx, onnxscript; for the examples transformers or torchvision.
"""
import argparse
import importlib.util
import pathlib
import warnings

import torch

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class Tensors(torch.nn.Module):
    """A transformers model as a module with one input and a tuple of outputs."""

    def __init__(self, model, outputs):
        super().__init__()
        self.model, self.outputs = model, outputs

    def forward(self, pixel_values):
        result = self.model(pixel_values)
        return tuple(result[name] for name in self.outputs)


def randomise(module):
    """Makes every parameter random, even those that start as zeros or ones, so that none can be left out unnoticed."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim < 2:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return module.eval()


def videomae():
    from transformers import VideoMAEConfig, VideoMAEModel
    config = VideoMAEConfig(image_size=64, patch_size=16, num_frames=16, tubelet_size=2, hidden_size=96,
                            num_hidden_layers=3, num_attention_heads=4, intermediate_size=384)
    outputs = ["last_hidden_state"]
    return {"module": Tensors(randomise(VideoMAEModel(config)), outputs), "shape": (1, 16, 3, 64, 64),
            "outputs": outputs, **IMAGENET}


def dinov2():
    from transformers import Dinov2Config, Dinov2Model
    config = Dinov2Config(image_size=70, patch_size=14, hidden_size=96, num_hidden_layers=3, num_attention_heads=4,
                          mlp_ratio=4)
    outputs = ["last_hidden_state", "pooler_output"]
    return {"module": Tensors(randomise(Dinov2Model(config)), outputs), "shape": (1, 3, 70, 70), "outputs": outputs,
            **IMAGENET}


def headless(model):
    """A torchvision network whose feature is what its classifier would receive."""
    model.fc = torch.nn.Identity()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return randomise(model)


def resnet():
    import torchvision
    model = headless(torchvision.models.resnet18(weights=None))
    return {"module": model, "shape": (1, 3, 96, 96), "outputs": ["features"], **IMAGENET}


def mc3():
    import torchvision
    model = headless(torchvision.models.video.mc3_18(weights=None))
    return {"module": model, "shape": (1, 3, 8, 64, 64), "outputs": ["features"], **IMAGENET}


EXAMPLES = {"videomae": videomae, "dinov2": dinov2, "resnet": resnet, "mc3": mc3}


def load(name, seed):
    torch.manual_seed(seed)
    if name in EXAMPLES:
        return EXAMPLES[name]()
    spec = importlib.util.spec_from_file_location("user_model", name)
    user = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(user)
    model = user.build()
    model["module"].eval()
    return model


def export(model, folder, batch):
    folder.mkdir(parents=True, exist_ok=True)
    # A dynamic batch is traced with two items: the tracer would take one for a constant.
    pixels = torch.rand(batch or 2, *model["shape"][1:])
    dynamic = None if batch else ({0: torch.export.Dim("batch", min=1)},)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(model["module"], (pixels,), folder / "model.onnx", dynamo=True, dynamic_shapes=dynamic,
                          input_names=["pixel_values"], output_names=model["outputs"], external_data=False,
                          verbose=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help=", ".join(EXAMPLES) + ", or a Python file with build()")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--batch", type=int, help="a fixed batch of N (dynamic)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model = load(args.name, args.seed)
    export(model, args.folder, args.batch)
    print(f"{args.folder}/model.onnx: input {list(model['shape'])}, outputs {', '.join(model['outputs'])}")


if __name__ == "__main__":
    main()
