import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.doctor import check_cases, repair_cases
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import OutputError


def repair(files, folder):
    return repair_cases([files], folder, check_cases([files], n_jobs=1))


def repaired(folder, name="volume-7"):
    return read_case(CaseFiles(name, folder / f"{name}.nii.gz", folder / "segmentation-7.nii.gz"))


def store(path, array, affine):
    nib.save(nib.Nifti1Image(array, affine), path)


def as_it_should_be(ward, folder):
    case = repaired(folder)
    np.testing.assert_array_equal(case.volume, ward.case.volume)
    np.testing.assert_array_equal(case.reference, ward.case.reference)
    np.testing.assert_allclose(case.grid.affine, ward.case.grid.affine, atol=1e-4)
    case_files = CaseFiles(case.name, folder / "volume-7.nii.gz", folder / "segmentation-7.nii.gz")
    assert [finding for finding in check_cases([case_files], n_jobs=1) if finding.severity != "info"] == []


def test_a_sound_case_needs_no_copy(ward, tmp_path):
    assert repair(ward.files(), tmp_path / "out") == []
    assert not (tmp_path / "out").exists()


def test_padding(ward, tmp_path):
    volume = ward.case.volume.copy()
    outside = np.zeros(volume.shape, bool)
    outside[:, :6] = True
    volume[outside] = -2048
    files = ward.files(volume=volume)
    before = {path: path.read_bytes() for path in (files.volume, files.reference)}
    (done,) = repair(files, tmp_path / "out")
    assert (done.case, done.code, done.file) == ("volume-7", "padding", tmp_path / "out" / "volume-7.nii.gz")
    np.testing.assert_array_equal(repaired(tmp_path / "out").volume, np.where(outside, -1024, ward.case.volume))
    assert {path: path.read_bytes() for path in before} == before


def test_nan_in_the_padding_and_in_the_patient(ward, tmp_path):
    volume = ward.case.volume.astype(np.float32)
    volume[:, :3] = np.nan
    (done,) = repair(ward.files(volume=volume), tmp_path / "out")
    assert done.code == "not-finite"
    expected = ward.case.volume.copy()
    expected[:, :3] = -1024
    np.testing.assert_array_equal(repaired(tmp_path / "out").volume, expected)
    inside = np.argwhere(ward.case.reference == 1)[500]
    volume[tuple(inside)] = np.nan
    assert repair(ward.files(volume=volume), tmp_path / "none") == []


def test_labels_nearly_integer(ward, tmp_path):
    labels = ward.case.reference * np.float32(0.9998)
    (done,) = repair(ward.files(mask=labels), tmp_path / "out")
    assert done.code == "labels-rounded"
    as_it_should_be(ward, tmp_path / "out")
    assert nib.load(done.file).get_data_dtype() == np.uint8
    assert repair(ward.files(mask=ward.case.reference * np.float32(0.99)), tmp_path / "none") == []


def test_a_mask_without_its_affine(ward, tmp_path):
    files = ward.files()
    store(files.reference, ward.case.grid.from_axial(ward.case.reference), np.eye(4))
    (done,) = repair(files, tmp_path / "out")
    assert done.code == "mask-geometry"
    assert "the liver lies on the CT's" in done.known
    as_it_should_be(ward, tmp_path / "out")


def test_a_mask_in_another_orientation_of_the_same_place(ward, tmp_path):
    files = ward.files()
    image = nib.load(files.reference)
    turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), nib.orientations.axcodes2ornt("PIL"))
    image = image.as_reoriented(turn)
    store(files.reference, np.asanyarray(image.dataobj).copy(), image.affine)
    (done,) = repair(files, tmp_path / "out")
    assert done.code == "mask-geometry"
    assert "PIL" in done.done
    as_it_should_be(ward, tmp_path / "out")


def test_a_mask_that_fits_nowhere_is_left_alone(ward, tmp_path):
    files = ward.files()
    mask = np.roll(ward.case.reference, 8, 1)
    store(files.reference, ward.case.grid.from_axial(mask), np.eye(4))
    assert repair(files, tmp_path / "out") == []


@pytest.mark.parametrize("axes", [(0,), (2,), (1, 2)])
def test_a_flipped_mask(ward, tmp_path, axes):
    files = ward.files(mask=np.ascontiguousarray(np.flip(ward.case.reference, axes)))
    (done,) = repair(files, tmp_path / "out")
    assert done.code == "mask-flipped"
    as_it_should_be(ward, tmp_path / "out")


def test_a_shifted_mask_is_left_to_the_reader(ward, tmp_path):
    assert repair(ward.files(mask=np.roll(ward.case.reference, 6, 1)), tmp_path / "out") == []


def test_a_spacing_that_only_the_mask_has_kept(ward, tmp_path):
    files = ward.files()
    store(files.volume, ward.case.grid.from_axial(ward.case.volume), np.eye(4))
    (done,) = repair(files, tmp_path / "out")
    assert done.code == "spacing-implausible"
    as_it_should_be(ward, tmp_path / "out")


def test_a_spacing_that_no_file_has_kept(ward, tmp_path):
    files = ward.files()
    for path, array in ((files.volume, ward.case.volume), (files.reference, ward.case.reference)):
        store(path, ward.case.grid.from_axial(array), np.eye(4))
    assert repair(files, tmp_path / "out") == []


def test_two_faults_at_once_and_a_mask_that_cannot_be_mended(ward, tmp_path):
    volume = ward.case.volume.copy()
    volume[:, :6] = -2048
    done = repair(ward.files(volume=volume, mask=ward.case.reference * np.float32(0.9998)), tmp_path / "out")
    assert [one.code for one in done] == ["padding", "labels-rounded"]
    files = ward.files(volume=volume, mask=ward.case.reference * np.uint8(3))
    (done,) = repair(files, tmp_path / "other")
    assert done.code == "padding"
    assert (tmp_path / "other" / files.reference.name).read_bytes() == files.reference.read_bytes()


def test_nothing_is_overwritten_and_no_copy_lies_beside_its_input(ward, tmp_path):
    volume = ward.case.volume.copy()
    volume[:, :6] = -2048
    files = ward.files(volume=volume)
    findings = check_cases([files], n_jobs=1)
    for folder in (ward.folder, ward.folder / "fixed"):
        with pytest.raises(OutputError, match="beside the input"):
            repair_cases([files], folder, findings)
    repair_cases([files], tmp_path / "out", findings)
    with pytest.raises(OutputError, match="exists already"):
        repair_cases([files], tmp_path / "out", findings)
