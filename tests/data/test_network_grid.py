import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lits_toolkit.data.network_grid import (
    from_network_grid,
    mask_to_network_grid,
    network_spacing,
    slabs_from_network_grid,
    slices_above,
    to_network_grid,
)

ODD = [(3, 50, 40), (3, 41, 64), (3, 37, 33), (3, 101, 122), (3, 128, 100), (3, 150, 97), (3, 7, 30)]


def test_halving_is_the_mean_of_four_pixels_after_clamping():
    volume = np.random.default_rng(0).integers(-400, 400, (20, 8, 8)).astype(np.int16)
    found = to_network_grid(volume, 4)
    assert found.dtype == np.int16
    for z, y, x in np.ndindex(found.shape):
        four = np.clip(volume[z, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(float), -200, 200)
        assert found[z, y, x] == np.rint(four.mean())


@pytest.mark.parametrize("factor", [2, 4, 8])
@given(seed=st.integers(0, 1000), window=st.sampled_from([(-200, 200), (-100, 400), (-3000, 3000), (0, 1)]))
def test_means_in_integers_are_those_of_floats(factor, seed, window):
    """From one value to the next, so that sums end on a half as often as they can."""
    volume = (
        np.random.default_rng(seed).integers(window[0], window[0] + 4, (3, 4 * factor, 4 * factor)).astype(np.int16)
    )
    squares = volume.clip(*window).reshape(3, 4, factor, 4, factor).astype(np.float64)
    found = to_network_grid(volume, 4, window)
    np.testing.assert_array_equal(found, np.rint(squares.mean(axis=(2, 4))))
    assert found.dtype == np.int16


@given(st.integers(0, 1000), st.floats(0, 1, width=32))
def test_slices_that_are_left_out_do_not_exceed_the_threshold(seed, least):
    array = (
        np.random.default_rng(seed).random((6, 8, 8), np.float32)
        * np.linspace(0.2, 1, 6, dtype=np.float32)[:, None, None]
    )
    array[2] = least  # no more than it anywhere, not even by rounding
    for shape in ((6, 16, 16), (6, 13, 10), (6, 5, 7)):
        whole = from_network_grid(array, shape)
        asked = slices_above(array, least)
        assert not (np.delete(whole, asked, axis=0) > least).any()
        for slices, slab in slabs_from_network_grid(array, shape, asked):
            np.testing.assert_array_equal(slab, whole[slices])


@pytest.mark.parametrize(("side", "size"), [(10, 4), (9, 3), (7, 5), (16, 4)])
def test_shrinking_is_the_mean_over_the_new_pixels_area(side, size):
    volume = np.random.default_rng(0).integers(-200, 200, (2, side, side)).astype(np.int16)
    finer = volume.astype(float).repeat(size, axis=1).repeat(size, axis=2)  # each new pixel is side × side of these
    expected = finer.reshape(2, size, side, size, side).mean(axis=(2, 4))
    np.testing.assert_allclose(to_network_grid(volume, size), expected, atol=0.501)


@pytest.mark.parametrize("shape", [*ODD, (3, 64, 64)])
def test_any_matrix_comes_to_the_networks_size(shape):
    assert to_network_grid(np.full(shape, 70, np.int16), 64).shape == (3, 64, 64)
    assert to_network_grid(np.full(shape, 70, np.int16), 64).max() == 70
    assert mask_to_network_grid(np.ones(shape, np.uint8), 64).shape == (3, 64, 64)


def test_a_matrix_that_is_not_square_is_padded_with_air_on_both_sides():
    volume = np.random.default_rng(0).integers(0, 100, (2, 8, 5)).astype(np.int16)
    found = to_network_grid(volume, 8)
    np.testing.assert_array_equal(found[:, :, 1:6], volume)
    assert (found[:, :, [0, 6, 7]] == -200).all()
    mask = (volume % 3).astype(np.uint8)
    found = mask_to_network_grid(mask, 8)
    np.testing.assert_array_equal(found[:, :, 1:6], mask)
    assert not found[:, :, [0, 6, 7]].any()


def test_a_round_body_stays_round():
    y, x = np.mgrid[:128, :100]
    body = ((y - 63.5) ** 2 + (x - 49.5) ** 2 < 40**2)[np.newaxis]
    found = mask_to_network_grid(body.astype(np.uint8), 64)[0]
    height, width = np.count_nonzero(found.any(axis=1)), np.count_nonzero(found.any(axis=0))
    assert height == width == 40


@given(st.integers(0, 1000), st.sampled_from([(8, 8), (12, 16), (20, 9)]))
def test_a_mask_keeps_its_labels_and_the_majority(seed, shape):
    mask = np.random.default_rng(seed).integers(0, 3, (2, *shape)).astype(np.uint8)
    found = mask_to_network_grid(mask, 4)
    assert found.dtype == np.uint8
    if shape == (8, 8):
        for z, y, x in np.ndindex(found.shape):
            counts = np.bincount(mask[z, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel(), minlength=3)
            assert found[z, y, x] == np.flatnonzero(counts == counts.max()).max()
    for label in range(3):
        found = mask_to_network_grid(np.full((2, 8, 8), label, np.uint8), 4)
        np.testing.assert_array_equal(found, label)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_at_the_networks_own_size_the_way_there_and_back_is_exact(y, x, seed):
    mask = np.random.default_rng(seed).integers(0, 3, (17, y, x)).astype(np.uint8)
    there = mask_to_network_grid(mask, max(y, x))
    np.testing.assert_array_equal(from_network_grid(there.astype(np.float32), mask.shape), mask)


@settings(max_examples=60)
@given(st.integers(40, 90), st.integers(40, 90), st.sampled_from([48, 64]), st.data())
def test_a_mask_comes_back_to_its_place_from_odd_sizes(y, x, size, data):
    """A smooth object moves less than half a pixel of the coarser grid, and keeps its area but for its rim."""
    coarser = max(1, max(y, x) / size)
    radius = data.draw(st.integers(8, 16))
    cy, cx = data.draw(st.integers(radius, y - radius)), data.draw(st.integers(radius, x - radius))
    rows, columns = np.mgrid[:y, :x]
    mask = ((rows - cy) ** 2 + (columns - cx) ** 2 <= radius**2)[np.newaxis]
    back = from_network_grid(mask_to_network_grid(mask.astype(np.uint8), size).astype(np.float32), mask.shape) >= 0.5
    assert back.shape == mask.shape
    centre, found = (np.argwhere(array).mean(axis=0) for array in (mask, back))
    assert np.abs(centre - found).max() < 0.5 * coarser
    assert abs(int(back.sum()) - int(mask.sum())) < 2 * np.pi * radius * coarser


def test_the_way_back_is_bilinear_between_pixel_centres():
    ramp = np.broadcast_to(np.arange(4, dtype=np.float32), (1, 4, 4))
    found = from_network_grid(ramp, (1, 6, 8))
    np.testing.assert_allclose(found[0, 0], np.clip((np.arange(8) + 0.5) / 2 - 0.5, 0, 3), atol=1e-6)
    assert found.shape == (1, 6, 8)


def test_spacing_follows_the_longer_side():
    assert network_spacing((2.5, 0.7, 0.7), (10, 512, 400), 256) == (2.5, 1.4, 1.4)
