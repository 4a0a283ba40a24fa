"""vggscope on the NVIDIA GPU of this machine: what it is, whether the tests pass on it, and how fast it is.

    make gpu-check                                   all of it, into benches/runs/DATE-GPU/ (see record.py)
    python3 benches/gpu_check.py --missing           only says what is missing
    python3 benches/gpu_check.py --vggscope PATH     only doctor and the table, with a program that is built

The table has the works of `make bench`. Each runs with one step and with all of them; a step takes their difference by
the number of steps between. What the GPU does of it (forward pass, rendering, copy to the host) it times itself, by
events. Medians of --rounds. Needs no package, and no network beyond what the build needs.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record

ROOT = Path(__file__).resolve().parent.parent
DEVICE = "libtorch:cuda:0"
SIX = ["--layers", "0,5,10,17,24,30", "--maps", "64"]
CROPS = ROOT / "tests/fixtures/crops"

# Title, command, what its steps go over, steps, flags.
WORKS = {
    "A": ("all 31 layers, every map, 224", "images", 48, ["--layers", "all"]),
    "A8": ("the same, --batch 8", "images", 64, ["--layers", "all", "--batch", "8"]),
    "A host": ("A, VGGSCOPE_RENDER=host", "images", 32, ["--layers", "all"]),
    "A bf16": ("A, --batch 8 --precision bf16", "images", 64, ["--layers", "all", "--batch", "8", "--precision", "bf16"]),
    "B": ("six layers, 64 maps each, 224", "images", 64, SIX),
    "C": ("layer 5, 128 maps, 672", "images", 24, ["--layers", "5", "--resize", "1024", "--crop", "672"]),
    "D": ("checkpoints of 59 MB, one photo, six layers, compared", "checkpoints", 8, SIX),
    "E": ("many photos, six layers, --batch 8", "images", 256, [*SIX, "--batch", "8"]),
    "F": ("training, batches of 32 at 224, logged every 10 steps", "train", 40, SIX),
}


def missing() -> list:
    """What this machine lacks, a line each."""
    lacks = []
    if shutil.which("nvidia-smi") is None:
        lacks.append("nvidia-smi: install NVIDIA's driver, and run this on a machine with an NVIDIA GPU")
    else:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
        if listed.returncode or "GPU" not in listed.stdout:
            lacks.append(f"a GPU that the driver can use; nvidia-smi says: {(listed.stdout + listed.stderr).strip()}")
    for tool, how in [("cargo", "install Rust from https://rustup.rs"), ("c++", "install a C++ compiler")]:
        if shutil.which(tool) is None:
            lacks.append(f"{tool}: {how}")
    free = shutil.disk_usage(ROOT).free >> 30
    if not (ROOT / ".libtorch").exists() and free < 20:
        lacks.append(f"disk space: libtorch with CUDA and the build take 20 GB, {free} GB are free")
    return lacks


def doctor(vggscope: Path) -> str:
    report = subprocess.run([vggscope, "doctor"], capture_output=True, text=True).stdout
    print(report)
    if f"devices    {DEVICE}" not in report:
        sys.exit("make gpu-check: vggscope finds no GPU; the line CUDA above says why")
    if "computes as the CPU does" not in report:
        sys.exit("make gpu-check: the GPU does not compute what the CPU computes, see above")
    return report


def tests() -> list:
    """The results of the tests on the GPU, a line a binary; what they print goes to a file."""
    log = Path(tempfile.gettempdir()) / "vggscope-gpu-tests.txt"
    with open(log, "w") as file:
        ran = subprocess.run(
            ["make", "test"], cwd=ROOT, env={**os.environ, "VGGSCOPE_TEST_DEVICE": DEVICE}, stdout=file, stderr=file
        )
    results = re.findall(r"^test result: .*", log.read_text(), re.MULTILINE)
    print("\n".join(results))
    if ran.returncode:
        sys.exit(f"make gpu-check: tests fail on the GPU, see {log}")
    return results


class Bench:
    """The works, and what they go over."""

    def __init__(self, vggscope: Path, folder: Path):
        self.vggscope = vggscope
        self.folder = folder
        photos = sorted((ROOT / "photos").glob("*.png"))
        (folder / "photos").mkdir()
        for number in range(256):
            shutil.copy(photos[number % len(photos)], folder / "photos" / f"{number:03}.png")
        self.checkpoints()

    def run(self, place: str, command: str, *flags) -> tuple:
        """Seconds from start to end, rendered on `place`, and what it says of its timings."""
        logdir = tempfile.mkdtemp(dir=self.folder)
        os.sync()
        began = time.perf_counter()
        ran = subprocess.run(
            [self.vggscope, command, *map(str, flags), "--device", DEVICE, "--logdir", logdir, "--timings"],
            capture_output=True, text=True, env={**os.environ, "VGGSCOPE_RENDER": place},
        )
        took = time.perf_counter() - began
        shutil.rmtree(logdir)
        if ran.returncode:
            sys.exit(f"vggscope {command} {' '.join(map(str, flags))}: {ran.stderr}")
        return took, ran.stdout + ran.stderr

    def checkpoints(self) -> None:
        small = ["--arch", "vgg16", "--hidden", "32", "--resize", "64", "--crop", "64", "--batch-size", "4"]
        rarely = ["--every", "off", "--validate-every", "off", "--histograms-every", "off"]
        subprocess.run(
            [self.vggscope, "train", CROPS, "--images", ROOT / "photos/chelsea.png", "--steps", "8", "--save-every", "1",
             "--keep", "all", *small, *rarely, "--logdir", self.folder, "--run", "small", "--quiet"],
            check=True,
        )
        self.saved = sorted((self.folder / "small/checkpoints").glob("*.safetensors"))

    def flags(self, command: str, steps: int) -> list:
        if command == "images":
            return sorted((self.folder / "photos").iterdir())[:steps]
        if command == "checkpoints":
            return [*self.saved[:steps], "--images", ROOT / "photos/chelsea.png"]
        rarely = ["--every", "10", "--histograms-every", "off", "--validate-every", "off", "--save-every", "off"]
        return [CROPS, "--images", ROOT / "photos/chelsea.png", "--steps", str(steps), "--batch-size", "32",
                "--arch", "vgg16", *rarely]

    def row(self, key: str, rounds: int) -> tuple:
        """A row of the table, and milliseconds a step in each round."""
        title, command, steps, flags = WORKS[key]
        if command == "checkpoints":
            steps = min(steps, len(self.saved))
        fewest = 1 if command != "images" or "--batch" not in flags else 8
        walls, said = [], ""
        place = "host" if "host" in key else "auto"
        for _ in range(rounds):
            short, _ = self.run(place, command, *self.flags(command, fewest), *flags)
            long, said = self.run(place, command, *self.flags(command, steps), *flags)
            walls.append((long - short) / (steps - fewest) * 1e3)
        wall = statistics.median(walls)
        stages = {name: float(ms) for name, ms in re.findall(r"  (\w+) ([\d.]+)", said)}
        forward = stages["train"] if command == "train" else stages["forward"]
        on_device = stages["forward"] + stages["render"] + stages["copy"] if "host" not in key else stages["forward"]
        busy = min(1.0, on_device / wall) if command == "images" else None
        read = re.search(r"a step: ([\d.]+) copies, ([\d.]+) waits, ([\d.]+) MB", said)
        alone = f"{1e3 / forward:.0f}" if forward else "-"
        share = f"{busy:.0%}" if busy is not None else "-"
        print(f"{key}: {wall:.2f} ms a step; {said.strip().splitlines()[-2:]}")
        return f"| {key} | {title} | {1e3 / wall:.0f} | {alone} | {share} | {read[3]} | {read[1]} | {read[2]} |", walls


def table(vggscope: Path, keys: list, rounds: int) -> tuple:
    """The table as Markdown, and what was measured."""
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(vggscope, Path(work))
        rows = {key: bench.row(key, rounds) for key in keys}
    head = [
        "| | work | steps/s | forward passes/s alone | GPU busy | MB read a step | copies | waits |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    text = "\n".join([*head, *(row for row, _ in rows.values())]) + "\n"
    print(text)
    return text, {f"GPU {key}, a step": {"unit": "ms", "values": walls} for key, (_, walls) in rows.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--missing", action="store_true", help="only say what is missing")
    options.add_argument("--vggscope", type=Path, help="a program that is built; without it the tests run too")
    options.add_argument("--works", default=",".join(WORKS), help="which, comma-separated")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--into", type=Path, default=record.RUNS)
    asked = options.parse_args()
    lacks = [] if asked.vggscope else missing()
    if lacks:
        sys.exit("make gpu-check needs\n" + "\n".join(f"  - {line}" for line in lacks))
    if asked.missing:
        return
    vggscope = asked.vggscope or Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/vggscope"
    report = doctor(vggscope)
    tested = [] if asked.vggscope else tests()
    text, measured = table(vggscope, asked.works.split(","), asked.rounds)
    record.write(measured, {}, asked.into, doctor=report.splitlines(), tests=tested, table=text.splitlines())


if __name__ == "__main__":
    main()
