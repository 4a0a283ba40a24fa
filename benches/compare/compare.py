"""vggscope and an optimized PyTorch script over the same work, as whole processes.

    python benches/compare/compare.py [--work A,B,C,D,D+,E,F,G,H] [--rounds 5] [--naive] [--vggscope PATH] [--json FILE]

Every work runs with one step and with all of them. What a user waits for: the process with one step
(imports, weights and the first pictures), the process with all steps, and each further step, which is
their difference by the number of steps between. Runs are interleaved and every other round goes in
reverse order; before each one the disk is synced, so that none pays for what another has left to write.
Numbers are medians, ratios (`x`) the medians of the rounds' ratios, vggscope's time by the other's. `--naive`
adds the script that most people write; two bare forward passes follow. F and G train: see training.py.
`--json` writes the numbers of all rounds but those of F and G, as benches/record.py takes them.

Random weights and copies of the photos are made once in --folder (4.5 GB with the 553 MB checkpoints).
Needs a Python with torch 2.9, torchvision, tensorboard, crc32c, opencv-python-headless.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import training

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SIX = ["--layers", "0,5,10,17,24,30", "--maps", "64"]
# The same six values of ResNet-50, as modules whose output a hook catches and as operations of the exported network.
STAGES = "conv1,maxpool,layer1,layer2,layer3,layer4"
STAGES_EXPORTED = "conv1,maxpool,layer1.2.relu_2,layer2.3.relu_2,layer3.5.relu_2,layer4.2.relu_2"


@dataclass
class Work:
    title: str
    flags: list
    steps: int
    sequence: str = "photos"  # what the steps go over
    size: int = 224
    network: str = "vgg16"


WORKS = {
    "A": Work("all 31 layers, every map, 224", ["--layers", "all"], 24),
    "B": Work("six layers, 64 maps each, 224", SIX, 32),
    "C": Work("layer 5, 128 maps, 672", ["--layers", "5", "--resize", "1024", "--crop", "672"], 12, size=672),
    "D": Work("checkpoints of 59 MB, one photo, six layers", SIX, 8, "ckpts"),
    "D+": Work("checkpoints of 553 MB, one photo, six layers", SIX, 8, "ckpts_full"),
    "E": Work("many photos, six layers", SIX, 64),
    "H": Work("ResNet-50 as torch.export wrote it, six layers, 64 maps each", ["--maps", "64"], 24, network="resnet50"),
}


def make_data(folder: Path) -> None:
    import torch
    from torchvision.models import resnet50, vgg16

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
    if not (folder / "resnet50.pt2").exists():
        torch.manual_seed(0)
        net, batch = resnet50(weights=None).eval(), torch.export.Dim("b", max=64)
        torch.save(net.state_dict(), folder / "resnet50.pth")
        program = torch.export.export(net, (torch.zeros(2, 3, 224, 224),), dynamic_shapes=({0: batch},))
        torch.export.save(program, folder / "resnet50.part.pt2")
        (folder / "resnet50.part.pt2").rename(folder / "resnet50.pt2")
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


def bare_forward(network: str, size: int, channels_last: bool) -> None:
    """Prints the median time of a forward pass through all layers, or those of `features`, and nothing else."""
    import torch
    from torchvision.models import get_model

    net = get_model(network, weights=None).eval()
    net = getattr(net, "features", net)
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


def first(source: Path, count: int) -> Path:
    """A folder with the first `count` files of `source`."""
    folder = source.with_name(f"{source.name}_first_{count}")
    folder.mkdir(exist_ok=True)
    for file in sorted(source.iterdir())[:count]:
        if not (folder / file.name).exists():
            os.link(file, folder / file.name)
    return folder


def commands(a, work: Work, folder: Path, steps: int, logdir: Path) -> dict:
    """The programs that do `steps` steps of `work`, by name."""
    sequence, weights = str(first(folder / work.sequence, steps)), ["--weights", str(folder / "vgg16.pth")]
    peer, mine = [sys.executable, str(HERE / "peer.py")], [a.vggscope]
    if work.network != "vgg16":
        peer += ["--network", work.network, "--weights", str(folder / f"{work.network}.pth"), "--images", sequence]
        mine += ["images", sequence, "--model", str(folder / f"{work.network}.pt2")]
        peer, mine = [*peer, "--layers", STAGES], [*mine, "--layers", STAGES_EXPORTED]
    elif work.sequence == "photos":
        peer += ["--images", sequence, *weights]
        mine += ["images", sequence, *weights]
    else:
        photo = ["--images", str(folder / "photos/000.png")]
        peer += ["--checkpoints", sequence, *photo]
        mine += ["checkpoints", sequence, *photo]
    programs = {"vggscope": [*mine, "--quiet", "--run", "r"], "optimized": peer}
    if a.naive:
        programs["naive"] = [*peer, "--naive"]
    return {name: [*command, *work.flags, "--logdir", str(logdir)] for name, command in programs.items()}


def run(command: list, logdir: Path) -> tuple:
    """Seconds of the whole process, and bytes written."""
    os.sync()
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seconds = time.perf_counter() - start
    size = sum(file.stat().st_size for file in logdir.rglob("*tfevents*"))
    shutil.rmtree(logdir)
    return seconds, size


def forward(work: Work, channels_last: bool) -> float:
    command = [sys.executable, __file__, "--forward", work.network, "--size", str(work.size)]
    command += ["--channels-last"] if channels_last else []
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(a, name: str, folder: Path, logdir: Path, record: dict) -> None:
    work = WORKS[name]
    one, every = (commands(a, work, folder, steps, logdir) for steps in (1, work.steps))
    rounds, bare = {program: [] for program in every}, []
    for number in range(a.rounds):
        for program in list(every)[:: -1 if number % 2 else 1]:
            (short, _), (whole, size) = run(one[program], logdir), run(every[program], logdir)
            rounds[program].append((short, whole, (whole - short) / (work.steps - 1), size / work.steps / 1e6))
        bare.append([forward(work, last) for last in (False, True)])
    print(f"\n{name}: {work.title} (median of {a.rounds})")
    print(f"  {'':10}  {'1 step':>15} {f'{work.steps} steps':>15} {'a further step':>15}  MB a step")
    for program, rows in rounds.items():
        cells = []
        for what, mine, its in zip(("first step", "whole", "each further step"), zip(*rounds["vggscope"]), zip(*rows)):
            ratio = statistics.median(m / i for m, i in zip(mine, its))
            record["measured"][f"{name} {what}, {program}"] = {"unit": "s", "values": its}
            if program == "optimized":
                record["ratios"][f"{name} {what}"] = ratio
            cells.append(f"{statistics.median(its):7.2f} s" + (" " * 7 if program == "vggscope" else f" x{ratio:5.2f}"))
        print(f"  {program:10}  {' '.join(cells)} {statistics.median(row[3] for row in rows):9.1f}")
    for layout, times in zip(("NCHW", "NHWC"), zip(*bare)):
        print(f"  a bare forward pass in PyTorch, {layout}: {statistics.median(times):.3f} s", flush=True)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", default="A,B,C,D,D+,E,F,G,H", help="any of these letters, comma-separated")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--naive", action="store_true")
    p.add_argument("--vggscope", default=str(ROOT / "target/release/vggscope"))
    p.add_argument("--folder", type=Path, default=Path.home() / ".cache/vggscope/compare")
    p.add_argument("--json", type=Path, help="where all numbers go")
    p.add_argument("--forward", help=argparse.SUPPRESS)
    p.add_argument("--size", type=int, help=argparse.SUPPRESS)
    p.add_argument("--channels-last", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.forward:
        bare_forward(a.forward, a.size, a.channels_last)
        return
    make_data(a.folder)
    record = {"measured": {}, "ratios": {}}
    for name in a.work.split(","):
        with tempfile.TemporaryDirectory() as logs:
            if name == "F":
                training.measure_step(a, a.folder, Path(logs))
            elif name == "G":
                training.measure_logging(a, a.folder, Path(logs))
            else:
                measure(a, name, a.folder, Path(logs) / "log", record)
    if a.json:
        a.json.write_text(json.dumps(record))


if __name__ == "__main__":
    main()
