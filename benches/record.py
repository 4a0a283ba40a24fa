"""One form for what was measured: benches/runs/DATE-MACHINE/record.json.

    python3 benches/record.py measured.json … [--criterion target/criterion]   a new record, compared with the last one of this machine
    python3 benches/record.py --table                                          the table of docs/speed.md, from the newest record

`make bench` does the first. A record has the machine, versions, every raw number and the ratios; benchmarks give theirs by
`--json FILE` as {"measured": {NAME: {"unit": UNIT, "values": [NUMBER, …]}}, "ratios": {NAME: NUMBER}}. Smaller is faster.
Something is slower where three quarters of the new values lie above three quarters of the old ones, and the median by 2% at least.
Needs no package.
"""
import argparse
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / "benches/runs"
# Medians apart by less are equal.
LEAST = 0.02
# Rows of docs/speed.md: a name of compare.py, what it is called there.
ROWS = [
    ("A first step", "all 31 layers, every map, 224 x 224: the first step, start-up included"),
    ("A whole", "24 photos, start to end"),
    ("A each further step", "each further step (16.5 MB, the script's 17.3)"),
    ("B first step", "six layers, 64 maps each, 224 x 224: the first step, start-up included"),
    ("B whole", "32 photos, start to end"),
    ("B each further step", "each further step (2.7 MB, the script's 2.9)"),
    ("H first step", "ResNet-50 as `torch.export` wrote it, its four stages: the first step, start-up included"),
    ("H whole", "24 photos, start to end"),
    ("H each further step", "each further step (1.0 MB, the script's 0.9)"),
]


def said(*command: str) -> str:
    """What a command prints, on one line; nothing where it cannot be run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return ""


def gpu() -> str:
    name = re.search(r"GPU 0: (.*?) \(UUID", said("nvidia-smi", "-L"))
    return name[1] if name else ""


def machine() -> dict:
    """What a number depends on; records of equal ones are compared."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        cpu = names[1] if names else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": cpu, "cores": cores, "gpu": gpu(), "system": f"{platform.system()} {platform.machine()}"}


def versions() -> dict:
    locked = (ROOT / "Cargo.lock").read_text()
    of = lambda name: re.search(rf'name = "{name}"\nversion = "(.*?)"', locked)[1]  # noqa: E731
    return {
        "vggscope": of("vggscope"), "commit": said("git", "rev-parse", "--short", "HEAD"),
        "burn": of("burn"), "tch": of("tch"), "rustc": said("rustc", "--version"), "python": platform.python_version(),
    }  # fmt: skip


def criterion(folder: Path) -> dict:
    """Seconds of each sample of each benchmark in Criterion's folder."""
    measured = {}
    for file in sorted(folder.rglob("new/sample.json")):
        sample = json.loads(file.read_text())
        name = json.loads((file.parent / "benchmark.json").read_text())["full_id"]
        values = [time / count / 1e9 for time, count in zip(sample["times"], sample["iters"])]
        measured[name] = {"unit": "s", "values": values}
    return measured


def records() -> list:
    """All records, the oldest first."""
    files = sorted(RUNS.glob("*/record.json"))
    return [json.loads(file.read_text()) for file in files]


def write(measured: dict, ratios: dict, runs: Path = RUNS, **more) -> Path:
    """Writes a record, and says what got slower than in the last one of this machine."""
    here = machine()
    earlier = [record for record in records() if record["machine"] == here]
    date = datetime.datetime.now().strftime("%Y-%m-%d-%H%M")
    called = here["gpu"] or f"{here['cpu']}-{here['cores']}-cores"
    folder = runs / f"{date}-{re.sub(r'[^A-Za-z0-9]+', '-', called).strip('-')}"
    folder.mkdir(parents=True, exist_ok=True)
    record = {"date": date, "machine": here, "versions": versions(), **more, "measured": measured, "ratios": ratios}
    (folder / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"written to {folder}")
    if earlier:
        compare(earlier[-1], record)
    else:
        print("the first record of this machine: nothing to compare with")
    return folder


def slower(old: list, new: list) -> bool:
    """Whether the new values are above the old ones by more than both vary."""
    quarter = lambda values, at: statistics.quantiles(values, n=4)[at] if len(values) > 1 else values[0]  # noqa: E731
    return quarter(new, 0) > quarter(old, 2) and statistics.median(new) > (1 + LEAST) * statistics.median(old)


def compare(old: dict, new: dict) -> list:
    """Prints what got slower and faster since an earlier record; the names of what got slower."""
    found = {"slower": [], "faster": []}
    both = [name for name in new["measured"] if name in old["measured"]]
    for name in both:
        was, now = (record["measured"][name]["values"] for record in (old, new))
        change = "slower" if slower(was, now) else "faster" if slower(now, was) else None
        if change:
            before, after = statistics.median(was), statistics.median(now)
            unit = new["measured"][name]["unit"]
            found[change].append(name)
            print(f"{change}: {name}: {before:.4g} -> {after:.4g} {unit} ({after / before - 1:+.0%})")
    print(f"since {old['date']}: {len(found['slower'])} of {len(both)} slower, {len(found['faster'])} faster, beyond what they vary by")
    return found["slower"]


def digits(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 1 else f"{seconds:.1f}"


def table(record: dict) -> str:
    """The rows of docs/speed.md."""
    lines = ["| work | vggscope | optimized PyTorch | ratio |", "| --- | --- | --- | --- |"]
    for name, title in ROWS:
        if name in record["ratios"]:
            mine, its = (statistics.median(record["measured"][f"{name}, {who}"]["values"]) for who in ("vggscope", "optimized"))
            lines.append(f"| {title} | {digits(mine)} s | {digits(its)} s | {record['ratios'][name]:.2f} |")
    return "\n".join(lines) + "\n"


def write_table() -> None:
    newest = [record for record in records() if "A first step" in record["ratios"]][-1]
    page = ROOT / "docs/speed.md"
    begin, end = "<!-- benches/record.py -->\n", "<!-- end -->"
    before, rest = page.read_text().split(begin)
    page.write_text(before + begin + table(newest) + end + rest.split(end)[1])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("measured", nargs="*", type=Path, help="files of --json")
    options.add_argument("--criterion", type=Path, help="the folder of Criterion")
    options.add_argument("--table", action="store_true", help="write the table of docs/speed.md")
    asked = options.parse_args()
    if asked.table:
        return write_table()
    measured, ratios = criterion(asked.criterion) if asked.criterion else {}, {}
    for file in filter(Path.exists, asked.measured):
        one = json.loads(file.read_text())
        measured.update(one["measured"])
        ratios.update(one.get("ratios", {}))
    if not measured:
        sys.exit("nothing was measured")
    write(measured, ratios)


if __name__ == "__main__":
    main()
