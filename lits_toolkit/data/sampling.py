"""From prepared cases to training samples (dissertation §3.1.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.errors import SettingError

if TYPE_CHECKING:
    from lits_toolkit.data.prepared import PreparedCase

STAGES = ("liver", "tumor")
DESIGNATIONS = ("all", "liver", "tumor")
CONTEXT = 4
"""Slices on either side of the one to segment, given to a 2D network as channels."""


@dataclass(frozen=True)
class Sample:
    """One training sample of a stage."""

    image: np.ndarray
    """(9, y, x) float32; zero beyond the volume's ends and, in the tumour stage, outside the liver."""
    target: np.ndarray
    """(y, x) uint8: 1 where the stage's object is."""


def designated_slices(case: "PreparedCase", designation: str) -> np.ndarray:
    """The slices of a case that are trained on: `all`, those with `liver`, or those with `tumor`."""
    if designation not in DESIGNATIONS:
        raise SettingError(f"slices: expected one of {', '.join(DESIGNATIONS)}, found {designation!r}")
    slices = case.shape[0]
    if designation == "all":
        return np.arange(slices)
    least = LIVER if designation == "liver" else TUMOR
    return np.flatnonzero((case.mask_slices(0, slices) >= least).any(axis=(1, 2)))


def sample(image: np.ndarray, mask: np.ndarray, index: int, stage: str) -> Sample:
    """The sample whose middle slice is `index`, from a stage's (z, y, x) float32 input and the case's uint8 mask."""
    low, high = max(index - CONTEXT, 0), min(index + CONTEXT + 1, len(image))
    window = np.zeros((2 * CONTEXT + 1, *image.shape[1:]), np.float32)
    window[low - index + CONTEXT : high - index + CONTEXT] = image[low:high]
    target = mask[index] >= LIVER if stage == "liver" else mask[index] == TUMOR
    return Sample(window, target.astype(np.uint8))


def epoch_order(
    slices: Sequence[np.ndarray], random: np.random.Generator, cases_together: int = 1
) -> Iterator[tuple[int, int]]:
    """(case, slice) pairs of one epoch: a random case, its slices in random order, the next case.

    `slices` holds the designated slices of each case. With `cases_together` above 1, that many cases are drawn
    and their slices mixed, which makes batches more varied at the price of more open files.
    """
    order = random.permutation(len(slices))
    for start in range(0, len(order), cases_together):
        pairs = [(case, index) for case in order[start : start + cases_together] for index in slices[case]]
        for position in random.permutation(len(pairs)):
            case, index = pairs[position]
            yield int(case), int(index)
