import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.pixels.common import CoderBase
from pydicom.uid import JPEGLosslessSV1, JPEGLSLossless, RLELossless
from writers import ORIENTATIONS, dicom_slices, small_case, small_grid, write_dicom, write_dicom_case

from lits_toolkit.data.dicom import read_dicom, read_dicom_grid
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.nifti import write_mask
from lits_toolkit.data.reading import read_case, read_grid, read_mask
from lits_toolkit.errors import InputError


def slices_of(case, **settings):
    return dicom_slices(case.grid.from_axial(case.volume), case.grid, **settings)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_series_in_any_orientation_is_the_same_case(tmp_path, orientation):
    case = small_case(grid=small_grid(orientation))
    write_dicom_case(tmp_path / "anna", case)
    found = read_case(tmp_path / "anna")
    np.testing.assert_array_equal(found.volume, case.volume)
    np.testing.assert_allclose(found.grid.axial_affine, case.grid.axial_affine, atol=1e-6)
    assert found.name == "anna"
    np.testing.assert_allclose(read_grid(tmp_path / "anna").affine, found.grid.affine)


@pytest.mark.parametrize("turn", [7.0, 30.0])
def test_an_oblique_series_keeps_its_affine_and_so_does_its_mask(tmp_path, turn):
    case = small_case(grid=small_grid(turn_degrees=turn))
    write_dicom_case(tmp_path / "anna", case)
    found = read_case(tmp_path / "anna")
    np.testing.assert_array_equal(found.volume, case.volume)
    np.testing.assert_allclose(found.grid.affine, case.grid.affine, atol=1e-6)
    write_mask(case.reference, found.grid, tmp_path / "mask.nii.gz")
    np.testing.assert_allclose(nib.load(tmp_path / "mask.nii.gz").affine, case.grid.affine, atol=1e-4)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.nii.gz", found.grid), case.reference)


def test_the_shear_of_a_tilted_gantry_is_kept(tmp_path):
    grid = small_grid()
    grid.affine[1, 2] = 0.6  # the table moves, the slices stay upright
    case = small_case(grid=grid)
    write_dicom_case(tmp_path / "anna", case)
    np.testing.assert_allclose(read_dicom(tmp_path / "anna").grid.affine, grid.affine, atol=1e-6)


@pytest.mark.parametrize(("signed", "intercept"), [(True, 0), (False, -1024), (True, -24)])
def test_stored_values_signed_and_unsigned_become_hu(tmp_path, signed, intercept):
    case = small_case()
    write_dicom_case(tmp_path / "anna", case, signed=signed, intercept=intercept)
    stored = read_dicom(tmp_path / "anna")
    assert stored.voxels.dtype == np.int16
    np.testing.assert_array_equal(case.grid.to_axial(stored.voxels), case.volume)


def test_a_slope_that_is_a_fraction_and_values_beyond_int16(tmp_path):
    case = small_case()
    write_dicom_case(tmp_path / "half", case, slope=0.5, intercept=-1024.5, signed=True)
    np.testing.assert_allclose(case.grid.to_axial(read_dicom(tmp_path / "half").voxels), case.volume, atol=0.25)
    slices = slices_of(case)
    slices[0].PixelData = np.full((6, 7), 65535, "<u2").tobytes()
    write_dicom(tmp_path / "high", slices)
    assert read_dicom(tmp_path / "high").voxels.max() == 65535 - 1024


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless], ids=lambda syntax: syntax.name)
def test_compressed_pixels_read_alike(tmp_path, syntax):
    case = small_case()
    slices = slices_of(case)
    for dataset in slices:
        dataset.compress(syntax, generate_instance_uid=False)
    write_dicom(tmp_path / "anna", slices)
    np.testing.assert_array_equal(read_case(tmp_path / "anna").volume, case.volume)


def test_a_missing_plug_in_is_named_with_the_command(tmp_path, monkeypatch):
    slices = slices_of(small_case())
    for dataset in slices:
        dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    write_dicom(tmp_path / "anna", slices)
    monkeypatch.setattr(CoderBase, "is_available", property(lambda coder: False))
    with pytest.raises(InputError, match=r"JPEG Lossless.*pip install pylibjpeg pylibjpeg-libjpeg") as error:
        read_case(tmp_path / "anna")
    assert error.value.code == "compression"


def test_a_hole_is_filled_and_told_and_the_other_slices_keep_their_places(tmp_path):
    case = small_case()
    slices = slices_of(case)
    del slices[3]
    write_dicom(tmp_path / "anna", slices)
    stored = read_dicom(tmp_path / "anna")
    found = stored.grid.to_axial(stored.voxels)
    np.testing.assert_array_equal(np.delete(found, 3, 0), np.delete(case.volume, 3, 0))
    assert any(np.array_equal(found[3], case.volume[near]) for near in (2, 4))
    (note,) = stored.notes
    assert note.code == "slices-missing"
    assert "1 of 5 slices are missing: 4 (-303.0 mm)" in note.message  # -310.5 + 3 × 2.5
    np.testing.assert_allclose(stored.grid.affine, case.grid.affine, atol=1e-6)


def test_slices_there_twice_are_read_once_unless_they_differ(tmp_path):
    case = small_case()
    slices = slices_of(case)
    write_dicom(tmp_path / "anna", slices)
    write_dicom(tmp_path / "anna", slices[2:3], prefix="again_")
    stored = read_dicom(tmp_path / "anna")
    np.testing.assert_array_equal(stored.grid.to_axial(stored.voxels), case.volume)
    assert [note.code for note in stored.notes] == ["slices-repeated"]
    slices[2].PixelData = slices[1].PixelData
    write_dicom(tmp_path / "anna", slices[2:3], prefix="again_")
    with pytest.raises(InputError, match=r"differ lie at one position.*again_0"):
        read_dicom(tmp_path / "anna")


def moved(slices):
    slices[3].ImagePositionPatient[2] += 1.0


def far(slices):
    for dataset in slices[3:]:
        dataset.ImagePositionPatient[2] += 100.0


def smaller(slices):
    slices[3].Rows, slices[3].Columns = 7, 6


def turned(slices):
    slices[3].ImageOrientationPatient = [0, 1, 0, -1, 0, 0]


def no_position(slices):
    del slices[3].ImagePositionPatient


def framed(slices):
    slices[3].NumberOfFrames = 4


def colored(slices):
    slices[3].SamplesPerPixel = 3


def short(slices):
    slices[3].PixelData = slices[3].PixelData[:-20]


def another_series(slices):
    slices[3].SeriesInstanceUID = "1.2.3"


@pytest.mark.parametrize(
    ("fault", "said", "code"),
    [
        (moved, "even distances.*from 1.5 to 3.5 mm", "uneven-slices"),
        (far, "expected 45 slices.*only 5", "slices-missing"),
        (smaller, "one size, spacing and orientation", "mixed-slices"),
        (turned, "one size, spacing and orientation", "mixed-slices"),
        (no_position, "position, orientation and pixel spacing", "unreadable"),
        (framed, "one slice per file.*4 frames", "multi-frame"),
        (colored, "in colour", "unreadable"),
        (short, "cut off or damaged", "unreadable"),
        (another_series, "several", "unreadable"),
    ],
)
def test_what_makes_no_volume_is_told_with_the_place(tmp_path, fault, said, code):
    slices = slices_of(small_case())
    fault(slices)
    write_dicom(tmp_path / "anna", slices)
    with pytest.raises(InputError, match=said) as error:
        read_dicom(tmp_path / "anna")
    assert "anna" in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.code == code


def test_a_file_cut_off_anywhere_is_told_and_never_a_traceback(tmp_path):
    write_dicom_case(tmp_path / "anna", small_case())
    victim = tmp_path / "anna" / "image_2"
    whole = victim.read_bytes()
    for length in range(140, len(whole) - 1, 37):
        victim.write_bytes(whole[:length])
        assert find_cases(tmp_path)
        with pytest.raises(InputError, match="image_2"):
            read_dicom(tmp_path / "anna")


def test_one_slice_takes_its_thickness_for_a_distance(tmp_path):
    slices = slices_of(small_case())[:1]
    write_dicom(tmp_path / "anna", slices)
    assert read_dicom_grid(tmp_path / "anna").spacing_mm == pytest.approx((2.5, 0.8, 0.7))
    del slices[0].SliceThickness
    write_dicom(tmp_path / "anna", slices)
    with pytest.raises(InputError, match="no thickness"):
        read_dicom_grid(tmp_path / "anna")


def test_a_real_series_equals_its_nifti_voxel_for_voxel(real_ct):
    series = read_case(real_ct.parent / "totalsegmentator" / "example_ct_dicom")
    nifti = read_case(real_ct / "volume-1.nii.gz")
    np.testing.assert_array_equal(series.volume, nifti.volume)
    np.testing.assert_allclose(series.grid.axial_affine, nifti.grid.axial_affine, atol=1e-6)
