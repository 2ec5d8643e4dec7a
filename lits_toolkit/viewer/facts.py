"""What the slice browser knows about the masks on a case: its lesions one by one, and where the two differ."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from lits_toolkit.data.case import TUMOR
from lits_toolkit.metrics.boxes import Box, bounding_box
from lits_toolkit.metrics.lesions import Lesions, find_lesions, score_lesions, size_group
from lits_toolkit.metrics.surface import Spacing, border, require_spacing

Voxel = tuple[int, int, int]
Ends = tuple[int, int]

COMMON, MISSED, EXCESS = 1, 2, 3
"""What `error_mask` calls a voxel of tumour: in both masks, in the reference only, in the prediction only."""


@dataclass(frozen=True)
class LesionRow:
    """A lesion of the reference with what became of it, or a predicted one that is none."""

    fate: str
    """"hit", "miss" or "false alarm"; "lesion" where reference or prediction is lacking."""
    number: int
    """From 1: the reference's lesions in their own order, then the false alarms."""
    voxels: int
    volume_ml: float
    size_group: str
    dice: float | None
    """Of the lesion and the prediction that is given to it (`metrics.lesions`); None where there is no such pair."""
    distance_mm: float | None
    """Of a hit the mean distance of its surface and that of the prediction given to it (ASSD); of a miss or a false
    alarm the smallest distance to a lesion of the other mask, None where that has none."""
    voxel: Voxel
    """(z, y, x) of a voxel inside: in the axial slice of its largest area, the nearest to the middle of it there."""
    box: tuple[Ends, Ends, Ends]
    """First and last + 1 along (z, y, x)."""


def lesion_rows(reference: np.ndarray | None, prediction: np.ndarray | None, spacing_mm: Spacing) -> list[LesionRow]:
    """The lesions of a case one by one, the reference's first; of two masks what became of each.

    Args:
        reference: (z, y, x) mask with 0, 1 (liver) and 2 (tumour); None where no expert drew one.
        prediction: Likewise, on the same grid.
        spacing_mm: Distance of neighbouring voxels along (z, y, x).

    Raises:
        GeometryError: The masks differ in shape, or a spacing is not positive.
    """
    require_spacing(spacing_mm)
    tumors = [mask == TUMOR for mask in (reference, prediction) if mask is not None]
    if not tumors:
        return []
    box = bounding_box(*tumors)
    lesions = [find_lesions(tumor[box]) for tumor in tumors]
    if len(lesions) == 1:
        rows = [_row(lesions[0], index, index + 1, "lesion", spacing_mm) for index in range(len(lesions[0]))]
    else:
        rows = list(_rows_of_pair(lesions[0], lesions[1], spacing_mm))
    return [_moved(row, box) for row in rows]


def error_mask(reference: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """(z, y, x) uint8: `COMMON`, `MISSED` or `EXCESS` where a mask has tumour, 0 elsewhere."""
    errors = np.zeros(reference.shape, np.uint8)
    errors[reference == TUMOR] = MISSED
    found = prediction == TUMOR
    errors[found] = np.where(errors[found] == MISSED, COMMON, EXCESS)
    return errors


def _rows_of_pair(expected: Lesions, found: Lesions, spacing_mm: Spacing) -> Iterator[LesionRow]:
    to_found, to_expected = _Surface(found, spacing_mm), _Surface(expected, spacing_mm)
    for number, score in enumerate(score_lesions(expected, found, spacing_mm), start=1):
        index = score.lesion - 1
        if score.kind == "false alarm":
            yield _row(found, index, number, "false alarm", spacing_mm, None, to_expected.nearest_mm(found, index))
        elif not score.detected:
            yield _row(expected, index, number, "miss", spacing_mm, 0.0, to_found.nearest_mm(expected, index))
        else:
            yield _row(expected, index, number, "hit", spacing_mm, score.dice, score.assd_mm)


def _row(
    lesions: Lesions,
    index: int,
    number: int,
    fate: str,
    spacing_mm: Spacing,
    dice: float | None = None,
    distance_mm: float | None = None,
) -> LesionRow:
    box, voxels = lesions.boxes[index], int(lesions.voxels[index])
    z, y, x = _middle(lesions.labels[box] == index + 1, spacing_mm)
    return LesionRow(
        fate,
        number,
        voxels,
        voxels * float(np.prod(spacing_mm)) / 1000,
        size_group(voxels),
        dice,
        distance_mm,
        (z + box[0].start, y + box[1].start, x + box[2].start),
        _ends(box),
    )


def _middle(lesion: np.ndarray, spacing_mm: Spacing) -> Voxel:
    z = int(np.count_nonzero(lesion, axis=(1, 2)).argmax())
    inside = np.argwhere(lesion[z])
    y, x = inside[(((inside - inside.mean(axis=0)) * spacing_mm[1:]) ** 2).sum(axis=1).argmin()]
    return z, int(y), int(x)


def _moved(row: LesionRow, into: Box) -> LesionRow:
    """The row of a lesion that was found in a box of the array, with its places in the array."""
    start = [side.start for side in into]
    z, y, x = (place + first for place, first in zip(row.voxel, start, strict=True))
    ends = [(low + first, high + first) for (low, high), first in zip(row.box, start, strict=True)]
    return replace(row, voxel=(z, y, x), box=(ends[0], ends[1], ends[2]))


def _ends(box: Box) -> tuple[Ends, Ends, Ends]:
    z, y, x = ((side.start, side.stop) for side in box)
    return z, y, x


class _Surface:
    """The surface of all lesions of a mask, to measure distances to. Made when it is first asked for."""

    def __init__(self, lesions: Lesions, spacing_mm: Spacing) -> None:
        self._lesions = lesions
        self._spacing_mm = spacing_mm

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(np.argwhere(border(self._lesions.labels)) * np.asarray(self._spacing_mm, float))

    def nearest_mm(self, others: Lesions, index: int) -> float | None:
        """The smallest distance from a lesion of the other mask; None where there is no lesion here."""
        if not len(self._lesions):
            return None
        box = others.boxes[index]
        voxels = np.argwhere(border(others.labels[box] == index + 1)) + [side.start for side in box]
        points = voxels * np.asarray(self._spacing_mm, float)
        first, _ = self._tree.query(points[0])  # no other need be searched farther
        return float(min(first, self._tree.query(points, distance_upper_bound=first)[0].min()))
