"""Compares the arrays and the table that `vggscope export` wrote of one figure.

    python read_arrays.py ARRAYS.npz TABLE.csv        # needs: numpy pandas
"""
import sys

import numpy as np
import pandas as pd

arrays = np.load(sys.argv[1])
table = pd.read_csv(sys.argv[2], index_col=0)
assert sorted(arrays) == ["columns", "rows", "values"], sorted(arrays)
values = arrays["values"]
assert values.dtype == np.float32 and values.shape == table.shape and values.size > 0
assert np.array_equal(values, table.to_numpy(np.float32), equal_nan=True)
assert list(arrays["rows"]) == [str(name) for name in table.index]
assert list(arrays["columns"]) == list(table.columns)
