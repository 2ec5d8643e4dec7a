import sys

import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.doctor import CODES, check_case, check_cases, has_errors
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.phantom import make_phantom


def codes(files):
    return {finding.code for finding in check_case(files)}


def store(path, array, affine=None):
    nib.save(nib.Nifti1Image(array, affine), path)


def test_a_sound_phantom_has_nothing_to_look_at(ward):
    assert {finding.severity for finding in check_case(ward.files())} <= {"info"}


@pytest.mark.parametrize(("index", "seed", "size", "slices"), [(0, 0, 32, 8), (5, 1, 64, 12), (2, 3, 64, 24)])
def test_sound_phantoms_of_every_size(ward, index, seed, size, slices):
    case = make_phantom(index, seed, size, slices)
    files = ward.files(volume=case.volume, mask=case.reference, grid=case.grid)
    assert [finding for finding in check_case(files) if finding.severity != "info"] == []


def test_a_volume_that_is_none(ward):
    files = ward.files()
    for array, code in ((np.zeros((6, 6), np.int16), "wrong-rank"), (np.zeros((6, 6, 6, 3), np.int16), "wrong-rank")):
        store(files.volume, array, np.eye(4))
        assert codes(files) == {code}
    files.volume.write_text("text")
    assert codes(files) == {"unreadable"}


def test_a_truncated_volume_or_mask(ward):
    for which in ("volume", "reference"):
        files = ward.files()
        path = getattr(files, which)
        path.write_bytes(path.read_bytes()[:-1000])
        (finding,) = [finding for finding in check_case(files) if finding.severity == "error"]
        assert finding.code == "unreadable"
        assert str(path) in finding.message


def test_both_files_are_named_where_neither_is_readable(ward):
    files = ward.files()
    files.volume.write_text("text")
    files.reference.write_text("text")
    assert [str(path) in finding.message for path, finding in zip(
        (files.volume, files.reference), check_case(files), strict=True)] == [True, True]  # fmt: skip


def test_nan_does_not_hide_what_else_is_wrong(ward):
    volume = ward.case.volume.astype(np.float32)
    volume[3, 3, 3] = np.nan
    assert {"not-finite", "no-liver"} <= codes(ward.files(volume=volume, mask=np.zeros_like(ward.case.reference)))


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (1, 2)])
def test_a_flipped_mask(ward, axes):
    files = ward.files(mask=np.ascontiguousarray(np.flip(ward.case.reference, axes)))
    (finding,) = [finding for finding in check_case(files) if finding.code == "mask-flipped"]
    assert finding.severity == "error"
    names = {0: "head–feet", 1: "front–back", 2: "left–right"}
    assert [name in finding.message for axis, name in names.items()] == [axis in axes for axis in names]


def test_a_shifted_mask(ward):
    _, y, x = ward.case.spacing_mm
    moved = np.roll(ward.case.reference, (0, round(15 / y), round(-12 / x)), (0, 1, 2))
    (finding,) = [finding for finding in check_case(ward.files(mask=moved)) if finding.severity == "error"]
    assert finding.code == "mask-shifted"
    assert "+0 to the head" in finding.message


@pytest.mark.parametrize(("axis", "code"), [(0, "upside-down"), (1, "back-to-front"), (2, "liver-left")])
def test_ct_and_mask_flipped_together(ward, axis, code):
    volume, mask = (np.ascontiguousarray(np.flip(array, axis)) for array in (ward.case.volume, ward.case.reference))
    files = ward.files(volume=volume, mask=mask)
    assert codes(files) - codes(ward.files("volume-8")) == {code}
    without_mask = codes(CaseFiles(files.name, files.volume))
    assert code in without_mask
    assert "mask-flipped" not in without_mask


def test_an_affine_that_is_the_identity(ward):
    files = ward.files()
    store(files.volume, ward.case.grid.from_axial(ward.case.volume), np.eye(4))
    store(files.reference, ward.case.grid.from_axial(ward.case.reference), np.eye(4))
    assert {"no-orientation", "spacing-implausible"} <= codes(files)


def test_a_foreign_mask_of_another_shape(ward):
    files = ward.files()
    store(files.reference, np.ones((6, 6, 5), np.uint8), np.eye(4))
    assert "mask-shape" in codes(files)


def test_a_mask_in_mid_air(ward):
    mask = np.zeros_like(ward.case.reference)
    mask[:, :20, :20] = 1
    assert codes(ward.files(mask=mask)) & {"mask-misfit", "mask-shifted", "mask-flipped"}


def test_the_same_ct_under_two_names_in_another_orientation(ward, phantom):
    first = ward.files("volume-1")
    voxels = np.flip(phantom.grid.from_axial(phantom.volume), 0)
    second = CaseFiles("patient_a", ward.folder / "patient_a.nii")
    store(second.volume, voxels, np.diag([-3, -3, 4, 1]))
    other = make_phantom(2, size=32, slices=8)
    third = ward.files("volume-3", other.volume, other.reference, other.grid)
    findings = [finding for finding in check_cases([first, second, third], n_jobs=1) if finding.code == "duplicate"]
    assert [(finding.case, str(first.volume) in finding.message) for finding in findings] == [("patient_a", True)]


def test_every_finding_says_what_was_found_where_and_what_to_do(ward):
    files = ward.files()
    store(files.reference, np.full((6, 6, 5), 7, np.uint8), np.eye(4))
    findings = check_cases([files, files], n_jobs=1)
    assert [finding.code for finding in findings if finding.severity == "error"] == ["mask-shape", "labels-unknown"] * 2
    assert has_errors(findings)
    for finding in findings:
        assert finding.case == "volume-7"
        assert (finding.severity, finding.advice) == (CODES[finding.code].severity, CODES[finding.code].advice)
        assert str(files.reference) in finding.message or str(files.volume) in finding.message


def test_every_file_is_read_once(ward, monkeypatch):
    read = []
    module = sys.modules["lits_toolkit.data.doctor.examine"]
    original = module.read_stored
    monkeypatch.setattr(
        module, "read_stored", lambda path, *more, **named: read.append(path) or original(path, *more, **named)
    )
    files = ward.files()
    check_case(files)
    assert read == [files.volume, files.reference]


def test_the_findings_in_real_ct(real_ct):
    findings = check_cases(find_cases(real_ct), n_jobs=1)
    assert [(finding.case, finding.severity, finding.code) for finding in findings] == [
        ("volume-0", "info", "liver-cut"),  # its liver touches the top
        ("volume-1", "info", "liver-cut"),  # a slab of 20 slices
        ("volume-148", "info", "padding"),
        ("volume-148", "info", "saturated"),
    ]


def test_flips_planted_in_real_ct(real_ct, ward):
    from lits_toolkit.data.reading import read_case

    for name, expected in (("volume-0", {"back-to-front", "liver-left"}), ("volume-1", {"back-to-front", "liver-left"}),
                           ("volume-148", {"upside-down", "back-to-front", "liver-left"})):  # fmt: skip
        case = read_case(real_ct / f"{name}.nii.gz")
        found = set()
        for axis in range(3):
            volume = np.ascontiguousarray(np.flip(case.volume, axis))
            files = ward.files(volume=volume, grid=case.grid, mask=np.zeros(volume.shape, np.uint8))
            found |= codes(CaseFiles(files.name, files.volume)) & {"upside-down", "back-to-front", "liver-left"}
        assert found == expected
