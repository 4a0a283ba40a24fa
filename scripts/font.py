"""Cut the font of figures from DejaVu Sans: the letters of Latin, Greek and Cyrillic, and what numbers need.

    pip install fonttools && python scripts/font.py DejaVuSans.ttf     writes src/logger/font/DejaVuSans.ttf

Source: https://dejavu-fonts.github.io/ 2.37. Its license (src/logger/font/LICENSE) lets the name stand: only "Bitstream"
and "Vera" must not be used for what was changed.
"""

import sys
from pathlib import Path

from fontTools import subset

UNICODES = (
    "U+0020-007E,U+00A0-017F,U+0370-03FF,U+0400-045F,U+2010-2026,U+2190-2193,U+2206,U+2212,U+221E,U+2260,U+2264-2265"
)
TO = Path(__file__).resolve().parent.parent / "src/logger/font/DejaVuSans.ttf"

subset.main([
    sys.argv[1],
    f"--unicodes={UNICODES}",
    f"--output-file={TO}",
    "--no-hinting",
    "--layout-features=",
    "--drop-tables+=GPOS,GSUB,GDEF,kern",
    "--name-IDs=0,1,2,3,4,5,6,13,14",
])
