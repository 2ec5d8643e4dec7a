"""The static picture that stands where no kernel is: in a reopened notebook, a PDF, a preview."""

import io
from collections.abc import Sequence

import numpy as np

from lits_toolkit.figures.style import house_style
from lits_toolkit.viewer.blend import LIVER_SHARE, WINDOWS, Layer, blend, outline

UNTIL_LIVE = """<span class="lits-until-live"></span><style>
.jp-OutputArea-child:has(.lits-until-live),
.jp-OutputArea-child:has(.lits-until-live) + .jp-OutputArea-child:not(:has(.lits-browser.lits-live)),
.jp-OutputArea-child:has(.lits-until-live) + .jp-OutputArea-child:has(.lits-browser.lits-live) + .jp-OutputArea-child
{ display: none; }
</style>"""
"""An output of only this: of the two outputs after it, browser and picture, the browser shows once it is live."""

_INCHES_WIDE = 6.0
_DPI = 110


@house_style()
def draw_still(
    hu: np.ndarray,
    masks: Sequence[np.ndarray],
    layers: Sequence[Layer],
    *,
    spacing_mm: tuple[float, float],
    window: tuple[float, float],
    opacity: float,
    filled: bool = True,
    title: str,
) -> bytes:
    """Draw an axial slice with its masks as PNG, in the proportions of the body, as the browser draws it.

    `hu` is (y, x) int16, `masks` are (y, x) uint8, one per layer; `spacing_mm` is (y, x). Outlines have twice the
    `opacity` of a tumour's fill, 1 at most; without `filled` there are only they.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows, columns = hu.shape
    aspect = spacing_mm[0] / spacing_mm[1]
    figure = Figure(figsize=(_INCHES_WIDE, _INCHES_WIDE * min(rows * aspect / columns, 2) + 0.9), dpi=_DPI)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    painted = blend(hu, masks, [layer.color for layer in layers], window, opacity if filled else 0.0)
    line_opacity = min(1.0, 2 * opacity)
    axes.imshow(painted, aspect=aspect, extent=(0, columns, rows, 0), interpolation="antialiased")
    for above, (mask, layer) in enumerate(zip(masks, layers, strict=True), start=1 - len(layers)):
        # A lower layer's lines are wider, so that where two agree both are seen.
        for label, width in ((1, 0.8), (2, 1.2)):
            sides, color = list(outline(mask >= label)), to_rgba(layer.color, line_opacity)
            axes.add_collection(LineCollection(sides, colors=color, linewidths=width - above))
    axes.set_axis_off()
    axes.set_title(f"{title}, {_window_in_words(window)}", loc="center", fontsize=9.5)
    for x, y, letter in ((0.5, 0.98, "A"), (0.5, 0.02, "P"), (0.02, 0.5, "R"), (0.98, 0.5, "L")):
        vertical = {0.98: "top", 0.02: "bottom"}.get(y, "center")
        axes.text(x, y, letter, transform=axes.transAxes, color="white", weight="bold", ha="center", va=vertical)
    if layers:
        keys = [
            Patch(facecolor=to_rgba(layer.color, share), edgecolor=layer.color, label=f"{layer.name}: {region}")
            for layer in layers
            for region, share in (("liver", LIVER_SHARE), ("tumour", 1.0))
        ]
        figure.legend(handles=keys, loc="outside lower center", ncols=len(layers), handlelength=1.0)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _window_in_words(window: tuple[float, float]) -> str:
    low, high = window
    names = [f"{name}: " for name, preset in WINDOWS.items() if preset == window]
    return f"{''.join(names)}{low:g} to {high:g} HU".replace("-", "−")
