"""How good networks are for what they cost: Dice against parameters, multiplications, seconds; the Pareto front."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.errors import SettingError
from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.panels import line_key
from lits_toolkit.figures.style import (
    BLOCK_COLORS,
    FAINT,
    INK,
    LAYOUT_MARKERS,
    PAGE_INCHES,
    SIZE_GROUP_RANGES,
    SMALL,
    house_style,
)
from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.study.study_table import DISSERTATION

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

COSTS = {
    "parameters": (1e6, "parameters, millions"),
    "macs": (1e9, "multiply-accumulates\nper sample, billions"),
    "seconds": (1e-3, "milliseconds per slice"),
}
"""Column of the study table: the unit in which it is shown, and the axis's label."""
PRINTED_MACS = "FLOPs as printed\nper sample, billions"
"""The label for the dissertation's, whose counter left out most convolutions."""
_TICKS = [digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 3, 5)]


@house_style()
def draw_dice_against_cost(
    study: pd.DataFrame, size_group: str = "small", axes: "Sequence[Axes] | None" = None
) -> Drawn:
    """A row of panels for each source, the dissertation's and ours: Dice of one size group against each cost.

    Up and to the left is better; the line is the Pareto front, whose networks no other beats in both, and which are
    numbered. Colours are blocks, shapes layouts; 2D is filled. Costs are logarithmic. `study` is what
    `study.study_table.study_table` returns. The data has a row per point: source, model, method, cost ("parameters" |
    "macs" | "seconds"), value (in the column's unit), dice, on_front. Raises SettingError for another size group.
    """
    if size_group not in SIZE_GROUPS:
        raise SettingError(f"size group {size_group!r}: expected one of {', '.join(SIZE_GROUPS)}")
    sources = list(dict.fromkeys(study["source"]))
    inches = (PAGE_INCHES, 0.9 + 2.5 * len(sources))
    figure, panels = use_axes(axes, len(sources) * len(COSTS), rows=len(sources), columns=len(COSTS), inches=inches)
    data = pd.concat([_points(study, source, cost, size_group) for source in sources for cost in COSTS])
    data = data.reset_index(drop=True)
    for place, ax in enumerate(panels):
        source, cost = sources[place // len(COSTS)], list(COSTS)[place % len(COSTS)]
        own = data[(data["source"] == source) & (data["cost"] == cost)]
        _draw(ax, own, cost, _why_empty(study, source, cost, size_group))
        if place % len(COSTS) == 0:
            ax.set_ylabel(f"Dice, {size_group} tumours")
            ax.set_title(source, fontweight="bold")
        ax.set_xlabel(PRINTED_MACS if cost == "macs" and source == DISSERTATION else COSTS[cost][1])
    for row in range(len(sources)):
        drawn = [ax for ax in panels[row * len(COSTS) : (row + 1) * len(COSTS)] if ax.lines]
        top = max((ax.get_ylim()[1] for ax in drawn), default=1.0)
        for ax in drawn:
            ax.set_ylim(0, top)
    legend_below(figure, _keys())
    figure.suptitle(f"Dice of {size_group} tumours ({SIZE_GROUP_RANGES[size_group]}) against cost", wrap=True)
    return Drawn(figure, data)


def on_pareto_front(cost: np.ndarray, dice: np.ndarray) -> np.ndarray:
    """Which of (n,) points no other beats: none costs less or as much and is better, or costs less and is as good."""
    cheaper = (cost[None] <= cost[:, None]) & (dice[None] >= dice[:, None])
    strictly = (cost[None] < cost[:, None]) | (dice[None] > dice[:, None])
    return np.logical_not((cheaper & strictly).any(axis=1))


def _points(study: pd.DataFrame, source: str, cost: str, size_group: str) -> pd.DataFrame:
    own = study[(study["source"] == source) & (study["model"] != "")]
    own = own[own[cost].notna() & own[size_group].notna()]
    points = own[["source", "model", "method"]].assign(cost=cost, value=own[cost], dice=own[size_group])
    return points.assign(on_front=on_pareto_front(points["value"].to_numpy(), points["dice"].to_numpy()))


def _why_empty(study: pd.DataFrame, source: str, cost: str, size_group: str) -> str:
    own = study[(study["source"] == source) & (study["model"] != "")]
    if own[size_group].notna().any():
        return f"no {cost} known" if not own[cost].notna().any() else ""
    notes = [note for note in own["note"] if note]
    return max(set(notes), key=notes.count) if notes else f"no {size_group} tumour"


def _draw(ax: "Axes", points: pd.DataFrame, cost: str, why_empty: str) -> None:
    ax.set_xscale("log")
    ax.minorticks_off()
    ax.grid(axis="both")
    if points.empty:
        ax.text(0.5, 0.5, why_empty, ha="center", va="center", color=FAINT, transform=ax.transAxes)
        ax.set(xticks=[], yticks=[])
        return
    unit = COSTS[cost][0]
    front = points[points["on_front"]].sort_values("value")
    ax.plot(front["value"] / unit, front["dice"], color=INK, linewidth=1, linestyle=(0, (4, 2)), zorder=1)
    for row in points.to_dict("records"):
        dimensions, block, layout = str(row["model"]).split("-")
        color = BLOCK_COLORS.get(block, INK)
        face = color if dimensions == "2d" else "white"
        marker = LAYOUT_MARKERS.get(layout, "s")
        ax.plot(row["value"] / unit, row["dice"], marker, color=color, markerfacecolor=face, markersize=6.5, zorder=2)
    for number, row in enumerate(front.to_dict("records"), 1):
        place = row["value"] / unit, row["dice"]
        ax.annotate(str(number), place, (-7, 4), textcoords="offset points", ha="right", fontsize=SMALL)
    names = "\n".join(f"{number}  {name}" for number, name in enumerate(front["model"], 1))
    ax.text(0.02, 0.98, names, transform=ax.transAxes, va="top", fontsize=SMALL, linespacing=1.3)
    ax.set_ylim(0, float(points["dice"].max()) * (1.25 + 0.13 * len(front)))
    low, high = points["value"].min() / unit / 1.6, points["value"].max() / unit * 1.6
    ax.set_xlim(low, high)
    ticks = [tick for tick in _TICKS if low < tick < high]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


def _keys() -> "list[Artist]":
    point = {"linestyle": "none", "markersize": 6.5}
    blocks = [line_key(color, block, marker="o", **point) for block, color in BLOCK_COLORS.items()]
    layouts = [line_key(INK, layout, marker=marker, **point) for layout, marker in LAYOUT_MARKERS.items()]
    hollow = line_key(INK, "3D", marker="o", markerfacecolor="white", **point)
    front = line_key(INK, "Pareto front", linewidth=1, linestyle=(0, (4, 2)))
    return [*blocks, *layouts, hollow, front]
