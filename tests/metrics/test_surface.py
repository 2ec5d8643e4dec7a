import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lits_toolkit.errors import GeometryError
from lits_toolkit.metrics.surface import border, surface_distances

spacings = st.tuples(*[st.sampled_from([0.7, 1.0, 1.5, 5.0])] * 3)
regions = array_shapes(min_dims=3, max_dims=3, max_side=5).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


def literal_border(region):
    """Word by word: a voxel of the object with one of its 18 face or edge neighbours outside it."""
    found = np.zeros(region.shape, bool)
    for place in map(tuple, np.argwhere(region)):
        for shift in itertools.product((-1, 0, 1), repeat=3):
            if 1 <= np.abs(shift).sum() <= 2:
                there = tuple(np.add(place, shift))
                outside = any(i < 0 or i >= n for i, n in zip(there, region.shape, strict=True))
                if outside or not region[there]:
                    found[place] = True
    return found


def literal_distances(reference, prediction, spacing_mm):
    """All pairs of border voxels."""
    first, second = (np.argwhere(literal_border(region)) * spacing_mm for region in (reference, prediction))
    table = np.array([[math.dist(a, b) for b in second] for a in first])
    return table.min(axis=1), table.min(axis=0)


@settings(deadline=None)
@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=5), fill=st.just(True)))
def test_the_border_is_its_definition(region):
    np.testing.assert_array_equal(border(region), literal_border(region))


def test_a_block_has_its_shell_and_beyond_the_array_is_outside():
    assert border(np.ones((5, 5, 5), bool)).sum() == 125 - 27


def test_a_missing_edge_neighbour_makes_a_border_and_a_missing_corner_neighbour_does_not():
    block = np.ones((5, 5, 5), bool)
    block[1, 1, 2] = False
    assert border(block)[2, 2, 2]
    block[1, 1, 2], block[1, 1, 1] = True, False
    assert not border(block)[2, 2, 2]


@settings(deadline=None, max_examples=60)
@given(regions, spacings)
def test_distances_are_the_least_over_all_pairs(pair, spacing_mm):
    assume(pair[0].any() and pair[1].any())
    found = surface_distances(*pair, spacing_mm)
    first, second = literal_distances(*pair, spacing_mm)
    np.testing.assert_allclose(found.from_reference_mm, first, atol=1e-9)
    np.testing.assert_allclose(found.from_prediction_mm, second, atol=1e-9)
    pooled = [*first, *second]
    assert found.assd_mm == pytest.approx(sum(pooled) / len(pooled), abs=1e-9)
    assert found.rmsd_mm == pytest.approx(math.sqrt(sum(d * d for d in pooled) / len(pooled)), abs=1e-9)
    assert found.mssd_mm == pytest.approx(max(pooled), abs=1e-9)
    assert found.assd_mm <= found.rmsd_mm + 1e-9 <= found.mssd_mm + 2e-9


long_regions = st.tuples(*[arrays(bool, (2, 2, 30), elements=st.sampled_from([False] * 9 + [True]))] * 2)


@settings(deadline=None, max_examples=40)
@given(long_regions, spacings)
def test_some_may_be_near_and_others_far(pair, spacing_mm):
    assume(pair[0].any() and pair[1].any())
    found = surface_distances(*pair, spacing_mm)
    first, second = literal_distances(*pair, spacing_mm)
    np.testing.assert_allclose(found.from_reference_mm, first, atol=1e-9)
    np.testing.assert_allclose(found.from_prediction_mm, second, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(regions, spacings, st.tuples(*[st.integers(0, 3)] * 6), st.permutations(range(3)), st.integers(0, 7))
def test_it_does_not_matter_where_or_which_way_up(pair, spacing_mm, margins, axes, flips):
    margin = [margins[0:2], margins[2:4], margins[4:6]]
    moved = [np.pad(region, margin).transpose(axes) for region in pair]
    moved = [np.flip(region, [axis for axis in range(3) if flips >> axis & 1]) for region in moved]
    before = surface_distances(*pair, spacing_mm)
    after = surface_distances(*moved, tuple(spacing_mm[axis] for axis in axes))
    np.testing.assert_allclose(np.sort(after.pooled_mm), np.sort(before.pooled_mm), atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(regions, spacings)
def test_symmetry_identity_and_scale(pair, spacing_mm):
    reference, prediction = pair
    there, back = surface_distances(*pair, spacing_mm), surface_distances(prediction, reference, spacing_mm)
    for name in ("assd_mm", "rmsd_mm", "mssd_mm"):
        assert getattr(there, name) == pytest.approx(getattr(back, name), nan_ok=True)
        if reference.any():
            assert getattr(surface_distances(reference, reference, spacing_mm), name) == 0
    doubled = surface_distances(*pair, tuple(2 * s for s in spacing_mm))
    assert doubled.assd_mm == pytest.approx(2 * there.assd_mm, nan_ok=True)


def test_two_single_voxels_are_their_distance_apart_in_mm():
    first, second = np.zeros((2, 4, 5, 6), bool)
    first[0, 1, 1], second[2, 4, 5] = True, True
    found = surface_distances(first, second, (3.0, 1.0, 0.5))
    expected = math.sqrt((2 * 3.0) ** 2 + (3 * 1.0) ** 2 + (4 * 0.5) ** 2)  # = 7
    assert found.assd_mm == found.rmsd_mm == found.mssd_mm == pytest.approx(expected) == pytest.approx(7)


def test_plates_2_mm_apart():
    first, second = np.zeros((2, 6, 8, 8), bool)
    first[1], second[5] = True, True
    found = surface_distances(first, second, (0.5, 1.0, 1.0))
    assert (found.assd_mm, found.rmsd_mm, found.mssd_mm) == (2, 2, 2)


def test_the_means_pool_both_directions():
    first, second = np.zeros((2, 1, 1, 10), bool)
    first[0, 0, 0], second[0, 0, [0, 3, 9]] = True, True
    found = surface_distances(first, second, (1.0, 1.0, 1.0))
    assert found.assd_mm == (0 + 0 + 3 + 9) / 4  # the mean of the two means would be 2
    assert found.rmsd_mm == math.sqrt((9 + 81) / 4)
    assert found.mssd_mm == 9


@pytest.mark.parametrize("shape", [(3, 3, 3), (0, 3, 3), (0, 0, 0)])
def test_an_empty_surface_has_no_distance(shape):
    empty, full = np.zeros(shape), np.ones(shape)
    for pair in ((empty, full), (full, empty), (empty, empty)):
        found = surface_distances(*pair, (1.0, 1.0, 1.0))
        assert all(math.isnan(value) for value in (found.assd_mm, found.rmsd_mm, found.mssd_mm))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.float32])
def test_any_dtype_and_memory_order_measure_alike(dtype):
    random = np.random.default_rng(1)
    reference, prediction = random.random((2, 6, 7, 8)) > 0.4
    plain = surface_distances(reference, prediction, (2.0, 0.7, 0.7))
    for order in "CF":
        pair = (region.astype(dtype, order=order) for region in (reference, prediction))
        np.testing.assert_array_equal(surface_distances(*pair, (2.0, 0.7, 0.7)).pooled_mm, plain.pooled_mm)


@pytest.mark.parametrize("spacing_mm", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0), (math.nan, 1.0, 1.0)])
def test_a_spacing_that_is_none_is_refused(spacing_mm):
    with pytest.raises(GeometryError, match="three positive spacings"):
        surface_distances(np.ones((2, 2, 2)), np.ones((2, 2, 2)), spacing_mm)
