"""A training step of vggscope beside PyTorch's, and what logging adds to it. Called by compare.py.

    F    VGG16, SGD with momentum, batch 8 at 224: seconds a step, by turns with PyTorch's
    G    batch 16 at 224: a step with six layers and the kernels of one probe image logged at every
         step, at every tenth, and not at all, by turns
"""
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from events import events

ROOT = Path(__file__).resolve().parent.parent.parent
STEPS = {"F": 6, "G": 11}


def pytorch(batch: int, steps: int) -> None:
    """Prints the median seconds of PyTorch's step, data aside."""
    import torch
    from torchvision.models import vgg16

    net = vgg16(weights=None, num_classes=2).train()
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    times = []
    for _ in range(steps):
        x, y = torch.randn(batch, 3, 224, 224), torch.randint(0, 2, (batch,))
        start = time.perf_counter()
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimiser.step()
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
        "--max-maps", "64", "--batch-size", str(batch), "--steps", str(steps), "--every", every, *flags.split(),
        "--quiet", "--timings", "--logdir", str(logdir), "--run", "r",
    ]  # fmt: skip


def scalars(logdir: Path, tag: str) -> list:
    return [v.tensor.float_val[0] for event in events(logdir) for v in event.summary.value if v.tag == tag]


def clocks(logdir: Path) -> list:
    """Seconds between the wall clocks of consecutive steps' losses."""
    times = [
        event.wall_time
        for event in events(logdir)
        if any(v.tag == "train/loss" for v in event.summary.value)
    ]
    return [b - a for a, b in zip(times, times[1:])]


def train(command: list, logdir: Path) -> None:
    shutil.rmtree(logdir, ignore_errors=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def measure_step(a, folder: Path, logs: Path) -> None:
    data, steps, rounds = make_classes(folder), STEPS["F"], []
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
    data, rounds = make_classes(folder), []
    for _ in range(a.rounds):
        row = {}
        for every in ("off", "1", "10"):
            train(command(a.vggscope, data, 16, STEPS["G"], every, logs / "g"), logs / "g")
            # All steps but the first, which finds cold caches, and the last, which saves and validates.
            row[every] = sum(clocks(logs / "g")[:-1])
        rounds.append(row)
    print(f"\nG: VGG16, batch 16 at 224, six layers and kernels of one probe image logged (median of {a.rounds})")
    for every, words in (("off", "not logged"), ("1", "every step"), ("10", "every tenth")):
        seconds = statistics.median(row[every] for row in rounds) / (STEPS["G"] - 2)
        added = statistics.median(row[every] / row["off"] - 1 for row in rounds)
        print(f"  {words:13} {seconds:7.3f} s a step   {added:+7.1%}", flush=True)


if __name__ == "__main__":
    pytorch(int(sys.argv[1]), int(sys.argv[2]))
