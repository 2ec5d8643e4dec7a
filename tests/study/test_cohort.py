import numpy as np
import pandas as pd
import pytest

from lits_toolkit.data.case import CaseFiles, Grid
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.errors import GeometryError
from lits_toolkit.study.cohort import CASE_COLUMNS, LESION_COLUMNS, describe_cohort


@pytest.fixture
def grid():
    """6 slices of 12 × 20 at (2.5, 1, 0.5) mm: a voxel of 1.25 mm³; the file's axes are turned against ours."""
    affine = np.array([[0, 0, -0.5, 3], [0, 1, 0, 4], [2.5, 0, 0, 5], [0, 0, 0, 1]], float)
    return Grid((6, 12, 20), affine)


@pytest.fixture
def mask(grid):
    """A liver in slices 1 to 3 with two tumours, which touch by an edge only, and one that has outgrown it in 4."""
    mask = np.zeros(grid.axial_shape, np.uint8)
    mask[1:4, 2:10, 2:14] = 1
    mask[2, 3:5, 3:5] = 2
    mask[2, 5:7, 5:7] = 2
    mask[4, 11, 19] = 2
    return mask


@pytest.fixture
def case(tmp_path, grid, mask):
    volume, reference = tmp_path / "volume-0.nii.gz", tmp_path / "segmentation-0.nii.gz"
    write_volume(np.zeros(mask.shape, np.int16), grid, volume)
    write_mask(mask, grid, reference)
    return CaseFiles("volume-0", volume, reference)


def test_labels_are_counted_over_all_slices_and_over_those_with_liver(case):
    row = describe_cohort([case])[0].iloc[0]
    assert tuple(row[["slices", "height", "width"]]) == (6, 12, 20)
    assert tuple(row[["spacing_z_mm", "spacing_y_mm", "spacing_x_mm"]]) == (2.5, 1, 0.5)
    assert row["tumor_voxels"] == 9
    assert row["liver_voxels"] == 3 * 8 * 12 - 8
    assert row["background_voxels"] == 6 * 12 * 20 - 3 * 8 * 12 - 1
    assert row["liver_slices"] == 4
    assert row["background_voxels_liver_slices"] == 4 * 12 * 20 - 3 * 8 * 12 - 1
    assert row["tumor_voxels_liver_slices"] == 9
    assert row["lesions"] == 3


def test_each_lesion_has_its_size(case):
    lesions = describe_cohort([case])[1]
    assert lesions["voxels"].tolist() == [4, 4, 1]
    assert lesions["volume_ml"].tolist() == pytest.approx([0.005, 0.005, 0.00125])
    assert lesions["lesion"].tolist() == [1, 2, 3]
    assert set(lesions["case"]) == {"volume-0"}
    assert set(lesions["size_group"]) == {"small"}


def test_a_case_without_reference_has_shape_and_spacing_only(case):
    bare = CaseFiles("volume-1", case.volume)
    cases, lesions = describe_cohort([case, bare])
    assert cases["slices"].tolist() == [6, 6]
    assert cases.loc[1, ["tumor_voxels", "liver_slices", "lesions"]].isna().all()
    assert set(lesions["case"]) == {"volume-0"}


def test_columns_are_there_without_a_case_or_a_lesion(case, grid):
    write_mask(np.zeros(grid.axial_shape, np.uint8), grid, case.reference, overwrite=True)
    for files in ([], [case]):
        cases, lesions = describe_cohort(files)
        assert tuple(cases.columns) == CASE_COLUMNS
        assert tuple(lesions.columns) == LESION_COLUMNS
        assert lesions.empty


def test_two_processes_count_alike(case):
    for one, two in zip(describe_cohort([case, case]), describe_cohort([case, case], n_jobs=2), strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_a_mask_on_another_grid_is_told(case, grid):
    other = Grid(grid.shape, grid.affine + np.eye(4) * [1, 1, 1, 0])
    write_mask(np.zeros(grid.axial_shape, np.uint8), other, case.reference, overwrite=True)
    with pytest.raises(GeometryError, match="segmentation-0"):
        describe_cohort([case])
