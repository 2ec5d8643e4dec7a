import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lits_toolkit.viewer.facts import lesion_rows
from lits_toolkit.viewer.payload import (
    facts_message,
    interesting_slice,
    interesting_voxel,
    lesion_corners,
    pack_labels,
    slice_buffers,
    unpack_labels,
)


@given(arrays(np.uint8, array_shapes(max_dims=3, max_side=9), elements=st.integers(0, 3)))
def test_packed_labels_come_back(mask):
    packed = pack_labels(mask)
    np.testing.assert_array_equal(unpack_labels(packed, mask.size), mask.reshape(-1))
    assert len(packed) == (-(-mask.size // 4) if mask.any() else 0)


def test_the_first_voxel_is_in_the_lowest_bits():
    assert pack_labels(np.array([1, 2, 0, 3, 2], np.uint8)) == bytes([0b11_00_10_01, 0b10])


def test_a_view_is_packed_in_its_own_order():
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    assert pack_labels(mask.T) == pack_labels(mask.T.copy())


@pytest.mark.parametrize(
    ("plane", "index", "shown"),
    [
        (0, 2, lambda array: array[2]),
        (1, 4, lambda array: np.stack([array[z, 4] for z in (3, 2, 1, 0)])),  # the head on top
        (2, 1, lambda array: np.stack([array[z, :, 1] for z in (3, 2, 1, 0)])),  # and the front on the left
    ],
)
def test_the_buffers_of_a_slice_are_its_hu_its_masks_and_its_probabilities(plane, index, shown):
    rng = np.random.default_rng(0)
    volume = rng.integers(-1024, 3000, (4, 6, 5)).astype(np.int16)
    mask = rng.integers(0, 3, volume.shape).astype(np.uint8)
    probability = rng.integers(0, 256, volume.shape).astype(np.uint8)
    nothing = np.zeros_like(mask)
    hu, packed, none, heat, cold = slice_buffers(volume, [mask, nothing], [probability, nothing], plane, index)
    expected = shown(volume)
    np.testing.assert_array_equal(np.frombuffer(hu, "<i2").reshape(expected.shape), expected)
    np.testing.assert_array_equal(unpack_labels(packed, expected.size).reshape(expected.shape), shown(mask))
    np.testing.assert_array_equal(np.frombuffer(heat, np.uint8).reshape(expected.shape), shown(probability))
    assert none == cold == b""


def test_the_facts_are_areas_dice_and_numbers_of_each_plane():
    reference, prediction = np.zeros((2, 4, 6, 5), np.uint8)
    reference[1:3, 2:4, 1:4] = 2
    prediction[2, 2:5, 1:4] = 2
    content, buffers = facts_message(reference, [prediction, np.zeros_like(prediction)], (3.0, 1.0, 2.0))
    assert [[row["fate"] for row in table] for table in content["tables"]] == [["hit"], ["miss"]]
    assert json.dumps(content)
    assert len(buffers) == 3 * (3 + 2 + 2)
    axial = buffers[:7]
    np.testing.assert_array_equal(
        np.frombuffer(axial[0], "<f4").reshape(4, 2)[:, 1], [0, 12, 12, 0]
    )  # 6 pixels of 2 mm²
    np.testing.assert_array_equal(np.frombuffer(axial[1], "<f4").reshape(4, 2)[:, 1], [0, 0, 18, 0])
    dice = np.frombuffer(axial[3], "<f4").reshape(4, 2)[:, 1]
    np.testing.assert_allclose(dice, [np.nan, 0, 12 / 15, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(np.frombuffer(axial[5], "<i2").reshape(2, 2), [[2, 4], [2, 4]])


def test_a_reference_alone_and_no_mask_at_all_have_facts_too():
    reference = np.zeros((2, 3, 3), np.uint8)
    reference[0, 1, 1] = 2
    content, buffers = facts_message(reference, [], (1, 1, 1))
    assert [row["fate"] for row in content["tables"][0]] == ["lesion"]
    assert len(buffers) == 3 * 2
    assert facts_message(None, [], (1, 1, 1)) == ({"kind": "facts", "tables": []}, [])


def test_a_number_stands_at_the_right_end_of_the_lesions_first_line_in_every_slice():
    mask = np.zeros((5, 7, 8), np.uint8)
    mask[1, 3:5, 2:4] = 2
    mask[2, 3, 3] = 2
    mask[3, 3:5, 3:7] = 2
    [row] = lesion_rows(mask, None, (1, 1, 1))
    [[axial], [coronal], [sagittal]] = lesion_corners([row], mask, None)
    np.testing.assert_array_equal(axial, [[3, 4], [3, 4], [3, 7]])
    # With the head on top z = 3 is row 1. The lesion spans y = 3…4 and x = 2…6.
    np.testing.assert_array_equal(coronal, [[1, 7], [1, 7]])
    np.testing.assert_array_equal(sagittal, [[3, 5], [1, 5], [1, 5], [1, 5], [1, 5]])


def test_where_a_bent_lesion_is_not_it_has_no_number():
    mask = np.zeros((1, 3, 5), np.uint8)
    mask[0, :, [1, 3]] = 2
    mask[0, 2, 1:4] = 2
    mask[0, 1, 3] = 0
    mask[0, 0, 3] = 0
    rows = lesion_rows(mask, None, (1, 1, 1))
    for plane, corners in enumerate(lesion_corners(rows, mask, None)):
        for index, (line, _) in enumerate(corners[0], start=rows[0].box[plane][0]):
            assert (line >= 0) == mask.take(index, axis=plane).any()


def test_the_planes_cross_in_the_middle_of_the_largest_tumor():
    mask = np.zeros((9, 8, 7), np.uint8)
    mask[2:8] = 1
    mask[6, 1:4, 3:6] = 2
    assert interesting_voxel([mask], mask.shape) == (6, 2, 4)
    assert interesting_voxel([np.minimum(mask, 1)], mask.shape) == (2, 4, 3)
    assert interesting_voxel([], mask.shape) == (4, 4, 3)


def test_opens_at_the_largest_tumor_of_any_mask():
    reference, prediction = np.zeros((2, 9, 4, 4), np.uint8)
    reference[2] = 1
    reference[3, 0, :2] = 2
    prediction[6, 0, :3] = 2
    assert interesting_slice([reference, prediction], 9) == 6


def test_opens_at_the_largest_liver_where_there_is_no_tumor():
    mask = np.zeros((9, 4, 4), np.uint8)
    mask[1, 0] = 1
    mask[7] = 1
    assert interesting_slice([mask], 9) == 7


def test_opens_in_the_middle_where_there_is_nothing_to_see():
    assert interesting_slice([np.zeros((9, 4, 4), np.uint8)], 9) == 4
    assert interesting_slice([], 1) == 0
