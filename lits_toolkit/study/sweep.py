"""Dice at many thresholds at once, from one volume of probabilities, and which of them to take.

A component of tumour stays or goes as a whole, and which reference lesions it is given to depends on no other one. So a
single labelling for each tumour threshold is enough: its components' highest probabilities, sizes and shares of the
lesions give the scores at every component threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse

from lits_toolkit.inference.postprocess import largest_component
from lits_toolkit.metrics.boxes import bounding_box
from lits_toolkit.metrics.lesions import Lesions, find_lesions, give_prediction, shared_voxels
from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.metrics.surface import Spacing

TOLERANCE = 0.005
"""Dice by which settings of a plateau may lie below the best one: far less than a few cases can tell apart."""


@dataclass(frozen=True, eq=False)
class TumorSweep:
    """One case at T tumour thresholds and C component thresholds."""

    dice: np.ndarray
    """(T, C) float64: Dice of the case, 1 where reference and prediction are both empty."""
    lesion_voxels: np.ndarray
    """(lesions of the reference,) int64."""
    lesion_dice: np.ndarray
    """(lesions, T, C) float64, 0 for a miss."""
    false_alarms: np.ndarray
    """(T, C) int64: predicted lesions that share no voxel with the reference."""


def sweep_liver(probability: np.ndarray, reference: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Dice of the largest component above each threshold: (thresholds,) float64.

    `probability` is (z, y, x) float32 and `reference` bool, both at the CT's own resolution.
    """
    box = bounding_box(reference, probability > min(thresholds))
    probability, reference = np.ascontiguousarray(probability[box]), reference[box]
    found = (largest_component(probability > threshold) for threshold in thresholds)
    return np.array([count_overlap(reference, mask).dice_per_case for mask in found])


def sweep_tumor(
    probability: np.ndarray,
    liver: np.ndarray,
    reference: np.ndarray,
    spacing_mm: Spacing,
    thresholds: Sequence[float],
    component_thresholds: Sequence[float],
) -> TumorSweep:
    """The scores that `cascade.find_tumor` and the metrics give at each pair of thresholds.

    `probability` is (z, y, x) float32, `liver` and `reference` (the tumours) bool, all at the CT's own resolution.
    """
    candidates = (probability > min(thresholds)) & liver
    box = bounding_box(reference, candidates)
    probability = np.where(candidates[box], probability[box], np.float32(0))
    expected = find_lesions(reference[box])
    least = np.array(component_thresholds, np.float32)
    shape = len(thresholds), len(least)
    dice, false_alarms = np.empty(shape), np.zeros(shape, np.int64)
    lesion_dice = np.zeros((len(expected), *shape))
    for row, threshold in enumerate(thresholds):
        found = find_lesions(probability > threshold)
        highest = ndimage.maximum(probability, found.labels, np.arange(1, len(found) + 1)) if len(found) else []
        stays = np.asarray(highest, np.float32)[:, None] >= least
        shared = shared_voxels(expected, found)
        hit = shared @ stays.astype(np.int64)
        given = _given_voxels(expected, found, spacing_mm) @ stays.astype(np.int64)
        whole = expected.voxels.sum() + found.voxels @ stays
        dice[row] = np.divide(2 * hit.sum(axis=0), whole, out=np.ones(len(least)), where=whole > 0)
        lesion_dice[:, row] = 2 * hit / (expected.voxels[:, None] + given)
        false_alarms[row] = stays[shared.sum(axis=0) == 0].sum(axis=0)
    return TumorSweep(dice, expected.voxels, lesion_dice, false_alarms)


def choose(dice: np.ndarray, default: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the setting to take: the one deepest inside the plateau around the best.

    A handful of validation cases has lone spikes, which other cases do not have. The plateau is all that is connected
    with the best setting, one step of one threshold at a time, and lies at most TOLERANCE below it and nowhere below
    the default: on these cases what is chosen is never worse than the default, and nor are its neighbours. Of equally
    deep ones it is the one of the highest Dice, then the one nearest to the default.

    `dice` is of any number of axes, a threshold along each, NaN for what is not to be chosen.
    """
    distance = np.abs(np.indices(dice.shape) - np.reshape(default, (-1, *dice.ndim * [1]))).sum(axis=0)
    best = _first(np.where(dice == np.nanmax(dice), distance, np.inf))
    good = dice >= max(dice[best] - TOLERANCE, dice[default])
    labels, _ = ndimage.label(good)
    plateau = np.pad(labels == labels[best], 1)
    depth = ndimage.distance_transform_cdt(plateau, "taxicab")[dice.ndim * (slice(1, -1),)]
    deepest = depth == depth.max()
    highest = deepest & (dice == dice[deepest].max())
    return _first(np.where(highest, distance, np.inf))


def _given_voxels(expected: Lesions, found: Lesions, spacing_mm: Spacing) -> sparse.csr_array:
    """(reference lesions, predicted lesions): voxels of the one that are given to the other."""
    given = give_prediction(expected, found, spacing_mm)
    where = given > 0
    pairs = given[where].astype(np.int64) - 1, found.labels[where].astype(np.int64) - 1
    return sparse.coo_array(
        (np.ones(len(pairs[0]), np.int64), pairs), shape=(len(expected), len(found))
    ).tocsr()  # adds up what falls on one place


def _first(cost: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(np.argmin(cost), cost.shape))
