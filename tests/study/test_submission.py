import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.case import Grid
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.errors import GeometryError, InputError, OutputError
from lits_toolkit.study import submission
from lits_toolkit.study.submission import pack_submission

GRID = Grid((16, 12, 10), np.diag([-0.7, -0.8, 2.5, 1.0]))
NUMBERS = (0, 2, 10)


def mask_of(number):
    return np.random.default_rng(number).integers(0, 3, GRID.axial_shape).astype(np.uint8)


@pytest.fixture
def folders(tmp_path):
    """Predictions named as `lits predict` names them, and test volumes beside a training one."""
    for number in NUMBERS:
        write_volume(np.zeros(GRID.axial_shape, np.int16), GRID, tmp_path / "volumes" / f"test-volume-{number}.nii")
        write_mask(mask_of(number), GRID, tmp_path / "predictions" / f"test-segmentation-{number}.nii.gz")
    write_volume(np.zeros(GRID.axial_shape, np.int16), GRID, tmp_path / "volumes" / "volume-3.nii")
    return tmp_path / "predictions", tmp_path / "volumes"


def refuse(folders, tmp_path, error, match):
    """Packing raises and leaves nothing behind."""
    with pytest.raises(error, match=match):
        pack_submission(*folders, tmp_path / "out" / "s.zip")
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_a_flat_zip_of_uncompressed_masks_on_the_volumes_grids(folders, tmp_path):
    names = pack_submission(*folders, tmp_path / "out" / "s.zip")
    assert names == ["test-segmentation-0.nii", "test-segmentation-2.nii", "test-segmentation-10.nii"]
    with zipfile.ZipFile(tmp_path / "out" / "s.zip") as archive:
        assert archive.namelist() == names
        assert archive.testzip() is None
        archive.extractall(tmp_path / "unpacked")
    for number in NUMBERS:
        image = nib.load(tmp_path / "unpacked" / f"test-segmentation-{number}.nii")
        volume = nib.load(folders[1] / f"test-volume-{number}.nii")
        assert image.get_data_dtype() == np.uint8
        assert image.header.get_zooms() == volume.header.get_zooms()
        np.testing.assert_array_equal(image.affine, volume.affine)
        np.testing.assert_array_equal(image.dataobj, GRID.from_axial(mask_of(number)))
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "s.zip"]


def test_the_same_masks_give_the_same_zip(folders, tmp_path):
    for name in ("a.zip", "b.zip"):
        pack_submission(*folders, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize("name", ["segmentation-{}.nii", "volume-{}.nii.gz", "liver_{:03d}_0000.nii.gz"])
def test_predictions_meet_the_volumes_by_number(folders, tmp_path, name):
    for number in NUMBERS:
        write_mask(mask_of(number), GRID, tmp_path / "others" / name.format(number))
    assert len(pack_submission(tmp_path / "others", folders[1], tmp_path / "s.zip")) == 3


def test_without_test_volumes_every_numbered_volume_counts(folders, tmp_path):
    predictions = write_only(tmp_path / "p", "segmentation-3.nii")
    for path in folders[1].glob("test-*"):
        path.unlink()
    assert pack_submission(predictions, folders[1], tmp_path / "s.zip") == ["test-segmentation-3.nii"]
    write_volume(np.zeros(GRID.axial_shape, np.int16), GRID, folders[1] / "anna.nii")
    refuse(
        (predictions, folders[1]), tmp_path, InputError, r"expected test volumes named test-volume-N\.nii, found anna$"
    )


def write_only(folder, name, mask=None, grid=GRID):
    write_mask(np.zeros(grid.axial_shape, np.uint8) if mask is None else mask, grid, folder / name)
    return folder


def test_a_mask_in_another_orientation_is_turned_to_the_volumes(folders, tmp_path):
    path = folders[0] / "test-segmentation-2.nii.gz"
    nib.save(nib.as_closest_canonical(nib.load(path)), path)
    pack_submission(*folders, tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        image = nib.Nifti1Image.from_bytes(archive.read("test-segmentation-2.nii"))
    np.testing.assert_array_equal(image.dataobj, GRID.from_axial(mask_of(2)))


def test_missing_and_superfluous_predictions_are_all_listed(folders, tmp_path):
    (folders[0] / "test-segmentation-2.nii.gz").unlink()
    write_only(folders[0], "test-segmentation-3.nii.gz")
    refuse(
        folders,
        tmp_path,
        InputError,
        r"no prediction for test-volume-2; .* no test volume for test-segmentation-3\.nii\.gz",
    )


def test_two_predictions_of_one_volume_are_refused(folders, tmp_path):
    write_only(folders[0], "test-segmentation-2.nii")
    refuse(folders, tmp_path, InputError, r"two files of test-volume-2: test-segmentation-2\.nii and ")


def test_another_shape_and_another_spacing_are_refused(folders, tmp_path):
    path = "test-segmentation-2.nii.gz"
    (folders[0] / path).unlink()
    write_only(folders[0], path, grid=Grid((16, 12, 9), GRID.affine))
    refuse(
        folders,
        tmp_path,
        GeometryError,
        r"test-volume-2.nii: expected the shape .*\(10, 12, 16\), found \(9, 12",
    )
    (folders[0] / path).unlink()
    write_only(folders[0], path, grid=Grid(GRID.shape, np.diag([-0.7, -0.8, 3.0, 1.0])))
    refuse(folders, tmp_path, GeometryError, "expected the affine .* differ by up to 0.5 mm")


def test_labels_beyond_tumour_and_between_integers_are_refused(folders, tmp_path):
    path = folders[0] / "test-segmentation-10.nii.gz"
    wrong = mask_of(10)
    wrong[0, 0, 0] = 3
    write_mask(wrong, GRID, path, overwrite=True)
    refuse(folders, tmp_path, InputError, r"test-segmentation-10\.nii\.gz: expected the labels 0 .* found 3")
    nib.save(nib.Nifti1Image(np.full(GRID.shape, 0.5, np.float32), GRID.affine), path)
    refuse(folders, tmp_path, InputError, r"test-segmentation-10\.nii\.gz: expected integer labels, found 0\.5")


def test_an_output_that_is_there_or_no_zip_is_refused_before_anything_is_read(folders, tmp_path):
    output = tmp_path / "s.zip"
    output.write_text("mine")
    with pytest.raises(OutputError, match=r"s\.zip exists already: .*--overwrite"):
        pack_submission(tmp_path / "nowhere", folders[1], output)
    assert output.read_text() == "mine"
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(OutputError, match=r"folder\.zip is a folder: expected the name of a zip"):
        pack_submission(tmp_path / "nowhere", folders[1], tmp_path / "folder.zip", overwrite=True)
    pack_submission(*folders, output, overwrite=True)
    assert zipfile.is_zipfile(output)
    with pytest.raises(OutputError, match=r"a name that ends in \.zip for the submission, found .*s\.tar"):
        pack_submission(*folders, tmp_path / "s.tar")


def test_a_failed_check_keeps_the_zip_that_is_there(folders, tmp_path):
    output = tmp_path / "s.zip"
    pack_submission(*folders, output)
    before = output.read_bytes()
    (folders[0] / "test-segmentation-2.nii.gz").write_bytes(b"no NIfTI")
    with pytest.raises(InputError, match="test-segmentation-2"):
        pack_submission(*folders, output, overwrite=True)
    assert output.read_bytes() == before


@pytest.mark.parametrize(
    ("encode", "said"),
    [
        (lambda mask, grid: np.where(mask == 2, 1, mask), "voxels differ from"),
        (lambda mask, grid: mask[:, ::-1], "voxels differ from"),
    ],
)
def test_what_reads_back_otherwise_is_not_kept(folders, tmp_path, monkeypatch, encode, said):
    right = submission.encode_mask
    monkeypatch.setattr(submission, "encode_mask", lambda mask, grid, path: right(encode(mask, grid), grid, path))
    refuse(folders, tmp_path, OutputError, f"reads back wrong: test-segmentation-0.nii: .*{said}")


def test_another_affine_type_or_name_in_the_zip_is_noticed(folders, tmp_path, monkeypatch):
    right = submission.encode_mask
    shifted = Grid(GRID.shape, GRID.affine + np.eye(4, k=3))
    monkeypatch.setattr(submission, "encode_mask", lambda mask, grid, path: right(mask, shifted, path))
    refuse(folders, tmp_path, OutputError, "reads back wrong: test-segmentation-0.nii: its affine differs")

    def as_int16(mask, grid, path):
        return nib.Nifti1Image(grid.from_axial(mask).astype(np.int16), grid.affine).to_bytes()

    monkeypatch.setattr(submission, "encode_mask", as_int16)
    refuse(folders, tmp_path, OutputError, "expected voxels of type uint8, found int16")
    monkeypatch.setattr(submission, "encode_mask", right)
    monkeypatch.setattr(submission.zipfile.ZipFile, "namelist", lambda archive: ["x"])
    refuse(folders, tmp_path, OutputError, "expected the names test-segmentation-0.nii, .* found x")


def test_a_checksum_that_does_not_hold_is_noticed(folders, tmp_path, monkeypatch):
    def damage(archive, entries):
        with Path(archive.filename).open("r+b") as zipped:
            zipped.seek(200)
            zipped.write(b"damage")

    monkeypatch.setattr(submission, "_require_names", damage)
    refuse(folders, tmp_path, OutputError, "reads back wrong: .*(CRC|invalid|decompress)")


def test_a_full_disk_is_said_and_leaves_nothing(folders, tmp_path, small_disk):
    with small_disk():
        refuse(folders, tmp_path, OutputError, "larger than is allowed|no space")
