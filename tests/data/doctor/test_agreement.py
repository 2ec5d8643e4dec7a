import numpy as np
import pytest

from lits_toolkit.data.doctor.agreement import REACH_MM, _best_shift, judge
from lits_toolkit.data.doctor.coarse import Coarse, coarsen


@pytest.fixture(scope="module")
def coarse(phantom):
    return coarsen(phantom.volume, phantom.reference, phantom.spacing_mm)


def moved(coarse, change):
    return Coarse(coarse.hu, change(coarse.liver), coarse.spacing_mm)


def test_a_mask_that_fits(coarse):
    found = judge(coarse)
    assert found.fits
    assert (found.shift_mm, found.flip) == (None, ())


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)])
def test_every_flip_is_told(coarse, axes):
    found = judge(moved(coarse, lambda liver: np.flip(liver, axes)))
    assert found.flip == axes
    assert not found.fits
    assert found.better_spread_hu == pytest.approx(judge(coarse).spread_hu)


@pytest.mark.parametrize("voxels", [(0, 0, 4), (0, -4, 0), (3, 0, 0), (-2, 3, -5)])
def test_every_shift_is_told(coarse, voxels):
    found = judge(moved(coarse, lambda liver: np.roll(liver, voxels, (0, 1, 2))))
    assert found.shift_mm == pytest.approx([-n * step for n, step in zip(voxels, coarse.spacing_mm, strict=True)])


def test_a_small_shift_is_a_matter_of_opinion(coarse):
    assert judge(moved(coarse, lambda liver: np.roll(liver, 1, 2))).shift_mm is None


def test_too_little_mask_or_none_is_not_judged(coarse):
    assert judge(Coarse(coarse.hu, None, coarse.spacing_mm)) is None
    assert judge(moved(coarse, np.zeros_like)) is None
    assert judge(moved(coarse, np.ones_like)) is None


def test_the_best_shift_against_the_definition():
    random = np.random.default_rng(0)
    hu = random.integers(-300, 300, (7, 6, 8)).astype(np.float32)
    hu[1:4, 2:5, 4:7] = random.integers(40, 90, (3, 3, 3))
    liver = np.zeros(hu.shape, bool)
    liver[3:6, 1:4, 3:6] = True
    size = (REACH_MM / 3,) * 3  # three voxels each way
    spreads = {}
    for shift in np.ndindex(7, 7, 7):
        step = np.array(shift) - 3
        where = np.argwhere(liver) + step
        inside = ((where >= 0) & (where < hu.shape)).all(axis=1)
        values = np.where(inside, np.clip(hu, -200, 250)[tuple(np.where(inside[:, None], where, 0).T)], -200)
        if 0 <= values.mean() <= 250:
            spreads[tuple(int(n) for n in step)] = values.std()
    best = min(spreads, key=spreads.__getitem__)
    found, spread = _best_shift(Coarse(hu, liver, size))
    assert best == (-2, 1, 1)
    assert found == pytest.approx([n * step for n, step in zip(best, size, strict=True)])
    assert spread == pytest.approx(spreads[best], rel=1e-3)
