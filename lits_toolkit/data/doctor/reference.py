"""What a mask says by itself: its labels, its lesions, and how its grid relates to the CT's."""

from dataclasses import dataclass

import cc3d
import numpy as np

from lits_toolkit.data.case import BACKGROUND, LIVER, TUMOR, Grid, Note
from lits_toolkit.data.reading import AFFINE_TOLERANCE_MM, LABEL_TOLERANCE


@dataclass(frozen=True, eq=False)
class Labels:
    """A mask's labels, and what is to be said about them."""

    mask: np.ndarray | None
    """uint8 in the file's own order; None where the labels are not 0, 1 and 2."""
    notes: list[Note]


def read_labels(voxels: np.ndarray) -> Labels:
    """Stored voxels of a mask as labels 0, 1, 2, those within 1e-3 of them rounded."""
    rounded, off = voxels, np.zeros(0, bool)
    notes = []
    if voxels.dtype.kind == "f":
        rounded = np.rint(voxels)
        apart = np.abs(voxels - rounded)
        off = ~(apart <= LABEL_TOLERANCE)  # NaN is off too
        if off.any():
            text = f"{np.count_nonzero(off)} labels are no integers, the first {voxels[off][0]:g}"
            notes.append(Note("labels-not-integer", text))
            rounded = rounded[~off]
        elif apart.any():
            notes.append(Note("labels-rounded", f"{np.count_nonzero(apart)} labels are off by up to {apart.max():.1g}"))
    found = np.unique(rounded)
    strange = [f"{label:g}" for label in found if label not in (BACKGROUND, LIVER, TUMOR)]
    if strange:
        notes.append(Note("labels-unknown", f"expected the labels 0, 1 and 2, found {', '.join(strange[:10])}"))
    elif LIVER not in found:
        there = "only tumour (2)" if TUMOR in found else "neither liver (1) nor tumour (2)"
        notes.append(Note("no-liver", f"expected liver (1), found {there}"))
    usable = not off.any() and not strange
    return Labels(rounded.astype(np.uint8) if usable else None, notes)


def place(labels: np.ndarray, own: Grid, ct: Grid) -> tuple[np.ndarray | None, list[Note]]:
    """The mask as (z, y, x) on the CT's axial grid, and a note where its own grid is not the CT's.

    Grids that differ only in the order or direction in which voxels are stored are brought together exactly. With
    the CT's shape but another affine, the mask is put onto the CT voxel by voxel, to be judged there by the HU.
    """
    if own.shape == ct.shape and _apart(own.affine, ct.affine) <= AFFINE_TOLERANCE_MM:
        return ct.to_axial(labels), []
    if covers_the_same(own, ct):
        text = f"stored as {own.orientation}, the CT as {ct.orientation}; both cover the same voxels"
        return own.to_axial(labels), [Note("mask-geometry", text)]
    if own.shape != ct.shape:
        return None, [Note("mask-shape", f"expected the CT's shape {ct.shape}, found {own.shape}")]
    text = f"its affine differs from the CT's by up to {_apart(own.affine, ct.affine):.3g} mm"
    return ct.to_axial(labels), [Note("mask-geometry", text)]


def covers_the_same(own: Grid, ct: Grid) -> bool:
    """Whether two grids have the same voxels in the same places, in whatever order they are stored."""
    return own.axial_shape == ct.axial_shape and _apart(own.axial_affine, ct.axial_affine) <= AFFINE_TOLERANCE_MM


def check_mask(mask: np.ndarray) -> list[Note]:
    """Notes on a (z, y, x) mask of labels 0, 1, 2: is the liver cut, does a lesion lie outside it?"""
    notes: list[Note] = []
    if not (mask == LIVER).any():
        return notes
    cut = [name for name, plane in (("first", mask[0]), ("last", mask[-1])) if plane.any()]
    if cut:
        notes.append(Note("liver-cut", f"the liver reaches the {' and the '.join(cut)} slice"))
    outside = lesions_outside_liver(mask)
    if outside:
        z, y, x = outside[0][1]
        text = f"{len(outside)} lesions touch no liver, the largest of {outside[0][0]} voxels"
        notes.append(Note("tumor-outside-liver", f"{text} at slice {z}, row {y}, column {x}"))
    return notes


def lesions_outside_liver(mask: np.ndarray) -> list[tuple[int, tuple[int, int, int]]]:
    """Size in voxels and the first voxel (z, y, x) of each lesion of which no face touches liver, largest first."""
    tumor = mask == TUMOR
    if not tumor.any():
        return []
    spans = [np.flatnonzero(tumor.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(max(0, span[0] - 1), span[-1] + 2) for span in spans)
    lesions, count = cc3d.connected_components(np.ascontiguousarray(tumor[box]), connectivity=6, return_N=True)
    liver = mask[box] == LIVER
    touching = np.zeros(count + 1, bool)
    for axis in range(3):
        first, second = _pairs(axis)
        touching[lesions[first][liver[second]]] = True
        touching[lesions[second][liver[first]]] = True
    outside = []
    for number in np.flatnonzero(~touching[1:]) + 1:
        voxels = np.argwhere(lesions == number)
        z, y, x = voxels[0] + [part.start for part in box]
        outside.append((len(voxels), (int(z), int(y), int(x))))
    return sorted(outside, reverse=True)


def _pairs(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The two halves of every pair of neighbours along an axis."""
    first, second = [slice(None)] * 3, [slice(None)] * 3
    first[axis], second[axis] = slice(None, -1), slice(1, None)
    return tuple(first), tuple(second)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())
