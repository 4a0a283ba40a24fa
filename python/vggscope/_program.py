"""Finds the program of this package, and the libtorch that it loads."""

from __future__ import annotations

import importlib.util
import os
import re
from importlib import metadata
from pathlib import Path

HOME = Path(__file__).resolve().parent
PROGRAM = HOME / "bin/vggscope"
NAMES = ("vggscope", "vggscope-flex")


class Error(Exception):
    """What went wrong and what to do, in a line or two."""


def find_program() -> tuple[str, dict[str, str]]:
    """The path of the program and the environment that it runs in."""
    environment = dict(os.environ)
    required = required_torch()
    if required is None:
        return str(PROGRAM), environment
    libraries = find_torch(required) / "lib"
    if not (libraries / "libtorch_cpu.so").exists():
        raise Error(f"{libraries} has no libtorch_cpu.so: vggscope needs the torch of PyPI (pip install torch=={required}*)")
    # The program itself looks into the torch next to this package; LD_LIBRARY_PATH comes before that.
    paths = environment.get("LD_LIBRARY_PATH")
    if paths or libraries.resolve() != (HOME.parent / "torch/lib").resolve():
        environment["LD_LIBRARY_PATH"] = f"{libraries}:{paths}" if paths else str(libraries)
    return str(PROGRAM), environment


def required_torch() -> str | None:
    """Such as `2.9.`, of the wheel that this package is from; `None` for the one without torch."""
    found = [wheel for name in NAMES for wheel in metadata.distributions(name=name, path=[str(HOME.parent)])]
    if len(found) > 1:
        raise Error(
            "vggscope and vggscope-flex are both installed, into one place; keep one: "
            "pip uninstall vggscope vggscope-flex, then install that one"
        )
    if not found or not PROGRAM.exists():
        raise Error(f"{HOME} is not installed, and has no program: make wheel, then pip install dist/vggscope-*.whl")
    torch = next((text for text in found[0].requires or [] if text.startswith("torch==")), None)
    return torch and torch.removeprefix("torch==").removesuffix("*")


def find_torch(required: str) -> Path:
    """The folder of the package, which is not imported: that takes seconds."""
    install = f"pip install torch=={required}*, or vggscope-flex, which needs none, in place of vggscope"
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise Error(f"torch is not installed, and vggscope needs torch {required}*: {install}")
    torch = Path(spec.origin).parent
    try:
        text = (torch / "version.py").read_text(encoding="utf-8")
    except OSError as error:
        raise Error(f"{torch} does not say its version ({error}), and vggscope needs torch {required}*: {install}") from None
    version = re.search(r"__version__ = ['\"](.+?)['\"]", text)
    found = version.group(1) if version else "of an unknown version"
    if not found.startswith(required):
        raise Error(f"torch {found} is installed, in {torch.parent}, and vggscope needs torch {required}*: {install}")
    return torch
