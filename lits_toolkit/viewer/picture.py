"""The picture of a view, drawn by matplotlib: for paper, and for where no kernel is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lits_toolkit.data.case import LIVER, TUMOR, Case
from lits_toolkit.figures.drawn import Drawn
from lits_toolkit.figures.panels import line_key, patch_key
from lits_toolkit.figures.style import BETWEEN_INCHES, FALSE_ALARM, HIT, MISS, PAGE_INCHES, SMALL, house_style
from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.viewer.blend import ERROR_COLORS, REFERENCE, WINDOWS, Layer, blend, blend_errors, blend_heat, outline
from lits_toolkit.viewer.facts import COMMON, EXCESS, MISSED, error_mask, lesion_rows
from lits_toolkit.viewer.payload import lesion_corners
from lits_toolkit.viewer.view import PLANES, Plane, View, require_fitting

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Probability = np.ndarray | Mapping[str, np.ndarray] | None

FATE_COLORS = {"hit": HIT, "miss": MISS, "false alarm": FALSE_ALARM, "lesion": "#ffffff"}
"""Of a lesion's number."""
ERROR_WORDS = {COMMON: "tumour in both", MISSED: "missed", EXCESS: "too much"}

_COLUMNS = ("plane", "slice", "layer", "liver_pixels", "tumor_pixels", "liver_dice", "tumor_dice")
_GAP, _CAPTION, _TITLE, _LINE = 0.08, 0.34, 0.24, 0.19
"""Inches: between panels, for the caption above, above each panel that has a title, for each line of the legend."""
_BAR_MM, _SHORT_BAR_MM = 50, 10


@dataclass(frozen=True, eq=False)
class _Panel:
    """One plane of a case with the masks that are shown on it."""

    name: str
    """In PLANES."""
    case: Case
    view: View
    layers: tuple[Layer, ...]
    masks: tuple[np.ndarray, ...]
    """(z, y, x), one for each layer."""
    probability: np.ndarray | None
    """(z, y, x)."""
    model: str = ""
    """The one prediction that the panel is for."""

    @property
    def plane(self) -> Plane:
        return PLANES[self.name]

    @property
    def index(self) -> int:
        return self.view.cursor[self.plane.axis]

    @property
    def reference(self) -> np.ndarray | None:
        return next((mask for layer, mask in self._named if layer.name == REFERENCE.name), None)

    @property
    def prediction(self) -> np.ndarray | None:
        """The first of its predictions."""
        return next((mask for layer, mask in self._named if layer.name != REFERENCE.name), None)

    @property
    def shows(self) -> str:
        """What fills it: one of "heat", "errors", "masks"."""
        if self.view.heat and self.probability is not None:
            return "heat"
        both = self.reference is not None and self.prediction is not None
        return "errors" if self.view.errors and both else "masks"

    @property
    def part(self) -> tuple[float, float, float, float]:
        """What it shows of its slice: top, bottom, left and right, in pixels."""
        shape, view = self.case.volume.shape, self.view
        middle = [shape[axis] / 2 for axis in self.plane.in_plane]
        if view.middle is not None:
            middle = list(self.plane.place(view.middle, shape))
        ends = []
        for axis, place in zip(self.plane.in_plane, middle, strict=True):
            length = shape[axis] / max(view.zoom, 1)
            first = min(max(place - length / 2, 0), shape[axis] - length)
            ends += [first, first + length]
        return ends[0], ends[1], ends[2], ends[3]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width of what it shows."""
        (top, bottom, left, right), (down, across) = self.part, self.plane.in_plane
        return (bottom - top) * self.case.spacing_mm[down], (right - left) * self.case.spacing_mm[across]

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The slice of an array that it shows."""
        return self.plane.cut(array, self.view.cursor)

    @property
    def _named(self) -> list[tuple[Layer, np.ndarray]]:
        return list(zip(self.layers, self.masks, strict=True))


@house_style()
def draw_view(
    case: Case, layers: Sequence[Layer], masks: Sequence[np.ndarray], view: View, probability: Probability = None
) -> Drawn:
    """Draw what the browser shows, in the proportions of the body, with a bar of 50 mm.

    Outlines have twice the opacity of a tumour's fill, 1 at most. Errors, heat and numbers are those of a panel's first
    prediction. The data has a row per panel and mask: plane, slice, layer, liver_pixels (mask ≥ 1), tumor_pixels, and
    of a prediction beside a reference the Dice of this slice, liver_dice and tumor_dice.

    Args:
        case: The CT.
        layers: How each mask is called and coloured; the reference is the one called as `blend.REFERENCE`.
        masks: (z, y, x) uint8 with 0, 1 and 2, one for each layer.
        view: What to show of them.
        probability: (z, y, x) of the tumour, uint8 0…255 or float 0…1; or one for each prediction, by its layer's name.

    Raises:
        SettingError: The view names a plane, a layout, a mask or a voxel that is not there.
    """
    require_fitting(view, [layer.name for layer in layers], case.volume.shape)
    panels = _panels(case, layers, masks, view, probability)
    keys = _keys(panels)
    figure, axes = _new_figure(panels, keys)
    data = pd.DataFrame([row for panel in panels for row in _rows(panel)], columns=list(_COLUMNS))
    for ax, panel in zip(axes, panels, strict=True):
        _draw(ax, panel)
        _mark(ax, panel)
        if len(panels) > 1:
            ax.set_title(_title(panel, data), fontsize=SMALL, loc="center", pad=3)
    return Drawn(figure, data)


def _panels(
    case: Case, layers: Sequence[Layer], masks: Sequence[np.ndarray], view: View, probability: Probability
) -> list[_Panel]:
    on = [at for at, layer in enumerate(layers) if view.shown is None or layer.name in view.shown]
    references = [at for at in on if layers[at].name == REFERENCE.name]
    predictions = [at for at in on if at not in references]

    def panel(plane: str, places: Sequence[int], model: str = "") -> _Panel:
        of = next((layers[at].name for at in places if at in predictions), None)
        heat = (probability.get(of) if of else None) if isinstance(probability, Mapping) else probability
        shown = tuple(layers[at] for at in places), tuple(masks[at] for at in places)
        return _Panel(plane, case, view, *shown, probability=heat, model=model)

    if view.layout == "planes":
        return [panel(plane, on) for plane in PLANES]
    if view.layout == "single" or not predictions:
        return [panel(view.plane, on)]
    return [panel(view.plane, [*references, at], layers[at].name) for at in predictions]


def _new_figure(panels: Sequence[_Panel], keys: "Sequence[Artist]") -> "tuple[Figure, list[Axes]]":
    """A figure with its caption, its legend, and axes for the panels, all at one scale.

    They are placed by hand: a layout engine would fit each panel into its cell, at a scale of its own.
    """
    from matplotlib.figure import Figure

    heights, widths = zip(*(panel.size_mm for panel in panels), strict=True)
    if panels[0].view.layout == "planes":  # sagittal beside coronal, which lies below axial: z and x run on
        places, lines, columns = [(0, 0), (1, 0), (1, 1)], [heights[0], heights[1]], [widths[0], widths[2]]
    else:
        many = {1: 1, 3: 3}.get(len(panels), 2)
        places = [divmod(at, many) for at in range(len(panels))]
        lines, columns = [heights[0]] * (places[-1][0] + 1), [widths[0]] * many
    title = 0.0 if len(panels) == 1 else _TITLE + (0.15 if panels[0].model else 0.0)  # of one line or two
    inches = BETWEEN_INCHES if len(panels) == 1 else PAGE_INCHES
    scale = min((inches - _GAP * (len(columns) + 1)) / sum(columns), 8.0 / sum(lines))  # inches per mm
    panels_wide = sum(columns) * scale + _GAP * (len(columns) - 1)
    width = max(panels_wide + 2 * _GAP, BETWEEN_INCHES)
    in_corner = panels[0].view.layout == "planes"
    longest = max((len(str(key.get_label())) for key in keys), default=1)
    across = 1 if in_corner else max(1, min(len(keys), int(width / (0.55 + 0.08 * longest))))
    foot = 0.08 if in_corner or not keys else 0.14 + _LINE * math.ceil(len(keys) / across)
    height = _CAPTION + sum(lines) * scale + (title + _GAP) * len(lines) + foot
    figure = Figure(figsize=(width, height))
    left = (width - panels_wide) / 2
    axes = []
    for (line, column), high_mm, wide_mm in zip(places, heights, widths, strict=True):
        x = left + sum(columns[:column]) * scale + _GAP * column
        bottom = height - _CAPTION - sum(lines[:line]) * scale - title * (line + 1) - _GAP * line - high_mm * scale
        axes.append(figure.add_axes((x / width, bottom / height, wide_mm * scale / width, high_mm * scale / height)))
    figure.text(0.5, 1 - 0.19 / height, _caption(panels[0]), ha="center", va="center")
    if keys:
        corner = (left + columns[0] * scale + 0.3) / width, 1 - (_CAPTION + title) / height
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": corner}
        if not in_corner:
            place = {"loc": "lower center", "bbox_to_anchor": (0.5, 0.04 / height), "ncols": across}
        figure.legend(handles=list(keys), handlelength=1.3, columnspacing=1.4, borderaxespad=0, **place)
    return figure, axes


def _draw(ax: "Axes", panel: _Panel) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    view, pieces = panel.view, [panel.cut(mask) for mask in panel.masks]
    painted = _paint(panel, pieces)
    rows, columns = painted.shape[:2]
    ax.imshow(painted, aspect="auto", extent=(0, columns, rows, 0), interpolation="antialiased")
    for below, (layer, piece) in enumerate(zip(panel.layers[::-1], pieces[::-1], strict=True)):
        # A lower layer's lines are wider, so that where two agree both are seen.
        for label, width in ((LIVER, 0.8), (TUMOR, 1.2)):
            color = to_rgba(layer.color, min(1.0, 2 * view.opacity))
            lines = LineCollection(
                list(outline(piece >= label)), colors=color, linewidths=width + 0.7 * below, zorder=3 - below / 10
            )
            ax.add_collection(lines)
    if view.layout == "planes":
        row, column = panel.plane.place(view.cursor, panel.case.volume.shape)
        for line in (ax.axhline(row), ax.axvline(column)):
            line.set(color="white", linewidth=0.7, alpha=0.7, linestyle=(0, (4, 3)))
    if view.numbers:
        _number(ax, panel)
    top, bottom, left, right = panel.part
    ax.set(xlim=(left, right), ylim=(bottom, top), autoscale_on=False)


def _paint(panel: _Panel, pieces: Sequence[np.ndarray]) -> np.ndarray:
    hu, window, opacity = panel.cut(panel.case.volume), panel.view.window, panel.view.opacity
    if panel.shows == "heat":
        heat = panel.cut(np.asarray(panel.probability))
        return blend_heat(hu, heat if heat.dtype == np.uint8 else np.rint(heat * 255).astype(np.uint8), window, opacity)
    if panel.shows == "errors":
        errors = error_mask(panel.cut(np.asarray(panel.reference)), panel.cut(np.asarray(panel.prediction)))
        return blend_errors(hu, errors, window, opacity)
    return blend(hu, pieces, [layer.color for layer in panel.layers], window, opacity if panel.view.filled else 0.0)


def _number(ax: "Axes", panel: _Panel) -> None:
    """Write each lesion's number to the upper right of it."""
    rows = lesion_rows(panel.reference, panel.prediction, panel.case.spacing_mm)
    corners = lesion_corners(rows, panel.reference, panel.prediction)[panel.plane.axis]
    for row, places in zip(rows, corners, strict=True):
        first, end = row.box[panel.plane.axis]
        if first <= panel.index < end and places[panel.index - first][0] >= 0:
            top, right = (float(place) for place in places[panel.index - first])
            ax.annotate(
                str(row.number), (right, top), (1, 1), textcoords="offset points", color=FATE_COLORS[row.fate],
                fontsize=SMALL, weight="bold", path_effects=_stroke(), annotation_clip=True,
            )  # fmt: skip


def _mark(ax: "Axes", panel: _Panel) -> None:
    """The letters of the directions, and a bar of 50 mm, or of 10 where little is seen."""
    ax.set(xticks=[], yticks=[], facecolor="black")
    ax.spines[:].set_visible(False)
    ax.grid(visible=False)
    sides = (
        (0.5, 1, "center", "top"),
        (0.5, 0, "center", "bottom"),
        (0, 0.5, "left", "center"),
        (1, 0.5, "right", "center"),
    )
    for letter, (x, y, across, down) in zip(panel.plane.letters, sides, strict=True):
        away = {"left": 5, "right": -5}.get(across, 0), {"top": -4, "bottom": 4}.get(down, 0)
        ax.annotate(
            letter, (x, y), away, "axes fraction", "offset points", color="white", weight="bold", ha=across, va=down,
            path_effects=_stroke(),
        )  # fmt: skip
    width_mm = panel.size_mm[1]
    bar_mm = _BAR_MM if width_mm > 2 * _BAR_MM else _SHORT_BAR_MM
    ends = [0.03, 0.03 + bar_mm / width_mm]
    ax.plot(ends, [0.03, 0.03], color="white", linewidth=2, solid_capstyle="butt", transform=ax.transAxes)
    ax.annotate(
        f"{bar_mm} mm", (0.03, 0.03), (0, 3), "axes fraction", "offset points", color="white", fontsize=SMALL,
        path_effects=_stroke(),
    )  # fmt: skip


def _stroke() -> list:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2, foreground="black")]


def _keys(panels: Sequence[_Panel]) -> "list[Artist]":
    layers = dict.fromkeys(layer for panel in panels for layer in panel.layers)
    shows = {panel.shows for panel in panels}
    filled = panels[0].view.filled and "masks" in shows
    keys = [(patch_key if filled else line_key)(layer.color, layer.name) for layer in layers]
    if "errors" in shows:
        keys += [patch_key(ERROR_COLORS[error], words) for error, words in ERROR_WORDS.items()]
    if "heat" in shows:
        keys.append(patch_key("#f8850f", "probability of tumour, the brighter the higher"))
    if layers:
        keys.append(line_key("none", "light: liver, strong: tumour" if filled else "thin: liver, thick: tumour"))
    return keys


def _caption(panel: _Panel) -> str:
    low, high = window = panel.view.window
    preset = "".join(f"{name}: " for name, hu in WINDOWS.items() if hu == tuple(window))
    words = f"{preset}{low:g} to {high:g} HU".replace("-", "−")
    slices = f", {panel.name} slice {panel.index} of 0–{panel.case.volume.shape[panel.plane.axis] - 1}"
    return f"{panel.case.name}{'' if panel.view.layout == 'planes' else slices}, {words}"


def _title(panel: _Panel, data: pd.DataFrame) -> str:
    if not panel.model:
        return f"{panel.name}, slice {panel.index}"
    dice = data.loc[data["layer"] == panel.model, "tumor_dice"].iloc[0]
    return panel.model if math.isnan(dice) else f"{panel.model}\ntumour Dice of this slice {dice:.2f}"


def _rows(panel: _Panel) -> list[tuple[Any, ...]]:
    rows = []
    for layer, mask in zip(panel.layers, panel.masks, strict=True):
        pixels = [np.count_nonzero(panel.cut(mask) >= label) for label in (LIVER, TUMOR)]
        dice = [math.nan, math.nan]
        if panel.reference is not None and layer.name != REFERENCE.name:
            pair = panel.cut(panel.reference)[None], panel.cut(mask)[None]
            dice = [count_overlap(pair[0] >= label, pair[1] >= label).dice for label in (LIVER, TUMOR)]
        rows.append((panel.name, panel.index, layer.name, *pixels, *dice))
    return rows
