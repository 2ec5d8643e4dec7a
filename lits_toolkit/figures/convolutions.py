"""How a kernel moves over an image and through a volume (Figure 2.1 of the dissertation), in numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.grids import WINDOW, cell_inches, close, inches, outline, show_grid, shown_number, sign, tidy
from lits_toolkit.figures.style import FAINT, house_style
from lits_toolkit.models.convolutions import convolve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP, _MOST_TERMS = 1.6, 9


@house_style()
def draw_convolution_2d(
    image: np.ndarray, kernel: np.ndarray, place: tuple[int, int] = (1, 0), ax: "Axes | None" = None
) -> Drawn:
    """A kernel on an image, its path, and what it gives, as in Figure 2.1a.

    `image` is (y, x), `kernel` (k, k), `place` the row and column of the result that is framed, with the cells of the
    image that it comes from. The data is tidy: part ("image" | "kernel" | "result"), y, x, value, and framed.
    Raises InputError if the kernel does not fit at that place.
    """
    result = _result(image, kernel, place)
    (height, width), k = image.shape, len(kernel)
    lefts = np.cumsum([0, width + _GAP, k + _GAP])
    across = lefts[-1] + result.shape[1]
    figure, (axes,) = use_axes(ax, 1, inches=inches(across, height + 2.6))
    cell = cell_inches(across)
    show_grid(axes, image, lefts[0], 0, f"image, {height} × {width}", signed=False, cell=cell)
    _path(axes, image.shape, k)
    tops = [(height - len(part)) / 2 for part in (image, kernel, result)]
    show_grid(axes, kernel, lefts[1], tops[1], f"kernel, {k} × {k}", cell=cell)
    show_grid(axes, result, lefts[2], tops[2], "result, {} × {}".format(*result.shape), cell=cell)
    outline(axes, place[1], place[0], k, k)
    outline(axes, lefts[2] + place[1], tops[2] + place[0], 1, 1)
    sign(axes, "∗", lefts[1] - _GAP / 2, height / 2)
    sign(axes, "=", lefts[2] - _GAP / 2, height / 2)
    covered = image[place[0] : place[0] + k, place[1] : place[1] + k]
    axes.text(across / 2, height + 0.9, _sum(covered, kernel), ha="center", va="center", color=WINDOW)
    close(axes, (-0.2, across + 0.2), (-1.2, height + 1.4))
    figure.suptitle("2D convolution: the kernel moves along x, then along y", wrap=True)
    parts = {"image": image, "kernel": kernel, "result": result}
    data = pd.concat([tidy(part, values) for part, values in parts.items()], ignore_index=True)
    return Drawn(figure, data.assign(framed=_framed(data, place, k)))


@house_style()
def draw_convolution_3d(
    volume: np.ndarray, kernel: np.ndarray, place: tuple[int, int, int] = (0, 1, 1), ax: "Axes | None" = None
) -> Drawn:
    """A kernel in a volume, slice by slice, and what it gives, as in Figure 2.1b.

    `volume` is (z, y, x), `kernel` (k, k, k), `place` that of the result which is framed, as (z, y, x). The kernel
    stands below the slices that it covers at that place, and each slice of the result below the middle one of those
    that it comes from. The data is that of `draw_convolution_2d`, with z.
    Raises InputError if the kernel does not fit at that place.
    """
    result = _result(volume, kernel, place)
    (depth, height, width), k = volume.shape, len(kernel)
    pitch, tops = width + 0.6, (0.0, height + 2.5, height + k + 5.0)
    across, bottom = depth * pitch - 0.6, tops[2] + result.shape[1]
    figure, (axes,) = use_axes(ax, 1, inches=inches(across, bottom + 2.8))
    numbers: dict[str, Any] = {"cell": cell_inches(across)}
    for z, piece in enumerate(volume):
        show_grid(axes, piece, z * pitch, 0, f"z = {z}", signed=False, most=volume.max(), **numbers)
        if place[0] <= z < place[0] + k:
            outline(axes, z * pitch + place[2], place[1], k, k)
    for z, piece in enumerate(kernel):
        left = (place[0] + z) * pitch + place[2]
        show_grid(axes, piece, left, tops[1], most=np.abs(kernel).max(), **numbers)
    for z, piece in enumerate(result):
        left = (z + k // 2) * pitch + k // 2
        show_grid(axes, piece, left, tops[2], f"z = {z}", most=np.abs(result).max(), **numbers)
        if z == place[0]:
            outline(axes, left + place[2], tops[2] + place[1], 1, 1)
    for word, part, top in (("volume", volume, -1.4), ("kernel", kernel, tops[1]), ("result", result, tops[2])):
        axes.text(0, top - 0.3, f"{word}, {' × '.join(map(str, part.shape))}", va="bottom")
    middle, last = tops[1] + k / 2, (place[0] + k - 1) * pitch + place[2] + k
    if place[0] + k < depth:
        axes.annotate("", (last + 3.2, middle), (last + 0.5, middle), arrowprops={"arrowstyle": "-|>", "color": WINDOW})
        axes.text(last + 3.6, middle, "then on\nalong z", va="center", color=WINDOW)
    close(axes, (-0.2, across + 0.2), (-2.5, bottom + 0.3))
    figure.suptitle("3D convolution: the kernel moves along x, along y and then along z", wrap=True)
    parts = {"image": volume, "kernel": kernel, "result": result}
    data = pd.concat([tidy(part, values) for part, values in parts.items()], ignore_index=True)
    return Drawn(figure, data.assign(framed=_framed(data, place, k)))


def _result(image: np.ndarray, kernel: np.ndarray, place: tuple[int, ...]) -> np.ndarray:
    places = [n - k + 1 for n, k in zip(image.shape, kernel.shape, strict=True)]
    if not all(0 <= at < count for at, count in zip(place, places, strict=True)):
        raise InputError(f"a kernel of {kernel.shape} in an image of {image.shape} has no place {place}")
    return convolve(image, kernel)


def _framed(data: pd.DataFrame, place: tuple[int, ...], k: int) -> pd.Series:
    framed = pd.Series(True, data.index)
    for axis, at in zip(("z", "y", "x")[-len(place) :], place, strict=True):
        reach = data["part"].map({"image": k, "result": 1})
        framed &= data[axis].between(at, at + reach - 1)
    return framed


def _sum(covered: np.ndarray, kernel: np.ndarray) -> str:
    """The sum in full where it is short."""
    total = shown_number((covered * kernel).sum())
    terms = [
        f"{shown_number(value)} · {shown_number(weight) if weight > 0 else f'({shown_number(weight)})'}"
        for value, weight in zip(covered.ravel(), kernel.ravel(), strict=True)
        if weight
    ]
    return f"{' + '.join(terms)} = {total}" if len(terms) <= _MOST_TERMS else f"sum of {len(terms)} products: {total}"


def _path(ax: "Axes", shape: tuple[int, ...], k: int) -> None:
    """The way of the kernel's centre: row by row, back to the first column after each."""
    from matplotlib.patches import FancyArrowPatch

    first, last = k / 2, shape[1] - k / 2
    rows = np.arange(shape[0] - k + 1) + k / 2 + 0.36  # below the numbers
    for row in rows:
        ax.add_patch(
            FancyArrowPatch(
                (first, row), (last, row), arrowstyle="-|>", mutation_scale=9, color=FAINT, linewidth=0.9,
                shrinkA=0, shrinkB=0, alpha=0.6, zorder=4,
            )
        )  # fmt: skip
    for row in rows[:-1]:
        ax.plot([last, first], [row, row + 1], color=FAINT, linewidth=0.7, linestyle=(0, (2, 2)), alpha=0.6, zorder=4)
