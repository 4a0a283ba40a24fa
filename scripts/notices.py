"""The licenses of the crates that a program is built from, as their authors ask for in what is passed on."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

NOTICE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def linked(cargo: str, flags: list[str], clone: Path) -> list[dict]:
    """The packages that are linked into vggscope with these features, by name; not those of builds and tests."""

    def said(*arguments: str) -> str:
        return subprocess.run([cargo, *arguments], cwd=clone, stdout=subprocess.PIPE, text=True, check=True).stdout

    # The metadata has no answer to which optional ones are taken.
    tree = said("tree", "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}", *flags)
    taken = {tuple(line.split()[:2]) for line in tree.splitlines()}
    packages = json.loads(said("metadata", "--format-version=1"))["packages"]
    others = [package for package in packages if package["source"] and (package["name"], f"v{package['version']}") in taken]
    return sorted(others, key=lambda package: (package["name"], package["version"]))


def text(packages: list[dict]) -> str:
    """A list of all, then each text once, with whose it is."""
    lines, texts = ["vggscope is built from these crates:", ""], {}
    for package in packages:
        name = f"{package['name']} {package['version']}"
        lines.append(f"  {name}: {package['license']} {package['repository'] or ''}".rstrip())
        folder = Path(package["manifest_path"]).parent
        for file in sorted(file for file in folder.iterdir() if file.is_file() and NOTICE.match(file.name)):
            texts.setdefault(file.read_text(errors="replace").strip(), []).append(name)
    for notice, names in texts.items():
        lines += ["", "=" * 80, ", ".join(dict.fromkeys(names)), "", notice]
    return "\n".join(lines) + "\n"
