#!/usr/bin/env bash
# Makes the pictures of the README again: docs/*.png. Needs a released build, weights of VGG16 as torchvision publishes
# them (WEIGHTS, a .pth), and a Python with torch (PYTHON).
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
