"""Numbers in cells: images, kernels and results small enough to be read, in one panel whose unit is a cell."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lits_toolkit.figures.style import FAINT, INK, PAGE_INCHES, SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POSITIVE, NEGATIVE, BRIGHT = "#e69f00", "#56b4e9", "#a6a6a6"
"""What a cell is tinted with: a weight or result above and below zero, and an image's number."""
WINDOW = "#7a1fa2"
"""The kernel's place on the image and the result that it gives there."""
CELL_INCHES = 0.31
"""The side of a cell, where the page is wide enough."""
_GLYPH_INCHES = {"−": 0.082, ".": 0.031}
"""Of the small letters; a digit takes 0.062."""


def show_grid(
    ax: "Axes",
    values: np.ndarray,
    left: float,
    top: float,
    title: str = "",
    *,
    signed: bool = True,
    frame: str = INK,
    most: float | None = None,
    cell: float = CELL_INCHES,
) -> None:
    """Draw (y, x) numbers as cells with their first corner at (left, top), tinted by their size against `most`.

    Tints are of two colours where `signed`, else grey. Numbers of which one is wider than a `cell`, in inches, are
    left to their tints. The title stands above, in as many lines as it has.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    height, width = values.shape
    largest = np.abs(values).max() if most is None else most
    strength = 0.75 * np.abs(values) / largest if largest > 0 else np.zeros_like(values)
    colors = np.where((values > 0)[..., None], to_rgb(POSITIVE), to_rgb(NEGATIVE)) if signed else to_rgb(BRIGHT)
    tints = 1 - np.clip(strength, 0, 1)[..., None] * (1 - np.asarray(colors))
    extent = (left, left + width, top + height, top)
    ax.imshow(tints, extent=extent, interpolation="nearest", zorder=1)
    lines: dict[str, Any] = {"color": "white", "linewidth": 0.8, "zorder": 2}
    ax.vlines(left + np.arange(1, width), top, top + height, **lines)
    ax.hlines(top + np.arange(1, height), left, left + width, **lines)
    ax.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=frame, linewidth=1.2, zorder=3))
    texts = [shown_number(value) for value in values.ravel()]
    if max(sum(_GLYPH_INCHES.get(glyph, 0.062) for glyph in text) for text in texts) < cell:
        for (y, x), text in zip(np.ndindex(values.shape), texts, strict=True):
            ax.text(left + x + 0.5, top + y + 0.52, text, ha="center", va="center", fontsize=SMALL, zorder=5)
    if title:
        ax.text(left + width / 2, top - 0.3, title, ha="center", va="bottom", linespacing=1.25)


def outline(ax: "Axes", left: float, top: float, height: float, width: float) -> None:
    """Frame the cells that are spoken of."""
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=WINDOW, linewidth=2.4, zorder=6))


def sign(ax: "Axes", text: str, x: float, y: float) -> None:
    """Write the sign of an operation between two grids."""
    ax.text(x, y, text, ha="center", va="center", fontsize="xx-large", color=FAINT)


def close(ax: "Axes", across: tuple[float, float], down: tuple[float, float]) -> None:
    """Fix the limits, in cells, with square cells, and leave the axes themselves out."""
    ax.set(xlim=across, ylim=down[::-1], aspect="equal")
    ax.set_axis_off()


def cell_inches(across: float) -> float:
    """The side of a cell where so many stand side by side on a page."""
    return min(CELL_INCHES, (PAGE_INCHES - 0.14) / (across + 0.4))


def inches(across: float, down: float) -> tuple[float, float]:
    """The size of a figure that holds so many cells, with its title."""
    cell = cell_inches(across)
    return (across + 0.4) * cell + 0.14, down * cell + 0.5


def shown_number(value: float) -> str:
    """A whole number as such, any other with one digit behind the point, small ones with two.

    Examples:
        >>> shown_number(-3.0), shown_number(28.14), shown_number(0.034), shown_number(-1e-12)
        ('−3', '28.1', '0.03', '0')
    """
    whole = round(float(value))
    text = str(whole) if abs(value - whole) < 1e-6 else f"{value:.1f}" if abs(value) >= 0.1 else f"{value:.2f}"
    return text.replace("-", "−")


def tidy(part: str, values: np.ndarray, first: str = "z") -> pd.DataFrame:
    """A row for each number: its place, in the columns y and x, and before them `first` of three axes; part, value."""
    places = np.indices(values.shape).reshape(values.ndim, -1)
    columns = dict(zip((first, "y", "x")[-values.ndim :], places, strict=True))
    return pd.DataFrame(columns).assign(part=part, value=values.ravel())
