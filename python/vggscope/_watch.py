"""Shows the checkpoints of a training while it writes them."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import tempfile
from types import TracebackType
from typing import Union

from ._program import Error, find_program

AnyPath = Union[str, "os.PathLike[str]"]
Option = Union[None, bool, int, float, AnyPath, "list[AnyPath]", "tuple[AnyPath, ...]"]


def watch(folder: AnyPath, **options: Option) -> Watch:
    """Runs `vggscope checkpoints FOLDER --follow` next to a training, and ends with it.

    with vggscope.watch("checkpoints", images="probes", model="net.pt2", layers="layer*"):
        train()

    Each option is a flag of `vggscope checkpoints`: `compare_images="val"` is `--compare-images=val`, a list the flag once
    for each value, `True` the flag alone. With `quiet=False` what the program says is printed at the end.

    At the end of the block, or at `close()`, the checkpoints that are there are shown before the program ends. It ends as
    well when this process does, however that ends.

    Raises `Error` with what the program says: here where it says so within a second, else at the end.
    """
    return Watch([os.fspath(folder), *flags({"follow": "stdin", "quiet": True, **options})])


def flags(options: dict[str, Option]) -> list[str]:
    found = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is True:
                found.append(flag)
            elif one is not None and one is not False:
                found.append(f"{flag}={one if isinstance(one, (int, float)) else os.fspath(one)}")
    return found


class Watch:
    """The program that `watch` started."""

    def __init__(self, arguments: list[str]) -> None:
        program, environment = find_program()
        self._said = tempfile.TemporaryFile()
        # Not a pipe: workers that are forked hold its end too, but shutdown ends it for all of them.
        self._life, life = socket.socketpair()
        with life:
            self._process = subprocess.Popen(
                [program, "checkpoints", *arguments],
                stdin=life.fileno(),
                stdout=self._said,
                stderr=self._said,
                env=environment,
                # Ctrl-C is for the training: a second one would end the program within a step.
                start_new_session=True,
            )
        atexit.register(self._end)
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            return
        self.close()

    def close(self) -> None:
        """Waits until the checkpoints that are there are shown. Raises `Error` where the program failed."""
        text = self._end()
        if self._process.returncode != 0:
            raise Error(text.strip().removeprefix("error: ") or f"vggscope ended with exit code {self._process.returncode}")
        print(text, end="")

    def _end(self) -> str:
        """What the program said since it was asked last."""
        atexit.unregister(self._end)
        try:
            self._life.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self._life.close()
        self._process.wait()
        if self._said.closed:
            return ""
        with self._said as said:
            said.seek(0)
            return said.read().decode(errors="replace")

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._process.send_signal(signal.SIGTERM)
            self._end()
