"""A CT slice and its mask, each in a panel of its own, as in Figures 1.1 and 3.6 of the dissertation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.data.case import TUMOR
from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.panels import (
    AxialSlice,
    around_inches,
    bottom_legend,
    largest_mm,
    line_key,
    mark,
    name_panel,
    panel_inches,
    patch_key,
    say,
    show_slice,
)
from lits_toolkit.figures.style import LABEL_COLORS, house_style
from lits_toolkit.metrics.lesions import Lesions, find_lesions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MASK_GRAYS = {"liver": "#808080", "tumor": "#ffffff"}


@house_style()
def draw_with_masks(
    slices: Sequence[AxialSlice], title: str, notes: Sequence[str] = (), axes: "Sequence[Axes] | None" = None
) -> Drawn:
    """Slices with a circle around each of their tumours, and their masks: the liver grey, tumours white.

    One slice has its mask to the right, several have theirs below. `notes` are written above the slices, one each.
    `axes` are those of the slices, then those of the masks. The data has a row per slice: case, z, note, tumors
    (connected regions within the slice; <NA> without a reference). Without a slice the picture says that there is none.
    """
    count = max(len(slices), 1)
    rows, columns = (1, 2) if count == 1 else (2, count)
    lines = 1 + max((note.count("\n") + 1 for note in notes if note), default=0)
    height, width = panel_inches(slices, columns) if slices else (1.0, 3.0)
    inches = (width * columns, height * rows + around_inches(lines))
    figure, panels = use_axes(axes, 2 * count, rows=rows, columns=columns, inches=inches)
    regions = [None if piece.reference is None else find_lesions(piece.reference[None] == TUMOR) for piece in slices]
    notes = list(notes) or [""] * len(slices)
    for ax, beside, piece, tumors, note in zip(panels[:count], panels[count:], slices, regions, notes, strict=False):
        size_mm = largest_mm(slices)
        show_slice(ax, piece, size_mm, f"\n{note}" if note else "")
        if tumors is None:
            say([beside], "no reference mask")
            continue
        for box in tumors.boxes:
            mark(ax, (box[1], box[2]), piece.spacing_mm, LABEL_COLORS["tumor"], round=True)
        show_slice(beside, piece, size_mm)
        beside.images[0].set(data=piece.reference, clim=(0, TUMOR), interpolation="nearest")
        name_panel(beside, "its mask")
    figure.suptitle(title, wrap=True)
    if not slices:
        say(panels, "no tumour in any reference mask")
        return Drawn(figure, _table(slices, notes, regions))
    keys = [
        line_key(LABEL_COLORS["tumor"], "around a tumour", marker="o", markerfacecolor="none", linestyle="none"),
        patch_key(_MASK_GRAYS["liver"], "liver", edgecolor="black"),
        patch_key(_MASK_GRAYS["tumor"], "tumour", edgecolor="black"),
    ]
    bottom_legend(figure, keys if any(tumors is not None for tumors in regions) else [])
    return Drawn(figure, _table(slices, notes, regions))


def _table(slices: Sequence[AxialSlice], notes: Sequence[str], regions: Sequence[Lesions | None]) -> pd.DataFrame:
    rows = [
        (piece.case, piece.z, note, pd.NA if tumors is None else len(tumors))
        for piece, note, tumors in zip(slices, notes, regions, strict=True)
    ]
    return pd.DataFrame(rows, columns=["case", "z", "note", "tumors"]).astype({"tumors": "Int64"})
