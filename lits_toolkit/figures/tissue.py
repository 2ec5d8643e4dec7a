"""The HU of a cohort's tissues beside those that are published (Table 2.1 of the dissertation)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.points import spread
from lits_toolkit.figures.style import INK, LABEL_COLORS, PAGE_INCHES, PUBLISHED, house_style
from lits_toolkit.study.tissue import published_hu
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS = (("All tissues", (-1080, 1180)), ("Soft tissues", (-40, 200)))
_NAMES = {"tumor": "tumour"}
_COHORT_COLORS = LABEL_COLORS | dict.fromkeys(("air", "fat", "bone"), INK)


@house_style()
def draw_tissues(tissues: pd.DataFrame, label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """A line for each tissue: what Table 2.1 gives as a grey bar, each case of the cohort as a point.

    `tissues` is the first table of `lits_toolkit.study.tissue.measure_hu`. The thin line below the points goes from
    the mean of the cases' `hu_low` to that of their `hu_high`. The right panel shows the soft tissues again, larger.
    The data has a row per tissue: tissue, published_low, published_high (NaN where Table 2.1 has none, and above for
    bone), hu (median over the cases), hu_low, hu_high (means), cases.
    """
    figure, panels = use_axes(axes, len(_PANELS), columns=len(_PANELS), inches=(PAGE_INCHES, 4.6), share_y=True)
    data = _compare(tissues)
    for ax, (title, (low, high)) in zip(panels, _PANELS, strict=True):
        for place, (_, row) in enumerate(data.iterrows()):
            _published(ax, place, row["published_low"], row["published_high"], high)
            if row["cases"]:
                _cohort(ax, place, tissues[tissues["tissue"] == row["tissue"]], row)
        ax.set_xlim(low, high)
        ax.set_title(title)
        ax.set_xlabel("HU")
        ax.grid(axis="x")
        ax.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(data)), [_NAMES.get(tissue, tissue) for tissue in data["tissue"]])
    panels[0].set_ylim(len(data) - 0.4, -0.6)
    legend_below(figure, _keys())
    figure.suptitle(f"HU of tissues · {label}, {counted(tissues['case'].nunique(), 'case')}", wrap=True)
    return Drawn(figure, data)


def _compare(tissues: pd.DataFrame) -> pd.DataFrame:
    published = published_hu().rename(columns={"hu_low": "published_low", "hu_high": "published_high"})
    grouped = tissues.groupby("tissue", sort=False)
    own = grouped.agg(hu=("hu", "median"), hu_low=("hu_low", "mean"), hu_high=("hu_high", "mean"), cases=("hu", "size"))
    names = [*published["tissue"].iloc[:-1], "liver", "tumor", *published["tissue"].iloc[-1:]]  # bone stays the last
    table = pd.DataFrame({"tissue": names}).merge(published, "left").merge(own.reset_index(), "left", on="tissue")
    return table.assign(cases=table["cases"].fillna(0).astype(int))


def _published(ax: "Axes", place: int, low: float, high: float, edge: float) -> None:
    y = place - 0.24
    if np.isnan(low):
        return
    if np.isnan(high):  # "> 150"
        ax.annotate("", (edge, y), (low, y), arrowprops={"arrowstyle": "-|>", "color": PUBLISHED, "linewidth": 4})
    elif low == high:
        ax.plot(low, y, marker="|", markersize=7, markeredgewidth=3, color=PUBLISHED)
    else:
        ax.hlines(y, low, high, color=PUBLISHED, linewidth=7)


def _cohort(ax: "Axes", place: int, cases: pd.DataFrame, row: pd.Series) -> None:
    color = _COHORT_COLORS[row["tissue"]]
    y = place + 0.2
    ax.hlines(y, row["hu_low"], row["hu_high"], color=color, linewidth=1)
    ax.scatter(
        cases["hu"], y + spread(len(cases), 0.3), s=float(np.clip(300 / len(cases), 6, 24)), color=color, alpha=0.7,
        linewidths=0, zorder=3,
    )  # fmt: skip


def _keys() -> list:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=PUBLISHED, linewidth=6, label="dissertation, Table 2.1"),
        Line2D([], [], color=INK, marker="o", markersize=4, linestyle="none", label="a case of this cohort"),
        Line2D([], [], color=INK, linewidth=1, label="spread within a case (mean)"),
    ]
