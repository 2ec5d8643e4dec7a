"""Boxes, circles and arrows: what every diagram is drawn with, in inches on one panel, y downwards."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lits_toolkit.figures.drawn import use_axes
from lits_toolkit.figures.style import FAINT, INK, PAGE_INCHES, SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]
LINE, EDGE = 0.128, 0.85
"""Height of a line of text in inches; width of outlines in points."""
CHARACTER = 0.056
"""Mean width of a small letter in inches."""
WIDEST = PAGE_INCHES - 0.2
"""What a diagram has of a page."""
MARGIN, HEAD = 0.05, 0.56
BLUE, ORANGE, GREEN, PURPLE, GREY, WHITE = "#d3e6f5", "#fde2b8", "#cfeadd", "#e8dcf3", "#ededed", "#ffffff"
"""Light enough for words in ink, and told apart with any of the common colour-vision deficiencies."""
SHORTCUT = "#0072b2"


def new_panel(ax: "Axes | None", width: float, height: float) -> "tuple[Figure, Axes]":
    """A panel whose data are inches, from (0, 0) at its upper left to (width, height), or the caller's made one."""
    figure, (panel,) = use_axes(ax, 1, inches=(width + 0.2, height + 0.2))
    panel.set(xlim=(-MARGIN, width + MARGIN), ylim=(height + MARGIN, -MARGIN), aspect="equal")
    panel.set_axis_off()
    return figure, panel


def box_size(lines: Sequence[str], least: float = 0.0) -> tuple[float, float]:
    """Width and height that hold some lines."""
    return max(least, CHARACTER * max(map(len, lines)) + 0.14), LINE * len(lines) + 0.12


def draw_box(
    ax: "Axes", centre: Point, size: tuple[float, float], lines: Sequence[str], fill: str, dark: int = 1
) -> None:
    """A box with rounded corners; its first `dark` lines in ink, the others fainter."""
    from matplotlib.patches import FancyBboxPatch

    (x, y), (width, height) = centre, size
    corner, style = (x - width / 2, y - height / 2), f"round,pad=0,rounding_size={min(0.06, height / 3)}"
    ax.add_patch(FancyBboxPatch(corner, width, height, style, facecolor=fill, edgecolor=INK, linewidth=EDGE, zorder=3))
    write(ax, centre, lines, dark=dark)


def write(ax: "Axes", centre: Point, lines: Sequence[str], align: str = "center", dark: int = 1) -> None:
    """Lines about a point, the first `dark` ones in ink, the others fainter."""
    x, y = centre
    for number, words in enumerate(lines):
        down = y + LINE * (number - (len(lines) - 1) / 2)
        color = INK if number < dark else "#555555"
        ax.text(x, down, words, ha=align, va="center_baseline", fontsize=SMALL, color=color, zorder=4)


def draw_joint(ax: "Axes", centre: Point, radius: float, sign: str) -> None:
    """A circle with the sign of what joins there: "+" or "×"."""
    from matplotlib.patches import Circle

    x, y = centre
    ax.add_patch(Circle(centre, radius, facecolor=WHITE, edgecolor=INK, linewidth=EDGE, zorder=3))
    turn = {"+": 0.0, "×": np.pi / 4}[sign]
    for angle in (turn, turn + np.pi / 2):
        across, along = 0.6 * radius * np.cos(angle), 0.6 * radius * np.sin(angle)
        ax.plot((x - across, x + across), (y - along, y + along), color=INK, linewidth=1.2, zorder=4)


def draw_arrow(ax: "Axes", points: Sequence[Point], color: str = INK, dashed: bool = False) -> None:
    """A line through some points with a head at the last."""
    style: dict[str, Any] = {"color": color, "linewidth": 1.0, "linestyle": (0, (3, 2)) if dashed else "-"}
    if len(points) > 2:
        ax.plot(*zip(*points[:-1], strict=True), solid_capstyle="butt", solid_joinstyle="round", zorder=2, **style)
    head = {"arrowstyle": "-|>,head_length=0.32,head_width=0.16", "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", points[-1], points[-2], arrowprops=style | head, zorder=2)


def heading(ax: "Axes", words: str, below: str = "") -> None:
    """What a picture shows, at its upper left, and in small letters below how to read it; `HEAD` inches in all."""
    ax.text(0, 0, words, ha="left", va="top", fontsize="large", fontweight="bold")
    ax.text(0, 0.22, below, ha="left", va="top", fontsize=SMALL, color=FAINT)


def title(ax: "Axes", place: Point, words: str, below: str = "", align: str = "center") -> None:
    """What a diagram shows, and in small letters below what is to be said of it."""
    ax.text(*place, words, ha=align, va="bottom", fontweight="bold", zorder=4)
    if below:
        ax.text(place[0], place[1] + 0.03, below, ha=align, va="top", fontsize=SMALL, color=FAINT, zorder=4)
