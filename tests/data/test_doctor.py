import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.doctor import check_case, check_cases
from lits_toolkit.data.layouts import find_cases


def save(path, array, affine=None):
    nib.save(nib.Nifti1Image(array, np.diag([1, 1, 2, 1.0]) if affine is None else affine), path)
    return path


@pytest.fixture
def files(tmp_path):
    """A sound case, in which each test plants its fault."""
    mask = np.zeros((6, 6, 6), np.uint8)
    mask[2:4, 2:4, 2:4] = 1
    return CaseFiles("volume-1", save(tmp_path / "volume-1.nii", np.zeros((6, 6, 6), np.int16)),
                     save(tmp_path / "segmentation-1.nii", mask))  # fmt: skip


def codes(files):
    return [finding.code for finding in check_case(files)]


def test_a_sound_case_has_no_findings(files):
    assert check_case(files) == []


def test_volume_faults(files):
    for array, code in (
        (np.zeros((6, 6), np.int16), "wrong-rank"),
        (np.zeros((6, 6, 6, 3), np.int16), "wrong-rank"),
        (np.full((6, 6, 6), np.inf, np.float32), "not-finite"),
    ):
        save(files.volume, array)
        assert codes(files) == [code]
    files.volume.write_text("text")
    assert codes(files) == ["unreadable"]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (np.ones((6, 6, 5), np.uint8), ["mask-shape"]),
        (np.full((6, 6, 6), 3, np.uint8), ["labels-unknown"]),
        (np.full((6, 6, 6), 1.5, np.float32), ["labels-not-integer", "no-liver"]),
        (np.zeros((6, 6, 6), np.uint8), ["no-liver"]),
        (np.full((6, 6, 6), 1.9999, np.float32), []),
        (np.full((6, 6, 6), np.nan, np.float32), ["labels-not-integer", "no-liver"]),
    ],
)
def test_mask_faults(files, mask, expected):
    save(files.reference, mask)
    assert codes(files) == expected


def test_geometry_of_the_mask(files):
    mask = np.ones((6, 6, 6), np.uint8)
    save(files.reference, mask, np.diag([1, 1, 2.1, 1.0]))
    assert codes(files) == ["mask-geometry"]


def test_every_finding_says_what_was_found_where_and_what_to_do(files):
    save(files.reference, np.full((6, 6, 5), 7, np.uint8))
    findings = check_cases([files, files], n_jobs=1)
    assert [finding.code for finding in findings] == ["mask-shape", "labels-unknown"] * 2
    for finding in findings:
        assert finding.case == "volume-1"
        assert finding.severity == "error"
        assert "segmentation-1.nii" in finding.message
        assert finding.advice


def test_the_real_ct_has_no_errors(real_ct):
    assert [finding for finding in check_cases(find_cases(real_ct), n_jobs=1) if finding.severity == "error"] == []
