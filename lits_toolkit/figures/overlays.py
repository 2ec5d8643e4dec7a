"""Where the prediction is right and where not: hits, misses and false alarms told apart, lesion by lesion."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.data.case import TUMOR, Case
from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn
from lits_toolkit.figures.panels import (
    AxialSlice,
    bottom_legend,
    fill,
    hatch,
    largest_mm,
    line_key,
    mark,
    outline,
    panel_grid,
    patch_key,
    show_slice,
)
from lits_toolkit.figures.slices import take_slice
from lits_toolkit.figures.style import FALSE_ALARM, HIT, MISS, PREDICTION, REFERENCE, house_style
from lits_toolkit.metrics.lesions import Lesions, find_lesions, shared_voxels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MISSED, _EXCESS = "/////", "....."

STATUS = {1: "hit", 2: "miss", 3: "false alarm"}
"""What the values of a status array mean; 0 is where there is no lesion."""


def lesion_status(reference: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """What became of each lesion, as a uint8 array of the masks' shape (z, y, x): see `STATUS`.

    A hit is a reference lesion that the prediction touches, together with the predicted lesions that touch one; a
    miss is a reference lesion that nothing predicted touches; a false alarm a predicted lesion that touches none.
    """
    expected, found = find_lesions(reference == TUMOR), find_lesions(prediction == TUMOR)
    shared = shared_voxels(expected, found)
    status = np.zeros(reference.shape, dtype=np.uint8)
    for lesions, overlapping, otherwise in ((expected, shared.sum(axis=1), 2), (found, shared.sum(axis=0), 3)):
        fate = np.where(np.asarray(overlapping) > 0, 1, otherwise)
        inside = lesions.labels > 0
        status[inside] = fate[lesions.labels[inside].astype(int) - 1]
    return status


def take_overlay(case: Case, prediction: np.ndarray, z: int | None = None, margin_mm: float = 15.0) -> AxialSlice:
    """A slice of a case with its lesions' status, shown from the liver to `margin_mm` around it.

    Without `z` it is the slice that shows the most different fates, and of those the one with the most tumour.
    Raises InputError if the case has no reference.
    """
    if case.reference is None:
        raise InputError(f"{case.name} has no reference mask: hits and misses cannot be told apart")
    status = lesion_status(case.reference, prediction)
    if z is None:
        fates = sum((status == value).any(axis=(1, 2)).astype(int) for value in STATUS)
        z = int(np.lexsort(((status > 0).sum(axis=(1, 2)), fates))[-1])
    return take_slice(case, z, prediction, status=status, margin_mm=margin_mm)


@house_style()
def draw_hits_and_misses(slices: Sequence[AxialSlice], label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """A panel per case: reference outlined in blue, prediction in red, and what became of each whole lesion.

    Voxels and lesions are told apart: in a *hit* lesion the part common to both masks is tinted, the missed part
    and the excess are hatched; a *miss*, of which nothing was found, lies in a circle, a *false alarm* in a square.
    `slices` come from `take_overlay`. The data has a row per slice: case, z, hits, misses, false_alarms (connected
    regions within this slice that have that status), common_pixels, missed_pixels, excess_pixels (within hits).
    """
    data = _count_regions(slices)
    figure, panels = panel_grid(slices, axes, title_lines=2, legend_lines=3)
    size_mm = largest_mm(slices)
    for number, (ax, piece) in enumerate(zip(panels, slices, strict=True)):
        show_slice(ax, piece, size_mm, "\n" + _in_words(*data.loc[number, ["hits", "misses", "false_alarms"]]))
        common, missed, excess = _parts_of_hits(piece)
        fill(ax, common, HIT, 0.45)
        hatch(ax, missed, REFERENCE, _MISSED)
        hatch(ax, excess, PREDICTION, _EXCESS)
        for mask, color in ((piece.reference, REFERENCE), (piece.prediction, PREDICTION)):
            if mask is not None:
                outline(ax, mask == TUMOR, color, 0.9)
        # What went wrong is often a few pixels large: it is filled above its outline, which would hide it, and a mark
        # around it makes it seen, whose form tells which it is.
        for value, color, is_round in ((2, MISS, True), (3, FALSE_ALARM, False)):
            fill(ax, _status(piece) == value, color, 0.8, zorder=3)
            for box in _regions(piece, value).boxes:
                mark(ax, (box[1], box[2]), piece.spacing_mm, color, round=is_round)
    bottom_legend(
        figure,
        [
            line_key(REFERENCE, "reference"),
            line_key(PREDICTION, "prediction"),
            patch_key(HIT, "hit: common part"),
            patch_key("none", "hit: missed part", edgecolor=REFERENCE, hatch=_MISSED),
            patch_key("none", "hit: excess", edgecolor=PREDICTION, hatch=_EXCESS),
            line_key(MISS, "missed lesion", marker="o", markerfacecolor="none", markersize=9, linestyle="none"),
            line_key(FALSE_ALARM, "false alarm", marker="s", markerfacecolor="none", markersize=8, linestyle="none"),
            line_key("none", "hit or missed: by whole lesion, in 3D"),
        ],
    )
    figure.suptitle(f"Hits, misses and false alarms · {label}", wrap=True)
    return Drawn(figure, data)


def cases_from_worst_to_best(cases: pd.DataFrame, count: int) -> list[str]:
    """At most `count` names from a `cases.csv` table, spread evenly from the lowest to the highest tumour Dice.

    Cases without tumour in reference and prediction have nothing to show and are left out.
    """
    shown = cases[(cases["lesions"] > 0) | (cases["lesions_predicted"] > 0)].sort_values(["tumor_dice", "case"])
    places = np.unique(np.linspace(0, len(shown) - 1, min(count, len(shown))).round().astype(int))
    return list(shown["case"].iloc[places])


def _status(piece: AxialSlice) -> np.ndarray:
    if piece.status is None:
        raise InputError("this slice does not know what became of the lesions: take it with take_overlay")
    return piece.status


def _parts_of_hits(piece: AxialSlice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where in hit lesions both masks agree, what is missed of them, and what is predicted beyond them."""
    hit = _status(piece) == 1
    expected, found = ((mask == TUMOR) & hit for mask in (piece.reference, piece.prediction))
    return expected & found, expected & ~found, found & ~expected


def _regions(piece: AxialSlice, value: int) -> Lesions:
    return find_lesions((_status(piece) == value)[np.newaxis])


def _count_regions(slices: Sequence[AxialSlice]) -> pd.DataFrame:
    rows = [
        (piece.case, piece.z, *(len(_regions(piece, value)) for value in STATUS), *map(np.sum, _parts_of_hits(piece)))
        for piece in slices
    ]
    columns = ["case", "z", "hits", "misses", "false_alarms", "common_pixels", "missed_pixels", "excess_pixels"]
    return pd.DataFrame(rows, columns=columns)


def _in_words(hits: int, misses: int, false_alarms: int) -> str:
    counts = ((hits, "hit", "hits"), (misses, "miss", "misses"), (false_alarms, "false alarm", "false alarms"))
    told = [f"{number} {one if number == 1 else more}" for number, one, more in counts if number]
    return ", ".join(told) or "no tumour in this slice"
