import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lits_toolkit.errors import GeometryError
from lits_toolkit.metrics.boxes import bounding_box, joint_box


@settings(deadline=None)
@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_a_box_holds_every_voxel_and_touches_one_on_each_side(mask):
    places = np.argwhere(mask)
    box = bounding_box(mask)
    if not len(places):
        assert box == (slice(0, 0),) * 3
    else:
        assert [side.start for side in box] == places.min(axis=0).tolist()
        assert [side.stop for side in box] == (places.max(axis=0) + 1).tolist()


def test_the_box_of_two_masks_holds_both():
    first, second = np.zeros((2, 5, 6, 7))
    first[1, 2, 3], second[4, 0, 3] = 2.0, 1.0
    assert bounding_box(first, second) == (slice(1, 5), slice(0, 3), slice(3, 4))


@given(st.sampled_from([(0, 4, 4), (4, 0, 4), (4, 4, 0), (0, 0, 0)]))
def test_an_array_without_voxels_has_an_empty_box(shape):
    assert bounding_box(np.zeros(shape, np.uint8)) == (slice(0, 0),) * 3


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(GeometryError, match=r"expected masks of one shape, found \(2, 2, 2\) and \(2, 2, 3\)"):
        bounding_box(np.zeros((2, 2, 2)), np.zeros((2, 2, 3)))
    with pytest.raises(GeometryError, match=r"axes \(z, y, x\), found the shape \(2, 2\)"):
        bounding_box(np.zeros((2, 2)))


def test_a_joint_box_begins_with_the_first_and_ends_with_the_last():
    one, other = (slice(2, 5), slice(0, 1), slice(4, 9)), (slice(3, 4), slice(7, 8), slice(1, 5))
    assert joint_box(one, other) == (slice(2, 5), slice(0, 8), slice(1, 9))
    assert joint_box(one) == one
