"""The optimized PyTorch script that vggscope is compared with: the same images in TensorBoard.

    python peer.py --weights W.pth --images DIR --logdir L [--layers 0,5] [--maps 64] ...
    python peer.py --checkpoints DIR --images ONE.png --logdir L ...
    python peer.py --network resnet50 --layers conv1,layer1 ...

The layers of VGG16 are run one by one up to the last that is shown; those of another network of torchvision are
caught by hooks on its modules. `--naive` does what most people write (hooks, `make_grid`, `SummaryWriter.add_image`). Otherwise:
channels_last, memory-mapped weights assigned without a copy, normalizing and tiling in place, OpenCV's
PNG encoder on a thread pool, CRC in C. Needs torch 2.9, torchvision, tensorboard, crc32c, opencv-python-headless.
"""
import argparse
import math
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from torchvision import transforms
from torchvision.models import get_model
from torchvision.utils import make_grid

ENDINGS = {".png", ".jpg", ".jpeg"}


def natural(path):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


class Naive:
    """SummaryWriter and make_grid."""

    def __init__(self, logdir):
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(logdir)

    def grid(self, tag, tiles, step):
        columns = math.ceil(math.sqrt(len(tiles)))
        grid = make_grid(tiles, nrow=columns, padding=1, normalize=True, scale_each=True)
        self.writer.add_image(tag, grid, step)

    def end_step(self, step):
        self.writer.flush()

    def close(self):
        self.writer.close()


class Optimized:
    """The same images without the parts known to be slow."""

    def __init__(self, logdir, threads):
        import crc32c
        import cv2
        from tensorboard.summary.writer import record_writer
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        def masked(data):
            crc = crc32c.crc32c(data)
            return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF

        record_writer.masked_crc32c = masked
        cv2.setNumThreads(1)
        self.cv2 = cv2
        self.writer = EventFileWriter(logdir)
        self.pool, self.waiting = ThreadPoolExecutor(threads), []

    def grid(self, tag, tiles, step, pad=1):
        count, channels, height, width = tiles.shape
        low = tiles.amin((1, 2, 3), keepdim=True)
        scale = 255.0 / (tiles.amax((1, 2, 3), keepdim=True) - low).clamp_min(1e-5)
        levels = torch.sub(tiles, low).mul_(scale).to(torch.uint8)
        columns = math.ceil(math.sqrt(count))
        rows = math.ceil(count / columns)
        grid = torch.zeros(rows * (height + pad) + pad, columns * (width + pad) + pad, channels, dtype=torch.uint8)
        # Two copies a layer, not one a map: all layers have 9,920 maps.
        cells = grid[pad:, pad:].unflatten(0, (rows, height + pad)).unflatten(2, (columns, width + pad))
        full, rest = divmod(count, columns)
        first = levels[: full * columns].unflatten(0, (full, columns))
        cells[:full, :height, :, :width] = first.permute(0, 3, 1, 4, 2)
        if rest:
            cells[full, :height, :rest, :width] = levels[full * columns :].permute(2, 0, 3, 1)
        self.waiting.append((tag, self.pool.submit(self.encode, grid.numpy())))

    def encode(self, grid):
        height, width, channels = grid.shape
        png = self.cv2.imencode(".png", grid[..., ::-1])[1].tobytes()
        return Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=png)

    def end_step(self, step):
        for tag, future in self.waiting:
            value = Summary.Value(tag=tag, image=future.result())
            self.writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=[value])))
        self.waiting.clear()
        self.writer.flush()

    def close(self):
        self.writer.close()


def network(name, naive):
    """A network whose parameters come later, and whether its layers follow one another."""
    with torch.device("cpu" if naive else "meta"):
        net = get_model(name, weights=None)
    is_chain = name.startswith("vgg")
    net = net.features if is_chain else net
    for module in net.modules():
        # A ReLU that changes its input would change what was caught before it.
        if isinstance(module, torch.nn.ReLU) and is_chain:
            module.inplace = False
    return net.eval(), is_chain


def layers_of(net, is_chain, wanted):
    """A function from images to the values of each wanted layer."""
    if is_chain:
        indices = range(len(net)) if wanted == "all" else [int(index) for index in wanted.split(",")]

        def by_one(x):
            for index in range(max(indices) + 1):
                x = net[index](x)
                if index in indices:
                    yield f"{index:02d}", x

        return by_one
    caught = {}
    for name in wanted.split(","):
        hook = lambda _module, _inputs, output, name=name: caught.update({name: output})
        net.get_submodule(name).register_forward_hook(hook)

    def by_hooks(x):
        net(x)
        return caught.items()

    return by_hooks


def load(net, is_chain, path, naive):
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=not naive)
    if is_chain:
        state = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
    net.load_state_dict(state, assign=not naive)
    if not naive:
        net.to(memory_format=torch.channels_last)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--weights")
    p.add_argument("--checkpoints", type=Path)
    p.add_argument("--images", type=Path, required=True)
    p.add_argument("--logdir", required=True)
    p.add_argument("--network", default="vgg16", help="vgg16, or another of torchvision's")
    p.add_argument("--layers", default="all", help="of VGG16: numbers; of another network: names of modules")
    p.add_argument("--maps", type=int)
    p.add_argument("--resize", type=int, default=256)
    p.add_argument("--crop", type=int, default=224)
    p.add_argument("--threads", type=int, default=torch.get_num_threads())
    p.add_argument("--naive", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)

    net, is_chain = network(a.network, a.naive)
    run = layers_of(net, is_chain, a.layers)
    kernels = next(module for module in net.modules() if isinstance(module, torch.nn.Conv2d))
    prepare = transforms.Compose([
        transforms.Resize(a.resize), transforms.CenterCrop(a.crop), transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])
    sink = Naive(a.logdir) if a.naive else Optimized(a.logdir, a.threads)

    def picture(path):
        x = prepare(Image.open(path).convert("RGB")).unsqueeze(0)
        return x if a.naive else x.contiguous(memory_format=torch.channels_last)

    def show(x, step):
        # The grids come after the forward pass, which uses all cores.
        maps = {name: values[0, : a.maps].contiguous() for name, values in run(x)}
        for name, tiles in maps.items():
            sink.grid(f"feature_maps/{name}", tiles.unsqueeze(1), step)
        sink.grid("kernels", kernels.weight, step)
        sink.end_step(step)

    images = [a.images] if a.images.is_file() else sorted(
        (f for f in a.images.iterdir() if f.suffix.lower() in ENDINGS), key=natural)
    with torch.inference_mode():
        if a.checkpoints:
            x = picture(images[0])
            for step, path in enumerate(sorted(a.checkpoints.glob("*.pth"), key=natural)):
                load(net, is_chain, path, a.naive)
                show(x, step)
        else:
            load(net, is_chain, a.weights, a.naive)
            for step, path in enumerate(images):
                show(picture(path), step)
    sink.close()


if __name__ == "__main__":
    main()
