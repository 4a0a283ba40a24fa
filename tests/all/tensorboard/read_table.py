"""Compares a table that `vggscope export --as csv` wrote with the scalars that TensorBoard reads.

    python read_table.py RUN TABLE        # needs: tensorboard pandas
"""
import sys

import pandas as pd
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run, path = sys.argv[1:]
# pandas reads numbers nearly right unless it is told otherwise.
table = pd.read_csv(path, float_precision="round_trip")
assert list(table.columns) == ["run", "tag", "step", "wall_time", "value"], table.columns
accumulator = EventAccumulator(run, size_guidance={"scalars": 0})
accumulator.Reload()
tags = accumulator.Tags()["scalars"]
assert tags and sorted(table["tag"].unique()) == sorted(tags), tags
for tag in tags:
    rows = table[table["tag"] == tag]
    found = list(zip(rows["step"], rows["wall_time"], rows["value"].astype("float32")))
    expected = [(event.step, event.wall_time, event.value) for event in accumulator.Scalars(tag)]
    assert found == expected, (tag, found[:3], expected[:3])
wide = table.pivot(index="step", columns="tag", values="value")
assert len(wide) == table["step"].nunique()
