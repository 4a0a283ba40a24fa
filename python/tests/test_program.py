"""How the program is found, started and followed: with the wheel that is installed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from importlib import metadata
from pathlib import Path

import vggscope
from vggscope._watch import flags

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(vggscope.__file__).parent
PHOTO = ROOT / "photos/chelsea.png"
WEIGHTS = ROOT / "tests/fixtures/vgg/vgg16.weights.safetensors"
SMALL = {"resize": 32, "crop": 32, "layers": "conv1_1", "compare": "off", "run": "a"}
WATCH = "import sys, vggscope; watch = vggscope.watch(sys.argv[1], images=sys.argv[2], layers='conv1_1', logdir=sys.argv[3]); "


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def python(self, *arguments, **options):
        return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=self.folder, **options)

    def checkpoint(self, step):
        (self.folder / "ckpts").mkdir(exist_ok=True)
        shutil.copy(WEIGHTS, self.folder / f"ckpts/epoch_{step}.safetensors")


class Started(InFolder):
    """A copy of the package, with a program that prints its folder of libraries, next to whatever else is installed."""

    def install(self, *wheels):
        shutil.copytree(PACKAGE, self.folder / "vggscope")
        program = self.folder / "vggscope/bin/vggscope"
        program.parent.mkdir(exist_ok=True)
        program.write_text('#!/bin/sh\necho "libraries: $LD_LIBRARY_PATH" "$@"\nexit 7\n')
        program.chmod(0o755)
        for name, required in wheels:
            info = self.folder / f"{name.replace('-', '_')}-0.1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 0.1.0\n{required}")

    def torch(self, folder, version):
        (folder / "torch/lib").mkdir(parents=True)
        (folder / "torch/__init__.py").write_text("raise SystemExit('torch is not to be imported')\n")
        (folder / "torch/version.py").write_text(f"from typing import Optional\n__version__ = '{version}'\n")
        (folder / "torch/lib/libtorch_cpu.so").touch()

    def start(self, **more):
        environment = {name: value for name, value in os.environ.items() if name not in ("LD_LIBRARY_PATH", "PYTHONPATH")}
        # Nothing of this environment's site-packages.
        return self.python("-S", "-m", "vggscope", "a", env={**environment, **more})

    def refused(self, *parts):
        ran = self.start()
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr.count("\n")), (2, "", 1), ran.stderr)
        for part in parts:
            self.assertIn(part, ran.stderr)

    WITH_TORCH = ("vggscope", "Requires-Dist: torch==2.9.*\n")
    WITHOUT = ("vggscope-flex", "")

    def test_without_torch(self):
        self.install(self.WITHOUT)
        ran = self.start()
        self.assertEqual((ran.returncode, ran.stdout), (7, "libraries:  a\n"), ran.stderr)

    def test_torch_next_to_it_or_elsewhere(self):
        self.install(self.WITH_TORCH)
        self.torch(self.folder, "2.9.1+cu128")
        self.assertEqual(self.start().stdout, "libraries:  a\n")
        here = self.folder.resolve() / "torch/lib"
        self.assertEqual(self.start(LD_LIBRARY_PATH="/x").stdout, f"libraries: {here}:/x a\n")
        other = self.folder.resolve() / "other"
        (self.folder / "torch").rename(self.folder / "gone")
        self.torch(other, "2.9.0")
        self.assertEqual(self.start(PYTHONPATH=str(other)).stdout, f"libraries: {other}/torch/lib a\n")

    def test_torch_is_refused(self):
        self.install(self.WITH_TORCH)
        self.refused("torch is not installed", "torch==2.9.*", "vggscope-flex")
        self.torch(self.folder, "2.10.0")
        self.refused("torch 2.10.0 is installed", str(self.folder), "pip install torch==2.9.*")
        (self.folder / "torch/version.py").write_text("__version__ = '2.9.1'")
        (self.folder / "torch/lib/libtorch_cpu.so").unlink()
        self.refused("has no libtorch_cpu.so")
        (self.folder / "torch/version.py").unlink()
        self.refused("does not say its version")

    def test_both_wheels_or_none(self):
        self.install()
        self.refused("is not installed", "make wheel")
        shutil.rmtree(self.folder / "vggscope")
        self.install(self.WITH_TORCH, self.WITHOUT)
        self.refused("vggscope and vggscope-flex are both installed", "pip uninstall")


class Installed(InFolder):
    def test_what_it_is_built_from_is_named_with_its_licenses(self):
        files = [file for name in ("vggscope", "vggscope-flex") for file in self.files(name) if file.name == "THIRD-PARTY.txt"]
        text = files[0].read_text()
        self.assertRegex(text, r"\n  burn-tensor \d+\.\d+\.\d+: MIT OR Apache-2.0 ")
        self.assertIn("Permission is hereby granted, free of charge", text)

    def files(self, name):
        try:
            return metadata.files(name) or []
        except metadata.PackageNotFoundError:
            return []

    def test_both_ways_are_the_program(self):
        script = Path(sys.executable).with_name("vggscope")
        for start in [[script], [sys.executable, "-m", "vggscope"]]:
            ran = subprocess.run([*start, "--version"], capture_output=True, text=True)
            self.assertRegex(ran.stdout, r"^vggscope \d+\.\d+\.\d+\n$")
            self.assertEqual(subprocess.run([*start, "nonsense"], capture_output=True).returncode, 2)

    def test_a_signal_reaches_it(self):
        line = [sys.executable, "-m", "vggscope", "checkpoints", "ckpts", f"--images={PHOTO}", "--follow"]
        with subprocess.Popen(line, cwd=self.folder, stderr=subprocess.PIPE, text=True) as program:
            self.assertIn("waiting for the first complete checkpoint", program.stderr.readline())
            program.send_signal(signal.SIGTERM)
            self.assertEqual(program.wait(), 143)


class Watched(InFolder):
    def watch(self, **options):
        return vggscope.watch(self.folder / "ckpts", logdir=self.folder / "runs", **{"images": [PHOTO], **SMALL, **options})

    def steps(self):
        ran = self.python("-m", "vggscope", "inspect", "runs/a")
        (line,) = (line.split() for line in ran.stdout.splitlines() if "kernels/00_conv1_1" in line)
        return line[2:5]

    def test_the_last_checkpoint_is_shown(self):
        with self.watch() as watch:
            self.checkpoint(1)
            # Both ends are held by a process that goes on after the training.
            worker = os.fork()
            if worker == 0:
                time.sleep(60)
                os._exit(0)
            self.checkpoint(2)
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        self.assertEqual(self.steps(), ["2", "1", "2"])
        watch.close()

    def test_what_the_program_says_is_raised(self):
        with self.assertRaisesRegex(vggscope.Error, r"^[^:]*nowhere\.png: there is no such file"):
            self.watch(images="nowhere.png")
        with self.assertRaisesRegex(vggscope.Error, "^unexpected argument '--imagse'"):
            self.watch(imagse=PHOTO)
        with self.assertRaisesRegex(vggscope.Error, "no complete checkpoint came"), self.watch():
            pass

    def test_an_error_of_the_training_passes(self):
        self.checkpoint(1)
        with self.assertRaises(ZeroDivisionError), self.watch() as watch:
            1 / 0
        self.assertIsNotNone(watch._process.returncode)

    def test_it_ends_with_the_process(self):
        for end in ["pass", "import os; os.kill(os.getpid(), 9)"]:
            self.checkpoint(1)
            ran = self.python("-c", f"{WATCH}print(watch._process.pid, flush=True); {end}", "ckpts", PHOTO, "runs")
            stat = Path(f"/proc/{ran.stdout.strip()}/stat")
            for _ in range(200):
                # One that ended may wait for its parent.
                if not stat.exists() or stat.read_text().rpartition(") ")[2].startswith("Z"):
                    break
                time.sleep(0.1)
            else:
                self.fail(f"it goes on after {end}: {ran.stderr}")

    def test_options_are_flags(self):
        options = {"compare_images": ["a", Path("b")], "change": True, "no_pca": False, "every": 2, "model": None}
        self.assertEqual(flags(options), ["--compare-images=a", "--compare-images=b", "--change", "--every=2"])


if __name__ == "__main__":
    unittest.main()
