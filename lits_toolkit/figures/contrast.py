"""Which lesions are found well: the Dice of each against its size and against its contrast to the liver around it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.points import tick_in_words
from lits_toolkit.figures.style import FAINT, INK, PAGE_INCHES, SIZE_GROUP_COLORS, SIZE_GROUP_RANGES, house_style
from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.study.tissue import RING_MM
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LIMITS = (1000, 10_000)
_MARKERS = {"small": "o", "medium": "s", "large": "D"}


@house_style()
def draw_dice_by_contrast(lesions: pd.DataFrame, label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Every reference lesion as a point: its Dice against its voxels, and against its contrast in HU.

    `lesions` is the table of `lits_toolkit.study.tissue.with_contrast`. The contrast is the lesion's mean HU less that
    of the liver within 10 mm of it; where there is no such liver the point is missing on the right, and counted there.
    A miss is a cross at 0. The data has the columns case, lesion, size_group, voxels, contrast_hu, dice, detected.
    Raises InputError if there is no lesion.
    """
    if lesions.empty:
        raise InputError("no case has a tumour in its reference: there is no Dice by contrast to show")
    data = lesions[["case", "lesion", "size_group", "voxels", "contrast_hu", "dice", "detected"]].reset_index(drop=True)
    figure, (by_size, by_contrast) = use_axes(axes, 2, columns=2, inches=(PAGE_INCHES, 3.8), share_y=True)
    for ax, column in ((by_size, "voxels"), (by_contrast, "contrast_hu")):
        for group in SIZE_GROUPS:
            own = data[data["size_group"] == group]
            _points(ax, own, column, group)
        ax.set_ylim(-0.05, 1.03)
        ax.axhline(0, color=INK, linewidth=0.9, zorder=1)
    by_size.set_xscale("log")
    by_size.xaxis.set_major_formatter(tick_in_words)
    for limit in _LIMITS:
        by_size.axvline(limit, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    by_size.set_title("against size")
    by_size.set_xlabel("voxels of the lesion")
    by_size.set_ylabel("Dice of the lesion")
    by_contrast.axvline(0, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    unknown = int(data["contrast_hu"].isna().sum())
    note = f" ({unknown} without liver around)" if unknown else ""
    by_contrast.set_title(f"against contrast{note}")
    by_contrast.set_xlabel(f"HU of the lesion less those of the liver within {RING_MM:g} mm")
    legend_below(figure, _keys())
    figure.suptitle(f"Dice of each tumour · {label}, {counted(len(data), 'tumour')}", wrap=True)
    return Drawn(figure, data)


def _points(ax: "Axes", lesions: pd.DataFrame, column: str, group: str) -> None:
    hits, misses = lesions[lesions["detected"]], lesions[~lesions["detected"]]
    size = float(np.clip(1500 / max(len(lesions), 1), 12, 30))
    ax.scatter(
        hits[column], hits["dice"], s=size, marker=_MARKERS[group], color=SIZE_GROUP_COLORS[group],
        edgecolors=INK, linewidths=0.4, alpha=0.85, clip_on=False, zorder=3,
    )  # fmt: skip
    ax.scatter(misses[column], misses["dice"], s=34, marker="x", color=INK, linewidths=1.2, clip_on=False, zorder=4)


def _keys() -> list:
    from matplotlib.lines import Line2D

    groups = [
        Line2D(
            [], [], linestyle="none", marker=_MARKERS[group], markersize=6, color=SIZE_GROUP_COLORS[group],
            markeredgecolor=INK, markeredgewidth=0.4, label=f"{group}, {SIZE_GROUP_RANGES[group]}",
        )
        for group in SIZE_GROUPS
    ]  # fmt: skip
    return [*groups, Line2D([], [], linestyle="none", marker="x", color=INK, label="miss")]
