"""Dice at many thresholds at once, from one volume of probabilities, and which of them to take.

A component of tumour stays or goes as a whole. So a single labelling for each tumour threshold is enough: its
components' highest probabilities, sizes and shares of the reference give Dice at every component threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
from scipy import ndimage

from lits_toolkit.metrics.boxes import bounding_box
from lits_toolkit.metrics.lesions import find_lesions, give_prediction, shared_voxels
from lits_toolkit.metrics.overlap import Overlap
from lits_toolkit.metrics.surface import Spacing

TOLERANCE = 0.005
"""Dice by which settings of a plateau may lie below the best one: far less than a few cases can tell apart."""


@dataclass(frozen=True, eq=False)
class TumorSweep:
    """One case at T tumour thresholds and C component thresholds."""

    dice: np.ndarray
    """(T, C) float64: Dice of the case, 1 where reference and prediction are both empty."""
    false_alarms: np.ndarray
    """(T, C) int64: predicted lesions that share no voxel with the reference."""


def sweep_liver(probability: np.ndarray, reference: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Dice of the largest component above each threshold: (thresholds,) float64.

    What is above a threshold lies within what is above a lower one. So only the box of the largest component is looked
    at next, as long as what is found in it is larger than all that was left out.

    `probability` is (z, y, x) float32 and `reference` bool, both at the CT's own resolution; `thresholds` ascend.
    """
    voxels = int(np.count_nonzero(reference))
    whole = box = bounding_box(probability > thresholds[0])
    left_out = 0  # voxels, at most, of the largest component that may reach out of the box
    dice = []
    for threshold in thresholds:
        found = find_lesions(probability[box] > threshold)
        if box != whole and found.voxels.max(initial=0) <= left_out:
            box, left_out = whole, 0
            found = find_lesions(probability[box] > threshold)
        if not len(found):
            dice.append(Overlap(voxels, 0, 0).dice_per_case)
            continue
        largest = int(np.argmax(found.voxels))
        shared = np.count_nonzero(found.labels[reference[box]] == largest + 1)
        dice.append(Overlap(voxels, int(found.voxels[largest]), int(shared)).dice_per_case)
        left_out = max(left_out, int(np.delete(found.voxels, largest).max(initial=0)))
        z, y, x = (
            slice(outer.start + inner.start, outer.start + inner.stop)
            for outer, inner in zip(box, found.boxes[largest], strict=True)
        )
        box = z, y, x
    return np.array(dice)


def sweep_tumor(
    probability: np.ndarray,
    liver: np.ndarray,
    reference: np.ndarray,
    thresholds: Sequence[float],
    component_thresholds: Sequence[float],
) -> TumorSweep:
    """The scores that `cascade.find_tumor` and the metrics give at each pair of thresholds.

    `probability` is (z, y, x) float32, `liver` and `reference` (the tumours) bool, all at the CT's own resolution;
    `thresholds` ascend.
    """
    voxels = int(np.count_nonzero(reference))
    box = bounding_box(liver)
    probability = np.where(liver[box], probability[box], np.float32(0))
    # of the voxels above the threshold alone, which become ever fewer: place, probability, whether it is a tumour's
    places = np.flatnonzero(probability > thresholds[0])
    values, true = probability.ravel()[places], reference[box].ravel()[places]
    least = np.array(component_thresholds, np.float32)
    shape = len(thresholds), len(least)
    dice, false_alarms = np.full(shape, Overlap(voxels, 0, 0).dice_per_case), np.zeros(shape, np.int64)
    for row, threshold in enumerate(thresholds):
        above = values > threshold
        places, values, true = places[above], values[above], true[above]
        if not len(places):
            break
        labels, count = cc3d.connected_components(probability > threshold, connectivity=6, return_N=True)
        component = labels.ravel()[places] - 1
        highest = np.zeros(count, np.float32)
        np.maximum.at(highest, component, values)
        stays = highest[:, None] >= least
        shared = np.bincount(component[true], minlength=count)
        both = voxels + np.bincount(component, minlength=count) @ stays
        dice[row] = np.divide(2 * (shared @ stays), both, out=np.ones(len(least)), where=both > 0)
        false_alarms[row] = stays[shared == 0].sum(axis=0)
    return TumorSweep(dice, false_alarms)


def lesion_dice(reference: np.ndarray, prediction: np.ndarray, spacing_mm: Spacing) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (n,) int64 and Dice (n,) float64 of each lesion of a reference, as `metrics.lesions` scores them.

    `reference` and `prediction` are (z, y, x) bool, the tumours alone.
    """
    box = bounding_box(reference, prediction)
    expected, found = find_lesions(reference[box]), find_lesions(prediction[box])
    given = give_prediction(expected, found, spacing_mm)
    size = expected.voxels + np.bincount(given[given > 0], minlength=len(expected) + 1)[1:]
    return expected.voxels, 2 * shared_voxels(expected, found).sum(axis=1) / size


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


def _first(cost: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(np.argmin(cost), cost.shape))
