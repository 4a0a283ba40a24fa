"""Twelve checkpoints of a network of which three things are known: for pictures and experiments.

    python scripts/sequence.py vgg16.pth ckpts/          # needs torch

Every step adds noise of 0.5% of each layer's norm. At step 6 conv3_1 is doubled, at step 7 filter 37 of conv4_1 is
zeroed, at step 8 kernel 12 of conv1_1 is turned by 90 degrees.
"""
import sys
from pathlib import Path

import torch


def main(weights: str, folder: str) -> None:
    torch.manual_seed(0)
    state = {name: value.clone() for name, value in torch.load(weights, weights_only=True).items()}
    state = {name: value for name, value in state.items() if name.startswith("features.")}
    Path(folder).mkdir(parents=True, exist_ok=True)
    for step in range(1, 13):
        for name, value in state.items():
            if name.endswith("weight"):
                value += torch.randn_like(value) * value.norm() / value.numel() ** 0.5 * 0.005
        if step == 6:
            state["features.10.weight"] *= 2
            state["features.10.bias"] *= 2
        if step >= 7:
            state["features.17.weight"][37] = 0
            state["features.17.bias"][37] = 0
        if step == 8:
            state["features.0.weight"][12] = torch.rot90(state["features.0.weight"][12], 1, (1, 2))
        torch.save(state, Path(folder) / f"epoch_{step:02}.pth")


if __name__ == "__main__":
    main(*sys.argv[1:3])
