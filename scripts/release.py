"""Checks that a release is whole, builds and packages it, and says what is left for a person.

    make release                        all of it
    python3 scripts/release.py --check  versions alone, as CI does

It tags, pushes, publishes and uploads nothing. Needs no package.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
# The order in which they are published: each needs those before it.
CRATES = ["feature-grid", "tensorboard-events", "vggscope"]
# The packages, the wheel beside torch and that without, whose programs hold the list of what they are built from.
AUDITABLE = "CARGO=cargo auditable"
PACKAGES = [["publish-check"], ["wheel", AUDITABLE], ["wheel", "BACKEND=flex", AUDITABLE]]


def read(name: str) -> str:
    path = CLONE / name
    return path.read_text() if path.exists() else ""


def first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else "none"


def version() -> str:
    return first(r'^\[workspace\.package\]\nversion = "(.*)"', read("Cargo.toml"))


def versions() -> dict:
    """The version that each place has."""
    manifest, found = read("Cargo.toml"), {}
    for crate in CRATES:
        found[f"Cargo.lock, {crate}"] = first(rf'^name = "{crate}"\nversion = "(.*)"', read("Cargo.lock"))
        if crate != "vggscope":
            found[f"Cargo.toml, dependency {crate}"] = first(rf'^{crate} = {{.*version = "(.*?)"', manifest)
            own = read(f"crates/{crate}/Cargo.toml")
            found[f"crates/{crate}/Cargo.toml"] = version() if "\nversion.workspace = true" in own else first(r'^version = "(.*)"', own)
    found["CITATION.cff"] = first(r"^version: (.*)", read("CITATION.cff"))
    for name in ["pyproject.toml", "python/pyproject.toml"]:
        # A package may take it from Cargo.toml.
        if re.search(r"^version\s*=", read(name), re.MULTILINE):
            found[name] = first(r'^version\s*=\s*"(.*)"', read(name))
    return found


def changelog() -> list:
    """What its first part lacks."""
    title = first(r"^## (.*)", read("CHANGELOG.md"))
    if re.fullmatch(rf"{re.escape(version())} - \d{{4}}-\d\d-\d\d", title):
        return []
    return [f'CHANGELOG.md begins with "## {title}": it becomes "## {version()} - YYYY-MM-DD"']


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, cwd=CLONE).stdout.strip()


def problems() -> list:
    return [f"{place} has version {other}, Cargo.toml {version()}" for place, other in versions().items() if other != version()]


def repository() -> list:
    found = []
    if said("git", "status", "--porcelain"):
        found.append("the working tree has changes that are not committed")
    if said("git", "tag", "--list", f"v{version()}"):
        found.append(f"the tag v{version()} is there already")
    return found


def run(*command: str, path: str = "") -> None:
    print("$", *command, flush=True)
    env = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}" if path else os.environ["PATH"]}
    if subprocess.run(command, cwd=CLONE, env=env).returncode:
        sys.exit(f"make release: {' '.join(command)} failed")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--check", action="store_true", help="only whether all versions are one")
    options.add_argument("--tools", default="", help="the folder of cargo-auditable")
    asked = options.parse_args()
    lacks = problems() if asked.check else [*problems(), *changelog(), *repository()]
    if lacks:
        sys.exit("\n".join(["make release: not yet", *(f"  - {line}" for line in lacks)]))
    if asked.check:
        return print(f"{version()} everywhere")
    for target in PACKAGES:
        run("make", *target, path=asked.tools)
    tag = f"v{version()}"
    print(f"\n{version()} is whole. What is left, for a person, in this order:\n")
    print(f"  git tag -a {tag} -m {tag} && git push origin {tag}")
    for crate in CRATES:
        print(f"  cargo publish -p {crate}")
    print("  twine upload dist/*.whl")
    print(f'  a release of {tag} with the part of CHANGELOG.md, then a new "## Unreleased" there')


if __name__ == "__main__":
    main()
