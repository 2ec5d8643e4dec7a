"""What several networks find in the same slices, beside each other (Figures 4.5 and 4.6 of the dissertation)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.data.reading import read_case, read_mask
from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.panels import (
    AxialSlice,
    around_inches,
    bottom_legend,
    fill,
    largest_mm,
    line_key,
    name_panel,
    outline,
    panel_inches,
    patch_key,
    show_slice,
)
from lits_toolkit.figures.slices import busiest_slice, take_slice
from lits_toolkit.figures.style import INK, LABEL_COLORS, PREDICTION, REFERENCE, house_style
from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.study.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Example:
    """What one network finds in one slice."""

    network: str
    method: str
    """The run or folder of masks by which it is known; "" where there is none."""
    piece: AxialSlice
    note: str = ""
    """Why there is no prediction, where there is none."""


def take_examples(results: Results, networks: Sequence[str], cases: Sequence[str]) -> list[Example]:
    """Of each case its slice with the most tumour, once for each network, without prediction where it has none.

    InputError where a case is not among the results, or no CT lies beside the references.
    """
    files = {case.name: case for case in results.files}
    missing = [name for name in cases if name not in files]
    if missing:
        raise InputError(f"no CT of {', '.join(missing)} among the results: give their folder as volumes")
    shown = {network: _with_masks(results, network) for network in networks}
    found = []
    for name in cases:
        case = read_case(files[name])
        z = busiest_slice(case)
        for network in networks:
            method, masks = shown[network]
            mask, note = (read_mask(masks[name]), "") if masks else (None, results.why_none(network))
            found.append(Example(network, method, take_slice(case, z, mask, margin_mm=15.0), note))
    return found


@house_style()
def draw_side_by_side(examples: Sequence[Example], label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """A row for each case, a column for each network: the reference's tumour filled blue, the predicted outlined red.

    `examples` come from `take_examples`. The data has a row per panel: case, z, network, method, note,
    reference_pixels, prediction_pixels (-1 without a prediction), dice of the two in that slice (NaN). Raises
    InputError without any.
    """
    if not examples:
        raise InputError("there is no example to draw: expected at least one")
    networks = list(dict.fromkeys(example.network for example in examples))
    pieces = [example.piece for example in examples]
    rows, size_mm = len(examples) // len(networks), largest_mm(pieces)
    height, width = panel_inches(pieces, len(networks))
    inches = (width * len(networks), height * rows + around_inches(2))
    figure, panels = use_axes(axes, len(examples), rows=rows, columns=len(networks), inches=inches)
    for place, (ax, example) in enumerate(zip(panels, examples, strict=True)):
        piece = example.piece
        show_slice(ax, piece, size_mm)
        if piece.reference is not None:
            outline(ax, piece.reference >= LIVER, LABEL_COLORS["liver"], 0.7)
            fill(ax, piece.reference == TUMOR, REFERENCE, 0.55)
        if piece.prediction is not None:
            outline(ax, piece.prediction == TUMOR, PREDICTION, 1.2)
        else:
            ax.text(
                0.5, 0.94, example.note, ha="center", va="top", color="white", transform=ax.transAxes,
                bbox={"facecolor": INK, "alpha": 0.7, "edgecolor": "none"},
            )  # fmt: skip
        if place < len(networks):
            name_panel(ax, f"{example.network}\n{ax.get_title()}")
    bottom_legend(
        figure,
        [
            line_key(LABEL_COLORS["liver"], "liver"),
            patch_key(REFERENCE, "tumour of the reference"),
            line_key(PREDICTION, "predicted tumour"),
        ],
    )
    figure.suptitle(f"The same slices by several networks · {label}", wrap=True)
    return Drawn(figure, pd.DataFrame([_row(example) for example in examples]))


def _with_masks(results: Results, network: str) -> tuple[str, dict[str, Path]]:
    """The first method of a network whose masks are there, and these by case."""
    for method, own in results.networks.items():
        if own == network and (masks := results.masks(method)):
            return method, masks
    return "", {}


def _row(example: Example) -> Mapping[str, object]:
    piece = example.piece
    row = {"case": piece.case, "z": piece.z, "network": example.network, "method": example.method, "note": example.note}
    expected = piece.reference == TUMOR if piece.reference is not None else None
    if expected is None or piece.prediction is None:
        pixels = -1 if expected is None else int(expected.sum())
        return row | {"reference_pixels": pixels, "prediction_pixels": -1, "dice": float("nan")}
    found = piece.prediction == TUMOR
    overlap = count_overlap(expected[None], found[None])
    return row | {
        "reference_pixels": int(expected.sum()),
        "prediction_pixels": int(found.sum()),
        "dice": overlap.dice_per_case,
    }
