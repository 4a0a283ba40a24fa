"""Is every picture torchvision's, from the image file on?

    python torchvision_pictures.py WEIGHTS IMAGE... [--vggscope PATH]      # needs: torch torchvision pillow numpy
    python torchvision_pictures.py resnet50 IMAGE...

Runs `vggscope images` with the weights of a VGG16 (a state dict in torchvision's names) over the images, all 31
layers, and compares each PNG file that it writes with what PyTorch makes of the same file: Resize(256),
CenterCrop(224), ToTensor and Normalize on a picture of Pillow, the layers one by one, then make_grid. Of another
network of torchvision, with random weights, all layers of what torch.export makes of it. Prints the
largest difference of a layer in gray levels, and exits with 1 where one is above 1.
"""
import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision import models, transforms
from torchvision.models.feature_extraction import NodePathTracer
from torchvision.utils import make_grid

PREPARE = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
)


def vgg16(weights):
    """The network's layers: from an image to the maps of each, by name."""
    network = models.vgg16(weights=None)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network.load_state_dict(state, strict=False)
    for layer in network.features:
        # In place, it would overwrite the convolution's maps.
        if isinstance(layer, torch.nn.ReLU):
            layer.inplace = False

    def maps(x):
        for index, layer in enumerate(network.features.eval()):
            x = layer(x)
            yield f"{index:02}", x

    return maps


class Recorded(torch.fx.Interpreter):
    """Keeps what each node gives, before another one changes it in place."""

    def __init__(self, module, names):
        super().__init__(module)
        self.names, self.seen = names, {}

    def run_node(self, node):
        value = super().run_node(node)
        if isinstance(value, torch.Tensor) and node in self.names:
            self.seen[self.names[node]] = value.clone()
        return value


def exported(name, path):
    """The same of another network, which is exported to `path`; layers by the names of torchvision's feature extraction."""
    torch.manual_seed(0)
    network = models.get_model(name, weights=None).eval()
    batch = torch.export.Dim("batch", max=64)
    program = torch.export.export(network, (torch.zeros(2, 3, 224, 224),), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)
    tracer = NodePathTracer()
    module = torch.fx.GraphModule(network, tracer.trace(network))

    def maps(x):
        recorded = Recorded(module, tracer.node_to_qualname)
        recorded.run(x)
        return recorded.seen.items()

    return maps


def grid(maps):
    columns = math.ceil(math.sqrt(len(maps)))
    # A map of one pixel has no range of its own.
    scale_each = maps[0].numel() > 1
    picture = make_grid(maps[:, None], nrow=columns, padding=1, normalize=True, scale_each=scale_each)
    # As SummaryWriter.add_image makes 8 bits of it.
    return (picture[0].numpy() * 255).clip(0, 255).astype(np.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", help="weights of a VGG16, or the name of another network of torchvision")
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--vggscope", default="target/release/vggscope")
    args = parser.parse_args()
    worst = {}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        out = Path(folder)
        command = [args.vggscope, "images", *args.images, "--png", out / "png", "--logdir", out / "runs", "--quiet"]
        if Path(args.network).exists():
            layers = vgg16(args.network)
            command += ["--weights", args.network]
        else:
            layers = exported(args.network, out / "net.pt2")
            command += ["--model", out / "net.pt2", "--layers", "all"]
        subprocess.run(command, check=True)
        for step, image in enumerate(args.images):
            x = PREPARE(Image.open(image).convert("RGB"))[None]
            written = {file.stem: file for file in (out / "png" / f"{step:06}_{image.stem}").glob("[0-9]*.png")}
            for name, maps in layers(x):
                files = [stem for stem in written if stem == f"{stem.split('_')[0]}_{name}" or stem.startswith(f"{name}_")]
                for stem in files if maps.dim() == 4 else []:
                    found = np.asarray(Image.open(written[stem])).astype(int)
                    expected = grid(maps[0])
                    if found.shape != expected.shape:
                        # Channels last.
                        expected = grid(maps[0].permute(2, 0, 1))
                    difference = np.abs(found - expected).max()
                    worst[stem] = max(worst.get(stem, 0), int(difference))
            missing = set(written) - set(worst)
            if missing:
                print(f"not compared: {', '.join(sorted(missing))}")
    print("\n".join(f"{layer}: {levels}" for layer, levels in sorted(worst.items())))
    print(f"largest difference: {max(worst.values())} of 255 levels")
    return max(worst.values()) > 1


if __name__ == "__main__":
    sys.exit(main())
