"""Axial slices with masks over them: a gallery of a cohort, and a walk through one case with its prediction."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.data.case import LIVER, TUMOR, Case
from lits_toolkit.errors import GeometryError, InputError
from lits_toolkit.figures.drawn import Drawn
from lits_toolkit.figures.panels import (
    AxialSlice,
    bottom_legend,
    fill,
    largest_mm,
    line_key,
    outline,
    panel_grid,
    patch_key,
    show_slice,
)
from lits_toolkit.figures.style import LABEL_COLORS, PREDICTION, REFERENCE, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AIR_HU = -300


def take_slice(
    case: Case,
    z: int,
    prediction: np.ndarray | None = None,
    *,
    status: np.ndarray | None = None,
    margin_mm: float | None = None,
) -> AxialSlice:
    """Cut slice `z` out of a case, with the reference where there is one; `prediction` and `status` are (z, y, x).

    The part that a picture shows is the body, or with `margin_mm` the smallest rectangle around the liver (in both
    masks, over all slices) and that margin. Raises GeometryError if the prediction's shape is not the volume's,
    InputError if there is no such slice.
    """
    if prediction is not None and prediction.shape != case.volume.shape:
        raise GeometryError(
            f"{case.name}: the prediction has the shape {prediction.shape}, expected the volume's, {case.volume.shape}"
        )
    if not 0 <= z < len(case.volume):
        raise InputError(f"{case.name} has no slice {z}: it has the slices 0 to {len(case.volume) - 1}")
    liver = [(mask > 0).any(axis=0) for mask in (case.reference, prediction) if mask is not None and mask.any()]
    if margin_mm is None or not liver:
        worth_seeing, margin_mm = case.volume[z] > _AIR_HU, 0.0
    else:
        worth_seeing = np.logical_or.reduce(liver)
    return AxialSlice(
        case.name,
        z,
        case.volume[z],
        case.spacing_mm[1:],
        (
            _around(worth_seeing.any(axis=1), margin_mm / case.spacing_mm[1]),
            _around(worth_seeing.any(axis=0), margin_mm / case.spacing_mm[2]),
        ),
        None if case.reference is None else case.reference[z],
        None if prediction is None else prediction[z],
        None if status is None else status[z],
    )


def busiest_slice(case: Case) -> int:
    """The slice of a case with the most tumour; without tumour the most liver; without reference the middle one."""
    mask = case.reference
    if mask is None:
        return len(case.volume) // 2
    for region in (mask == TUMOR, mask >= LIVER):
        area = region.sum(axis=(1, 2))
        if area.any():
            return int(area.argmax())
    return len(mask) // 2


def spread_slices(mask: np.ndarray, count: int) -> list[int]:
    """At most `count` slices of a (z, y, x) mask, evenly from the liver's first to its last, ends left out."""
    with_liver = np.flatnonzero((mask >= LIVER).any(axis=(1, 2)))
    first, last = (with_liver[0], with_liver[-1]) if len(with_liver) else (0, len(mask) - 1)
    places = np.linspace(first, last, count + 2)[1:-1].round().astype(int)
    return [int(z) for z in np.unique(places)]


@house_style()
def draw_gallery(slices: Sequence[AxialSlice], label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """One slice per case with the reference's labels, where there is one: liver as an outline, tumour filled.

    The window is 50 ± 200 HU, the aspect is true to the spacing, and the bar is 50 mm long. The data has a row per
    slice: case, z, liver_pixels (mask ≥ 1), tumor_pixels.
    """
    figure, panels = panel_grid(slices, axes)
    for ax, piece in zip(panels, slices, strict=True):
        show_slice(ax, piece, largest_mm(slices), "" if piece.reference is not None else ", no mask")
        if piece.reference is not None:
            outline(ax, piece.reference >= LIVER, LABEL_COLORS["liver"], 1.0)
            fill(ax, piece.reference == TUMOR, LABEL_COLORS["tumor"], 0.4)
            outline(ax, piece.reference == TUMOR, LABEL_COLORS["tumor"], 0.8)
    known = any(piece.reference is not None for piece in slices)
    keys = [patch_key(LABEL_COLORS["tumor"], "tumour"), line_key(LABEL_COLORS["liver"], "liver")]
    bottom_legend(figure, keys if known else [])
    masks = "with their reference masks" if known else "without reference masks"
    figure.suptitle(f"Slices {masks} · {label}", wrap=True)
    return Drawn(figure, _pixel_table(slices, ("reference",)))


@house_style()
def draw_prediction(slices: Sequence[AxialSlice], label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Slices of a case with outlines of the reference (blue) and the prediction (red): liver thin, tumour thick.

    The data has a row per slice: case, z, and for each of the two liver_pixels (mask ≥ 1) and tumor_pixels, named
    reference_liver_pixels and so on.
    """
    figure, panels = panel_grid(slices, axes)
    for ax, piece in zip(panels, slices, strict=True):
        show_slice(ax, piece, largest_mm(slices))
        for mask, color in ((piece.reference, REFERENCE), (piece.prediction, PREDICTION)):
            if mask is not None:
                outline(ax, mask >= LIVER, color, 0.7)
                outline(ax, mask == TUMOR, color, 1.4)
    bottom_legend(
        figure,
        [
            line_key(REFERENCE, "reference"),
            line_key(PREDICTION, "prediction"),
            line_key("none", "thin: liver, thick: tumour"),
        ],
    )
    figure.suptitle(f"Reference and prediction · {label}", wrap=True)
    return Drawn(figure, _pixel_table(slices, ("reference", "prediction")))


def _around(seen: np.ndarray, margin: float) -> slice:
    places = np.flatnonzero(seen)
    if not len(places):
        return slice(0, len(seen))
    first, last = math.floor(places[0] - margin), math.ceil(places[-1] + margin)
    return slice(max(first, 0), min(last + 1, len(seen)))


def _pixel_table(slices: Sequence[AxialSlice], masks: tuple[str, ...]) -> pd.DataFrame:
    rows = []
    for piece in slices:
        row: dict[str, object] = {"case": piece.case, "z": piece.z}
        for name in masks:
            mask = getattr(piece, name)
            prefix = "" if len(masks) == 1 else f"{name}_"
            row[f"{prefix}liver_pixels"] = None if mask is None else int((mask >= LIVER).sum())
            row[f"{prefix}tumor_pixels"] = None if mask is None else int((mask == TUMOR).sum())
        rows.append(row)
    return pd.DataFrame(rows)
