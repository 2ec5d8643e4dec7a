"""What a single HU threshold can do, beside which a network has to show its worth.

A baseline marks as tumour what lies below (or above) one HU threshold inside the *reference* liver, cleans it by an
opening, and drops small components; before all that it may smooth. Given the very cases it is scored on to tune on,
its Dice is an upper bound that no threshold chosen beforehand reaches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter

from lits_toolkit.data.case import LIVER, TUMOR, Case
from lits_toolkit.errors import InputError
from lits_toolkit.metrics.boxes import bounding_box, require_one_shape
from lits_toolkit.metrics.lesions import find_lesions
from lits_toolkit.metrics.surface import Spacing, require_spacing

NO_SMOOTHING = (0.0,)
SMOOTHINGS_MM = (1.0, 1.5, 2.0, 3.0, 4.5)
"""Standard deviations of the Gaussian that the smoothed baseline chooses from."""
OPENINGS_MM = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
"""Radii of the ball that opens the mask; one below the spacing does nothing."""
MINIMUM_ML = (0.0, *np.geomspace(0.01, 30, 36).round(3).tolist())
"""Sizes below which a component is dropped."""

_COARSE_SHARES = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.5)
"""Shares of the liver beyond the threshold with which the search begins."""
_STEPS_HU = (8.0, 4.0, 2.0, 1.0, 0.5)


@dataclass(frozen=True)
class Baseline:
    """One threshold and its cleaning."""

    side: Literal["below", "above"]
    """Whether tumour is what lies below or above the threshold; the threshold itself is tumour."""
    threshold_hu: float
    smoothing_mm: float = 0.0
    """Standard deviation of a Gaussian over the liver alone, so that fat beside it does not darken its edge."""
    opening_mm: float = 0.0
    """Radius of a ball."""
    minimum_ml: float = 0.0
    """Components (face neighbours) smaller than this are dropped."""
    tuning_dice: float = float("nan")
    """Mean tumour Dice per case on the cases it was tuned on."""


def best_threshold(cases: Sequence[Case], smoothings_mm: Sequence[float] = NO_SMOOTHING) -> Baseline:
    """Search the baseline with the highest mean tumour Dice per case.

    Every setting is tried coarsely, on both sides, with every minimum size; from the best of each side the search
    climbs in ever smaller steps of the threshold, to neighbouring openings and smoothings, until nothing gains.

    Args:
        cases: The cases to tune on, with their references.
        smoothings_mm: The smoothings to choose from, ascending: NO_SMOOTHING or SMOOTHINGS_MM.

    Raises:
        InputError: There is no case, a case has no reference, or no reference has a liver.
    """
    livers = [_Liver.of(case) for case in cases]
    if not any(liver.inside.any() for liver in livers):
        raise InputError(f"a threshold is tuned on cases with a reference liver; found none in {len(cases)} cases")
    smoothed = cache(lambda sigma: [_smooth(liver.hu, liver.inside, liver.spacing_mm, sigma) for liver in livers])

    @cache
    def tried(baseline: Baseline) -> Baseline:
        """The baseline with its best minimum size."""
        pairs = zip(smoothed(baseline.smoothing_mm), livers, strict=True)
        dice = np.mean([_dice_by_minimum(_opened(baseline, hu, liver), liver) for hu, liver in pairs], axis=0)
        best = int(dice.argmax())
        return replace(baseline, minimum_ml=MINIMUM_ML[best], tuning_dice=float(dice[best]))

    found = []
    for side in ("below", "above"):
        starts = []
        for sigma in smoothings_mm[::2]:
            values = np.concatenate([hu[liver.inside] for hu, liver in zip(smoothed(sigma), livers, strict=True)])
            shares = _COARSE_SHARES if side == "below" else 1 - np.array(_COARSE_SHARES)
            thresholds = np.unique(np.quantile(values, shares).round())
            starts += [
                tried(Baseline(side, float(threshold), sigma, opening))
                for threshold, opening in product(thresholds, OPENINGS_MM[::3])
            ]
        best = max(starts, key=_tuning_dice)
        for step in _STEPS_HU:
            while (neighbor := max(map(tried, _neighbors(best, step, smoothings_mm)), key=_tuning_dice)) != best:
                if neighbor.tuning_dice <= best.tuning_dice:
                    break
                best = neighbor
        found.append(best)
    return max(found, key=_tuning_dice)


def apply_baseline(baseline: Baseline, volume: np.ndarray, reference: np.ndarray, spacing_mm: Spacing) -> np.ndarray:
    """The mask of a baseline, with the reference's liver as its liver.

    Args:
        baseline: What `best_threshold` found.
        volume: (z, y, x) HU.
        reference: (z, y, x) mask of the expert, of which only the liver (mask ≥ 1) is used.
        spacing_mm: Distance of neighbouring voxels along (z, y, x).

    Returns:
        (z, y, x) uint8 mask: 0 background, 1 liver, 2 tumour.

    Raises:
        GeometryError: Volume and reference differ in shape, or a spacing is not positive.
    """
    liver = _Liver.cut(volume, reference, spacing_mm)
    hu = _smooth(liver.hu, liver.inside, spacing_mm, baseline.smoothing_mm)
    lesions = find_lesions(_opened(baseline, hu, liver))
    kept = np.append(False, lesions.voxels * liver.voxel_ml >= baseline.minimum_ml)
    mask = (reference >= LIVER).astype(np.uint8)
    mask[bounding_box(reference)][kept[lesions.labels]] = TUMOR
    return mask


@dataclass(frozen=True, eq=False)
class _Liver:
    """A case cut to the box around its liver."""

    hu: np.ndarray
    inside: np.ndarray
    tumor: np.ndarray
    spacing_mm: Spacing

    @classmethod
    def of(cls, case: Case) -> "_Liver":
        if case.reference is None:
            raise InputError(f"{case.name} has no reference, which a threshold is tuned on")
        return cls.cut(case.volume, case.reference, case.spacing_mm)

    @classmethod
    def cut(cls, volume: np.ndarray, reference: np.ndarray, spacing_mm: Spacing) -> "_Liver":
        require_one_shape(reference, volume)
        require_spacing(spacing_mm)
        box = bounding_box(reference)
        mask = reference[box]
        return cls(volume[box].astype(np.float32), mask >= LIVER, mask == TUMOR, spacing_mm)

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing_mm)) / 1000


def _smooth(hu: np.ndarray, inside: np.ndarray, spacing_mm: Spacing, sigma_mm: float) -> np.ndarray:
    """(z, y, x) float32: the Gaussian mean of the liver's own voxels; 0 outside the liver."""
    if not sigma_mm or not hu.size:
        return hu
    sigma = [sigma_mm / spacing for spacing in spacing_mm]
    weight = gaussian_filter(inside.astype(np.float32), sigma, mode="constant", truncate=3)
    total = gaussian_filter(np.where(inside, hu, 0), sigma, mode="constant", truncate=3)
    return np.divide(total, weight, out=np.zeros_like(total), where=inside)


def _opened(baseline: Baseline, hu: np.ndarray, liver: _Liver) -> np.ndarray:
    """(z, y, x) bool: beyond the threshold inside the liver, opened by a ball."""
    beyond = hu <= baseline.threshold_hu if baseline.side == "below" else hu >= baseline.threshold_hu
    mask = liver.inside & beyond
    eroded = _over_ball(mask, baseline.opening_mm, liver.spacing_mm, np.logical_and)
    return _over_ball(eroded, baseline.opening_mm, liver.spacing_mm, np.logical_or)


def _over_ball(mask: np.ndarray, radius_mm: float, spacing_mm: Spacing, join: np.ufunc) -> np.ndarray:
    """(z, y, x) bool: each voxel joined with all within a radius: "and" erodes, "or" dilates. Beyond is False."""
    reach = z, y, x = [int(radius_mm / spacing) for spacing in spacing_mm]
    depth, height, width = mask.shape
    padded = np.pad(mask, [(far, far) for far in reach])
    # A ball is a bundle of runs along x: joined once for each half length, they are then joined along z and y.
    runs = [padded[:, :, x : x + width].copy()]
    for half in range(1, x + 1):
        left, right = padded[:, :, x - half : x - half + width], padded[:, :, x + half : x + half + width]
        runs.append(join(join(runs[-1], left), right))
    joined = np.full(mask.shape, join.identity, bool)
    for dz, dy in product(range(-z, z + 1), range(-y, y + 1)):
        half_mm2 = radius_mm**2 - (dz * spacing_mm[0]) ** 2 - (dy * spacing_mm[1]) ** 2
        if half_mm2 >= 0:
            run = runs[int(half_mm2**0.5 / spacing_mm[2])]
            join(joined, run[z + dz : z + dz + depth, y + dy : y + dy + height], out=joined)
    return joined


def _dice_by_minimum(mask: np.ndarray, liver: _Liver) -> np.ndarray:
    """(len(MINIMUM_ML),) tumour Dice of the case, by its rule for empty masks, for each minimum size."""
    lesions = find_lesions(mask)
    hits = np.bincount(lesions.labels[liver.tumor], minlength=len(lesions) + 1)[1:]
    order = np.argsort(lesions.voxels)
    # Dropping the n smallest components leaves the sums over all the others.
    left = np.append(np.cumsum(lesions.voxels[order][::-1])[::-1], 0)
    right = np.append(np.cumsum(hits[order][::-1])[::-1], 0)
    dropped = np.searchsorted(lesions.voxels[order] * liver.voxel_ml, MINIMUM_ML)
    both = left[dropped] + np.count_nonzero(liver.tumor)
    return np.divide(2 * right[dropped], both, out=np.ones(len(MINIMUM_ML)), where=both > 0)


def _neighbors(baseline: Baseline, step_hu: float, smoothings_mm: Sequence[float]) -> list[Baseline]:
    """The settings one step away along each axis, and the two steps together that trade threshold for cleaning."""
    plain = replace(baseline, minimum_ml=0.0, tuning_dice=0.0)
    thresholds = [baseline.threshold_hu + change for change in (-step_hu, 0.0, step_hu)]
    openings = _beside(OPENINGS_MM, baseline.opening_mm)
    smoothings = _beside(smoothings_mm, baseline.smoothing_mm)
    moves = [(t, o, baseline.smoothing_mm) for t, o in product(thresholds, openings)]
    moves += [(t, baseline.opening_mm, s) for t, s in product(thresholds, smoothings)]
    return [replace(plain, threshold_hu=t, opening_mm=o, smoothing_mm=s) for t, o, s in dict.fromkeys(moves)]


def _beside(values: Sequence[float], value: float) -> Sequence[float]:
    place = values.index(value)
    return values[max(place - 1, 0) : place + 2]


def _tuning_dice(baseline: Baseline) -> float:
    return baseline.tuning_dice
