"""A training step of vggscope and of PyTorch, and what logging adds to it. Called by compare.py.

    F    VGG16, SGD with momentum, batch 8 at 224: seconds a step, interleaved with PyTorch
    G    batch 16 at 224: what six layers and the kernels of one probe image add to a step. Steps of ten
         seconds vary by more than that, so it is the logging time of each step divided by its training
         time, both from --timings, as if nothing overlapped with the next step
"""
import shutil
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STEPS = 6


def pytorch(batch: int, steps: int) -> None:
    """Prints the median seconds of PyTorch's step, data aside."""
    import torch
    from torchvision.models import vgg16

    net = vgg16(weights=None, num_classes=2).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    times = []
    for _ in range(steps):
        x, y = torch.randn(batch, 3, 224, 224), torch.randint(0, 2, (batch,))
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        loss.item()
        times.append(time.perf_counter() - start)
    print(statistics.median(times[1:]))


def make_classes(folder: Path) -> Path:
    """A data set of two classes out of the photographs."""
    data = folder / "classes"
    photos = sorted((ROOT / "photos").glob("*.png"))
    for n in range(64):
        to = data / ["one", "two"][n % 2] / f"{n:02}.png"
        to.parent.mkdir(parents=True, exist_ok=True)
        if not to.exists():
            shutil.copy(photos[n % len(photos)], to)
    return data


def command(vggscope: str, data: Path, batch: int, steps: int, every: str, logdir: Path) -> list:
    flags = "--learning-rate 0.001 --validate-every 1000 --save-every off --histograms-every off --keep 1"
    return [
        vggscope, "train", str(data), "--images", str(ROOT / "photos/chelsea.png"), "--layers", "0,5,10,17,24,30",
        "--maps", "64", "--batch-size", str(batch), "--steps", str(steps), "--every", every, *flags.split(),
        "--quiet", "--timings", "--logdir", str(logdir), "--run", "r",
    ]  # fmt: skip


def events(logdir: Path):
    """Events without their checksums, which TensorBoard's own loader computes in Python, a byte at a time."""
    from tensorboard.compat.proto.event_pb2 import Event

    for file in sorted(logdir.rglob("*tfevents*")):
        with open(file, "rb") as records:
            # Length, its checksum; the event, its checksum.
            while header := records.read(12):
                yield Event.FromString(records.read(*struct.unpack("<Q", header[:8])))
                records.read(4)


def scalars(logdir: Path, tag: str) -> list:
    return [v.simple_value for event in events(logdir) for v in event.summary.value if v.tag == tag]


def train(command: list, logdir: Path) -> None:
    shutil.rmtree(logdir, ignore_errors=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def measure_step(a, folder: Path, logs: Path) -> None:
    data, steps, rounds = make_classes(folder), STEPS, []
    for _ in range(a.rounds):
        train(command(a.vggscope, data, 8, steps, "off", logs / "f"), logs / "f")
        mine = statistics.median(t for t in scalars(logs / "f", "timings/train_ms")[2:]) / 1e3
        out = subprocess.run([sys.executable, __file__, "8", str(steps)], check=True, capture_output=True, text=True)
        rounds.append((mine, float(out.stdout)))
    print(f"\nF: VGG16, one SGD step, batch 8 at 224 (median of {a.rounds})")
    print(f"  vggscope      {statistics.median(m for m, _ in rounds):7.3f} s")
    ratio = statistics.median(m / t for m, t in rounds)
    print(f"  PyTorch       {statistics.median(t for _, t in rounds):7.3f} s   vggscope is {ratio:5.2f} x", flush=True)


def measure_logging(a, folder: Path, logs: Path) -> None:
    # The first step finds cold caches, and the last one saves and validates.
    train(command(a.vggscope, make_classes(folder), 16, a.rounds + 2, "1", logs / "g"), logs / "g")
    stages = ["forward", "copy", "render", "encode", "write"]
    trained, *work = (scalars(logs / "g", f"timings/{stage}_ms")[-a.rounds - 1 : -1] for stage in ["train", *stages])
    added = statistics.median(sum(parts) / step for step, *parts in zip(trained, *work))
    print(f"\nG: VGG16, batch 16 at 224, six layers and kernels of one probe image logged (median of {a.rounds})")
    print(f"  not logged    {statistics.median(trained) / 1e3:7.3f} s a step")
    print(f"  every step    {added:+7.1%}")
    print(f"  every tenth   {added / 10:+7.1%}", flush=True)


if __name__ == "__main__":
    pytorch(int(sys.argv[1]), int(sys.argv[2]))
