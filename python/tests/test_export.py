"""`vggscope.export`, where torch is installed."""

import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

import vggscope

try:
    import torch
    from torch import nn
except ImportError:
    torch = None


def network(*more):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.ReLU(), *more), nn.Dropout())


@unittest.skipIf(torch is None, "torch is not installed")
class Exported(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name, "net.pt2")

    def layers(self):
        line = [sys.executable, "-m", "vggscope", "layers", "--model", str(self.file)]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout

    def refused(self, model, *parts):
        with self.assertRaises(vggscope.Error) as raised:
            vggscope.export(model, self.file, size=32)
        for part in parts:
            self.assertIn(part, str(raised.exception))
        self.assertEqual(list(self.file.parent.iterdir()), [])

    def test_the_program_reads_it_and_the_model_stays(self):
        model = network().train()
        model[1].eval()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        vggscope.export(model, self.file, size=32)
        self.assertIn("input 3 x 32 x 32", self.layers())
        self.assertEqual([module.training for module in model], [True, False, True, True])
        for name, value in model.state_dict().items():
            self.assertTrue(torch.equal(value, before[name]), name)
        program = torch.export.load(self.file).module()
        for count in [1, 2, 64]:
            images = torch.rand(count, 3, 32, 32)
            torch.testing.assert_close(program(images), model.eval()(images))

    def test_a_gray_one_wrapped_and_in_bfloat16(self):
        model = nn.DataParallel(torch.compile(nn.Sequential(nn.Conv2d(1, 4, 3)).bfloat16()))
        vggscope.export(model, self.file, size=32)
        self.assertIn("input 1 x 32 x 32", self.layers())
        self.assertEqual(next(model.parameters()).dtype, torch.bfloat16)

    def test_a_batch_size_that_cannot_be_free(self):
        class Fixed(nn.Module):
            def forward(self, x):
                return x.reshape(1 if x.shape[0] == 1 else 2, -1)

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            vggscope.export(network(Fixed()), self.file, size=32)
        self.assertEqual([warning.filename for warning in caught], [__file__])
        self.assertRegex(str(caught[0].message), "exported for a batch size of 1: .*Constraints violated")
        self.assertIn("2.0", self.layers())

    def test_what_cannot_be_exported(self):
        class Choice(nn.Module):
            def forward(self, x):
                return x if x.sum() > 0 else -x

        class Noise(nn.Module):
            def forward(self, x):
                return x + torch.rand_like(x)

        self.refused(network(Choice()), "torch.export cannot export the model (in 2.1, a Choice): ", "values of tensors")
        self.refused(network(Noise()), "another output than the model", "random numbers")
        self.refused(nn.Sequential(nn.Conv2d(4, 2, 3)), "0, the first convolution, takes 4 channels")
        self.refused(nn.Sequential(nn.Conv2d(3, 2, 64)), "(in 0, a Conv2d)", "is size=32 right?")
        with self.assertRaisesRegex(vggscope.Error, "does not end with .pt2"):
            vggscope.export(network(), self.file.with_suffix(".pth"))


@unittest.skipIf(torch is not None, "torch is installed")
class WithoutTorch(unittest.TestCase):
    def test_export_says_what_it_needs(self):
        with self.assertRaisesRegex(vggscope.Error, "needs torch 2.8 or newer"):
            vggscope.export(None, "net.pt2")


if __name__ == "__main__":
    unittest.main()
