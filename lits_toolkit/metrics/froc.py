"""FROC: how many lesions are found against how many false alarms that costs, as the threshold falls.

A *candidate* is a face-connected component of the voxels whose probability is above `ABOVE`, and its score is the
highest probability in it. At a threshold those candidates stand whose score reaches it. A reference lesion is found if
a standing candidate shares a voxel with it, and a standing candidate that shares none with any is a false alarm: the
same hits and false alarms as in the table of lesions. The curve ends where a mask of all candidates lies; one that
keeps only the surer ones, as the cascade's component threshold does, lies on it before. Candidates are not taken apart.

Bunch et al., A free response approach to the measurement and characterization of radiographic observer performance,
1978.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lits_toolkit.metrics.boxes import require_one_shape
from lits_toolkit.metrics.lesions import find_lesions, shared_voxels

ABOVE = 0.5
"""Two classes with softmax: above it tumour is the likelier one."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """What one case adds to the curve."""

    lesion_scores: np.ndarray
    """(reference lesions,) float64: the highest score of the candidates that share a voxel with it; NaN without one."""
    false_scores: np.ndarray
    """(candidates that share no voxel with a reference lesion,) float64: their scores."""


@dataclass(frozen=True, eq=False)
class Froc:
    """The curve, from the highest threshold to the lowest; a point for each score that occurs."""

    thresholds: np.ndarray
    """(points,) float64, falling; the first is infinite, where nothing stands."""
    sensitivity: np.ndarray
    """(points,) float64: found lesions of all reference lesions; NaN if there is none."""
    false_alarms_per_case: np.ndarray
    """(points,) float64."""
    lesions: int
    cases: int

    def sensitivity_at(self, false_alarms_per_case: float) -> float:
        """The sensitivity of the lowest threshold that costs no more false alarms per case than that."""
        allowed = np.flatnonzero(self.false_alarms_per_case <= false_alarms_per_case)
        return float(self.sensitivity[allowed[-1]])


def find_candidates(reference: np.ndarray, probability: np.ndarray, above: float = ABOVE) -> Candidates:
    """The scores of one case's lesions and false candidates.

    Args:
        reference: (z, y, x) of any dtype; what is not 0 is tumour.
        probability: (z, y, x) floating, in [0, 1], of tumour.
        above: Voxels above it belong to a candidate.

    Raises:
        GeometryError: The two are not three-dimensional or differ in shape.
    """
    require_one_shape(reference, probability)
    expected, found = find_lesions(reference), find_lesions(probability > above)
    if not len(found):
        return Candidates(np.full(len(expected), np.nan), np.empty(0))
    numbers = np.arange(1, len(found) + 1)
    scores = np.asarray(ndimage.maximum(probability, found.labels, numbers), float)
    touching = shared_voxels(expected, found).toarray() > 0
    reached = np.where(touching, scores, -math.inf).max(axis=1)
    return Candidates(np.where(touching.any(axis=1), reached, np.nan), scores[~touching.any(axis=0)])


def froc(cases: Sequence[Candidates]) -> Froc:
    """The curve of all cases together.

    Raises:
        ValueError: There is no case.
    """
    if not cases:
        raise ValueError("expected at least one case for a FROC curve, found none")
    lesions = np.concatenate([case.lesion_scores for case in cases])
    alarms = np.concatenate([case.false_scores for case in cases])
    found = lesions[~np.isnan(lesions)]
    thresholds = np.concatenate([[math.inf], np.unique(np.concatenate([found, alarms]))[::-1]])
    hits, costs = (_reaching(scores, thresholds) for scores in (found, alarms))
    return Froc(
        thresholds=thresholds,
        sensitivity=hits / len(lesions) if len(lesions) else np.full(len(thresholds), np.nan),
        false_alarms_per_case=costs / len(cases),
        lesions=len(lesions),
        cases=len(cases),
    )


def _reaching(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many scores are at least each threshold."""
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")
