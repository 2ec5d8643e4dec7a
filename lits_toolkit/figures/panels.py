"""Panels that show slices: the CT in its true aspect, masks over it as outlines and tints, and the legend below."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import PAD_INCHES, legend_below, new_axes, use_axes
from lits_toolkit.figures.style import BETWEEN_INCHES, COLUMN_INCHES, FAINT, PAGE_INCHES, SMALL

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW_HU = (-150, 250)
"""What is black and what is white: the window of the abdomen, as in the slice browser."""

_BAR_MM = 50
_LETTER_INCHES, _LINE_INCHES = 0.057, 0.125
"""The mean width of a small letter, and the height of a line of them."""


@dataclass(frozen=True, eq=False)
class AxialSlice:
    """One slice of a case, and the part of it that is worth looking at."""

    case: str
    z: int
    """Which slice of the volume, from 0 at the feet."""
    image: np.ndarray
    """(y, x) int16, in HU."""
    spacing_mm: tuple[float, float]
    """Distance of neighbouring pixels along (y, x), in mm."""
    part: tuple[slice, slice]
    """The rows and columns that a picture shows at least."""
    reference: np.ndarray | None = None
    """(y, x) uint8: 0 background, 1 liver, 2 tumour."""
    prediction: np.ndarray | None = None
    """As `reference`."""
    status: np.ndarray | None = None
    """(y, x) uint8: what became of each lesion, see `lits_toolkit.figures.overlays`."""

    @property
    def part_mm(self) -> tuple[float, float]:
        """Height and width of the part, in mm."""
        height, width = (side.stop - side.start for side in self.part)
        return height * self.spacing_mm[0], width * self.spacing_mm[1]


def show_slice(ax: "Axes", piece: AxialSlice, size_mm: tuple[float, float], note: str = "") -> None:
    """Show the CT of a slice in its true aspect with a 50 mm bar; case, slice number and the note stand above.

    The panel shows `size_mm` = (height, width) around the slice's part, so that all panels of a grid have one scale;
    beyond the slice it is black.
    """
    spacing_y, spacing_x = piece.spacing_mm
    ax.imshow(piece.image, "gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], interpolation="bilinear")
    ax.set_aspect(spacing_y / spacing_x)
    ax.set_facecolor("black")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    name_panel(ax, f"{piece.case}, slice {piece.z}{note}")
    height, width = (size / spacing for size, spacing in zip(size_mm, piece.spacing_mm, strict=True))
    rows, columns = piece.part
    left = (columns.start + columns.stop - 1 - width) / 2
    bottom = (rows.start + rows.stop - 1 + height) / 2
    ax.set_xlim(left, left + width)
    ax.set_ylim(bottom, bottom - height)
    ax.set_autoscale_on(False)
    bar, x, y = _BAR_MM / spacing_x, left + 0.04 * width, bottom - 0.05 * height
    ax.plot([x, x + bar], [y, y], color="white", linewidth=1.6, solid_capstyle="butt")


def largest_mm(slices: Sequence[AxialSlice]) -> tuple[float, float]:
    """The height and width, in mm, that hold the part of each slice."""
    heights, widths = zip(*(piece.part_mm for piece in slices), strict=True)
    return max(heights), max(widths)


def outline(ax: "Axes", region: np.ndarray, color: str, width: float) -> None:
    """Draw the boundary of a boolean (y, x) region, also where it touches the picture's edge."""
    if region.any():
        height, width_px = region.shape
        padded = np.pad(region, 1).astype(np.float32)
        ax.contour(range(-1, width_px + 1), range(-1, height + 1), padded, [0.5], colors=[color], linewidths=width)


def fill(ax: "Axes", region: np.ndarray, color: str, opacity: float, zorder: float = 0) -> None:
    """Tint a boolean (y, x) region, below outlines unless `zorder` puts it above."""
    from matplotlib.colors import to_rgb

    tint = np.zeros((*region.shape, 4), dtype=np.float32)
    tint[region] = (*to_rgb(color), opacity)
    ax.imshow(tint, aspect=ax.get_aspect(), interpolation="nearest", zorder=zorder)


def hatch(ax: "Axes", region: np.ndarray, color: str, pattern: str) -> None:
    """Fill a boolean (y, x) region with lines or dots, through which the CT is seen."""
    if region.any():
        height, width = region.shape
        padded = np.pad(region, 1).astype(np.float32)
        drawn = ax.contourf(
            range(-1, width + 1), range(-1, height + 1), padded, [0.5, 1.5], colors="none", hatches=[pattern]
        )
        drawn.set(edgecolor=color, linewidth=0)


def mark(ax: "Axes", box: tuple[slice, slice], spacing_mm: tuple[float, float], color: str, *, round: bool) -> None:
    """Draw a circle or a square, in mm, around what lies in a (y, x) box of pixels, 5 mm away from it."""
    from matplotlib.patches import Ellipse, Patch, Rectangle

    centre = [(side.start + side.stop - 1) / 2 for side in box]
    sides_mm = [(side.stop - side.start) * spacing for side, spacing in zip(box, spacing_mm, strict=True)]
    across_mm = (float(np.hypot(*sides_mm)) if round else max(sides_mm)) + 10
    height, width = (across_mm / spacing for spacing in spacing_mm)
    form: Patch = (
        Ellipse((centre[1], centre[0]), width, height)
        if round
        else Rectangle((centre[1] - width / 2, centre[0] - height / 2), width, height)
    )
    form.set(fill=False, edgecolor=color, linewidth=1.2)
    ax.add_patch(form)


def grid_columns(count: int) -> int:
    """How many of `count` pictures stand beside each other."""
    return count if count <= 4 else 3 if count <= 6 else 4 if count <= 24 else 5


def panel_inches(slices: Sequence[AxialSlice], columns: int, title_lines: int = 1) -> tuple[float, float]:
    """The height and width of a panel, of so many side by side, that holds the part of each slice, with its title."""
    height, width = largest_mm(slices)
    across = min(PAGE_INCHES / columns, COLUMN_INCHES)
    picture = (across - 2 * PAD_INCHES) * float(np.clip(height / width, 0.4, 1.6))
    return picture + 2 * PAD_INCHES + _LINE_INCHES * title_lines, across


def around_inches(legend_lines: int = 1) -> float:
    """The height of what stands above and below a grid of panels: the title, and a legend of so many lines."""
    return 0.5 + 0.17 * legend_lines


def name_panel(ax: "Axes", words: str) -> None:
    """Write small letters above a panel, in lines that are no longer than it is wide."""
    spec, figure = ax.get_subplotspec(), ax.get_figure(root=True)
    assert figure is not None
    inches = figure.get_size_inches()[0] / (spec.get_gridspec().ncols if spec else 1)
    lines = [fit for line in words.splitlines() for fit in wrap(line, max(1, int(inches / _LETTER_INCHES)))]
    ax.set_title("\n".join(lines), fontsize=SMALL, loc="center", pad=3)


def say(panels: "Sequence[Axes]", words: str) -> None:
    """Write in each panel why there is nothing to see, in place of it."""
    for ax in panels:
        ax.set_axis_off()
        ax.text(0.5, 0.5, words, ha="center", va="center", color=FAINT, transform=ax.transAxes)


def panel_grid(
    slices: Sequence[AxialSlice], axes: "Sequence[Axes] | None", title_lines: int = 1, legend_lines: int = 1
) -> "tuple[Figure, list[Axes]]":
    """The caller's axes, one per slice, or a new grid of as many panels."""
    if not slices:
        raise InputError("there is no slice to draw: expected at least one")
    if axes is not None:
        return use_axes(axes, len(slices))
    columns = grid_columns(len(slices))
    rows = -(-len(slices) // columns)
    height, width = panel_inches(slices, columns, title_lines)
    inches = (max(width * columns, BETWEEN_INCHES), height * rows + around_inches(legend_lines))
    figure, panels = new_axes(rows, columns, inches=inches)
    for ax in panels[len(slices) :]:
        ax.remove()
    return figure, panels[: len(slices)]


def line_key(color: str, text: str, **style: object) -> "Artist":
    """A legend entry for an outline."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, label=text, **style)  # type: ignore[arg-type]


def patch_key(color: str, text: str, **style: object) -> "Artist":
    """A legend entry for a tint, or with `edgecolor` or `hatch` for what is drawn so."""
    from matplotlib.patches import Patch

    return Patch(label=text, **({"facecolor": color, "edgecolor": color, "alpha": 0.8} | style))  # type: ignore[arg-type]


def bottom_legend(figure: "Figure", keys: "Sequence[Artist]") -> None:
    """Say below the panels what the colours mean and how long the bar is."""
    legend_below(figure, [*keys, line_key("none", f"bar: {_BAR_MM} mm")])
