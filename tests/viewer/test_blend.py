import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.errors import SettingError
from lits_toolkit.viewer.blend import PREDICTION, REFERENCE, WINDOWS, blend, find_window, outline

BLUE, RED = "#0000ff", "#ff0000"


def test_the_window_goes_from_black_to_white_and_clamps():
    hu = np.array([[-1000, -100, 0, 100, 2000]], np.int16)
    painted = blend(hu, [], [], (-100, 155), 0.4)
    assert painted.dtype == np.uint8
    assert painted[0].tolist() == [[gray] * 3 for gray in (0, 0, 100, 200, 255)]


def test_a_tumor_has_the_opacity_and_a_liver_a_quarter_of_it():
    mask = np.array([[0, 1, 2]], np.uint8)
    painted = blend(np.zeros((1, 3), np.int16), [mask], [BLUE], (0, 100), 0.8)
    assert painted[0].tolist() == [[0, 0, 0], [0, 0, 51], [0, 0, 204]]


def test_a_later_mask_lies_above_an_earlier_one():
    both = [np.array([[2]], np.uint8)] * 2
    painted = blend(np.zeros((1, 1), np.int16), both, [BLUE, RED], (0, 100), 0.8)
    assert painted[0, 0].tolist() == [204, 0, 41]  # blue: 204 * 0.2 = 40.8


def test_without_opacity_the_masks_are_not_seen():
    rng = np.random.default_rng(0)
    hu = rng.integers(-500, 500, (9, 7)).astype(np.int16)
    mask = rng.integers(0, 3, (9, 7)).astype(np.uint8)
    np.testing.assert_array_equal(blend(hu, [mask], [RED], (-200, 200), 0), blend(hu, [], [], (-200, 200), 0))


def test_an_outline_of_one_pixel_has_its_four_sides():
    region = np.zeros((3, 4), bool)
    region[1, 2] = True
    sides = {frozenset(map(tuple, side)) for side in outline(region).astype(int).tolist()}
    corners = [(2, 1), (3, 1), (3, 2), (2, 2)]
    assert sides == {frozenset(pair) for pair in zip(corners, corners[1:] + corners[:1], strict=True)}


@given(st.integers(0, 2**24 - 1))
def test_an_outline_is_closed_where_the_region_keeps_off_the_border(bits):
    region = np.zeros((6, 8), bool)
    region[1:-1, 1:-1] = np.array([bits >> i & 1 for i in range(24)], bool).reshape(4, 6)
    corners, times = np.unique(outline(region).reshape(-1, 2), axis=0, return_counts=True)
    assert (times % 2 == 0).all()
    assert len(corners) >= 4 or not region.any()


def test_the_border_of_a_slice_is_no_outline():
    assert outline(np.ones((5, 4), bool)).shape == (0, 2, 2)


def test_a_window_is_found_by_name_or_given():
    assert find_window("network") == (-200, 200)
    assert find_window([-10, 30]) == (-10.0, 30.0)
    assert all(low < high for low, high in WINDOWS.values())


@pytest.mark.parametrize("window", ["brain", (100, 100), (100, -100), (float("nan"), 1), (0, 1e9)])
def test_a_wrong_window_is_refused(window):
    with pytest.raises(SettingError, match="window"):
        find_window(window)


def test_reference_is_blue_and_prediction_red():
    red, green, blue = bytes.fromhex(REFERENCE.color[1:])
    assert blue > green > red
    red, green, blue = bytes.fromhex(PREDICTION.color[1:])
    assert red > 2 * max(green, blue)
