"""Scores case by case, from the smallest to the largest mean tumour size (Figures 4.1 and 4.2 of the dissertation)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.points import short_names
from lits_toolkit.figures.style import FAINT, INK, METHOD_COLORS, PAGE_INCHES, SIZE_GROUP_COLORS, SMALL, house_style
from lits_toolkit.metrics.lesions import SIZE_GROUPS, size_group
from lits_toolkit.metrics.statistics import interval
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_MOST_NAMES = 45
_WORST, _APART = 5, 3
_MARKERS = ("o", "s", "D", "^")

ERRORS = {
    "tumor_voe": ("VOE (%)", 100.0),
    "tumor_rvd": ("RVD (%), signed", 100.0),
    "tumor_assd_mm": ("ASSD (mm)", 1.0),
}
"""Column of the score table → axis label and the factor to its unit."""


@house_style()
def draw_dice_per_case(cases: pd.DataFrame, label: str, ax: "Axes | None" = None) -> Drawn:
    """Tumour Dice of each case, ordered by the mean size of the case's tumours, on bands of the size groups.

    `cases` is the table `cases.csv` of a run, or of several on the same cases below each other with a column method;
    the first has stems and its mean as a line in the band of its 95 % bootstrap interval over cases, the others stand
    beside it. Cases without a tumour in the reference are left out, since their Dice can only be 0 or 1, and counted in
    the title. The data has the columns method, case,
    place (from 0), mean_lesion_voxels, size_group (of the mean), tumor_dice. Raises InputError if no case has a tumour.
    """
    data, left_out = _by_mean_size(cases, ["tumor_dice"])
    first = _of_first(data)
    figure, (ax,) = use_axes(ax, 1, inches=(PAGE_INCHES, 3.7))
    _bands(ax, first)
    handles = _draw_methods(ax, data, "tumor_dice")
    _draw_mean(ax, first["tumor_dice"], ".3f")
    ax.axhline(0, color=INK, linewidth=0.9, zorder=2)
    ax.set_ylim(-0.03, 1.02)
    ax.set_ylabel("tumour Dice")
    _name_cases(ax, first, first["tumor_dice"])
    if len(handles) > 1:
        means = data.groupby("method", sort=False)["tumor_dice"].mean()
        names = [f"{method}, mean {means[method]:.3f}" for method in handles]
        legend_below(figure, list(handles.values()), names)
    figure.suptitle(f"Tumour Dice per case · {label}, {_how_many(len(first), left_out)}", wrap=True)
    return Drawn(figure, data)


@house_style()
def draw_errors_per_case(cases: pd.DataFrame, label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Volumetric overlap error, relative volume difference and mean surface distance of the tumour, case by case.

    Takes what `draw_dice_per_case` takes, in the same order, and draws means as it does; of more cases than can be
    named, those with the highest VOE are. VOE and RVD are in percent, RVD is signed (above 0: too
    much predicted), ASSD is in mm. What is undefined, as a distance to an empty prediction, is a cross on the lower
    edge. The data is tidy: method, case, place, mean_lesion_voxels, size_group, error (column of `cases`), value (in
    the unit drawn).
    """
    table, left_out = _by_mean_size(cases, list(ERRORS))
    first = _of_first(table)
    figure, panels = use_axes(axes, len(ERRORS), rows=len(ERRORS), inches=(PAGE_INCHES, 5.9), share_x=True)
    parts = []
    handles: dict[str, Artist] = {}
    for number, (ax, (column, (unit, factor))) in enumerate(zip(panels, ERRORS.items(), strict=True)):
        part = table.drop(columns=list(ERRORS)).assign(error=column, value=table[column] * factor)
        parts.append(part)
        handles = _draw_methods(ax, part, "value")
        _limit(ax, column, part["value"])
        _draw_mean(ax, _of_first(part)["value"], ".1f")
        undefined = part[part["value"].isna()]
        low = ax.get_ylim()[0]
        for place, color in zip(*_places(undefined, list(handles)), strict=True):
            ax.scatter(place, low, s=34, marker="x", color=color, clip_on=False, zorder=4)
        ax.axhline(0, color=INK, linewidth=0.9, zorder=2)
        _bands(ax, first, named=number == 0)
        ax.set_ylabel(unit)
        if len(undefined):
            ax.set_title(
                f"× undefined in {counted(undefined['case'].nunique(), 'case')}: nothing was predicted", fontsize=SMALL
            )
    figure.align_ylabels(panels)
    _name_cases(panels[-1], first, -first["tumor_voe"], below=True)
    if len(handles) > 1:
        legend_below(figure, list(handles.values()), list(handles))
    figure.suptitle(f"Tumour error per case · {label}, {_how_many(len(first), left_out)}", wrap=True)
    return Drawn(figure, pd.concat(parts, ignore_index=True))


def _by_mean_size(cases: pd.DataFrame, columns: list[str]) -> tuple[pd.DataFrame, int]:
    """The cases with a tumour by method and size, and how many cases have none."""
    named = cases if "method" in cases else cases.assign(method="prediction")
    with_tumor = named[named["lesions"] > 0].sort_values(["mean_lesion_voxels", "case"])
    if with_tumor.empty:
        raise InputError("no case has a tumour in its reference: tumour scores per case have nothing to show")
    place = {case: number for number, case in enumerate(dict.fromkeys(with_tumor["case"]))}
    table = with_tumor[["method", "case", "mean_lesion_voxels"]].assign(
        place=with_tumor["case"].map(place),
        size_group=[size_group(int(voxels)) for voxels in with_tumor["mean_lesion_voxels"]],
        **{column: with_tumor[column] for column in columns},
    )
    order = {method: number for number, method in enumerate(dict.fromkeys(named["method"]))}
    table = table.sort_values("method", key=lambda methods: methods.map(order), kind="stable")
    return table.reset_index(drop=True), named["case"].nunique() - len(place)


def _of_first(data: pd.DataFrame) -> pd.DataFrame:
    return data[data["method"] == data["method"].iloc[0]]


def _draw_methods(ax: "Axes", data: pd.DataFrame, column: str) -> "dict[str, Artist]":
    """A point for each case and method, those of the first on stems; returns what stands for each in a legend."""
    methods = list(dict.fromkeys(data["method"]))
    count = data["place"].nunique()
    drawn: dict[str, Artist] = {}
    for number, method in enumerate(methods):
        own = data[data["method"] == method]
        places, colors = _places(own, methods)
        if number == 0:
            ax.vlines(places, 0, own[column], color=colors[0], linewidth=_stem(count * len(methods)), alpha=0.45)
        drawn[method] = ax.scatter(
            places, own[column], s=_dot(count * len(methods)), marker=_MARKERS[number % len(_MARKERS)],
            color=colors[0], zorder=3, clip_on=False,
        )  # fmt: skip
    return drawn


def _places(data: pd.DataFrame, methods: list[str]) -> tuple[list[float], list[str]]:
    """Where each row stands, the methods of a case beside each other, and in which colour."""
    numbers = [methods.index(method) for method in data["method"]]
    shifts = (np.array(numbers) - (len(methods) - 1) / 2) * 0.7 / len(methods)
    places = list(data["place"] + shifts)
    return places, [METHOD_COLORS[number % len(METHOD_COLORS)] for number in numbers]


def _bands(ax: "Axes", data: pd.DataFrame, named: bool = True) -> None:
    """Shade the stretch of cases whose mean tumour size lies in each group, and name it above."""
    for group in SIZE_GROUPS:
        places = data.loc[data["size_group"] == group, "place"]
        if places.empty:
            continue
        left, right = places.min() - 0.5, places.max() + 0.5
        ax.axvspan(left, right, color=SIZE_GROUP_COLORS[group], alpha=0.16, linewidth=0, zorder=0)
        if named:
            ax.annotate(
                group, ((left + right) / 2, 1), (0, 3), ("data", "axes fraction"), "offset points",
                ha="center", va="bottom", fontsize=SMALL, color=FAINT,
            )  # fmt: skip
    ax.set_xlim(-0.5, len(data) - 0.5)


def _draw_mean(ax: "Axes", values: pd.Series, form: str) -> None:
    """A line at the mean over the cases that define it, in the band of its interval; the numbers beside the panel."""
    found = interval(values.to_numpy(float))
    if not found.cases:
        return
    color = METHOD_COLORS[0]
    ax.axhline(found.value, color=color, linewidth=1.1, linestyle=(0, (4, 3)), zorder=2)
    words = f"mean\n{found.value:{form}}"
    if found.cases > 1:
        ax.axhspan(found.low, found.high, color=color, alpha=0.12, linewidth=0, zorder=1)
        words += f"\n95 %:\n{found.low:{form}} to\n{found.high:{form}}"
    ax.annotate(
        words.replace("-", "−"), (1, 0.5), (6, 0), "axes fraction", "offset points",
        va="center", fontsize=SMALL, color=color,
    )  # fmt: skip


def _name_cases(ax: "Axes", data: pd.DataFrame, worst_by: pd.Series, below: bool = False) -> None:
    """Name every case below the axis, or of many the worst alone: at their points, or below the axis as well."""
    names, prefix = short_names(list(data["case"]))
    if len(data) <= _MOST_NAMES:
        crowded = max(map(len, names)) * len(names) > 70
        ax.set_xticks(data["place"], names, rotation=90 if crowded else 0, fontsize=SMALL)
    else:
        worst = _worst_apart(worst_by)
        ax.set_xticks([])
        if below:
            ax.set_xticks(data["place"][worst], [names[index] for index in worst], rotation=90, fontsize=SMALL)
        else:
            for index in worst:
                ax.annotate(
                    names[index], (data["place"][index], worst_by[index]), (0, 6), textcoords="offset points",
                    ha="center", rotation=90, fontsize=SMALL,
                )  # fmt: skip
    named = f" (numbers: {prefix}N)" if prefix else ""
    named += f", the worst{' by VOE' if below else ''} named" if len(data) > _MOST_NAMES else ""
    ax.tick_params(axis="x", length=0, pad=7)
    ax.set_xlabel(f"cases by their mean tumour size, on bands of its size group{named}")


def _worst_apart(scores: pd.Series) -> list[int]:
    """Places of the lowest scores, of equal ones those of the largest tumours, far enough apart to be named."""
    chosen: list[int] = []
    for place in scores.iloc[::-1].sort_values(kind="stable").index:
        if all(abs(place - other) >= _APART for other in chosen):
            chosen.append(int(place))
    return chosen[:_WORST]


def _limit(ax: "Axes", column: str, values: pd.Series) -> None:
    largest = float(np.nanmax(np.abs(values))) if values.notna().any() else 1.0
    if column == "tumor_voe":
        ax.set_ylim(0, 105)
    elif column == "tumor_rvd":
        # One case with hundreds of percent would flatten all others: beyond ±100 % the axis is logarithmic.
        if largest > 300:
            ax.set_yscale("symlog", linthresh=100, linscale=1.5)
            ax.yaxis.set_major_formatter("{x:.0f}")
            ax.set_title("logarithmic beyond ±100 %", fontsize=SMALL)
        low = min(-100.0, float(np.nanmin(values)) if values.notna().any() else -100.0)
        ax.set_ylim(low * 1.1, max(largest, 100.0) * 1.1)
    else:
        ax.set_ylim(0, largest * 1.1 or 1.0)


def _how_many(shown: int, left_out: int) -> str:
    note = f" ({left_out} without tumour left out)" if left_out else ""
    return counted(shown, "case") + note


def _stem(count: int) -> float:
    return float(np.clip(90 / count, 1.0, 5.0))


def _dot(count: int) -> float:
    return float(np.clip(900 / count, 14, 60))
