from itertools import permutations, product

import numpy as np
import pytest

from lits_toolkit.data.case import Grid, mask_file_name

ORIENTATIONS = ["".join(codes) for axes in permutations(("LR", "PA", "SI")) for codes in product(*axes)]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_shows_the_patient_the_same_way(orientation):
    """The oracle is the world: each voxel carries its own RAS coordinates."""
    shape = {"L": 5, "R": 5, "P": 6, "A": 6, "S": 7, "I": 7}
    step = {"L": -0.7, "R": 0.7, "P": -0.8, "A": 0.8, "S": 2.5, "I": -2.5}
    axis = {"L": 0, "R": 0, "P": 1, "A": 1, "S": 2, "I": 2}
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for column, code in enumerate(orientation):
        affine[axis[code], column] = step[code]
        affine[axis[code], 3] = -step[code] * (shape[code] - 1) / 2
    grid = Grid(tuple(shape[code] for code in orientation), affine)
    indices = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), -1)
    world = indices @ affine[:3, :3].T + affine[:3, 3]
    for coordinate, (array_axis, sign) in enumerate(((2, -1), (1, -1), (0, 1))):  # x to the left, y to the back, z up
        axial = grid.to_axial(world[..., coordinate])
        assert axial.shape == (7, 6, 5) == grid.axial_shape
        assert axial.flags.c_contiguous
        steps = np.diff(axial, axis=array_axis) * sign
        assert (steps > 0).all()
        np.testing.assert_array_equal(grid.from_axial(axial), world[..., coordinate])
    assert grid.orientation == orientation
    np.testing.assert_allclose(grid.spacing_mm, (2.5, 0.8, 0.7))
    origin = grid.axial_affine @ [0, 0, 0, 1]
    np.testing.assert_allclose(origin[:3], [1.4, 2.0, -7.5])  # the patient's right, front, foot corner


def test_an_oblique_grid_goes_there_and_back():
    angle = np.deg2rad(12)
    affine = np.diag([0.7, 0.7, 3.0, 1.0])
    affine[:2, :2] = 0.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    grid = Grid((4, 5, 6), affine)
    array = np.random.default_rng(0).integers(0, 9, (4, 5, 6))
    np.testing.assert_array_equal(grid.from_axial(grid.to_axial(array)), array)
    np.testing.assert_allclose(grid.spacing_mm, (3.0, 0.7, 0.7))


@pytest.mark.parametrize(
    ("case", "mask"),
    [
        ("volume-7", "segmentation-7.nii.gz"),
        ("test-volume-7", "test-segmentation-7.nii.gz"),
        ("patient_a", "segmentation-patient_a.nii.gz"),
    ],
)
def test_mask_file_names(case, mask):
    assert mask_file_name(case) == mask
