"""Lesions one by one: their sizes, and how well each one is found.

A lesion is a component of the tumour region whose voxels touch by their faces. **Dice by size group**, like every other
measure of a lesion, scores each reference lesion by itself, however the prediction connects them: its prediction is
all voxels of the predicted lesions that overlap it. Where a predicted lesion overlaps several reference lesions, each
of its voxels goes to the nearest of those, by the distance in mm to the nearest voxel of the lesion, and to the lower
number where two are equally near. A lesion without overlap is a miss with Dice 0, VOE 1, RVD −1 and no distance; a
predicted lesion that overlaps no reference lesion is a false alarm, which has a size but no measure.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import cc3d
import edt
import numpy as np
from scipy import ndimage, sparse

from lits_toolkit.metrics.boxes import Box, bounding_box, joint_box, require_one_shape
from lits_toolkit.metrics.overlap import Overlap
from lits_toolkit.metrics.surface import Spacing, require_spacing, surface_distances

SIZE_GROUPS = ("small", "medium", "large")
"""Below 1000 voxels, from 1000 to 10 000, and above, at the CT's own resolution."""

_TIE_MM = 1e-3
"""Distances that differ by less are equal: above the rounding of float32, below any voxel."""
_BLOCK = 8
"""Voxels of the side of a block: as coarsely is told where a lesion may be the nearest."""


@dataclass(frozen=True, eq=False)
class Lesions:
    """The lesions of one tumour region, numbered from 1 in the order of their first voxel; row n-1 is lesion n."""

    labels: np.ndarray
    """(z, y, x) unsigned: the lesion's number, 0 outside."""
    voxels: np.ndarray
    """(n,) int64."""
    centroids: np.ndarray
    """(n, 3) float64, (z, y, x) in voxels."""
    boxes: list[Box]

    def __len__(self) -> int:
        return len(self.voxels)


@dataclass(frozen=True)
class LesionScore:
    """How well one reference lesion is found, or the size of a predicted one that is none."""

    kind: Literal["reference", "false alarm"]
    lesion: int
    """Its number in its own mask, from 1."""
    voxels: int
    """Its own size."""
    matched_voxels: int
    """The size of the prediction that is given to it; 0 for a miss and for a false alarm."""
    intersection_voxels: int
    """Voxels of it that are predicted."""
    centroid: tuple[float, float, float]
    """(z, y, x) in voxels."""
    assd_mm: float = math.nan
    """Average symmetric distance of its surface and that of the prediction given to it; NaN for a miss, an alarm."""
    rmsd_mm: float = math.nan
    """Root mean square distance, likewise."""
    mssd_mm: float = math.nan
    """Maximum distance, likewise."""

    @property
    def size_group(self) -> str:
        """By its own size."""
        return size_group(self.voxels)

    @property
    def overlap(self) -> Overlap:
        """Of the lesion and the prediction given to it; of nothing for a false alarm, whose measures are NaN."""
        if self.kind == "false alarm":
            return Overlap(0, 0, 0)
        return Overlap(self.voxels, self.matched_voxels, self.intersection_voxels)

    @property
    def dice(self) -> float:
        """Of the lesion and the prediction that is given to it: 0 for a miss; NaN for a false alarm."""
        return self.overlap.dice

    @property
    def detected(self) -> bool:
        """Whether any voxel of this reference lesion is predicted."""
        return self.intersection_voxels > 0


def size_group(voxels: float) -> str:
    """The size group of a lesion.

    Examples:
        >>> [size_group(voxels) for voxels in (999, 1000, 10_000, 10_001)]
        ['small', 'medium', 'medium', 'large']
    """
    if voxels < 1000:
        return "small"
    return "medium" if voxels <= 10_000 else "large"


def find_lesions(tumor: np.ndarray) -> Lesions:
    """Number the lesions of a tumour region: its components by face neighbours (6).

    Args:
        tumor: (z, y, x) of any dtype; what is not 0 is tumour.
    """
    if not tumor.size:  # cc3d refuses an array without voxels
        return Lesions(np.zeros(tumor.shape, np.uint16), np.zeros(0, np.int64), np.zeros((0, 3)), [])
    labels = cc3d.connected_components(np.ascontiguousarray(tumor, bool), connectivity=6)
    statistics = cc3d.statistics(labels)
    return Lesions(
        labels=labels,
        voxels=statistics["voxel_counts"][1:].astype(np.int64),
        centroids=statistics["centroids"][1:].astype(float),
        boxes=statistics["bounding_boxes"][1:],
    )


def scan_order(labels: np.ndarray) -> np.ndarray:
    """(n,) the numbers of the lesions in the order of their first voxel, the last axis of `labels` fastest."""
    numbers, first = np.unique(labels[labels > 0], return_index=True)
    return numbers[np.argsort(first)]


def renumber(lesions: Lesions, order: np.ndarray) -> Lesions:
    """The same lesions under other numbers: `order[n-1]`, each number of `lesions` once, becomes lesion n."""
    number = np.zeros(len(lesions) + 1, lesions.labels.dtype)
    number[order] = np.arange(1, len(lesions) + 1)
    index = order.astype(int) - 1
    boxes = [lesions.boxes[old] for old in index]
    return Lesions(number[lesions.labels], lesions.voxels[index], lesions.centroids[index], boxes)


def score_lesions(expected: Lesions, found: Lesions, spacing_mm: Spacing) -> list[LesionScore]:
    """Score every reference lesion by itself, and list the false alarms after them.

    Args:
        expected: The lesions of the reference.
        found: The lesions of the prediction, on the same voxel grid.
        spacing_mm: Distance of neighbouring voxels along (z, y, x).

    Raises:
        GeometryError: The two differ in shape, or a spacing is not positive.
    """
    require_spacing(spacing_mm)
    shared = shared_voxels(expected, found)
    given = give_prediction(expected, found, spacing_mm)
    given_boxes = ndimage.find_objects(given, max_label=len(expected)) if len(expected) else []
    intersections = shared.sum(axis=1)
    scores = []
    for index, given_box in enumerate(given_boxes):
        score = LesionScore(
            "reference",
            lesion=index + 1,
            voxels=int(expected.voxels[index]),
            matched_voxels=0,
            intersection_voxels=int(intersections[index]),
            centroid=_point(expected.centroids[index]),
        )
        if given_box is not None:
            box = joint_box(expected.boxes[index], given_box)
            mine = given[box] == index + 1
            distances = surface_distances(expected.labels[box] == index + 1, mine, spacing_mm)
            score = replace(
                score,
                matched_voxels=int(np.count_nonzero(mine)),
                assd_mm=distances.assd_mm,
                rmsd_mm=distances.rmsd_mm,
                mssd_mm=distances.mssd_mm,
            )
        scores.append(score)
    false_alarms = [
        LesionScore("false alarm", int(index) + 1, int(found.voxels[index]), 0, 0, _point(found.centroids[index]))
        for index in np.flatnonzero(shared.sum(axis=0) == 0)
    ]
    return scores + false_alarms


def shared_voxels(expected: Lesions, found: Lesions) -> sparse.csr_array:
    """Count the voxels that each reference lesion shares with each predicted one.

    Returns:
        (reference lesions, predicted lesions) int64, sparse; row and column n-1 belong to lesion n.

    Raises:
        GeometryError: The two differ in shape.
    """
    require_one_shape(expected.labels, found.labels)
    both = (expected.labels > 0) & (found.labels > 0)
    pairs = expected.labels[both].astype(np.int64) - 1, found.labels[both].astype(np.int64) - 1
    counted = sparse.coo_array((np.ones(len(pairs[0]), np.int64), pairs), shape=(len(expected), len(found)))
    return counted.tocsr()  # adds up what falls on one place


def give_prediction(expected: Lesions, found: Lesions, spacing_mm: Spacing) -> np.ndarray:
    """Give each voxel of the predicted lesions that overlap a reference lesion to one of those, as told above.

    Returns:
        (z, y, x) unsigned: the number of the reference lesion that the voxel is given to, 0 where it is to none.

    Raises:
        GeometryError: The two differ in shape.
    """
    given = np.zeros(found.labels.shape, expected.labels.dtype)
    touched = shared_voxels(expected, found).tocsc()
    for number in np.flatnonzero(np.diff(touched.indptr)).tolist():
        rivals = touched.indices[touched.indptr[number] : touched.indptr[number + 1]]
        box = found.boxes[number]
        predicted = found.labels[box] == number + 1
        if len(rivals) == 1:
            given[box][predicted] = rivals[0] + 1
        else:
            given[box][predicted] = _nearest(expected, found, number, np.sort(rivals), spacing_mm)
    return given


def _nearest(expected: Lesions, found: Lesions, number: int, rivals: np.ndarray, spacing_mm: Spacing) -> np.ndarray:
    """For each voxel of one predicted lesion, in C order, the number of the rival that lies nearest.

    One transform gives the distance to whichever is nearest; each rival's own is then taken only where it may be that.
    """
    box = joint_box(found.boxes[number], *(expected.boxes[rival] for rival in rivals))
    predicted = found.labels[box] == number + 1
    labels = expected.labels[box]
    is_rival = np.zeros(len(expected) + 1, bool)
    is_rival[rivals + 1] = True
    least_mm = edt.edt(~is_rival[labels], anisotropy=spacing_mm) + np.float32(_TIE_MM)
    farthest_mm = _highest_in_blocks(np.where(predicted, least_mm, np.float32(0)))
    nearest = np.zeros(labels.shape, labels.dtype)
    for rival in rivals:
        part = _reach(expected.boxes[rival], box, farthest_mm, spacing_mm)
        near = edt.edt(labels[part] != rival + 1, anisotropy=spacing_mm) <= least_mm[part]
        nearest[part][near & (nearest[part] == 0)] = rival + 1
    return nearest[predicted]


def _highest_in_blocks(values: np.ndarray) -> np.ndarray:
    for axis, side in enumerate(values.shape):
        values = np.maximum.reduceat(values, np.arange(0, side, _BLOCK), axis=axis)
    return values


def _reach(rival: Box, box: Box, farthest_mm: np.ndarray, spacing_mm: Spacing) -> Box:
    """The part of `box`, in blocks, that holds a lesion and every voxel to which it may be nearest.

    It is nearest to none in a block that lies farther from the lesion's own box than `farthest_mm`, the greatest
    distance there of a voxel from the lesion nearest to it.
    """
    gaps = []
    for own, whole, blocks, step_mm in zip(rival, box, farthest_mm.shape, spacing_mm, strict=True):
        first = whole.start + _BLOCK * np.arange(blocks)
        gaps.append(step_mm * np.maximum(0, np.maximum(own.start - (first + _BLOCK - 1), first - (own.stop - 1))))
    z, y, x = np.ix_(*gaps)
    reached = bounding_box(z**2 + y**2 + x**2 <= farthest_mm**2)
    deep, high, wide = (slice(_BLOCK * side.start, _BLOCK * side.stop) for side in reached)
    return deep, high, wide


def _point(zyx: np.ndarray) -> tuple[float, float, float]:
    return float(zyx[0]), float(zyx[1]), float(zyx[2])
