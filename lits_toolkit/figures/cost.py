"""What the networks cost: parameters against multiply-accumulates, as counted and as printed (Tables 4.2 and 4.3)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.style import BLOCK_COLORS, FAINT, INK, LAYOUT_MARKERS, PAGE_INCHES, PUBLISHED, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import FixedLocator

COUNTED, PRINTED = "counted", "printed"


@house_style()
def draw_costs(costs: pd.DataFrame, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Parameters of each network against its multiply-accumulates for one input, 2D and 3D side by side.

    `costs` is that of `study.cost_tables.costs`. Full marks are counted; grey ones, joined to them, are the printed
    parameters and FLOPs, of a counter that left most convolutions out. A block of another name has the last colour,
    a layout of another name a square. The data is tidy: model, dimensions, block, layout, source ("counted" |
    "printed"), parameters_millions, operations_millions. Raises InputError without a network.
    """
    if costs.empty:
        raise InputError("no cost of any network: expected at least one row")
    names = ["model", "block", "layout"]
    counted = costs[names].assign(source=COUNTED, parameters=costs["parameters"], operations=costs["macs"])
    printed = costs[names].assign(
        source=PRINTED, parameters=costs["parameters_printed"], operations=costs["flops_printed"]
    )
    drawn = pd.concat([counted, printed], ignore_index=True)
    drawn["dimensions"] = drawn["model"].str[0].astype(int)
    drawn["parameters_millions"], drawn["operations_millions"] = drawn["parameters"] / 1e6, drawn["operations"] / 1e6
    dimensions = sorted(drawn["dimensions"].unique())
    figure, panels = use_axes(
        axes, len(dimensions), rows=1, columns=len(dimensions), inches=(PAGE_INCHES, 4.0), share_x=True, share_y=True
    )
    for ax, count in zip(panels, dimensions, strict=True):
        for _, pair in drawn[drawn["dimensions"] == count].groupby("model", sort=False):
            _draw_pair(ax, pair)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_title(f"{count}D networks")
        ax.set_xlabel("millions of operations for one input")
        ax.grid(axis="both", which="major")
        ax.xaxis.set_major_locator(_ticks(drawn["operations_millions"], (50, 100, 200, 500, 1000, 2000, 5000)))
        ax.yaxis.set_major_locator(_ticks(drawn["parameters_millions"], (0.5, 1, 2, 3, 4, 6, 8, 20)))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_locator(_ticks(drawn["parameters_millions"], ()))
            axis.set_major_formatter("{x:g}")
    panels[0].set_ylabel("millions of parameters")
    legend_below(figure, _keys(drawn))
    figure.suptitle("The networks' parameters and work, as counted and as printed", wrap=True)
    columns = ["model", "dimensions", "block", "layout", "source", "parameters_millions", "operations_millions"]
    return Drawn(figure, drawn[columns])


def _draw_pair(ax: "Axes", pair: pd.DataFrame) -> None:
    x, y = pair["operations_millions"].to_numpy(), pair["parameters_millions"].to_numpy()
    block, layout = pair["block"].iloc[0], pair["layout"].iloc[0]
    marker = LAYOUT_MARKERS.get(layout, "s")
    ax.plot(x, y, color=PUBLISHED, linewidth=0.8, zorder=2)
    ax.plot(x[1:], y[1:], marker, color=PUBLISHED, markersize=5.5, zorder=3)
    color = BLOCK_COLORS.get(block, "#d55e00")
    ax.plot(x[:1], y[:1], marker, color=color, markersize=8, markeredgecolor=INK, markeredgewidth=0.6, zorder=4)


def _ticks(values: pd.Series, at: Sequence[float]) -> "FixedLocator":
    from matplotlib.ticker import FixedLocator

    return FixedLocator([tick for tick in at if 0.5 * values.min() <= tick <= 2 * values.max()])


def _keys(drawn: pd.DataFrame) -> list:
    from matplotlib.lines import Line2D

    def key(label: str, color: str, marker: str, size: float = 7) -> Line2D:
        return Line2D([], [], color=color, linestyle="none", marker=marker, markersize=size, label=label)

    blocks = [key(block, BLOCK_COLORS.get(block, "#d55e00"), "o") for block in dict.fromkeys(drawn["block"])]
    layouts = [key(layout, FAINT, LAYOUT_MARKERS.get(layout, "s")) for layout in dict.fromkeys(drawn["layout"])]
    return [*blocks, *layouts, key("printed (FLOPs)", PUBLISHED, "o", 5.5)]
