from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from lits_toolkit.data.planes import Plane, arrange, read_plane
from lits_toolkit.errors import InputError

PLACE = Path("series")


def plane(z, y=0.0):
    return Plane(np.array([10.0, y, z]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (0.8, 0.7), (6, 7), 2.0)


@settings(max_examples=50, deadline=None)
@given(
    st.sets(st.integers(0, 30), min_size=2),
    st.sampled_from([0.625, 0.7, 1.0, 2.5, 5.0]),
    st.randoms(use_true_random=False),
    st.integers(2, 3),
)
def test_slices_in_any_order_with_rounded_positions_get_their_numbers(there, step, random, digits):
    """Neighbours are one step apart in most places; else no one could tell the step."""
    numbers = sorted(there | {31, 32, 33} | set(range(40, 40 + 2 * len(there))))
    random.shuffle(numbers)
    grid, found = arrange([plane(round(-200 + step * number, digits)) for number in numbers], PLACE)
    assert (found == np.array(numbers) - min(numbers)).all()
    assert grid.shape == (7, 6, max(numbers) - min(numbers) + 1)
    rounding = 0.01 / (max(numbers) - min(numbers))  # half a hundredth at either end
    assert grid.spacing_mm == pytest.approx((step, 0.8, 0.7), abs=rounding + 1e-9)


def test_positions_of_one_decimal_are_even_enough():
    grid, found = arrange([plane(round(0.625 * number, 1)) for number in range(200)], PLACE)
    assert found.tolist() == list(range(200))
    assert grid.spacing_mm[0] == pytest.approx(0.625, abs=0.1 / 199)


def test_the_affine_goes_from_lps_to_ras():
    grid, _ = arrange([plane(5.0), plane(7.5)], PLACE)
    expected = [[-0.7, 0, 0, -10], [0, -0.8, 0, 0], [0, 0, 2.5, 5], [0, 0, 0, 1]]
    np.testing.assert_allclose(grid.affine, expected, atol=1e-12)
    assert grid.orientation == "LPS"


def test_a_slice_that_wanders_sideways_is_told():
    with pytest.raises(InputError, match="series: expected slices at even distances along one line"):
        arrange([plane(0.0), plane(2.0, y=1.0), plane(4.0)], PLACE)


@pytest.mark.parametrize(
    ("cosines", "spacing"),
    [
        ([1, 0, 0, 1, 0, 0], [0.8, 0.7]),
        ([2, 0, 0, 0, 1, 0], [0.8, 0.7]),
        ([1, 0, 0, 0, 1, 0], [0.8, 0]),
        ([1, 0, 0, 0, 1], [0.8, 0.7]),
        ([1, 0, 0, 0, 1, 0], [0.8]),
    ],
)
def test_directions_and_spacings_that_make_no_grid_are_told(cosines, spacing):
    dataset = Dataset()
    dataset.ImagePositionPatient = [0, 0, 0]
    dataset.ImageOrientationPatient, dataset.PixelSpacing = cosines, spacing
    with pytest.raises(InputError, match="series: expected"):
        read_plane(dataset, dataset, dataset, (6, 7), PLACE)
