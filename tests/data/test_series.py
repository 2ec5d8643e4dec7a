import numpy as np
import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian
from writers import dicom_slices, small_case, write_dicom, write_dicom_case

from lits_toolkit.data import series
from lits_toolkit.data.dicom import read_dicom, read_dicom_grid
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.reading import read_case
from lits_toolkit.data.series import find_series
from lits_toolkit.errors import InputError


def slices_of(case, **settings):
    return dicom_slices(case.grid.from_axial(case.volume), case.grid, **settings)


def test_series_of_one_folder_are_told_apart(tmp_path):
    cases = [small_case(seed=seed) for seed in (1, 2)]
    for number, case in enumerate(cases, start=4):
        write_dicom(tmp_path / "anna", slices_of(case, number=number), prefix=f"s{number}_")
    scout = slices_of(small_case(), number=1)[:1]
    scout[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_dicom(tmp_path / "anna", scout, prefix="scout")
    mr = slices_of(small_case(), number=9)
    for dataset in mr:
        dataset.Modality = "MR"
    write_dicom(tmp_path / "anna", mr, prefix="mr")
    found = find_cases(tmp_path)
    assert [case.name for case in found] == ["anna-4", "anna-5"]
    for files, case in zip(found, cases, strict=True):
        np.testing.assert_array_equal(read_case(files).volume, case.volume)
        assert read_dicom_grid(files.volume, files.series).shape == case.grid.shape
    with pytest.raises(InputError, match="several"):
        read_dicom(tmp_path / "anna")


def test_series_without_numbers_of_their_own_are_counted(tmp_path):
    for prefix in ("a", "b"):
        write_dicom(tmp_path / "anna", slices_of(small_case(), number=3), prefix=prefix)
    assert [case.name for case in find_cases(tmp_path)] == ["anna-1", "anna-2"]


@pytest.mark.parametrize("implicit", [False, True])
def test_one_header_of_a_series_is_read_and_the_glance_agrees_with_pydicom(tmp_path, monkeypatch, implicit):
    slices = slices_of(small_case()) + slices_of(small_case())
    for dataset in slices if implicit else ():
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    write_dicom(tmp_path, slices)
    files = sorted(tmp_path.iterdir())
    read = []
    monkeypatch.setattr(series, "read_dataset", lambda *of, **how: read.append(of[1]) or pydicom.dcmread(of[1]))
    found = find_series(files)
    assert len(read) == 2
    for one in found:
        assert {pydicom.dcmread(path).SeriesInstanceUID for path in one.files} == {one.uid}
    assert sorted(path for one in found for path in one.files) == files


def test_without_an_identifier_the_slices_of_a_folder_are_one_series(tmp_path):
    slices = slices_of(small_case())
    for dataset in slices:
        dataset.SeriesInstanceUID = ""
    write_dicom(tmp_path, slices)
    (one,) = find_series(sorted(tmp_path.iterdir()))
    assert (one.uid, len(one.files)) == ("", 5)


def test_what_is_not_dicom_is_left_out(tmp_path):
    write_dicom_case(tmp_path, small_case())
    (tmp_path / "readme.txt").write_text("x" * 200)
    (tmp_path / "empty").touch()
    assert [len(one.files) for one in find_series(sorted(tmp_path.iterdir()))] == [5]
