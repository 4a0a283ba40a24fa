"""`vggscope` and `python -m vggscope`: the program takes the place of this process."""

from __future__ import annotations

import os
import sys

from ._program import Error, find_program


def main() -> None:
    try:
        program, environment = find_program()
        os.execve(program, [program, *sys.argv[1:]], environment)
    except (Error, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
