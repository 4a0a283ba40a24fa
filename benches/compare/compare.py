"""vggscope beside PyTorch, by turns on this machine.

    python benches/compare/compare.py [--work A,B,C,D,D+,E,F,G] [--rounds 5] [--naive] [--vggscope PATH]

Runs the same work with vggscope and with peer.py (the expert's program; `--naive` adds the one that
most people write) in turns A B A B ..., so that a slow spell of the machine falls on both, and prints
medians and the median of the rounds' ratios. A step is the time between the wall clocks of two steps in
the event file, which both write; a process is timed from outside, imports and loading included. F and
G train: see training.py.

Random weights and copies of the photos are made once in --folder (4.5 GB with the 553 MB checkpoints).
Needs a Python with torch 2.9, torchvision, tensorboard, crc32c, opencv-python-headless.
"""
import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import training
from events import events

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SIX = ["--layers", "0,5,10,17,24,30", "--max-maps", "64"]


@dataclass
class Work:
    title: str
    flags: list
    images: int  # how many; 1 with checkpoints
    whole: bool = False  # the whole process counts, not a step
    checkpoints: str = ""
    size: int = 224


WORKS = {
    "A": Work("all 31 layers, every map, 224", ["--layers", "all"], 24),
    "B": Work("six layers, 64 maps each, 224", SIX, 32),
    "C": Work("layer 5, 128 maps, 672", ["--layers", "5", "--resize", "1024", "--crop", "672"], 12, size=672),
    "D": Work("8 checkpoints of 59 MB, one photo, work B", SIX, 1, whole=True, checkpoints="ckpts"),
    "D+": Work("8 checkpoints of 553 MB, one photo, work B", SIX, 1, whole=True, checkpoints="ckpts_full"),
    "E": Work("64 photos, work B", SIX, 64, whole=True),
}


def make_data(folder: Path) -> None:
    import torch
    from torchvision.models import vgg16

    (folder / "photos").mkdir(parents=True, exist_ok=True)
    photos = sorted((ROOT / "photos").glob("*.png"))
    for n in range(64):
        to = folder / "photos" / f"{n:03}.png"
        if not to.exists():
            shutil.copy(photos[n % len(photos)], to)
    if not (folder / "vgg16.pth").exists():
        torch.manual_seed(0)
        torch.save(vgg16(weights=None).state_dict(), folder / "vgg16.part")
        (folder / "vgg16.part").rename(folder / "vgg16.pth")
    if (folder / "done").exists():
        return
    state = torch.load(folder / "vgg16.pth", mmap=True)
    features = {name: tensor for name, tensor in state.items() if name.startswith("features.")}
    for name in ("ckpts", "ckpts_full"):
        (folder / name).mkdir(exist_ok=True)
    for n in range(8):
        features = {k: v + 0.02 * v.std() * torch.randn_like(v) for k, v in features.items()}
        torch.save({k: v.clone() for k, v in features.items()}, folder / "ckpts" / f"epoch_{n:03}.pth")
        torch.save({**state, **features}, folder / "ckpts_full" / f"epoch_{n:03}.pth")
    (folder / "done").touch()


def bare_forward(size: int, channels_last: bool) -> None:
    """Prints the median time of a forward pass through all 31 layers and nothing else."""
    import torch
    from torchvision.models import vgg16

    net = vgg16(weights=None).features.eval()
    x = torch.rand(1, 3, size, size)
    if channels_last:
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(12):
            start = time.perf_counter()
            net(x)
            times.append(time.perf_counter() - start)
    print(statistics.median(times[2:]))


def step_times(logdir: Path) -> list:
    """Seconds between the wall clocks of consecutive steps."""
    last = {}
    for event in events(logdir):
        if event.HasField("summary"):
            last[event.step] = max(last.get(event.step, 0), event.wall_time)
    clocks = [last[step] for step in sorted(last)]
    return [b - a for a, b in zip(clocks, clocks[1:])]


def run(command: list, logdir: Path) -> dict:
    """Whole seconds, median seconds a step, bytes a step."""
    shutil.rmtree(logdir, ignore_errors=True)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    whole = time.perf_counter() - start
    steps = step_times(logdir)
    size = sum(file.stat().st_size for file in logdir.rglob("*tfevents*"))
    return {
        "whole": whole,
        "step": statistics.median(steps[1:]) if len(steps) > 2 else whole,
        "bytes": size / (len(steps) + 1),
    }


def commands(a, work: Work, folder: Path, logs: Path) -> dict:
    """The programs that do `work`, by name."""
    images = folder / "photos"
    if work.images < 64:
        images = folder / f"photos_{work.images}"
        images.mkdir(exist_ok=True)
        for source in sorted((folder / "photos").iterdir())[: work.images]:
            if not (images / source.name).exists():
                shutil.copy(source, images / source.name)
    weights = ["--weights", str(folder / "vgg16.pth")]
    peer = [sys.executable, str(HERE / "peer.py"), *work.flags, "--images", str(images)]
    mine = [a.vggscope]
    if work.checkpoints:
        sequence = str(folder / work.checkpoints)
        peer += ["--checkpoints", sequence]
        mine += ["checkpoints", sequence, "--images", str(images)]
    else:
        peer += weights
        mine += ["images", str(images), *weights]
    mine += [*work.flags, "--quiet", "--run", "r", "--logdir", str(logs / "vggscope")]
    programs = {"vggscope": mine, "expert": [*peer, "--logdir", str(logs / "expert")]}
    if a.naive:
        programs["naive"] = [*peer, "--naive", "--logdir", str(logs / "naive")]
    for size, last in ((work.size, False), (work.size, True)):
        name = "forward NHWC" if last else "forward NCHW"
        programs[name] = [sys.executable, __file__, "--forward", str(size), *(["--channels-last"] if last else [])]
    return programs


def measure(a, name: str, folder: Path, logs: Path) -> None:
    work = WORKS[name]
    rounds = []
    programs = commands(a, work, folder, logs)
    for _ in range(a.rounds):
        row = {}
        for program, command in programs.items():
            if program.startswith("forward"):
                out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                row[program] = {"step": float(out), "whole": float(out), "bytes": 0}
            else:
                row[program] = run(command, logs / program)
        rounds.append(row)
    key = "whole" if work.whole else "step"
    print(f"\n{name}: {work.title} ({'whole process' if work.whole else 'a step'}, median of {a.rounds})")
    for program in programs:
        value = statistics.median(row[program][key] for row in rounds)
        ratio = statistics.median(row["vggscope"][key] / row[program][key] for row in rounds)
        size = statistics.median(row[program]["bytes"] for row in rounds)
        print(f"  {program:13} {value:7.3f} s   vggscope is {ratio:5.2f} x   {size / 1e6:6.1f} MB a step", flush=True)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", default="A,B,C,D,D+,E,F,G", help="any of A, B, C, D, D+, E, F, G, comma-separated")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--naive", action="store_true")
    p.add_argument("--vggscope", default=str(ROOT / "target/release/vggscope"))
    p.add_argument("--folder", type=Path, default=Path.home() / ".cache/vggscope/compare")
    p.add_argument("--forward", type=int, help=argparse.SUPPRESS)
    p.add_argument("--channels-last", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.forward:
        bare_forward(a.forward, a.channels_last)
        return
    make_data(a.folder)
    for name in a.work.split(","):
        with tempfile.TemporaryDirectory() as logs:
            if name == "F":
                training.measure_step(a, a.folder, Path(logs))
            elif name == "G":
                training.measure_logging(a, a.folder, Path(logs))
            else:
                measure(a, name, a.folder, Path(logs))


if __name__ == "__main__":
    main()
