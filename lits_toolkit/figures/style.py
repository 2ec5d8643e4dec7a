"""One look for every figure: a colour means the same thing everywhere, and no global setting is touched."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# The colours are Okabe and Ito's, told apart with any of the common colour-vision deficiencies,
# brightened where a line of that colour has to be seen on a dark CT.
REFERENCE = "#1f8fff"
PREDICTION = "#f5333f"
HIT = "#3ddc97"
MISS = "#ffd400"
FALSE_ALARM = "#e05cf0"
PREDICTIONS = (PREDICTION, "#ffab1a", "#1fc79a", "#e58fc6")
"""Several models on one CT, in the order in which they are given."""

LABEL_COLORS = {"background": "#8c8c8c", "liver": "#009e73", "tumor": "#e69f00"}
LABEL_NAMES = {"background": "background", "liver": "liver", "tumor": "tumour"}

SIZE_GROUP_COLORS = {"small": "#8ecae6", "medium": "#2a9dc7", "large": "#0b4f77"}
SIZE_GROUP_RANGES = {"small": "< 1 000 voxels", "medium": "1 000–10 000 voxels", "large": "> 10 000 voxels"}

BLOCK_COLORS = {"mobilenet_v2": "#0072b2", "mobilenet_v3": "#e69f00", "shufflenet_v2": "#009e73", "dsts": "#cc79a7"}
LAYOUT_MARKERS = {"top": "^", "default": "o", "bottom": "v"}
"""Of networks."""

METHOD_COLORS = (PREDICTION, "#8a8a8a", "#4d4d4d", "#b58a3c")
"""The run looked at, and then what it is compared with."""

PUBLISHED = "#b3b3b3"
"""What the dissertation prints, beside what is measured here."""

STAGE_NAMES = {"liver": "liver stage", "tumor": "tumour stage"}

INK = "#262626"
FAINT = "#767676"

PAGE_INCHES, BETWEEN_INCHES, COLUMN_INCHES = 7.2, 5.0, 3.5
"""Widths of a journal's page, of a column, and of what lies between: no figure is wider, so that none is shrunk."""
SMALL = 7.0
"""Points of the smallest letters, below which journals refuse a figure; most have 8."""
DPI = 200

_RC: dict[str, Any] = {
    "figure.facecolor": "white",
    "figure.titlesize": 9.5,
    "figure.titleweight": "bold",
    "savefig.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so pictures agree between machines
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 5,
    "axes.labelsize": 8,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "hatch.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "pdf.fonttype": 42,  # letters that can be searched, and that journals accept
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the project's style within the `with` block (or the decorated function), and nowhere else."""
    from matplotlib import style

    with style.context(["default", _RC]):  # from matplotlib's defaults: the user's own settings do not shine through
        yield
