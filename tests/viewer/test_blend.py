import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colormaps

from lits_toolkit.errors import SettingError
from lits_toolkit.figures import style
from lits_toolkit.viewer.blend import (
    PREDICTION,
    REFERENCE,
    WINDOWS,
    blend,
    blend_errors,
    blend_heat,
    find_window,
    outline,
    prediction_layers,
    rgb,
)
from lits_toolkit.viewer.facts import COMMON, EXCESS, MISSED

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


def test_errors_have_a_colour_each():
    black = np.full((1, 4), -1000, np.int16)
    painted = blend_errors(black, np.array([[0, COMMON, MISSED, EXCESS]], np.uint8), (0, 100), 1.0)
    assert painted[0].tolist() == [[0, 0, 0], *map(list, map(rgb, (style.HIT, style.MISS, style.FALSE_ALARM)))]


def test_heat_grows_with_the_probability():
    white = np.full((1, 3), 1000, np.int16)
    painted = blend_heat(white, np.array([[0, 51, 255]], np.uint8), (0, 100), 0.25)
    low, high = np.array(colormaps["inferno"](51)[:3]), np.array(colormaps["inferno"](255)[:3])
    assert painted[0, 0].tolist() == [255] * 3
    np.testing.assert_allclose(painted[0, 1], 255 * (0.9 + 0.1 * low), atol=1)  # a fifth of twice the opacity
    np.testing.assert_allclose(painted[0, 2], 255 * (0.5 + 0.5 * high), atol=1)


def test_models_have_colours_and_keys_of_their_own():
    layers = prediction_layers(["a", "b", "c", "d"])
    assert layers[0].color == style.PREDICTION
    assert (
        len({layer.color for layer in [REFERENCE, *layers]}) == len({layer.key for layer in [REFERENCE, *layers]}) == 5
    )
    for names in ([], list("abcde")):
        with pytest.raises(SettingError, match="one to 4 predictions"):
            prediction_layers(names)


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
