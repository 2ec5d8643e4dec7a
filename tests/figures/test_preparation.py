from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import GeometryError
from lits_toolkit.figures.preparation import draw_preparation, weight_table


@pytest.fixture
def case():
    """3 slices of 64 × 64: air, a body of 48 × 48 at 50 HU, in it 100 voxels of bone at 2000 HU, per slice."""
    volume = np.full((3, 64, 64), -1000, np.int16)
    volume[:, 8:56, 8:56] = 50
    volume[:, 40:50, 40:50] = 2000
    grid = Grid((64, 64, 3), np.diag([-2.0, -2.0, 5.0, 1.0]), nib.Nifti1Header())
    return Case("volume-7", volume, grid, np.zeros(volume.shape, np.uint8))


@pytest.fixture
def prepared(case, tmp_path):
    write_prepared(case, tmp_path / "volume-7.b2nd", size=32)
    return PreparedCase(tmp_path / "volume-7.b2nd")


def test_a_slice_before_and_after_and_the_hu_that_are_kept(case, prepared, assert_legible):
    drawn = draw_preparation(case, prepared, 1, "phantom cohort")
    assert_legible(drawn)
    before, after, bars = drawn.figure.axes[:3]
    np.testing.assert_array_equal(before.images[0].get_array(), case.volume[1])
    assert np.unique(after.images[0].get_array()).tolist() == [0, 0.625, 1]  # air, (50 + 200) / 400, bone
    counts = drawn.data[drawn.data["voxels"] > 0].set_index("hu")
    assert counts["voxels"].to_dict() == {-1000: 3 * (64**2 - 48**2), 40: 3 * (48**2 - 100), 1480: 300}
    assert counts["kept"].tolist() == [False, True, False]
    assert drawn.data["voxels"].sum() == case.volume.size
    assert bars.get_title(loc="left") == "54 % of the voxels lie\nwithin −200 to 200 HU"


def test_another_cases_preparation_is_refused(case, prepared):
    with pytest.raises(GeometryError, match=r"volume-7.b2nd was prepared from a CT of \[3, 64, 64\].*\[2, 64, 64\]"):
        draw_preparation(replace(case, volume=case.volume[:2]), prepared, 1, "phantom cohort")


def test_the_table_says_what_lies_on_disk(case, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    write_volume(case.volume, case.grid, data / "volume-7.nii.gz")
    write_mask(case.reference, case.grid, data / "segmentation-7.nii.gz")

    path = tmp_path / "volume-7.b2nd"
    write_prepared(read_case(find_cases(data)[0]), path, size=32)
    (row,) = weight_table([PreparedCase(path)]).to_dict("records")
    assert row["case"] == "volume-7"
    assert (row["slices"], row["matrix"], row["prepared_matrix"]) == (3, "64 × 64", "32 × 32")
    assert row["files_mb"] * 1e6 == pytest.approx(sum(file.stat().st_size for file in data.iterdir()))
    assert row["prepared_mb"] * 1e6 == pytest.approx(path.stat().st_size)
    assert row["float32_mb"] * 1e6 == 4 * 3 * 32 * 32
