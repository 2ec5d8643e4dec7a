"""Activation functions with their derivatives (Figure 2.12), and losses of what is found of an object (§2.2.6)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.style import FAINT, PAGE_INCHES, SIZE_GROUP_COLORS, SMALL, house_style
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VALUE, DERIVATIVE = "#0072b2", "#d55e00"
PANELS = ("ReLU", "swish", "sigmoid", "ReLU6", "h-swish", "hard sigmoid")
"""Above the functions that are smooth, or have no upper end; below them what stands in their place."""
LOSS_NAMES = {
    "cross_entropy": "cross entropy (nats)",
    "weighted_cross_entropy": "weighted cross entropy (nats)",
    "dice": "Dice distance",
    "jaccard": "Jaccard distance",
}


@house_style()
def draw_activations(curves: pd.DataFrame, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """The activations of Figure 2.12 and both gates, each with its derivative.

    `curves` is from `study.concepts.activation_curves`. A ring marks the lowest value of a function that rises again
    to its left. The data is those curves in the order of the panels, with the column lowest.
    """
    figure, panels = use_axes(axes, len(PANELS), rows=2, columns=3, inches=(PAGE_INCHES, 4.5), share_x=True)
    shown = []
    for name, ax in zip(PANELS, panels, strict=True):
        own = curves[curves["function"] == name].reset_index(drop=True)
        bottom = int(own["value"].argmin())
        dips = own["value"][bottom] < 0
        shown.append(own.assign(lowest=dips & (own.index == bottom)))
        gate = "sigmoid" in name
        ax.axhline(0, color=FAINT, linewidth=0.8)
        ax.axvline(0, color=FAINT, linewidth=0.8)
        ax.plot(own["x"], own["value"], color=VALUE, linewidth=1.8, label="function")
        ax.plot(
            own["x"], own["derivative"], color=DERIVATIVE, linewidth=1.4, linestyle=(0, (4, 1.8)), label="derivative"
        )
        if dips:
            x, y = own["x"][bottom], own["value"][bottom]
            ax.plot(x, y, "o", color=VALUE, markersize=6, fillstyle="none")
            words = f"{y:.2f} at {x:.2f}".replace("-", "−")
            ax.annotate(words, (x, y), (0.5, -0.85), va="center", fontsize=SMALL, color=VALUE)
        ax.set_ylim(*((-0.1, 1.15) if gate else (-1.3, 8.2)))
        ax.set_xlim(own["x"].min(), own["x"].max())
        ax.set_title(name)
    for ax in panels[3:]:
        ax.set_xlabel("x")
    legend_below(figure, panels[0].get_lines()[2:4])
    figure.suptitle("Activation functions", wrap=True)
    return Drawn(figure, pd.concat(shown, ignore_index=True))


@house_style()
def draw_losses(curves: pd.DataFrame, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Four losses against the share of an object that is found, for objects of three sizes.

    `curves` is from `study.concepts.loss_curves`, and the data is those of its rows that are drawn.
    """
    figure, panels = use_axes(axes, len(LOSS_NAMES), rows=2, columns=2, inches=(PAGE_INCHES, 5.4), share_x=True)
    for (loss, name), ax in zip(LOSS_NAMES.items(), panels, strict=True):
        for (group, color), width in zip(SIZE_GROUP_COLORS.items(), (5, 3, 1.2), strict=True):
            own = curves[(curves["loss"] == loss) & (curves["size_group"] == group)]
            label = f"{group}: {counted(own['voxels'].iloc[0], 'voxel')}"
            ax.plot(
                100 * own["found"], own["value"], color=color, linewidth=width, label=label
            )  # one seen below another
        ax.set_ylim(bottom=0)
        ax.set_xlim(0, 100)
        ax.set_title(name)
    for ax in panels[2:]:
        ax.set_xlabel("share of the object that is found (%)")
        ax.set_ylim(0, 1)
    legend_below(figure, panels[0].get_lines())
    figure.suptitle("What a missed object costs", wrap=True)
    return Drawn(figure, curves[curves["loss"].isin(list(LOSS_NAMES))].reset_index(drop=True))
