"""What is on the screen of the slice browser, as a value; and the same drawn by matplotlib, with the code that does so."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lits_toolkit.data.case import LIVER, TUMOR, Case, CaseFiles
from lits_toolkit.errors import SettingError
from lits_toolkit.figures.drawn import Drawn
from lits_toolkit.figures.panels import line_key, patch_key
from lits_toolkit.figures.style import FALSE_ALARM, HIT, MISS, house_style
from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.viewer.blend import LIVER_SHARE, REFERENCE, WINDOWS, Layer, blend, outline, rgb
from lits_toolkit.viewer.facts import COMMON, EXCESS, MISSED, LesionRow, error_mask, lesion_rows

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LAYOUTS = ("single", "planes", "compare")
"""One plane; axial, coronal and sagittal; a panel for each prediction."""

ERROR_COLORS = {COMMON: HIT, MISSED: MISS, EXCESS: FALSE_ALARM}
"""What `facts.error_mask` says → its colour."""
FATE_COLORS = {"hit": HIT, "miss": MISS, "false alarm": FALSE_ALARM, "lesion": "#ffffff"}
HEAT = "inferno"
"""Matplotlib's map of a probability to a colour."""


@dataclass(frozen=True)
class Plane:
    """A plane of the array, and how a slice of it is shown: as on a radiologist's screen, the head up."""

    axis: int
    """Of the array, along which its slices are counted."""
    letters: tuple[str, str, str, str]
    """What lies at the top, the bottom, the left and the right of the picture."""

    @property
    def in_plane(self) -> tuple[int, int]:
        """The axes of the array that run down and across the picture."""
        down, across = (axis for axis in range(3) if axis != self.axis)
        return down, across

    @property
    def upside_down(self) -> bool:
        """Whether the array's first row is the picture's last: z grows to the head."""
        return self.in_plane[0] == 0

    def cut(self, array: np.ndarray, cursor: tuple[int, int, int]) -> np.ndarray:
        """The slice of a (z, y, x) array through the cursor, as it is shown."""
        piece = array.take(cursor[self.axis], axis=self.axis)
        return piece[::-1] if self.upside_down else piece

    def place(self, zyx: Sequence[float], shape: tuple[int, ...]) -> tuple[float, float]:
        """(row, column) in the picture, in pixels from its upper left corner, of a voxel's centre."""
        down, across = self.in_plane
        row = shape[down] - 1 - zyx[down] if self.upside_down else zyx[down]
        return row + 0.5, zyx[across] + 0.5


PLANES = {
    "axial": Plane(0, ("A", "P", "R", "L")),
    "coronal": Plane(1, ("S", "I", "R", "L")),
    "sagittal": Plane(2, ("S", "I", "A", "P")),
}


@dataclass(frozen=True)
class View:
    """Everything needed to draw what is on the screen, but for the arrays."""

    plane: str = "axial"
    """In PLANES; "planes" shows all three."""
    layout: str = "single"
    """In LAYOUTS."""
    cursor: tuple[int, int, int] = (0, 0, 0)
    """The voxel (z, y, x) through which the planes go: a plane's slice is its coordinate along the plane's axis."""
    window: tuple[float, float] = WINDOWS["abdomen"]
    """The HU shown as black and as white."""
    opacity: float = 0.4
    """Of a tumour's fill, 0…1."""
    filled: bool = True
    """Whether masks are filled, or outlined only."""
    shown: tuple[str, ...] | None = None
    """Names of the layers that are on; None for all."""
    errors: bool = False
    """Whether tumour is coloured by what became of it, instead of by its layer."""
    heat: bool = False
    """Whether the probability is laid over the CT."""
    numbers: bool = False
    """Whether lesions have their numbers beside them."""
    zoom: float = 1.0
    """1 shows the whole slice."""
    middle: tuple[float, float] | None = None
    """What lies in the middle of the picture where it is zoomed, in voxels along the plane's two axes of the array, such
    as (y, x) of an axial slice; None for the slice's own middle. In three planes it is the cursor."""


@dataclass(frozen=True)
class _Panel:
    """One picture of a view: its plane, the layers on it by their place, and the words above it."""

    plane: Plane
    name: str
    layers: tuple[int, ...]
    title: str = ""


@house_style()
def draw_view(
    case: Case,
    layers: Sequence[Layer],
    masks: Sequence[np.ndarray],
    view: View,
    probability: np.ndarray | Mapping[str, np.ndarray] | None = None,
) -> Drawn:
    """Draw what the browser shows, in the proportions of the body, with a bar of 50 mm.

    Outlines have twice the opacity of a tumour's fill, 1 at most. Errors, heat and numbers are those of a panel's first
    prediction. The data has a row per panel and layer: plane, slice, layer, liver_pixels (mask ≥ 1), tumor_pixels, and
    of a prediction with a reference the Dice of this slice, liver_dice and tumor_dice.

    Args:
        case: The CT.
        layers: How each mask is called and coloured; the reference is the one called as `blend.REFERENCE`.
        masks: (z, y, x) uint8 with 0, 1 and 2, one for each layer.
        view: What to show of them.
        probability: (z, y, x) of the tumour, uint8 0…255 or float 0…1; or one for each prediction, by its layer's name.

    Raises:
        SettingError: The view names a plane, a layout, a layer or a voxel that is not there.
    """
    _require_fitting(view, layers, case.volume.shape)
    panels = _panels(layers, view)
    planes = {panel.name: panel.plane for panel in panels}
    boxes = {name: _part(plane, case, view) for name, plane in planes.items()}
    figure, axes = _new_figure([_size_mm(boxes[panel.name], panel.plane, case) for panel in panels], view.layout)
    rows = []
    for ax, panel in zip(axes, panels, strict=True):
        _draw_panel(ax, panel, case, layers, masks, view, _of_panel(probability, panel, layers))
        top, bottom, left, right = boxes[panel.name]
        ax.set(xlim=(left, right), ylim=(bottom, top))
        _mark_panel(ax, panel.plane, case)
        rows += _panel_rows(panel, case, layers, masks, view)
    data = pd.DataFrame(rows, columns=list(_COLUMNS))
    for ax, panel in zip(axes, panels, strict=True):
        _title(ax, panel, view, data, layers)
    _caption(figure, case, view, _keys(panels, layers, view, probability is not None))
    return Drawn(figure, data)


def view_code(view: View, sources: Mapping[str, Any]) -> str:
    """Python code that makes the same figure in a fresh kernel.

    `sources` has the arguments of `browse` that were given (case, reference, prediction, probability): a path or the
    files of a case, None for an array, which the code then calls as the argument, or a mapping of such by name.
    """
    given = {name: _source(name, source) for name, source in sources.items()}
    imports = ["from lits_toolkit import browse"]
    if any("CaseFiles(" in text for text in given.values()):
        imports = ["from pathlib import Path", "", *imports, "from lits_toolkit.data.case import CaseFiles"]
    imports.append("from lits_toolkit.viewer.view import View")
    arguments = [given.pop("case", "case"), *(f"{name}={text}" for name, text in given.items())]
    settings = [
        f"    {field.name}={getattr(view, field.name)!r},"
        for field in fields(view)
        if field.name == "cursor" or getattr(view, field.name) != field.default
    ]
    return "\n".join(
        [*imports, "", f"browser = browse({', '.join(arguments)})", "view = View(", *settings, ")", "browser.figure(view)"]
    )


def _source(name: str, source: Any) -> str:
    if source is None:
        return name
    if isinstance(source, Mapping):
        if all(each is None for each in source.values()):
            return name
        return "{" + ", ".join(f"{key!r}: {_source(_variable(key), each)}" for key, each in source.items()) + "}"
    if isinstance(source, CaseFiles):
        places = ", ".join(f"Path({str(path)!r})" for path in (source.volume, source.reference) if path is not None)
        series = f", series={source.series!r}" if source.series else ""
        return f"CaseFiles({source.name!r}, {places}{series})"
    return repr(str(source))


def _variable(name: str) -> str:
    word = re.sub(r"\W+", "_", name).strip("_").lower()
    return word if word.isidentifier() else f"mask_{word}"


def _require_fitting(view: View, layers: Sequence[Layer], shape: tuple[int, ...]) -> None:
    for what, name, known in (("plane", view.plane, PLANES), ("layout", view.layout, LAYOUTS)):
        if name not in known:
            raise SettingError(f"the {what} {name!r} is not known; choose {', '.join(known)}")
    names = [layer.name for layer in layers]
    for name in view.shown or ():
        if name not in names:
            raise SettingError(f"there is no mask {name!r} to show; there are {', '.join(names) or 'none'}")
    if not all(0 <= place < size for place, size in zip(view.cursor, shape, strict=True)):
        raise SettingError(f"the voxel (z, y, x) = {view.cursor} is not in the volume, whose shape is {tuple(shape)}")


def _panels(layers: Sequence[Layer], view: View) -> list[_Panel]:
    shown = tuple(at for at, layer in enumerate(layers) if view.shown is None or layer.name in view.shown)
    if view.layout == "planes":
        return [_Panel(plane, name, shown, name) for name, plane in PLANES.items()]
    plane = PLANES[view.plane]
    predictions = [at for at in shown if layers[at].name != REFERENCE.name]
    if view.layout == "single" or not predictions:
        return [_Panel(plane, view.plane, shown)]
    reference = tuple(at for at in shown if at not in predictions)
    return [_Panel(plane, view.plane, (*reference, at), layers[at].name) for at in predictions]


def _pair(panel: _Panel, layers: Sequence[Layer]) -> tuple[int | None, int | None]:
    """The places of a panel's reference and of its first prediction."""
    reference = [at for at in panel.layers if layers[at].name == REFERENCE.name]
    predictions = [at for at in panel.layers if at not in reference]
    return next(iter(reference), None), next(iter(predictions), None)


def _of_panel(
    probability: np.ndarray | Mapping[str, np.ndarray] | None, panel: _Panel, layers: Sequence[Layer]
) -> np.ndarray | None:
    if not isinstance(probability, Mapping):
        return probability
    at = _pair(panel, layers)[1]
    return None if at is None else probability.get(layers[at].name)


def _part(plane: Plane, case: Case, view: View) -> tuple[float, float, float, float]:
    """What a panel shows of its slice: top, bottom, left and right, in pixels."""
    shape = case.volume.shape
    sizes = [shape[axis] for axis in plane.in_plane]
    middle = [size / 2 for size in sizes]
    if view.layout == "planes" and view.zoom != 1:
        middle = list(plane.place(view.cursor, shape))
    elif view.middle is not None:
        zyx = [0.0, 0.0, 0.0]
        for axis, place in zip(plane.in_plane, view.middle, strict=True):
            zyx[axis] = place
        middle = list(plane.place(zyx, shape))
    ends = []
    for size, place in zip(sizes, middle, strict=True):
        width = size / max(view.zoom, 1.0)
        first = min(max(place - width / 2, 0.0), size - width)
        ends += [first, first + width]
    return ends[0], ends[1], ends[2], ends[3]


def _size_mm(part: tuple[float, float, float, float], plane: Plane, case: Case) -> tuple[float, float]:
    down, across = plane.in_plane
    return (part[1] - part[0]) * case.spacing_mm[down], (part[3] - part[2]) * case.spacing_mm[across]


_GAP, _HEAD, _TITLE, _FOOT = 0.08, 0.34, 0.24, 0.62
"""Inches: between panels, for the caption, above each panel that has a title, for the legend."""


def _new_figure(sizes_mm: list[tuple[float, float]], layout: str) -> "tuple[Figure, list[Axes]]":
    """A figure with a panel of each size, all at one scale: placed by hand, since a layout engine keeps no scale."""
    from matplotlib.figure import Figure

    heights, widths = zip(*sizes_mm, strict=True)
    if layout == "planes":
        columns = [widths[0], widths[2]]
        lines = [heights[0], max(heights[1:])]
        places = [(0, 0), (1, 0), (1, 1)]
        across = 9.0
    else:
        many = 1 if len(sizes_mm) == 1 else 3 if len(sizes_mm) == 3 else 2
        columns = [widths[0]] * many
        lines = [heights[0]] * -(-len(sizes_mm) // many)
        places = [divmod(at, many) for at in range(len(sizes_mm))]
        across = (6.0, 8.4, 10.2)[many - 1]
    titled = 0.0 if len(sizes_mm) == 1 else _TITLE
    scale = min((across - _GAP * (len(columns) + 1)) / sum(columns), 8.0 / sum(lines))  # inches per mm
    inches = [column * scale for column in columns], [line * scale for line in lines]
    width = max(sum(inches[0]) + _GAP * (len(columns) + 1), 5.0)
    height = _HEAD + sum(inches[1]) + (titled + _GAP) * len(lines) + _FOOT
    figure = Figure(figsize=(width, height))
    axes = []
    start = (width - sum(inches[0]) - _GAP * (len(columns) - 1)) / 2
    for (line, column), (high_mm, wide_mm) in zip(places, sizes_mm, strict=True):
        left = start + sum(inches[0][:column]) + _GAP * column
        top = _HEAD + sum(inches[1][:line]) + titled * (line + 1) + _GAP * line
        high, wide = high_mm * scale, wide_mm * scale
        axes.append(figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height)))
    return figure, axes


def _draw_panel(
    ax: "Axes",
    panel: _Panel,
    case: Case,
    layers: Sequence[Layer],
    masks: Sequence[np.ndarray],
    view: View,
    probability: np.ndarray | None,
) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    pieces = {at: panel.plane.cut(masks[at], view.cursor) for at in panel.layers}
    reference, prediction = _pair(panel, layers)
    with_errors = view.errors and reference is not None and prediction is not None
    filled = {at: piece for at, piece in pieces.items() if view.filled and not with_errors}
    hu = panel.plane.cut(case.volume, view.cursor)
    painted = blend(hu, list(filled.values()), [layers[at].color for at in filled], view.window, view.opacity)
    if with_errors:
        assert reference is not None and prediction is not None
        painted = _tint(painted, error_mask(pieces[reference], pieces[prediction]), view.opacity)
    if view.heat and probability is not None:
        painted = _heat(painted, panel.plane.cut(probability, view.cursor), view.opacity)
    ax.imshow(painted, aspect="auto", extent=(0, hu.shape[1], hu.shape[0], 0), interpolation="antialiased")
    for above, (at, piece) in enumerate(pieces.items(), start=1 - len(pieces)):
        # A lower layer's lines are wider, so that where two agree both are seen.
        for label, width in ((LIVER, 0.8), (TUMOR, 1.2)):
            color = to_rgba(layers[at].color, min(1.0, 2 * view.opacity))
            lines = LineCollection(list(outline(piece >= label)), colors=color, linewidths=width - above * 0.8)
            ax.add_collection(lines)
    if view.layout == "planes":
        row, column = panel.plane.place(view.cursor, case.volume.shape)
        ax.axhline(row, color="white", linewidth=0.7, alpha=0.7, linestyle=(0, (4, 3)))
        ax.axvline(column, color="white", linewidth=0.7, alpha=0.7, linestyle=(0, (4, 3)))
    if view.numbers:
        both = [None if at is None else masks[at] for at in (reference, prediction)]
        _number(ax, panel.plane, lesion_rows(both[0], both[1], case.spacing_mm), view.cursor, case.volume.shape)


def _tint(painted: np.ndarray, errors: np.ndarray, opacity: float) -> np.ndarray:
    tinted = painted.astype(float)
    for value, color in ERROR_COLORS.items():
        inside = errors == value
        tinted[inside] = tinted[inside] * (1 - opacity) + np.array(rgb(color), float) * opacity
    return np.rint(tinted).astype(np.uint8)


def _heat(painted: np.ndarray, probability: np.ndarray, opacity: float) -> np.ndarray:
    """The colour of each probability, the more opaque the likelier; nothing is seen below 0.02."""
    from matplotlib import colormaps

    share = probability / 255 if probability.dtype == np.uint8 else probability.astype(float)
    color = colormaps[HEAT](share)[..., :3] * 255
    alpha = (np.clip(share * 2, 0, 1) * opacity)[..., None]
    return np.rint(painted * (1 - alpha) + color * alpha).astype(np.uint8)


def _number(
    ax: "Axes", plane: Plane, rows: Iterable[LesionRow], cursor: tuple[int, int, int], shape: tuple[int, ...]
) -> None:
    """Write each lesion's number to the upper right of it, where the slice cuts it."""
    from matplotlib.patheffects import withStroke

    for row in rows:
        low, high = row.box[plane.axis]
        if not low <= cursor[plane.axis] < high:
            continue
        corners = [plane.place([ends[end] - end for ends in row.box], shape) for end in (0, 1)]
        place = max(column for _, column in corners) + 0.5, min(line for line, _ in corners) - 0.5
        ax.annotate(
            str(row.number), place, (1, 1), textcoords="offset points", color=FATE_COLORS[row.fate], fontsize=8.5,
            weight="bold", path_effects=[withStroke(linewidth=2, foreground="black")], annotation_clip=True,
        )  # fmt: skip


def _mark_panel(ax: "Axes", plane: Plane, case: Case) -> None:
    """The letters of the directions, and a bar of 50 mm, or of 10 where so little is seen."""
    from matplotlib.patheffects import withStroke

    stroke = [withStroke(linewidth=2, foreground="black")]
    ax.set(xticks=[], yticks=[], facecolor="black", autoscale_on=False)
    ax.spines[:].set_visible(False)
    ax.grid(visible=False)
    places = ((0.5, 1, "top", (0, -4)), (0.5, 0, "bottom", (0, 4)), (0, 0.5, "center", (5, 0)), (1, 0.5, "center", (-5, 0)))
    sides = ("center", "center", "left", "right")
    for letter, (x, y, vertical, offset), side in zip(plane.letters, places, sides, strict=True):
        ax.annotate(
            letter, (x, y), offset, "axes fraction", "offset points", color="white", weight="bold", ha=side,
            va=vertical, path_effects=stroke,
        )  # fmt: skip
    left, right = ax.get_xlim()
    width_mm = (right - left) * case.spacing_mm[plane.in_plane[1]]
    bar_mm = 50 if width_mm > 120 else 10
    share = bar_mm / width_mm
    ax.plot([0.03, 0.03 + share], [0.03, 0.03], color="white", linewidth=2, solid_capstyle="butt", transform=ax.transAxes)
    ax.annotate(
        f"{bar_mm} mm", (0.03, 0.03), (0, 3), "axes fraction", "offset points", color="white", fontsize=8,
        path_effects=stroke,
    )  # fmt: skip


_COLUMNS = ("plane", "slice", "layer", "liver_pixels", "tumor_pixels", "liver_dice", "tumor_dice")


def _panel_rows(
    panel: _Panel, case: Case, layers: Sequence[Layer], masks: Sequence[np.ndarray], view: View
) -> list[tuple[Any, ...]]:
    pieces = {at: panel.plane.cut(masks[at], view.cursor)[None] for at in panel.layers}
    reference, _ = _pair(panel, layers)
    rows = []
    for at, piece in pieces.items():
        dice = [float("nan")] * 2
        if reference is not None and at != reference:
            dice = [count_overlap(pieces[reference] >= label, piece >= label).dice for label in (LIVER, TUMOR)]
        sizes = [int(np.count_nonzero(piece >= label)) for label in (LIVER, TUMOR)]
        rows.append((panel.name, view.cursor[panel.plane.axis], layers[at].name, *sizes, *dice))
    return rows


def _title(ax: "Axes", panel: _Panel, view: View, data: pd.DataFrame, layers: Sequence[Layer]) -> None:
    if view.layout == "planes":
        ax.set_title(f"{panel.name}, slice {view.cursor[panel.plane.axis]}", fontsize=9, loc="center", pad=3)
    elif panel.title:
        dice = data.loc[data["layer"] == panel.title, "tumor_dice"].iloc[0]
        told = "" if np.isnan(dice) else f" · tumour Dice of this slice {dice:.2f}"
        ax.set_title(f"{panel.title}{told}", fontsize=9, loc="center", pad=3)


def _caption(figure: "Figure", case: Case, view: View, keys: "list[Artist]") -> None:
    width, height = figure.get_size_inches()
    where = ""
    if view.layout != "planes":
        axis = PLANES[view.plane].axis
        where = f", {view.plane} slice {view.cursor[axis]} of 0–{case.volume.shape[axis] - 1}"
    figure.text(
        0.5, 1 - 0.2 / height, f"{case.name}{where}, {_window_in_words(view.window)}", ha="center", va="center",
        fontsize=9.5,
    )  # fmt: skip
    if not keys:
        return
    longest = max(len(str(key.get_label())) for key in keys)
    columns = max(1, min(len(keys), int(width / (0.5 + 0.075 * longest))))
    figure.legend(
        handles=keys, loc="lower center", bbox_to_anchor=(0.5, 0.03 / height), ncols=columns, handlelength=1.3,
        columnspacing=1.2, borderaxespad=0,
    )  # fmt: skip


def _keys(panels: Sequence[_Panel], layers: Sequence[Layer], view: View, heat: bool) -> "list[Artist]":
    from matplotlib.colors import to_rgba

    used = sorted({at for panel in panels for at in panel.layers})
    pairs = [_pair(panel, layers) for panel in panels]
    errors = view.errors and any(None not in pair for pair in pairs)
    keys = []
    for at in used:
        layer = layers[at]
        if view.filled and not errors:
            keys.append(patch_key(to_rgba(layer.color, 1), layer.name, edgecolor=layer.color))
        else:
            keys.append(line_key(layer.color, layer.name))
    if errors:
        words = {COMMON: "tumour in both", MISSED: "missed", EXCESS: "too much"}
        keys += [patch_key(ERROR_COLORS[value], text) for value, text in words.items()]
    elif used:
        keys.append(line_key("none", "light: liver, strong: tumour" if view.filled else "thin: liver, thick: tumour"))
    if view.heat and heat:
        keys.append(patch_key("#ed6925", "probability of tumour"))
    return keys


def _window_in_words(window: tuple[float, float]) -> str:
    low, high = window
    names = [f"{name}: " for name, preset in WINDOWS.items() if preset == tuple(window)]
    return f"{''.join(names)}{low:g} to {high:g} HU".replace("-", "−")
