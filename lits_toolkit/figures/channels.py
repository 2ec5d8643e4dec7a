"""What happens between channels: squeeze-and-excitation in numbers (after Figure 2.5), and the shuffle (Figure 2.9)."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from lits_toolkit.errors import SettingError
from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.style import FAINT, INK, PAGE_INCHES, SMALL, house_style
from lits_toolkit.models.blocks import shuffle
from lits_toolkit.study.concepts import Gated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUP_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
GATE = "#7a1fa2"


@house_style()
def draw_squeeze_excitation(gated: Gated, ax: "Axes | None" = None) -> Drawn:
    """Each image's features before and after squeeze-and-excitation, and between them the gate that scales them.

    `gated` is from `study.concepts.squeeze_and_excite`. All features have one scale of brightness, so that a low gate
    is seen as a dim feature. The data is tidy: image (from 1 on), feature, mean_before, gate, mean_after.
    """
    from matplotlib.patches import Rectangle

    images, features = gated.gates.shape
    pitch, block = 1.12, 3.15
    across = features * pitch + 0.95
    unit = min(1.0, PAGE_INCHES / across)
    figure, (axes,) = use_axes(ax, 1, inches=(across * unit, images * block * unit + 0.4))
    scale: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    rows = []
    for i in range(images):
        top = i * block
        for text, y in (("before", top + 0.5), ("gate", top + 1.3), ("after", top + 2.0)):
            axes.text(-0.12, y, text, ha="right", va="center", color=FAINT)
        axes.text(-0.95, top - 0.2, f"image {i + 1}", ha="left", va="bottom", fontweight="bold")
        for c, name in enumerate(gated.names):
            left, gate = c * pitch, float(gated.gates[i, c])
            before, after = gated.before[i, c], gated.after[i, c]
            rows.append((i + 1, name, float(before.mean()), gate, float(after.mean())))
            axes.imshow(before, extent=(left, left + 1, top + 1, top), **scale)
            axes.imshow(after, extent=(left, left + 1, top + 2.5, top + 1.5), **scale)
            axes.add_patch(Rectangle((left, top + 1.37), gate, 0.07, color=GATE, linewidth=0))
            axes.add_patch(Rectangle((left, top + 1.37), 1, 0.07, fill=False, edgecolor=FAINT, linewidth=0.6))
            axes.text(left + 0.5, top + 1.34, f"× {gate:.2f}", ha="center", va="bottom", color=GATE)
            axes.text(left + 0.5, top - 0.05, f"mean {before.mean():.2f}", ha="center", va="bottom", fontsize=SMALL)
            if i == 0:
                axes.text(left + 0.5, top - 0.42, name, ha="center", va="bottom", fontsize=SMALL, color=FAINT)
    axes.set(xlim=(-0.95, features * pitch), ylim=(images * block - 0.6, -0.75), aspect="equal")
    axes.set_axis_off()
    figure.suptitle("Squeeze-and-excitation: the means of all decide how much of each goes on", wrap=True)
    return Drawn(figure, pd.DataFrame(rows, columns=["image", "feature", "mean_before", "gate", "mean_after"]))


@house_style()
def draw_channel_shuffle(groups: int = 3, features: int = 9, ax: "Axes | None" = None) -> Drawn:
    """Where each feature goes in a channel shuffle, its group colour coded, as in Figure 2.9.

    The places are those that our ShuffleNet block's own function gives. The data is tidy: feature (as "2c": group,
    and letter in it), group (from 1 on), before and after (its place, from 0 on), new_group.
    Raises SettingError unless there are 1 to 6 groups of equal size, of up to 26.
    """
    import torch
    from matplotlib.patches import FancyArrowPatch

    size = features // max(groups, 1)
    if not 1 <= groups <= len(GROUP_COLORS) or features != groups * size or not 1 <= size <= 26:
        raise SettingError(f"{features} features in {groups} groups: expected up to {len(GROUP_COLORS)} equal ones")
    order = shuffle(torch.arange(features)[None, :, None], groups).flatten().tolist()
    names = [f"{place // size + 1}{chr(ord('a') + place % size)}" for place in range(features)]
    places = [(names[f], f // size + 1, f, after, after // size + 1) for after, f in enumerate(order)]
    data = pd.DataFrame(places, columns=["feature", "group", "before", "after", "new_group"])
    data = data.sort_values("before", ignore_index=True)
    gap, low = 0.45, 2.6
    across = features + gap * (groups - 1)
    figure, (axes,) = use_axes(ax, 1, inches=(PAGE_INCHES, min(0.6, PAGE_INCHES / (across + 0.4)) * 4.8 + 0.5))
    for name, group, before, after, _ in places:
        color = GROUP_COLORS[group - 1]
        start, end = (place + gap * (place // size) for place in (before, after))
        for left, top in ((start, 0.0), (end, low)):
            _feature(axes, left, top, name, color)
        arrow: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 11, "color": color, "linewidth": 1.6}
        axes.add_patch(FancyArrowPatch((start + 0.5, 1.02), (end + 0.5, low - 0.05), shrinkA=0, shrinkB=0, **arrow))
    for group in range(groups):
        middle = group * (size + gap) + size / 2
        axes.text(middle, -0.2, f"group {group + 1}", ha="center", va="bottom")
        axes.text(middle, low + 1.2, f"new group {group + 1}", ha="center", va="top")
    axes.set(xlim=(-0.1, across + 0.1), ylim=(low + 1.75, -0.75), aspect="equal")
    axes.set_axis_off()
    whence = "all" if size >= groups else "several"
    figure.suptitle(f"Channel shuffle: each new group has features of {whence} groups", wrap=True)
    return Drawn(figure, data)


def _feature(ax: "Axes", left: float, top: float, name: str, color: str) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((left + 0.04, top), 0.92, 1, facecolor=color, edgecolor=INK, linewidth=0.8, alpha=0.6))
    ax.text(left + 0.5, top + 0.52, name, ha="center", va="center", color=INK, fontweight="bold")
