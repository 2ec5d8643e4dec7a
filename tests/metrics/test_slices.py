import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lits_toolkit.metrics.slices import slice_areas, slice_dice, worst_slice

SPACING = (2.5, 0.7, 0.8)
pairs = array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6).flatmap(
    lambda shape: st.tuples(*[arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 2]))] * 2)
)


@settings(max_examples=100, deadline=None)
@given(pairs, st.sampled_from([0, 1, 2]))
def test_areas_and_dice_are_those_of_each_slice(pair, axis):
    areas, dice = slice_areas(pair[0], axis, SPACING), slice_dice(*pair, axis)
    assert areas.dtype == dice.dtype == np.float32
    assert areas.shape == dice.shape == (pair[0].shape[axis], 2)
    pixel = math.prod(mm for at, mm in enumerate(SPACING) if at != axis)
    for index in range(len(areas)):
        reference, prediction = (mask.take(index, axis=axis) for mask in pair)
        for column, label in enumerate((1, 2)):
            one, other = reference >= label, prediction >= label
            assert areas[index, column] == pytest.approx(one.sum() * pixel)
            if one.any() or other.any():
                assert dice[index, column] == pytest.approx(2 * (one & other).sum() / (one.sum() + other.sum()))
            else:
                assert np.isnan(dice[index, column])


def test_the_worst_slice_is_the_one_with_most_tumour_of_those_of_the_lowest_dice():
    reference, prediction = np.zeros((2, 5, 4, 4), np.uint8)
    reference[1, :2], prediction[1, :2] = 2, 2
    reference[2, 0, :1] = 2
    prediction[3, :3] = 2
    assert worst_slice(reference, prediction) == 3
    assert worst_slice(reference[:3], prediction[:3]) == 2
    assert worst_slice(reference[:1], prediction[:1]) is None
