"""Build vggscope and install it with its libtorch, its shell completions and its manual pages.

    make install [PREFIX=DIR] [DESTDIR=DIR] [BACKEND=flex]     PREFIX/bin/vggscope, PREFIX/lib/vggscope/, PREFIX/share/
    make uninstall [PREFIX=DIR] [DESTDIR=DIR]

A libtorch inside the clone is copied, so that the program does not need the clone: it looks in
../lib/vggscope/torch/lib first (see build.rs). A libtorch elsewhere is the user's own: it is not
copied, and the program loads it from where it is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
LIBRARY = re.compile(r".+\.(so[.0-9]*|dylib)$")


COMMANDS = ["images", "checkpoints", "merge", "train", "compare", "diff", "layers", "inspect", "export", "view", "doctor"]
# What the program prints, and where shells and man look for it.
DOCUMENTS = {
    "share/bash-completion/completions/vggscope": ["completions", "bash"],
    "share/zsh/site-functions/_vggscope": ["completions", "zsh"],
    "share/fish/vendor_completions.d/vggscope.fish": ["completions", "fish"],
    "share/man/man1/vggscope.1": ["man"],
    **{f"share/man/man1/vggscope-{command}.1": ["man", command] for command in COMMANDS},
}


class Failed(Exception):
    """One line that says what went wrong and how to go on."""


def build(cargo: str, flags: list[str]) -> tuple[Path, Path | None]:
    """The program, and the folder of the libtorch it is linked to (None without libtorch)."""
    command = [*shlex.split(cargo), "build", "--release", "--bin", "vggscope", "--message-format=json-render-diagnostics", *flags]
    try:
        built = subprocess.run(command, cwd=CLONE, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise Failed(f"{cargo} is not on the PATH. With sudo: sudo env \"PATH=$PATH\" make install ...") from None
    if built.returncode != 0:
        raise Failed("the build failed, so nothing was installed")
    program = libraries = None
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == "vggscope":
            program = message["executable"] or program
        if message["reason"] == "build-script-executed":
            libraries = dict(message["env"]).get("VGGSCOPE_LIBTORCH_DIR", libraries)
    if program is None:
        raise Failed("cargo built no executable vggscope, so nothing was installed")
    return Path(program), Path(libraries) if libraries else None


def library_folders(libraries: Path) -> list[tuple[Path, str]]:
    """Every folder that libtorch loads from, and its path under lib/vggscope. libtorch finds the
    others by relative paths, so the layout is kept."""
    packages = libraries.parent.parent
    others = [packages / "torch.libs", *sorted(packages.glob("nvidia/*/lib"))]
    return [(libraries, "torch/lib")] + [(folder, str(folder.relative_to(packages))) for folder in others if folder.is_dir()]


def copy_libraries(libraries: Path, home: Path) -> None:
    """Replace `home` by a copy that is complete before it is renamed to it."""
    home.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix="vggscope-", dir=home.parent))
    try:
        for folder, place in library_folders(libraries):
            target = part / place
            target.mkdir(parents=True)
            for file in folder.iterdir():
                if LIBRARY.match(file.name) and "torch_python" not in file.name:
                    shutil.copy2(file, target / file.name, follow_symlinks=False)
        for name in ["build-version", "version.py"]:
            if (libraries.parent / name).exists():
                shutil.copy2(libraries.parent / name, part / "torch")
        part.chmod(0o755)
        shutil.rmtree(home, ignore_errors=True)
        part.rename(home)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def copy_program(program: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(".vggscope.part")
    shutil.copy2(program, part)
    part.replace(place)


def write_documents(program: Path, root: Path) -> None:
    for place, arguments in DOCUMENTS.items():
        printed = subprocess.run([program, *arguments], stdout=subprocess.PIPE)
        if printed.returncode != 0:
            raise Failed(f"`vggscope {' '.join(arguments)}` failed; the program itself is installed")
        file = root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(printed.stdout)


def install(root: Path, prefix: Path, cargo: str, flags: list[str]) -> None:
    program, libraries = build(cargo, flags)
    home = root / "lib/vggscope"
    if libraries is None:
        shutil.rmtree(home, ignore_errors=True)
        note = "it needs no libtorch"
    elif CLONE in libraries.resolve().parents:
        copy_libraries(libraries, home)
        note = f"its libtorch is in {prefix}/lib/vggscope"
    else:
        shutil.rmtree(home, ignore_errors=True)
        note = f"it uses your libtorch, which must stay in {libraries}"
    copy_program(program, root / "bin/vggscope")
    write_documents(program, root)
    print(f"installed {prefix}/bin/vggscope; {note}")
    if str(prefix / "bin") not in os.environ.get("PATH", "").split(os.pathsep):
        print(f"{prefix}/bin is not on your PATH")


def uninstall(root: Path, prefix: Path) -> None:
    (root / "bin/vggscope").unlink(missing_ok=True)
    shutil.rmtree(root / "lib/vggscope", ignore_errors=True)
    for place in DOCUMENTS:
        (root / place).unlink(missing_ok=True)
    print(f"removed {prefix}/bin/vggscope, {prefix}/lib/vggscope, its completions and its manual pages")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["install", "uninstall"])
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--destdir", default="")
    parser.add_argument("--cargo", default="cargo")
    parser.add_argument("--cargoflags", default="")
    args = parser.parse_args()
    if not args.prefix:
        raise Failed("PREFIX is empty; set it to the folder for bin/ and lib/")
    prefix = Path(os.path.abspath(os.path.expanduser(args.prefix)))
    root = Path(args.destdir + str(prefix)) if args.destdir else prefix
    if args.action == "install":
        install(root, prefix, args.cargo, shlex.split(args.cargoflags))
    else:
        uninstall(root, prefix)


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"install: {failure}")
    except OSError as error:
        sys.exit(f"install: {error}. PREFIX=DIR chooses another place")
    except KeyboardInterrupt:
        sys.exit("install: interrupted; run it again")
