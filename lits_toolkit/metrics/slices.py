"""The masks of a case slice by slice: areas, Dice, and the worst slice."""

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.metrics.boxes import bounding_box
from lits_toolkit.metrics.surface import Spacing


def slice_areas(mask: np.ndarray, axis: int, spacing_mm: Spacing) -> np.ndarray:
    """(slices, 2) float32: area of the liver (mask ≥ 1) and of the tumour, in mm², in each slice along an axis."""
    height, width = (spacing for other, spacing in enumerate(spacing_mm) if other != axis)
    return (_count(axis, mask) * (height * width)).astype(np.float32)


def slice_dice(reference: np.ndarray, prediction: np.ndarray, axis: int) -> np.ndarray:
    """(slices, 2) float32: Dice of the liver and of the tumour in each slice along an axis; NaN where both lack it."""
    common = np.minimum(reference, prediction)  # is at least a label where both are
    total = _count(axis, reference) + _count(axis, prediction)
    with np.errstate(invalid="ignore"):
        return (2 * _count(axis, common) / total).astype(np.float32)


def worst_slice(reference: np.ndarray, prediction: np.ndarray, axis: int = 0) -> int | None:
    """Where the tumour's Dice is lowest, and of equal slices the one with the most tumour; None without any tumour."""
    dice = slice_dice(reference, prediction, axis)[:, 1]
    if np.isnan(dice).all():
        return None
    tumor = (_count(axis, reference) + _count(axis, prediction))[:, 1]
    return int(np.lexsort((-tumor, dice))[0])  # NaN comes last


def _count(axis: int, mask: np.ndarray) -> np.ndarray:
    """(slices, 2) int64: voxels of the liver and of the tumour in each slice."""
    others = tuple(other for other in range(3) if other != axis)
    box = bounding_box(mask)
    counts = np.zeros((mask.shape[axis], 2), np.int64)
    for column, label in enumerate((LIVER, TUMOR)):
        counts[box[axis], column] = np.count_nonzero(mask[box] >= label, axis=others)
    return counts
