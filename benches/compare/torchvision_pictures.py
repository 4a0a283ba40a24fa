"""Is every picture torchvision's, from the image file on?

    python torchvision_pictures.py WEIGHTS IMAGE... [--vggscope PATH]      # needs: torch torchvision pillow numpy

Runs `vggscope images` with the weights of a VGG16 (a state dict in torchvision's names) over the images, all 31
layers, and compares each PNG file that it writes with what PyTorch makes of the same file: Resize(256),
CenterCrop(224), ToTensor and Normalize on a picture of Pillow, the layers one by one, then make_grid. Prints the
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
from torchvision.utils import make_grid

PREPARE = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
)


def layers(weights):
    network = models.vgg16(weights=None)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network.load_state_dict(state, strict=False)
    for layer in network.features:
        # In place, it would overwrite the convolution's maps.
        if isinstance(layer, torch.nn.ReLU):
            layer.inplace = False
    return network.features.eval()


def grid(maps):
    columns = math.ceil(math.sqrt(len(maps)))
    picture = make_grid(maps[:, None], nrow=columns, padding=1, normalize=True, scale_each=True)
    # As SummaryWriter.add_image makes 8 bits of it.
    return (picture[0].numpy() * 255).clip(0, 255).astype(np.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--vggscope", default="target/release/vggscope")
    args = parser.parse_args()
    features = layers(args.weights)
    worst = {}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        out = Path(folder)
        command = [args.vggscope, "images", *args.images, "--weights", args.weights, "--png", out / "png"]
        subprocess.run([*command, "--logdir", out / "runs", "--quiet"], check=True)
        for step, image in enumerate(args.images):
            x = PREPARE(Image.open(image).convert("RGB"))[None]
            written = out / "png" / f"{step:06}_{image.stem}"
            for index, layer in enumerate(features):
                x = layer(x)
                [file] = written.glob(f"{index:02}_*.png")
                found = np.asarray(Image.open(file)).astype(int)
                difference = np.abs(found - grid(x[0])).max()
                worst[file.stem] = max(worst.get(file.stem, 0), int(difference))
    print("\n".join(f"{layer}: {levels}" for layer, levels in sorted(worst.items())))
    print(f"largest difference: {max(worst.values())} of 255 levels")
    return max(worst.values()) > 1


if __name__ == "__main__":
    sys.exit(main())
