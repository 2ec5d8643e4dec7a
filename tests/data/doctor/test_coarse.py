import numpy as np
import pytest

from lits_toolkit.data.doctor.coarse import coarsen


def test_means_over_tiles_of_every_nth_slice():
    hu = np.random.default_rng(0).integers(-1000, 1000, (6, 9, 8)).astype(np.int16)
    mask = (hu > 0).astype(np.uint8) * 2
    coarse = coarsen(hu, mask, (2.0, 1.3, 4.4))
    assert coarse.spacing_mm == (4.0, pytest.approx(3.9), 4.4)
    assert coarse.hu.shape == (3, 3, 8)
    for z, y, x in np.ndindex(3, 3, 8):
        tile = np.s_[1 + 2 * z, 3 * y : 3 * y + 3, x]
        assert coarse.hu[z, y, x] == pytest.approx(hu[tile].mean(), abs=1e-3)
        assert coarse.liver[z, y, x] == ((mask[tile] > 0).sum() >= 2)


def test_thick_slices_and_large_pixels_stay_as_they_are():
    hu = np.arange(24).reshape(2, 3, 4).astype(np.int16)
    coarse = coarsen(hu, None, (7.0, 5.0, 3.0))
    np.testing.assert_array_equal(coarse.hu, hu)
    assert coarse.liver is None


def test_a_single_thin_slice():
    assert coarsen(np.zeros((1, 2, 2), np.int16), None, (0.5, 5, 5)).hu.shape == (1, 2, 2)
