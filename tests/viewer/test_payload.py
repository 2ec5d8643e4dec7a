import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lits_toolkit.viewer.payload import interesting_slice, pack_labels, slice_buffers, unpack_labels


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


def test_the_buffers_of_a_slice_are_its_hu_and_its_masks():
    rng = np.random.default_rng(0)
    volume = rng.integers(-1024, 3000, (4, 6, 5)).astype(np.int16)
    mask = rng.integers(0, 3, volume.shape).astype(np.uint8)
    hu, packed, none = slice_buffers(volume, [mask, np.zeros_like(mask)], 2)
    np.testing.assert_array_equal(np.frombuffer(hu, "<i2").reshape(6, 5), volume[2])
    np.testing.assert_array_equal(unpack_labels(packed, 30).reshape(6, 5), mask[2])
    assert none == b""


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
