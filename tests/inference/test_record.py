import numpy as np
import pytest
from writers import small_grid

from lits_toolkit.data.case import Grid
from lits_toolkit.data.nifti import read_nifti_grid
from lits_toolkit.data.reading import read_stored
from lits_toolkit.errors import SettingError
from lits_toolkit.inference.record import measure_mask, probability_name, write_tumor_probability
from lits_toolkit.study.probabilities import read_probability


def test_volumes_extents_and_centres_by_hand():
    grid = Grid((20, 20, 6), np.array([[-2.0, 0, 0, 100], [0, -3.0, 0, 50], [0, 0, 5.0, -10], [0, 0, 0, 1]]))  # LPS
    mask = np.zeros((6, 20, 20), np.uint8)
    mask[1:5, 2:18, 2:18] = 1
    mask[2, 5, 4:8] = 2  # four pixels in a row: 8 mm by 3 mm
    mask[3:5, 10, 10] = 2
    liver_ml, tumor_ml, lesions = measure_mask(mask, grid)
    voxel_ml = 2 * 3 * 5 / 1000
    assert liver_ml == pytest.approx(4 * 16 * 16 * voxel_ml)
    assert tumor_ml == pytest.approx(6 * voxel_ml)
    assert [lesion.voxels for lesion in lesions] == [4, 2]
    assert lesions[0].longest_mm == pytest.approx(np.hypot(8, 3))
    assert lesions[1].longest_mm == pytest.approx(np.hypot(2, 3))  # in one slice, however many it spans
    assert lesions[0].centre_mm == pytest.approx((100 - 2 * 5.5, 50 - 3 * 5, -10 + 5 * 2))
    assert lesions[1].centre_mm == pytest.approx((100 - 2 * 10, 50 - 3 * 10, -10 + 5 * 3.5))


def test_nothing_found_measures_nothing():
    assert measure_mask(np.zeros((5, 6, 7), np.uint8), small_grid()) == (0, 0, [])


@pytest.mark.parametrize(("kind", "off"), [("uint8", 0.5 / 255 + 1e-6), ("float16", 5e-4)])
@pytest.mark.parametrize("orientation", ["LPS", "RAI", "SLP"])
def test_a_probability_is_read_back_on_the_cts_grid(tmp_path, kind, off, orientation):
    grid = small_grid(orientation, shape=(20, 8, 8))
    probability = np.random.default_rng(0).random((20, 8, 8), np.float32)
    probability[0, 0, :2] = 0, 1
    path = tmp_path / probability_name("volume-7", kind)
    write_tumor_probability(probability, grid, path, kind)
    found = read_probability(path, grid)
    assert found[0, 0, 0] == 0
    np.testing.assert_allclose(found, probability, atol=off)
    if kind == "uint8":
        np.testing.assert_array_equal(read_nifti_grid(path).affine, grid.affine.astype(np.float32))
        assert read_stored(path).voxels.max() <= 1  # as the browser asks for


def test_another_kind_of_probability_is_refused():
    with pytest.raises(SettingError, match="uint8 or float16, found 'png'"):
        probability_name("volume-7", "png")
