import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from lits_toolkit.data.case import Grid
from lits_toolkit.data.doctor.reference import check_mask, lesions_outside_liver, place, read_labels


def a_mask():
    mask = np.zeros((6, 6, 6), np.uint8)
    mask[2:4, 2:4, 2:4] = 1
    return mask


@pytest.mark.parametrize(
    ("voxels", "expected"),
    [
        (a_mask(), []),
        (a_mask().astype(np.float64), []),
        (a_mask() + np.float32(4e-4), ["labels-rounded"]),
        (a_mask() * np.float32(1.01), ["labels-not-integer", "no-liver"]),
        (a_mask() * 5, ["labels-unknown"]),
        (a_mask().astype(np.int16) * -1, ["labels-unknown"]),
        (a_mask() * 300.0, ["labels-unknown"]),
        (a_mask() * 0, ["no-liver"]),
        (a_mask() * 2, ["no-liver"]),
        (np.full((3, 3, 3), np.nan), ["labels-not-integer", "no-liver"]),
    ],
)
def test_labels(voxels, expected):
    labels = read_labels(voxels)
    assert [note.code for note in labels.notes] == expected
    assert (labels.mask is None) == bool({"labels-not-integer", "labels-unknown"} & set(expected))
    if labels.mask is not None:
        assert labels.mask.dtype == np.uint8
        np.testing.assert_array_equal(labels.mask, np.rint(voxels))


LPS = np.diag([-0.8, -0.9, 2.5, 1])


def test_the_same_grid():
    voxels = np.arange(24).reshape(2, 3, 4).astype(np.uint8)
    grid = Grid((2, 3, 4), LPS)
    placed, notes = place(voxels, grid, grid)
    np.testing.assert_array_equal(placed, voxels.transpose(2, 1, 0))
    assert notes == []


def test_another_order_of_storage_is_brought_together_voxel_by_voxel():
    voxels = np.arange(24).reshape(2, 3, 4).astype(np.uint8)
    flipped = LPS.copy()
    flipped[0] = [0.8, 0, 0, -0.8]  # the first axis runs the other way, from the other end
    placed, (note,) = place(voxels[::-1], Grid((2, 3, 4), flipped), Grid((2, 3, 4), LPS))
    np.testing.assert_array_equal(placed, voxels.transpose(2, 1, 0))
    assert note.code == "mask-geometry"
    assert "RPS" in note.message
    swapped = LPS[:, [1, 0, 2, 3]]
    placed, (note,) = place(voxels.transpose(1, 0, 2), Grid((3, 2, 4), swapped), Grid((2, 3, 4), LPS))
    np.testing.assert_array_equal(placed, voxels.transpose(2, 1, 0))
    assert note.code == "mask-geometry"


def test_another_affine_or_shape():
    voxels = np.arange(24).reshape(2, 3, 4).astype(np.uint8)
    placed, (note,) = place(voxels, Grid((2, 3, 4), np.eye(4)), Grid((2, 3, 4), LPS))
    np.testing.assert_array_equal(placed, voxels.transpose(2, 1, 0))
    assert note.code == "mask-geometry"
    assert "1.9 mm" in note.message
    placed, (note,) = place(voxels, Grid((2, 3, 4), LPS), Grid((2, 3, 5), LPS))
    assert (placed, note.code) == (None, "mask-shape")


def test_a_liver_cut_by_the_ends():
    mask = a_mask()
    assert check_mask(mask) == []
    mask[3:, 3, 3] = 1
    (note,) = check_mask(mask)
    assert (note.code, "the last slice" in note.message) == ("liver-cut", True)
    mask[0, 3, 3] = 1
    assert "the first and the last slice" in check_mask(mask)[0].message


def test_a_lesion_outside_the_liver():
    mask = a_mask()
    mask[2, 2, 2] = 2  # inside
    mask[4, 2, 3] = 2  # on top, face to face
    assert check_mask(mask) == []
    mask[1, 0, 0:2] = 2
    mask[4, 4, 4] = 2  # corner to corner
    (note,) = check_mask(mask)
    assert note.code == "tumor-outside-liver"
    assert note.message == "2 lesions touch no liver, the largest of 2 voxels at slice 1, row 0, column 0"


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 2)))
def test_lesions_outside_against_the_definition(mask):
    lesions, count = ndimage.label(mask == 2)
    near_liver = ndimage.binary_dilation(mask == 1)
    expected = sorted(int((lesions == i).sum()) for i in range(1, count + 1) if not (near_liver & (lesions == i)).any())
    found = lesions_outside_liver(mask)
    assert sorted(size for size, _ in found) == expected
    assert all(mask[first] == 2 for _, first in found)
