"""Pack the program into a Python wheel, in dist/.

    make wheel                                      vggscope: uses the libtorch of the torch installed next to it
    make wheel BACKEND=flex                         vggscope-flex: needs no torch

Not by maturin: as a program of its own (bindings = "bin") it would be put into bin/, from where torch is found in no
fixed place, and one crate would be one name with one list of dependencies. Here the program of `make build` is put into
the package, as site-packages/vggscope/bin/vggscope, with torch in ../../torch/lib.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import install
import libtorch
import notices

CLONE = install.CLONE
LIBTORCH = "$ORIGIN/../../torch/lib"
# libtorch.so needs libtorch_cuda.so where there is one, which alone brings CUDA; on a CPU there is none.
NEEDED = ["--add-needed", "libtorch.so", "--remove-needed", "libtorch_cuda.so"]

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "{version}"
description = "{description}"
readme = "python.md"
license = "{license}"
license-files = ["LICENSE-*", "THIRD-PARTY.txt"]
requires-python = ">=3.10"
dependencies = {dependencies}
scripts = {{ vggscope = "vggscope.__main__:main" }}

[tool.hatch.build.targets.wheel]
artifacts = ["vggscope/bin/vggscope"]
packages = ["vggscope"]
shared-data = {{ share = "share" }}

[tool.hatch.build.targets.wheel.hooks.custom]
path = "hook.py"
"""

# The program is of one platform, and of no version of Python. auditwheel writes the final tag.
HOOK = """\
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        build_data.update(pure_python=False, tag="py3-none-linux_{machine}")
"""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    # Where pip puts programs with --target, and where else.
    tools = [f"{sysconfig.get_path('purelib')}/bin", sysconfig.get_path("scripts"), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(tools)}
    ran = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if ran.returncode != 0:
        raise install.Failed(f"`{shlex.join(map(str, command))}` failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def stage(work: Path, program: Path, has_libtorch: bool, cargo: str, flags: list[str]) -> None:
    """Everything that the wheel is made of, under `work`."""
    metadata = json.loads(run(cargo, "metadata", "--no-deps", "--format-version=1", cwd=CLONE))
    (package,) = (found for found in metadata["packages"] if found["name"] == "vggscope")
    torch = f"torch=={libtorch.VERSION.rpartition('.')[0]}.*"
    text = PROJECT.format(
        name="vggscope" if has_libtorch else "vggscope-flex",
        version=package["version"],
        description=package["description"],
        license=package["license"],
        dependencies=[torch] if has_libtorch else [],
    )
    (work / "pyproject.toml").write_text(text)
    (work / "hook.py").write_text(HOOK.format(machine=platform.machine()))
    for file in ["docs/python.md", "LICENSE-MIT", "LICENSE-APACHE"]:
        shutil.copy(CLONE / file, work)
    shutil.copytree(CLONE / "python/vggscope", work / "vggscope", ignore=shutil.ignore_patterns("__pycache__"))
    (work / "THIRD-PARTY.txt").write_text(notices.text(notices.linked(cargo, flags, CLONE)))
    install.write_documents(program, work)
    packed = work / "vggscope/bin/vggscope"
    install.copy_program(program, packed)
    run("strip", packed)
    if has_libtorch:
        run("patchelf", "--set-rpath", LIBTORCH, *NEEDED, packed)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cargo", default="cargo")
    parser.add_argument("--cargoflags", default="")
    args = parser.parse_args()
    if sys.platform != "linux":
        raise install.Failed("wheels are made on Linux only; elsewhere: make install")
    flags = shlex.split(args.cargoflags)
    program, libraries = install.build(args.cargo, flags)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        stage(work, program, libraries is not None, shlex.split(args.cargo)[0], flags)
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", cwd=work)
        (wheel,) = (work / "dist").iterdir()
        excluded = [word for library in ["torch", "torch_cpu", "c10"] for word in ("--exclude", f"lib{library}.so")]
        run(sys.executable, "-m", "auditwheel", "repair", "--plat", "auto", *excluded, "-w", work / "tagged", wheel)
        (tagged,) = (work / "tagged").iterdir()
        (CLONE / "dist").mkdir(exist_ok=True)
        shutil.copy(tagged, CLONE / "dist")
    print(f"packed dist/{tagged.name}")


if __name__ == "__main__":
    try:
        main()
    except (install.Failed, OSError) as failure:
        sys.exit(f"wheel: {failure}")
