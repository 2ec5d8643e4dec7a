"""What prediction takes: seconds per slice beside the dissertation's, by part beside the floor; Dice by runtime."""

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.points import tick_in_words
from lits_toolkit.figures.style import (
    BETWEEN_INCHES,
    FAINT,
    INK,
    PAGE_INCHES,
    PUBLISHED,
    SIZE_GROUP_COLORS,
    SMALL,
    house_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DISSERTATION, FLOOR = "dissertation", "floor"
RUNTIME_COLORS = {
    "torch": "#e69f00", "torch-bf16": "#d55e00", "openvino": "#0072b2", "openvino-bf16": "#332288",
    "openvino-int8": "#56b4e9", "onnxruntime": "#009e73",
}  # fmt: skip
"""By the name in `inference.runtimes.RUNTIMES`."""
OTHER_RUNTIME = "#cc79a7"
COMPUTE, MEMORY = "#7a5195", "#ef9b20"


@house_style()
def draw_prediction_times(times: pd.DataFrame, label: str, ax: "Axes | None" = None) -> Drawn:
    """Seconds to predict a slice, as in Figure 4.7: the dissertation's means with their standard deviation, and ours.

    The axis is logarithmic, since ours take a small part of theirs; a tick marks the floor. `times` is that of
    `study.benchmark.Benchmark`. The data is its rows that are drawn: model, work, source, seconds, stdev_s (0 of a
    single run). Raises InputError if no prediction was timed.
    """
    from matplotlib.ticker import LogLocator

    drawn = times[(times["work"] == "prediction") & times["seconds"].notna()].reset_index(drop=True)
    sources = [source for source in dict.fromkeys(drawn["source"]) if source not in (DISSERTATION, FLOOR)]
    if not sources:
        raise InputError("no prediction was timed: expected times of at least one runtime")
    drawn["stdev_s"] = drawn["stdev_s"].fillna(0.0)  # of a single run
    models = list(dict.fromkeys(drawn["model"]))
    bars = [DISSERTATION, *sorted(sources)]
    colors = {DISSERTATION: PUBLISHED, **{source: _runtime_color(source) for source in bars[1:]}}
    figure, (axes,) = use_axes(ax, 1, inches=(PAGE_INCHES, 1.5 + 0.19 * len(models) * (len(bars) + 1)))
    height = 1 / (len(bars) + 1)
    for place, source in enumerate(bars):
        own = drawn[drawn["source"] == source]
        y = own["model"].map(models.index).to_numpy() + (place - (len(bars) - 1) / 2) * height
        # the line of the standard deviation is cut where the axis has no zero
        below = np.minimum(own["stdev_s"], 0.9 * own["seconds"])
        axes.barh(y, own["seconds"], height, color=colors[source], label=_name(source))
        axes.errorbar(own["seconds"], y, xerr=[below, own["stdev_s"]], fmt="none", ecolor=INK, elinewidth=1)
        for seconds, stdev, at in zip(own["seconds"], own["stdev_s"], y, strict=True):
            end = float(seconds + stdev), float(at)
            axes.annotate(
                f"{1000 * seconds:.3g} ms", end, (4, 0), textcoords="offset points", va="center", fontsize=SMALL
            )
    floor = drawn[drawn["source"] == FLOOR]
    y = floor["model"].map(models.index).to_numpy()
    reach = len(bars) / 2 * height
    axes.vlines(floor["seconds"], y - reach, y + reach, color=INK, linestyle=(0, (2, 1)), linewidth=1.2, label="floor")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(tick_in_words)
    axes.minorticks_off()
    axes.set_xlim(0.5 * drawn["seconds"].min(), 3 * drawn["seconds"].max())
    axes.set_yticks(range(len(models)), models)
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("seconds per segmented slice")
    legend_below(figure, axes.get_legend_handles_labels()[0])
    figure.suptitle("Prediction, seconds per slice", wrap=True)
    axes.set_title(fill(label, 90), fontsize=SMALL)
    return Drawn(figure, drawn)


@house_style()
def draw_part_times(parts: pd.DataFrame, label: str, ax: "Axes | None" = None) -> Drawn:
    """Milliseconds per slice of each part of a network, beside what its convolutions take at least.

    `parts` is that of `study.part_times.time_parts`. The data is tidy: part, what ("measured" | "computing" |
    "moving bytes"), ms. Raises InputError if it is empty.
    """
    if parts.empty:
        raise InputError("no part was timed: expected at least one row")
    columns = {"seconds": "measured", "compute_floor_s": "computing", "memory_floor_s": "moving bytes"}
    tidy = parts.rename(columns=columns).melt("part", list(columns.values()), "what", "ms")
    tidy["ms"] *= 1000
    colors = dict(zip(columns.values(), (PUBLISHED, COMPUTE, MEMORY), strict=True))
    names = {"measured": "measured", "computing": "floor: computing", "moving bytes": "floor: moving bytes"}
    order = list(parts["part"])
    figure, (axes,) = use_axes(ax, 1, inches=(PAGE_INCHES, 1.4 + 0.25 * len(order)))
    y = np.arange(len(order))
    for what, shift, height in (("measured", 0.0, 0.8), ("computing", -0.18, 0.28), ("moving bytes", 0.18, 0.28)):
        axes.barh(y + shift, tidy.loc[tidy["what"] == what, "ms"], height, color=colors[what], label=names[what])
    axes.set_yticks(y, order)
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("ms per segmented slice")
    legend_below(figure, axes.get_legend_handles_labels()[0])
    total, floor = 1000 * parts["seconds"].sum(), 1000 * parts["floor_s"].sum()
    figure.suptitle(f"Where the time goes: {total:.3g} ms, floor {floor:.3g} ms per slice", wrap=True)
    axes.set_title(fill(label, 90), fontsize=SMALL)
    return Drawn(figure, tidy)


@house_style()
def draw_runtime_dice(dice: pd.DataFrame, label: str, ax: "Axes | None" = None) -> Drawn:
    """Dice of each size group in each runtime: what a lower precision costs, on small lesions above all.

    `dice` has the columns runtime, size_group ("small" | "medium" | "large") and dice, NaN where no lesion is of that
    size; the first runtime is what the others are held against. The data is its rows that are drawn, with `change`
    against that one. Raises InputError if no number is there.
    """
    drawn = dice.dropna(subset="dice")
    if drawn.empty:
        raise InputError("no Dice of any runtime: expected the columns runtime, size_group, dice")
    runtimes = list(dict.fromkeys(drawn["runtime"]))
    groups = [group for group in SIZE_GROUP_COLORS if group in set(drawn["size_group"])]
    first = drawn[drawn["runtime"] == runtimes[0]].set_index("size_group")["dice"]
    drawn = drawn.assign(change=drawn["dice"] - drawn["size_group"].map(first)).reset_index(drop=True)
    figure, (axes,) = use_axes(ax, 1, inches=(BETWEEN_INCHES, 3.4))
    width = 0.8 / len(runtimes)
    for place, runtime in enumerate(runtimes):
        own = drawn[drawn["runtime"] == runtime]
        x = own["size_group"].map(groups.index).to_numpy() + (place - (len(runtimes) - 1) / 2) * width
        axes.bar(x, own["dice"], width * 0.92, color=_runtime_color(runtime), label=runtime)
        for at, value, change in zip(x, own["dice"], own["change"], strict=True):
            words = f"{value:.3f}" if place == 0 else f"{value:.3f}\n{change:+.3f}".replace("-", "−")
            axes.annotate(words, (float(at), float(value)), (0, 3), textcoords="offset points", ha="center",
                          fontsize=SMALL, color=FAINT)  # fmt: skip
    axes.set_xticks(range(len(groups)), [f"{group} tumours" for group in groups])
    axes.set_ylim(0, min(1.15, 1.25 * drawn["dice"].max() + 0.05))
    axes.set_ylabel("Dice")
    legend_below(figure, axes.get_legend_handles_labels()[0])
    figure.suptitle(f"Dice by runtime · {label}", wrap=True)
    return Drawn(figure, drawn)


def _runtime_color(source: str) -> str:
    """Of "torch fp32", "openvino int8", … as of the runtimes themselves."""
    return RUNTIME_COLORS.get(source.removesuffix(" fp32").replace(" ", "-"), OTHER_RUNTIME)


def _name(source: str) -> str:
    return "dissertation (its machine)" if source == DISSERTATION else f"ours, {source}"
