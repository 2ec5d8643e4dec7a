"""From prepared cases to training samples (dissertation §3.1.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.errors import SettingError

if TYPE_CHECKING:
    from lits_toolkit.data.prepared import PreparedCase

DESIGNATIONS = ("all", "liver", "tumor")


@dataclass(frozen=True)
class Reach:
    """What a network of some dimensions sees and segments at once."""

    slices: int
    """Adjacent axial slices that are segmented."""
    context: int
    """Further slices that are seen on either side of them."""

    @property
    def seen(self) -> int:
        """All adjacent slices that are looked at."""
        return self.slices + 2 * self.context


REACH = {2: Reach(slices=1, context=4), 3: Reach(slices=4, context=2)}
"""By dimensions (§3.1.2, w): nine slices as channels for the middle one; eight as a volume for the middle four."""


@dataclass(frozen=True)
class Sample:
    """One training sample of a stage."""

    image: np.ndarray
    """(9, y, x) float32, or (1, 8, y, x) in 3D; zero beyond the volume's ends."""
    target: np.ndarray
    """(y, x) uint8, or (4, y, x) in 3D: 1 where the stage's object is; 0 beyond the volume's ends."""


def designated_slices(case: "PreparedCase", designation: str) -> np.ndarray:
    """The slices of a case that are trained on: `all`, those with `liver`, or those with `tumor`."""
    if designation not in DESIGNATIONS:
        raise SettingError(f"slices: expected one of {', '.join(DESIGNATIONS)}, found {designation!r}")
    slices = case.shape[0]
    if designation == "all":
        return np.arange(slices)
    least = LIVER if designation == "liver" else TUMOR
    return np.flatnonzero((case.mask_slices(0, slices) >= least).any(axis=(1, 2)))


def sample_starts(slices: np.ndarray, dimensions: int) -> np.ndarray:
    """The first slices of the samples that segment each of `slices` once: in 3D blocks of four, counted from 0."""
    step = REACH[dimensions].slices
    return np.unique(slices // step) * step


def sample(image: np.ndarray, target: np.ndarray, start: int, dimensions: int) -> Sample:
    """The sample that segments the slices from `start` on.

    `image` is a stage's (z, y, x) float32 input of a whole case, `target` its (z, y, x) bool object.
    """
    reach = REACH[dimensions]
    seen = _slices(image, start - reach.context, start + reach.slices + reach.context)
    wanted = _slices(target, start, start + reach.slices).astype(np.uint8)
    return Sample(seen, wanted[0]) if dimensions == 2 else Sample(seen[None], wanted)


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


def _slices(volume: np.ndarray, start: int, stop: int) -> np.ndarray:
    """A copy of the slices [start, stop), zero beyond the ends."""
    found = np.zeros((stop - start, *volume.shape[1:]), volume.dtype)
    low, high = max(start, 0), min(stop, len(volume))
    found[low - start : high - start] = volume[low:high]
    return found
