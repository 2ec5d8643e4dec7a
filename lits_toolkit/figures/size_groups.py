"""Tumour Dice by size group (Tables 4.6 and 4.7 of the dissertation), lesion by lesion, beside what was published."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.panels import line_key
from lits_toolkit.figures.points import spread
from lits_toolkit.figures.style import INK, METHOD_COLORS, PAGE_INCHES, SIZE_GROUP_RANGES, SMALL, house_style
from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.metrics.statistics import interval
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PUBLISHED_LINES: tuple[tuple[float, tuple[float, ...]], ...] = ((0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


@house_style()
def draw_dice_by_size_group(
    lesions: pd.DataFrame, label: str, published: pd.DataFrame | None = None, ax: "Axes | None" = None
) -> Drawn:
    """Mean tumour Dice in each size group as bars, every reference lesion as a point (a miss lies at 0).

    A line on each bar is the mean's 95 % bootstrap interval over cases.

    `lesions` is the table `lesions.csv` of a run, or of several below each other with a column method; bars stand in
    the order in which the methods first appear, and so do what each has found and its false alarms. `published`
    (from `published_dice_by_size_group` of `lits_toolkit.study.tables`) is drawn as lines across the groups, named as
    another cohort's. The data has a row per bar and line: source ("here" | "dissertation, LiTS"), method, size_group,
    dice (NaN without a lesion), low and high (its interval, NaN of a single case), lesions, detected, false_alarms.
    Raises InputError if there is no reference lesion.
    """
    named = lesions if "method" in lesions else lesions.assign(method="prediction")
    if not (named["kind"] == "reference").any():
        raise InputError("no case has a tumour in its reference: there is no Dice by size group to show")
    methods = list(dict.fromkeys(named["method"]))
    data = _group_means(named, methods)
    figure, (ax,) = use_axes(ax, 1, inches=(PAGE_INCHES, 4.1))
    width = 0.8 / len(methods)
    for number, method in enumerate(methods):
        color = METHOD_COLORS[number % len(METHOD_COLORS)]
        left = -0.4 + (number + 0.5) * width
        for group_place, group in enumerate(SIZE_GROUPS):
            _bar(ax, named, data, method, group, group_place + left, width, color)
        ax.bar(0, 0, color=color, alpha=0.75, label=method)  # stands for the method in the legend
    if published is not None:
        data = pd.concat([data, _draw_published(ax, published)], ignore_index=True)
    ax.set_xticks(range(len(SIZE_GROUPS)), [_group_tick(data, group) for group in SIZE_GROUPS])
    ax.tick_params(axis="x", length=0, pad=20)
    ax.set_xlim(-0.55, len(SIZE_GROUPS) - 0.45)
    ax.set_ylim(0, 1.02)
    ax.set_ylabel("tumour Dice")
    handles: list[Any] = [line_key(INK, "95 % interval over cases", linewidth=1.4)]
    if len(methods) > 1 or published is not None:
        bars_first = sorted(ax.get_legend_handles_labels()[0], key=lambda handle: handle not in ax.containers)
        handles = [*bars_first, *handles]
    legend_below(figure, handles)
    total = int((named.loc[named["method"] == methods[0], "kind"] == "reference").sum())
    figure.suptitle(f"Tumour Dice by size group · {label}, {counted(total, 'tumour')}", wrap=True)
    return Drawn(figure, data)


def _bar(
    ax: "Axes",
    lesions: pd.DataFrame,
    data: pd.DataFrame,
    method: str,
    group: str,
    place: float,
    width: float,
    color: str,
) -> None:
    row = data[(data["method"] == method) & (data["size_group"] == group)].iloc[0]
    text = "–" if np.isnan(row["dice"]) else f"{row['dice']:.3f}"
    ax.annotate(text, (place, 0), (0, -6), textcoords="offset points", ha="center", va="top", fontsize=SMALL)
    if np.isnan(row["dice"]):
        return
    ax.bar(place, row["dice"], width * 0.92, color=color, alpha=0.32, linewidth=0)
    ax.hlines(row["dice"], place - width * 0.46, place + width * 0.46, color=color, linewidth=2.4, zorder=3)
    ax.vlines(place + width * 0.42, row["low"], row["high"], color=INK, linewidth=1.4, zorder=5)
    reference = (lesions["kind"] == "reference") & (lesions["method"] == method) & (lesions["size_group"] == group)
    points = np.sort(lesions.loc[reference, "dice"].to_numpy(float))
    size = float(np.clip(1200 / len(points), 7, 26))
    ax.scatter(
        place + spread(len(points), width * 0.7), points, s=size, color=color, alpha=0.85,
        edgecolors="white", linewidths=0.4, clip_on=False, zorder=4,
    )  # fmt: skip


def _draw_published(ax: "Axes", published: pd.DataFrame) -> pd.DataFrame:
    for (model, rows), dashes in zip(published.groupby("model", sort=False), _PUBLISHED_LINES, strict=False):
        for number, (group, dice) in enumerate(zip(rows["size_group"], rows["dice"], strict=True)):
            place = SIZE_GROUPS.index(group)
            name = f"dissertation, LiTS: {model}" if number == 0 else "_"
            ax.hlines(
                dice, place - 0.44, place + 0.44, color=INK, linewidth=1.5, linestyle=dashes, label=name, zorder=5
            )
    drawn = published.rename(columns={"model": "method"})[["method", "size_group", "dice"]]
    return drawn.assign(source="dissertation, LiTS")


def _group_tick(data: pd.DataFrame, group: str) -> str:
    rows = data[(data["source"] == "here") & (data["size_group"] == group)]
    found, alarms = (" / ".join(str(int(number)) for number in rows[column]) for column in ("detected", "false_alarms"))
    tumors = counted(int(rows["lesions"].iloc[0]), "tumour")
    ending = "" if alarms == "1" else "s"
    return f"{group}, {SIZE_GROUP_RANGES[group]}\n{tumors}, {found} found\n{alarms} false alarm{ending}"


def _group_means(lesions: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    rows = []
    for method in methods:
        for group in SIZE_GROUPS:
            mine = lesions[(lesions["method"] == method) & (lesions["size_group"] == group)]
            reference = mine[mine["kind"] == "reference"]
            by_case = reference.groupby("case")["dice"]
            found = interval(by_case.sum().to_numpy(float), by_case.count().to_numpy(float))
            rows.append(
                {
                    "source": "here",
                    "method": method,
                    "size_group": group,
                    "dice": found.value,
                    "low": found.low,
                    "high": found.high,
                    "lesions": len(reference),
                    "detected": int(reference["detected"].sum()),
                    "false_alarms": int((mine["kind"] == "false alarm").sum()),
                }
            )
    return pd.DataFrame(rows)
