"""What it costs to compare the checkpoints of a sweep. Called by `make bench`; needs no package.

    time     seven checkpoints of a VGG16, six layers, 64 images at 224: a sweep that compares everything (one
             probe image with pictures of its changes, 64 comparison images), over one that runs the same 64
             forward passes a checkpoint and compares nothing; interleaved, medians
    memory   the peak of 500 checkpoints of a narrow VGG16 over that of 50

    python3 benches/sweep.py target/release/vggscope [ROUNDS] [--json FILE]
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CROPS = sorted((ROOT / "tests/fixtures/crops/train").rglob("*.jpg"))[:64]
PHOTO = ROOT / "photos/chelsea.png"
LAYERS = "conv1_1,relu2_1,relu3_1,relu4_1,relu5_1,pool5"


def run(vggscope: str, *flags) -> tuple:
    """Runs a command to its end: its seconds and its largest memory in MB."""
    began = time.perf_counter()
    child = subprocess.Popen([vggscope, *map(str, flags), "--quiet"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{flags}: exit status {status}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def train(vggscope: str, folder: Path, width: float) -> list:
    """Checkpoints of a short training."""
    size = ["--arch", "vgg16", "--width", width, "--hidden", "32", "--resize", "32", "--crop", "32"]
    often = ["--every", "off", "--validate-every", "off", "--histograms-every", "off", "--save-every", "1"]
    run(
        vggscope, "train", ROOT / "tests/fixtures/crops", "--images", PHOTO, "--batch-size", "4", "--steps", "6",
        "--keep", "all", *size, *often, "--logdir", folder, "--run", f"width-{width}",
    )  # fmt: skip
    return sorted((folder / f"width-{width}/checkpoints").glob("*.safetensors"))


def compare_times(vggscope: str, checkpoints: Path, folder: Path, rounds: int) -> dict:
    common = ["checkpoints", checkpoints, "--layers", LAYERS, "--logdir", folder]
    alone = [*common, "--images", *CROPS, "--compare", "off", "--range", "map"]
    compared = [*common, "--images", PHOTO, "--compare-images", *CROPS, "--change"]
    both = [*common, "--images", *CROPS, "--compare-images", *CROPS, "--change"]
    works = {"nothing compared": alone, "compared": compared, "64 probe images, compared": both}
    times = {work: [] for work in works}
    for number in range(rounds):
        for at, (work, flags) in enumerate(works.items()):
            times[work].append(run(vggscope, *flags, "--run", f"{number}-{at}")[0])
    base = times["nothing compared"]
    for work, seconds in times.items():
        ratio = statistics.median(one / other for one, other in zip(seconds, base))
        print(f"{work:28} {statistics.median(seconds):7.1f} s  {ratio:5.2f} x")
    return {f"sweep, {work}": {"unit": "s", "values": seconds} for work, seconds in times.items()}


def compare_memory(vggscope: str, checkpoints: list, folder: Path) -> dict:
    peaks = []
    for count in (50, 500):
        many = folder / f"many-{count}"
        many.mkdir()
        for step in range(count):
            os.link(checkpoints[step % len(checkpoints)], many / f"step-{step:06}.safetensors")
        peaks.append(
            run(
                vggscope, "checkpoints", many, "--images", PHOTO, "--compare-images", *CROPS, "--change",
                "--layers", LAYERS, "--resize", "48", "--crop", "48", "--logdir", folder, "--run", f"peak-{count}",
            )[1]
        )  # fmt: skip
    print(f"peak memory of 50 and 500 checkpoints: {peaks[0]:.0f} and {peaks[1]:.0f} MB, {peaks[1] / peaks[0]:.2f} x")
    return {f"sweep, memory of {count}": {"unit": "MB", "values": [peak]} for count, peak in zip((50, 500), peaks)}


def main() -> None:
    words = sys.argv[1:]
    file = Path(words.pop(words.index("--json") + 1)) if "--json" in words else None
    vggscope, *rounds = (word for word in words if word != "--json")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured = compare_memory(vggscope, train(vggscope, folder, 0.1), folder)
        checkpoints = train(vggscope, folder, 1)[0].parent
        measured.update(compare_times(vggscope, checkpoints, folder, int(rounds[0]) if rounds else 3))
    if file:
        file.write_text(json.dumps({"measured": measured}))


main()
