"""Convolutions taken apart: a kernel as a column and a row, channels and their mixing (Figures 2.2 and 2.3)."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.grids import cell_inches, close, inches, show_grid, sign, tidy
from lits_toolkit.figures.style import FAINT, SMALL, house_style
from lits_toolkit.models.convolutions import convolve, depthwise_then_pointwise, full_convolution, nearest_product

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHANNEL_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d1f", "#5e3c99")
"""In the order of the channels, as frames."""
_GAP, _MOST_CELLS = 1.25, 34


@house_style()
def draw_spatially_separable(image: np.ndarray, kernel: np.ndarray, ax: "Axes | None" = None) -> Drawn:
    """A kernel's column and then its row, and below the whole kernel on the same image, as in Figure 2.2.

    `image` is (y, x), `kernel` (k, k). Column and row are those whose product is nearest to the kernel: where it is no
    product, the results differ, and the figure says by how much. The data is tidy: part ("image" | "column" |
    "between" | "row" | "separable" | "kernel" | "whole"), y, x, value.
    """
    column, row = nearest_product(kernel)
    between, whole = convolve(image, column), convolve(image, kernel)
    separable = convolve(between, row)
    (height, width), k, columns = image.shape, len(kernel), whole.shape[1]
    lefts = np.cumsum([0, width + 2.0, 1 + _GAP, width + _GAP, k + _GAP])
    high = max(len(between), k)
    across, step = lefts[-1] + columns, high + 2.6
    middles = 0.0, step
    figure, (axes,) = use_axes(ax, 1, inches=inches(across, step + high + 3.5))
    cell = cell_inches(across)
    show_grid(axes, image, 0, (step - height) / 2, f"image, {height} × {width}", signed=False, cell=cell)
    apart = (
        (column, lefts[1], f"column\n{k} weights"),
        (between, lefts[2], f"between\n{between.size * k} products"),
        (row, lefts[3], f"row\n{k} weights"),
        (separable, lefts[4], f"result\n{separable.size * k} products"),
    )
    at_once = (
        (kernel, lefts[2] + (width - k) / 2, f"kernel\n{k * k} weights"),
        (whole, lefts[4], f"result\n{whole.size * k * k} products"),
    )
    for middle, grids, signs in zip(middles, (apart, at_once), ("=∗=", "="), strict=True):
        first = grids[0][1]
        axes.annotate(
            "",
            (first - 1.1, middle),
            (width + 0.3, step / 2 + (middle - step / 2) / 4),
            arrowprops={"arrowstyle": "-|>", "color": FAINT},
        )
        sign(axes, "∗", first - 0.6, middle)
        for values, left, title in grids:
            show_grid(axes, values, left, middle - len(values) / 2, title, cell=cell)
        for text, before, after in zip(signs, grids[:-1], grids[1:], strict=True):
            sign(axes, text, (before[1] + before[0].shape[1] + after[1]) / 2, middle)
    apart_by = float(np.abs(separable - whole).max())
    exact = apart_by < 1e-9 * max(np.abs(whole).max(), 1)
    words = "the kernel is its column times its row: both results agree" if exact else (
        f"the kernel is no product, and its nearest is shown: the results differ by up to {apart_by:.3g}"
    )  # fmt: skip
    bottom = step + high / 2 + 1
    axes.text(across / 2, bottom, words, ha="center", va="center", color=FAINT)
    close(axes, (-0.2, across + 0.2), (-high / 2 - 1.9, bottom + 0.6))
    figure.suptitle("Spatially separable convolution", wrap=True)
    parts = {"image": image, "column": column, "between": between, "row": row, "separable": separable,
             "kernel": kernel, "whole": whole}  # fmt: skip
    return Drawn(figure, pd.concat([tidy(part, values) for part, values in parts.items()], ignore_index=True))


@house_style()
def draw_depthwise_separable(
    image: np.ndarray, depthwise: np.ndarray, pointwise: np.ndarray, ax: "Axes | None" = None
) -> Drawn:
    """A kernel for each channel, then a weighted sum of channels, and the one convolution that does both (Figure 2.3).

    Args:
        image: (c_i, y, x), up to six channels, each with a colour of its own.
        depthwise: (c_i, k, k).
        pointwise: (c_o, c_i).
        ax: Where to draw; a figure of its own by default.

    The data is tidy: part ("image" | "depthwise" | "between" | "pointwise" | "separable" | "kernels" | "whole"), y, x,
    value, channel: of "separable" and "whole" the result, of "kernels" result · c_i + channel; of "pointwise" the
    results run along y and the channels along x.
    Raises InputError for more channels than there are colours, or numbers of channels that do not agree.
    """
    channels, results = len(image), len(pointwise)
    if not channels == len(depthwise) == pointwise.shape[1] <= len(CHANNEL_COLORS):
        raise InputError(
            f"{channels} channels, {len(depthwise)} kernels, {pointwise.shape[1]} weights for each result: expected "
            f"as many of each, {len(CHANNEL_COLORS)} at most"
        )
    between, separable = depthwise_then_pointwise(image, depthwise, pointwise)
    kernels = pointwise[:, :, None, None] * depthwise
    whole = full_convolution(image, kernels)
    size, k, side = image.shape[1], depthwise.shape[1], between.shape[1]
    down = channels * (size + 0.8) - 0.8
    lefts = np.cumsum([0, size + _GAP, k + _GAP, side + _GAP, 1.6 * results + _GAP + 0.9])
    one = channels * (k + 0.5) - 0.5 + _GAP + side  # the conventional convolution's cells for one result
    in_line, high = max(1, int((_MOST_CELLS + 2.2) // (one + 2.2))), max(k, side)
    places = [(o % in_line * (one + 2.2), down + 4.4 + o // in_line * (high + 2)) for o in range(results)]
    across, bottom = max(lefts[4] + side, *(left + one for left, _ in places)), places[-1][1] + high
    figure, (axes,) = use_axes(ax, 1, inches=inches(across, bottom + 2.8))
    numbers: dict[str, Any] = {"cell": cell_inches(across)}
    for c in range(channels):
        middle, frame = c * (size + 0.8) + size / 2, CHANNEL_COLORS[c]
        for values, left, signed in (
            (image[c], lefts[0], False),
            (depthwise[c], lefts[1], True),
            (between[c], lefts[2], True),
        ):
            show_grid(axes, values, left, middle - len(values) / 2, signed=signed, frame=frame, **numbers)
        for o in range(results):
            weight, left = pointwise[o : o + 1, c : c + 1], lefts[3] + 1.6 * o
            show_grid(axes, weight, left, middle - 0.5, most=np.abs(pointwise).max(), frame=frame, **numbers)
        for text, after in zip("∗=×", lefts[1:4], strict=True):
            sign(axes, text, after - _GAP / 2, middle)
    for o in range(results):
        middle, left = (o + 0.5) * down / results, lefts[4]
        show_grid(axes, separable[o], left, middle - side / 2, f"result {o + 1}", **numbers)
        sign(axes, "Σ =", left - 1.1, middle)
        words: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": SMALL, "color": FAINT}
        axes.text(lefts[3] + 1.6 * o + 0.5, size / 2 - 0.75, f"for {o + 1}", **words)
        start, below = places[o]
        for c in range(channels):
            left = start + c * (k + 0.5)
            show_grid(axes, kernels[o, c], left, below, frame=CHANNEL_COLORS[c], **numbers)
        left = start + one - side
        sign(axes, "=", left - _GAP / 2, below + k / 2)
        show_grid(axes, whole[o], left, below + (k - side) / 2, f"result {o + 1}", **numbers)
    for text, left, width, above in (
        ("image", lefts[0], size, 0),
        (f"depthwise\n{depthwise.size} weights", lefts[1], k, 0),
        ("between", lefts[2], side, 0),
        (f"pointwise\n{pointwise.size} weights", lefts[3], 1.6 * results - 0.6, 0),
        *((f"for {o + 1}", start, one - _GAP - side, below) for o, (start, below) in enumerate(places)),
    ):
        axes.text(left + width / 2, above - 0.4, text, ha="center", va="bottom", linespacing=1.25)
    axes.plot([0, across], [down + 0.9] * 2, color=FAINT, linewidth=0.8)
    axes.text(0, places[0][1] - 1.8, f"one conventional convolution of the image, {kernels.size} weights", va="bottom")
    close(axes, (-0.2, across + 0.2), (-2.4, bottom + 0.2))
    few = depthwise.size + pointwise.size
    figure.suptitle(f"Depthwise separable convolution: {few} weights for the results of {kernels.size}", wrap=True)
    parts = {"image": image, "depthwise": depthwise, "between": between, "pointwise": pointwise,
             "separable": separable, "kernels": kernels.reshape(-1, k, k), "whole": whole}  # fmt: skip
    return Drawn(
        figure, pd.concat([tidy(part, values, "channel") for part, values in parts.items()], ignore_index=True)
    )
