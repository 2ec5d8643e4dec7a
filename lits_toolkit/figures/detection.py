"""How many tumours of each size are found, and at what cost in false alarms: bars with intervals, and FROC curves."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.panels import line_key
from lits_toolkit.figures.style import (
    BETWEEN_INCHES,
    FAINT,
    FALSE_ALARM,
    HIT,
    INK,
    METHOD_COLORS,
    PAGE_INCHES,
    SIZE_GROUP_RANGES,
    SMALL,
    house_style,
)
from lits_toolkit.metrics.froc import Froc
from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.study.intervals import ALL_SIZES
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES: tuple = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


@house_style()
def draw_detection_by_size_group(detection: pd.DataFrame, label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Share of the reference's tumours found, by size, and false alarms per case by their own size.

    `detection` is the table of `lits_toolkit.study.intervals.detection_by_size_group`, and the data that is drawn.
    Wide bars are tumours of which any voxel is found, narrow ones those found with an IoU above 0.5 by LiTS's merging;
    lines are 95 % intervals over cases. Raises InputError if there is no tumour.
    """
    data = detection.set_index("size_group").loc[[*SIZE_GROUPS, ALL_SIZES]]
    if not data.loc[ALL_SIZES, "lesions"]:
        raise InputError("no case has a tumour in its reference: there is no detection by size group to show")
    figure, (found, alarms) = use_axes(axes, 2, columns=2, inches=(PAGE_INCHES, 3.9))
    places = np.arange(len(data))
    found.bar(places, data["hit_rate"], 0.62, color=HIT, alpha=0.45, label="any voxel of it")
    found.bar(places, data["recall_iou50"], 0.3, color="#0b7a53", alpha=0.9, label="IoU above 0.5")
    _intervals(found, places - 0.22, data, "hit_rate")
    _intervals(found, places, data, "recall_iou50")
    found.set_ylim(0, 1.02)
    found.set_ylabel("share of the reference's tumours found")
    found.set_title("Found")
    found.set_xticks(places, [_tick(group, counted(int(row["lesions"]), "tumour")) for group, row in data.iterrows()])
    alarms.bar(places, data["false_alarms_per_case"], 0.62, color=FALSE_ALARM, alpha=0.5)
    _intervals(alarms, places, data, "false_alarms_per_case")
    alarms.set_ylim(bottom=0)
    alarms.set_ylabel("false alarms per case")
    alarms.set_title("False alarms, by their own size")
    alarms.set_xticks(places, [_tick(group, f"{int(row['false_alarms'])} in all") for group, row in data.iterrows()])
    for ax in (found, alarms):
        ax.tick_params(axis="x", length=0, labelsize=SMALL)
    handles, _ = found.get_legend_handles_labels()
    legend_below(figure, [*handles, line_key(INK, "95 % interval over cases", linewidth=1.4)])
    figure.suptitle(f"Detection by size group · {label}", wrap=True)
    return Drawn(figure, detection)


@house_style()
def draw_froc(
    curves: Mapping[str, Froc],
    label: str,
    detection: Mapping[str, pd.DataFrame] | None = None,
    ax: "Axes | None" = None,
) -> Drawn:
    """Sensitivity against false alarms per case as the threshold falls, a line for each method.

    `curves` has the methods' names and what `lits_toolkit.metrics.froc.froc` gives, `detection` by the same names what
    `lits_toolkit.study.intervals.detection_by_size_group` gives of their masks: a point shows where each mask lies,
    which may have been made with other thresholds. The data has a row per point of the curves, and one per mask with
    the threshold NaN: method, threshold, sensitivity, false_alarms_per_case. Raises InputError if there is no reference
    lesion.
    """
    if not curves or not all(curve.lesions for curve in curves.values()):
        raise InputError("no case has a tumour in its reference: there is no FROC curve to show")
    figure, (ax,) = use_axes(ax, 1, inches=(BETWEEN_INCHES, 4.0))
    parts = []
    masks = {method: _mask_point(table) for method, table in (detection or {}).items() if method in curves}
    ends = [float(curve.false_alarms_per_case[-1]) for curve in curves.values()]
    farthest = max(*ends, *(alarms for _, alarms in masks.values()), 0.0) or 1.0
    for number, (method, curve) in enumerate(curves.items()):
        color, dashes = METHOD_COLORS[number % len(METHOD_COLORS)], _LINES[number % len(_LINES)]
        ax.step(
            curve.false_alarms_per_case, curve.sensitivity, where="post", color=color, linestyle=dashes, label=method
        )
        parts.append(
            pd.DataFrame(
                {
                    "method": method,
                    "threshold": curve.thresholds,
                    "sensitivity": curve.sensitivity,
                    "false_alarms_per_case": curve.false_alarms_per_case,
                }
            )
        )
        if method in masks:
            hits, alarms = masks[method]
            ax.plot(alarms, hits, marker="o", markersize=6, color=color, clip_on=False, zorder=4)
            mask = {"method": [method], "threshold": math.nan, "sensitivity": hits, "false_alarms_per_case": alarms}
            parts.append(pd.DataFrame(mask))
    ax.set_xlim(0, farthest * 1.04)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("false alarms per case")
    ax.set_ylabel("share of the reference's tumours found")
    first = next(iter(curves.values()))
    keys = [
        *ax.get_legend_handles_labels()[0],
        *([line_key(FAINT, "the mask", linestyle="none", marker="o", markersize=6)] if masks else []),
    ]
    legend_below(figure, keys)
    figure.suptitle(f"FROC · {label}, {counted(first.lesions, 'tumour')} in {counted(first.cases, 'case')}", wrap=True)
    return Drawn(figure, pd.concat(parts, ignore_index=True))


def _intervals(ax: "Axes", places: np.ndarray, data: pd.DataFrame, measure: str) -> None:
    ax.vlines(places, data[f"{measure}_low"], data[f"{measure}_high"], color=INK, linewidth=1.4, zorder=4)


def _tick(group: object, count: str) -> str:
    size = SIZE_GROUP_RANGES.get(str(group), "").replace(" voxels", "")
    return f"{group}\n{size}\n{count}"


def _mask_point(detection: pd.DataFrame) -> tuple[float, float]:
    """The share that is found, and false alarms per case, of all sizes together."""
    (row,) = detection[detection["size_group"] == ALL_SIZES].to_dict("records")
    return row["hit_rate"], row["false_alarms_per_case"]
