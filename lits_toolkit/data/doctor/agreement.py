"""Does a liver mask lie on the liver? Judged by the HU under it, and under it if it were moved.

A liver is of one kind: the HU under a mask that fits spread by 20 to 50. A mask that is shifted or flipped takes in
lung, fat and bone, and spreads more. So the place where the spread is least is where the mask belongs. The spread
at every shift comes from three correlations, by the Fourier transform.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import fft

from lits_toolkit.data.doctor.coarse import Coarse

REACH_MM = 60.0
LEAST_SHIFT_MM = 8.0
"""Less is within what two readers draw differently, and within two voxels of the coarse grid."""
SHIFT_MARGIN = 1.25
FLIP_MARGIN = 1.5
"""By how much the spread has to fall before a mask is called shifted or flipped."""
LEAST_VOXELS = 200
GAS_HU = -300
AXES = ("head–feet", "front–back", "left–right")


@dataclass(frozen=True)
class Agreement:
    """How a mask's liver lies on the CT's."""

    spread_hu: float
    """Standard deviation of the HU, clipped to [-200, 250], under the mask as it is."""
    gas_share: float
    """Share of the mask that lies in air, lung or bowel gas."""
    shift_mm: tuple[float, float, float] | None
    """By which the mask would have to be moved along (z, y, x) to fit; None where it fits best as it is."""
    flip: tuple[int, ...]
    """The axes (0 z, 1 y, 2 x) along which it would have to be flipped to fit; empty where it need not be."""
    better_spread_hu: float
    """The spread after that shift or flip; without one, the least spread of any flip."""

    @property
    def fits(self) -> bool:
        """Whether the mask lies on soft tissue of one kind, and no flip or shift comes near to it."""
        return (
            self.shift_mm is None
            and not self.flip
            and self.gas_share < 0.02
            and self.better_spread_hu > FLIP_MARGIN * self.spread_hu
        )


def judge(coarse: Coarse) -> Agreement | None:
    """Compare the mask where it is with all shifts up to 6 cm and all flips; None where there is too little mask."""
    liver = coarse.liver
    if liver is None or np.count_nonzero(liver) < LEAST_VOXELS or liver.all():
        return None
    here = _spread(coarse.hu, liver)
    gas = float((coarse.hu[liver] < GAS_HU).mean())
    shift, at_shift = _best_shift(coarse)
    flips = {
        axes: _spread(coarse.hu, np.flip(liver, axes)) for count in (1, 2, 3) for axes in combinations(range(3), count)
    }
    flip = min(flips, key=flips.__getitem__)
    flipped = coarse.hu[np.flip(liver, flip)]
    on_tissue = 0 < np.median(flipped) < 250 and (flipped < GAS_HU).mean() < 0.02
    if on_tissue and flips[flip] * FLIP_MARGIN < here and flips[flip] <= at_shift:
        return Agreement(here, gas, None, flip, flips[flip])
    if max(abs(step) for step in shift) >= LEAST_SHIFT_MM and at_shift * SHIFT_MARGIN < here:
        return Agreement(here, gas, shift, (), at_shift)
    return Agreement(here, gas, None, (), flips[flip])


def _spread(hu: np.ndarray, liver: np.ndarray) -> float:
    return float(np.clip(hu[liver], -200, 250).std())


def _best_shift(coarse: Coarse) -> tuple[tuple[float, float, float], float]:
    """The shift (z, y, x) in mm at which the HU under the mask spread least, and that spread.

    Beyond the volume's ends there is air, so that a mask is never pushed out of it.
    """
    assert coarse.liver is not None
    clipped = np.clip(coarse.hu, -200, 250).astype(np.float64) + 200
    reach = [
        max(1, min(int(REACH_MM / step), size - 1)) for step, size in zip(coarse.spacing_mm, clipped.shape, strict=True)
    ]
    shape = [fft.next_fast_len(size + most, real=True) for size, most in zip(clipped.shape, reach, strict=True)]
    under = np.conj(fft.rfftn(coarse.liver.astype(np.float64), shape))
    near = np.ix_(*[np.r_[0 : most + 1, -most:0] for most in reach])
    count = np.count_nonzero(coarse.liver)
    mean, square = (
        fft.irfftn(fft.rfftn(values, shape) * under, shape)[near] / count for values in (clipped, clipped**2)
    )
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    spread[(mean - 200 < 0) | (mean - 200 > 250)] = np.inf  # no soft tissue: air is of one kind too
    if not np.isfinite(spread).any():
        return (0.0, 0.0, 0.0), np.inf
    place = np.unravel_index(spread.argmin(), spread.shape)
    steps = [int(i) if i <= most else int(i) - 2 * most - 1 for i, most in zip(place, reach, strict=True)]
    z, y, x = (step * size for step, size in zip(steps, coarse.spacing_mm, strict=True))
    return (z, y, x), float(spread[place])
