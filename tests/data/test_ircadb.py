import shutil

import numpy as np
import pytest
from writers import small_case, write_ircadb

from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.reading import read_case, read_grid
from lits_toolkit.errors import GeometryError, InputError


@pytest.mark.parametrize("zipped", [False, True])
def test_patients_in_natural_order_with_their_masks_joined(tmp_path, zipped):
    cases = {f"3Dircadb1.{number}": small_case(f"3Dircadb1.{number}", seed=number) for number in (10, 2)}
    for name, case in cases.items():
        write_ircadb(tmp_path / name, case, zipped)
    found = find_cases(tmp_path)
    assert [files.name for files in found] == ["3Dircadb1.2", "3Dircadb1.10"]
    for files in found:
        read = read_case(files)
        np.testing.assert_array_equal(read.volume, cases[files.name].volume)
        np.testing.assert_array_equal(read.reference, cases[files.name].reference)
        assert read_grid(files.reference).shape == read.grid.shape


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("folder", ["all", "all/3Dircadb1.1"])
def test_a_zip_file_of_patients_reads_without_being_unpacked(tmp_path, zipped, folder):
    case = small_case()
    write_ircadb(tmp_path / "all" / "3Dircadb1.1", case, zipped)
    shutil.make_archive(str(tmp_path / "3Dircadb1.1"), "zip", tmp_path / "all", ".")
    if folder == "all/3Dircadb1.1":
        found = find_cases(tmp_path)  # the folder and the zip file: the folder is taken
        assert [files.volume.is_relative_to(tmp_path / "all") for files in found] == [True]
    shutil.rmtree(tmp_path / "all")
    for place in (tmp_path, tmp_path / "3Dircadb1.1.zip"):
        (files,) = find_cases(place)
        assert files.name == "3Dircadb1.1"
        read = read_case(files)
        np.testing.assert_array_equal(read.volume, case.volume)
        np.testing.assert_array_equal(read.reference, case.reference)


def test_the_folder_of_slices_stands_for_its_patient(tmp_path):
    write_ircadb(tmp_path / "3Dircadb1.1", small_case())
    (files,) = find_cases(tmp_path / "3Dircadb1.1" / "PATIENT_DICOM")
    assert (files.name, files.reference) == ("3Dircadb1.1", tmp_path / "3Dircadb1.1" / "MASKS_DICOM")


def test_masks_without_a_liver_or_of_two_grids_are_told(tmp_path):
    write_ircadb(tmp_path / "3Dircadb1.1", small_case())
    masks = tmp_path / "3Dircadb1.1" / "MASKS_DICOM"
    for number in range(3):
        (masks / "livertumor01" / f"image_{number}").unlink()
    with pytest.raises(GeometryError, match="livertumor01 lies on a grid other than liver's"):
        read_case(tmp_path / "3Dircadb1.1")
    shutil.rmtree(masks / "liver")
    with pytest.raises(InputError, match=r"expected a folder `liver`.*livertumor02"):
        read_case(tmp_path / "3Dircadb1.1")


def test_a_damaged_zip_file_is_told(tmp_path):
    write_ircadb(tmp_path / "3Dircadb1.1", small_case(), zipped=True)
    path = tmp_path / "3Dircadb1.1" / "PATIENT_DICOM.zip"
    path.write_bytes(path.read_bytes()[:500])
    (files,) = find_cases(tmp_path)
    with pytest.raises(InputError, match=r"PATIENT_DICOM\.zip"):
        read_case(files)
