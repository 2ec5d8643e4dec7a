import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.errors import GeometryError, InputError, SettingError
from lits_toolkit.study.probabilities import folder_froc, froc_curves, read_probability
from lits_toolkit.study.results import score_folders


@pytest.fixture
def results(folders):
    return score_folders([folders / "2d-mobilenet_v2-top", folders / "mine"], folders / "cohort")


@pytest.fixture
def grid(results):
    return results.pairs[0].grid


@pytest.fixture
def probabilities(folders, grid):
    """The medium tumour at 0.9 and the small one at 0.6 in the first case; a false alarm at 0.8 in the second."""
    first, second = np.zeros((2, *grid.axial_shape), np.float16)
    first[0:5, 0:20, 0:20], first[0:2, 25:29, 30:35] = 0.9, 0.6
    second[5, 25:29, 0:5] = 0.8
    (folders / "probabilities").mkdir()
    np.save(folders / "probabilities" / "volume-1.npy", first)
    stored = np.asarray(grid.from_axial(second), np.float32)
    nib.save(nib.Nifti1Image(stored, grid.affine), folders / "probabilities" / "liver_2.nii.gz")
    return folders / "probabilities"


def test_the_curve_of_arrays_and_of_nifti_by_hand(probabilities, results):
    curve = folder_froc(probabilities, results.pairs)
    assert curve.thresholds.tolist() == pytest.approx([np.inf, 0.9, 0.8, 0.6], abs=1e-3)
    assert curve.sensitivity.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3])
    assert curve.false_alarms_per_case.tolist() == [0, 0, 0.5, 0.5]


def test_folders_are_of_the_methods_in_their_order(probabilities, results):
    assert list(froc_curves(str(probabilities), results)) == ["2d-mobilenet_v2-top"]
    assert list(froc_curves(f"{probabilities}, {probabilities}", results)) == ["2d-mobilenet_v2-top", "mine"]
    with pytest.raises(SettingError, match="found 3 folders of probabilities, expected at most one for each of 2d-mob"):
        froc_curves(",".join([str(probabilities)] * 3), results)


def test_a_case_without_probabilities_is_told(probabilities, results):
    (probabilities / "volume-1.npy").unlink()
    with pytest.raises(InputError, match="has no probabilities of volume-1"):
        folder_froc(probabilities, results.pairs)
    with pytest.raises(InputError, match="nowhere is not a folder"):
        folder_froc(probabilities / "nowhere", results.pairs)


def test_two_files_of_a_case_are_told(probabilities, results):
    np.save(probabilities / "1.npy", np.zeros(1))
    with pytest.raises(InputError, match="two files of volume-1: "):
        folder_froc(probabilities, results.pairs)


@pytest.mark.parametrize("wrong", [2.0, -0.1, np.nan])
def test_what_is_no_probability_is_told(tmp_path, grid, wrong):
    array = np.full(grid.axial_shape, 0.5, np.float32)
    array[1, 2, 3] = wrong
    np.save(tmp_path / "1.npy", array)
    with pytest.raises(InputError, match="expected probabilities from 0 to 1"):
        read_probability(tmp_path / "1.npy", grid)


def test_another_shape_and_another_grid_are_told(tmp_path, grid):
    np.save(tmp_path / "1.npy", np.zeros((2, 3, 4)))
    with pytest.raises(GeometryError, match=r"expected the shape \(z, y, x\) \(6, 30, 40\).*found \(2, 3, 4\)"):
        read_probability(tmp_path / "1.npy", grid)
    nib.save(nib.Nifti1Image(np.zeros(grid.shape, np.float32), np.eye(4)), tmp_path / "1.nii.gz")
    with pytest.raises(GeometryError, match="does not lie on the grid of its reference"):
        read_probability(tmp_path / "1.nii.gz", grid)


def test_a_file_that_would_need_pickle_or_is_cut_short_is_not_read(tmp_path, grid):
    np.save(tmp_path / "1.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as an array"):
        read_probability(tmp_path / "1.npy", grid)
    (tmp_path / "2.npy").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be read as an array"):
        read_probability(tmp_path / "2.npy", grid)
