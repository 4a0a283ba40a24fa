"""See what every layer of a network responds to, checkpoint by checkpoint, in TensorBoard.

The program is `vggscope`, or `python -m vggscope`. From Python: `export` writes a network into the file that `--model`
takes, and `watch` shows the checkpoints of a training while it writes them.
"""

from ._export import export
from ._program import Error
from ._watch import Watch, watch

__all__ = ["Error", "Watch", "export", "watch"]
