import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lits_toolkit.errors import GeometryError
from lits_toolkit.metrics import overlap as module
from lits_toolkit.metrics.overlap import Overlap, count_overlap

regions = array_shapes(min_dims=3, max_dims=3, max_side=5).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


def voxel_set(region):
    return {tuple(place) for place in np.argwhere(region)}


@settings(deadline=None)
@given(regions)
def test_every_measure_is_its_set_definition(pair):
    reference, prediction = map(voxel_set, pair)
    overlap = count_overlap(*pair)
    assert overlap == Overlap(len(reference), len(prediction), len(reference & prediction))
    if reference | prediction:
        jaccard = len(reference & prediction) / len(reference | prediction)
        assert overlap.jaccard == jaccard
        assert overlap.voe == 1 - jaccard
        assert overlap.dice == overlap.dice_per_case == pytest.approx(2 * jaccard / (1 + jaccard))
        assert 0 <= overlap.jaccard <= overlap.dice <= 1
    if reference:
        assert overlap.rvd == pytest.approx((len(prediction) - len(reference)) / len(reference))


@settings(deadline=None)
@given(regions)
def test_dice_is_symmetric_and_one_for_itself(pair):
    reference, prediction = pair
    there, back = count_overlap(reference, prediction), count_overlap(prediction, reference)
    assert there.dice_per_case == back.dice_per_case
    assert count_overlap(reference, reference).dice_per_case == 1


def test_what_is_undefined_is_nan_and_only_dice_per_case_has_a_rule():
    both_empty, missed, invented = Overlap(0, 0, 0), Overlap(5, 0, 0), Overlap(0, 5, 0)
    assert all(math.isnan(value) for value in (both_empty.dice, both_empty.jaccard, both_empty.voe, both_empty.rvd))
    assert both_empty.dice_per_case == 1
    assert (missed.dice_per_case, missed.dice, missed.voe, missed.rvd) == (0, 0, 1, -1)
    assert (invented.dice_per_case, invented.dice, invented.voe) == (0, 0, 1)
    assert math.isnan(invented.rvd)


def test_rvd_is_signed_towards_the_prediction():
    assert Overlap(reference=10, prediction=15, intersection=10).rvd == 0.5
    assert Overlap(reference=10, prediction=5, intersection=5).rvd == -0.5


def test_added_counts_give_the_global_dice():
    pooled = Overlap(10, 10, 10) + Overlap(0, 20, 0)
    assert pooled == Overlap(10, 30, 10)
    assert pooled.dice == 0.5


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_dtype_and_memory_order_counts_alike(dtype, order):
    random = np.random.default_rng(0)
    reference, prediction = random.random((2, 4, 5, 6)) > 0.5
    plain = count_overlap(reference, prediction)
    assert count_overlap(reference.astype(dtype, order=order), prediction.astype(dtype, order=order)) == plain
    assert count_overlap(reference.T.astype(dtype), prediction.T.astype(dtype)) == plain
    assert count_overlap(reference[::-1, :, ::-1], prediction[::-1, :, ::-1]) == plain


def test_labels_that_share_no_bit_still_overlap():
    assert count_overlap(np.full((1, 1, 2), 1), np.full((1, 1, 2), 2)).intersection == 2


def test_shapes_have_to_agree():
    with pytest.raises(GeometryError, match="one shape"):
        count_overlap(np.zeros((2, 3, 4)), np.zeros((3, 2, 4)))


def test_the_examples_in_the_documentation_run():
    assert doctest.testmod(module).failed == 0
