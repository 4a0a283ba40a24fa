"""Makes module.pt: libtorch's operations for packed kernels, as a TorchScript module.

    python make_module.py        (torch 2.9)

They are registered with libtorch but have no function in its C++ or C interface; TorchScript finds
them by name. All of VGG's convolutions are 3 x 3, of stride 1, with a border of 1.
"""
from pathlib import Path
from typing import List

import torch
from torch import Tensor


class OneDnn(torch.nn.Module):
    @torch.jit.export
    def pack(self, kernels: Tensor, input: List[int]) -> Tensor:
        return torch.ops.mkldnn._reorder_convolution_weight(kernels, [1, 1], [1, 1], [1, 1], 1, input)

    def forward(self, x: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
        return torch.ops.mkldnn._convolution_pointwise(
            x, kernels, bias, [1, 1], [1, 1], [1, 1], 1, "none", [], ""
        )


if __name__ == "__main__":
    torch.jit.script(OneDnn()).save(Path(__file__).with_name("module.pt"))
