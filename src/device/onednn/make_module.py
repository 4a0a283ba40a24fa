"""Makes module.pt: libtorch's convolution with packed kernels, as a TorchScript module.

    python make_module.py        (torch 2.9)

It is registered with libtorch but has no function in its C++ or C interface; TorchScript finds it by
name. All of VGG's convolutions are 3 x 3, of stride 1, with a border of 1.
"""
from pathlib import Path

import torch
from torch import Tensor


class OneDnn(torch.nn.Module):
    def forward(self, x: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
        return torch.ops.mkldnn._convolution_pointwise(
            x, kernels, bias, [1, 1], [1, 1], [1, 1], 1, "none", [], ""
        )


if __name__ == "__main__":
    torch.jit.script(OneDnn()).save(Path(__file__).with_name("module.pt"))
