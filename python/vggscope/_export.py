"""Writes a network into a file that the program runs."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterator

from ._program import Error

if TYPE_CHECKING:
    import torch

LARGEST_BATCH = 64


def export(model: torch.nn.Module, path: str | os.PathLike[str], size: int = 224) -> None:
    """Writes `model`, with its weights, to the `.pt2` file `path`, for images of `size` x `size` pixels.

    The batch size is free, or 1 where the model does not allow that, which is warned of. The model itself stays as it is:
    a copy is put on the CPU, into float32 and into `eval()`. The file is read back, and its output for random images
    compared with the model's, before it gets its name.

    Raises `Error`: the model does not run or cannot be exported (with the module where), or the file's output differs.
    """
    try:
        import torch
    except ImportError as error:
        raise Error(f"vggscope.export needs torch 2.8 or newer ({error}): pip install torch") from error

    path = Path(path)
    if path.suffix != ".pt2":
        raise Error(f"{path} does not end with .pt2, by which the program knows such files")
    while (inner := getattr(model, "_orig_mod", None) or wrapped(model)) is not None:
        model = inner
    try:
        model = copy.deepcopy(model).to(device="cpu", dtype=torch.float32).eval()
    except RuntimeError as error:
        raise Error(f"the model cannot be copied ({first_line(error)}): make it anew, load its weights, export that") from error
    channels = input_channels(model)

    def images(count: int) -> torch.Tensor:
        return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(count))

    with torch.no_grad(), quiet(), tempfile.TemporaryDirectory(prefix=".vggscope-", dir=path.parent) as folder:
        try:
            model(images(2))
        except Exception as error:
            shape = f"[2, {channels}, {size}, {size}]"
            raise Error(f"the model does not run on images {shape}{place(model, error)}; is size={size} right?") from error
        program, count, note = exported(model, images)
        file = Path(folder, path.name)
        torch.export.save(program, file)
        found, expected = torch.export.load(file).module()(images(count)), model(images(count))
        try:
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, equal_nan=True)
        except Exception as error:
            raise Error(
                f"the exported model gives another output than the model for {count} random images ({first_line(error)}); "
                "does it draw random numbers, or keep the batch size or an earlier input?"
            ) from error
        file.replace(path)
    if note:
        warnings.warn(note, stacklevel=2)


def exported(
    model: torch.nn.Module, images: Callable[[int], torch.Tensor]
) -> tuple[torch.export.ExportedProgram, int, str | None]:
    """The program; a batch size other than that of the export, where it takes others; why it takes none."""
    import torch

    batch = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
    try:
        return torch.export.export(model, (images(2),), dynamic_shapes=({0: batch},)), 3, None
    except Exception as error:
        why = f"{first_line(error)}{place(model, error, text=False)}"
    try:
        program = torch.export.export(model, (images(1),))
    except Exception as error:
        raise Error(
            f"torch.export cannot export the model{place(model, error)}; change that forward() so that it does not depend on "
            "values of tensors, or export a part of the model, such as its backbone"
        ) from error
    return program, 1, f"exported for a batch size of 1: torch.export cannot leave it free for this model: {why}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """torch.export prints and logs whole graphs before it fails, and warns of its own doings."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def wrapped(model: torch.nn.Module) -> torch.nn.Module | None:
    """The module in a wrapper for several GPUs."""
    import torch

    wrappers = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    return model.module if isinstance(model, wrappers) else None


def input_channels(model: torch.nn.Module) -> int:
    """Those of the first convolution; 3 where there is none."""
    import torch

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            if module.in_channels not in (1, 3):
                raise Error(f"{name}, the first convolution, takes {module.in_channels} channels: only images of 1 or 3 are shown")
            return module.in_channels
    return 3


def place(model: torch.nn.Module, error: Exception, text: bool = True) -> str:
    """Which module's `forward` raised it, and what it says."""
    names = {id(module): name for name, module in model.named_modules()}
    name = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        name = names.get(id(frame.f_locals.get("self")), name)
    where = f" (in {name}, a {type(model.get_submodule(name)).__name__})" if name else ""
    return f"{where}: {first_line(error)}" if text else where


def first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line), type(error).__name__)
