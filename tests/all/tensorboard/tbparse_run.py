"""What tbparse, a reader of event files by others, finds in a log folder, as JSON.

    python tbparse_run.py LOGDIR      # needs: tbparse
"""
import json
import sys

from tbparse import SummaryReader

reader = SummaryReader(sys.argv[1], extra_columns={"min", "max", "num", "sum", "sum_squares"})
histograms = reader.histograms
for column in ["limits", "counts"]:
    histograms[column] = histograms[column].map(list)
print(json.dumps({"scalars": reader.scalars.to_dict("records"), "histograms": histograms.to_dict("records")}))
