"""How much two regions overlap: Dice, Jaccard, VOE and RVD, all from three counts.

The counts of several cases may be added: Dice of the sum is the global Dice, the mean of `dice_per_case` is Dice per
case. Whatever is undefined is NaN.

>>> reference, prediction = np.zeros((2, 1, 4, 4), bool)
>>> reference[0, 0], prediction[0, 0, 1:] = True, True
>>> overlap = count_overlap(reference, prediction)
>>> overlap
Overlap(reference=4, prediction=3, intersection=3)
>>> round(overlap.dice, 3), overlap.jaccard, overlap.voe, overlap.rvd
(0.857, 0.75, 0.25, -0.25)
"""

import math
from dataclasses import dataclass

import numpy as np

from lits_toolkit.metrics.boxes import require_one_shape


@dataclass(frozen=True)
class Overlap:
    """Voxel counts of a reference region, a predicted region, and what they share."""

    reference: int
    prediction: int
    intersection: int

    @property
    def dice(self) -> float:
        """2 |R ∩ P| / (|R| + |P|), in [0, 1]; NaN if both regions are empty."""
        return _ratio(2 * self.intersection, self.reference + self.prediction)

    @property
    def dice_per_case(self) -> float:
        """Dice by the rule of LiTS for a mean over cases: 1 if both regions are empty."""
        return self.dice if self.reference or self.prediction else 1.0

    @property
    def jaccard(self) -> float:
        """|R ∩ P| / |R ∪ P|, in [0, 1]; NaN if both regions are empty."""
        return _ratio(self.intersection, self.reference + self.prediction - self.intersection)

    @property
    def voe(self) -> float:
        """Volumetric overlap error, 1 - Jaccard; NaN if both regions are empty."""
        return 1 - self.jaccard

    @property
    def rvd(self) -> float:
        """Relative volume difference (|P| - |R|) / |R|, signed; NaN if the reference is empty."""
        return _ratio(self.prediction - self.reference, self.reference)

    def __add__(self, other: "Overlap") -> "Overlap":
        """The counts of two cases together, for global measures."""
        return Overlap(
            self.reference + other.reference,
            self.prediction + other.prediction,
            self.intersection + other.intersection,
        )


def count_overlap(reference: np.ndarray, prediction: np.ndarray) -> Overlap:
    """Count the voxels of two regions and of their intersection.

    Args:
        reference: (z, y, x) region of the expert, of any dtype; what is not 0 is inside.
        prediction: (z, y, x) region of ours, likewise.

    Raises:
        GeometryError: The two are not three-dimensional or differ in shape.
    """
    require_one_shape(reference, prediction)
    return Overlap(
        reference=int(np.count_nonzero(reference)),
        prediction=int(np.count_nonzero(prediction)),
        intersection=int(np.count_nonzero(np.logical_and(reference, prediction))),
    )


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else math.nan
