import highdicom
import numpy as np
import pytest
from writers import dicom_slices, small_case, small_grid, write_dicom, write_seg

from lits_toolkit.data.dicom_seg import read_dicom_seg
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.reading import read_case, read_mask
from lits_toolkit.errors import GeometryError, InputError


def write_case(folder, case, segments=None, **settings):
    """A series with its segmentation; `segments` are of the file's own (k, j, i)."""
    slices = dicom_slices(case.grid.from_axial(case.volume), case.grid)
    write_dicom(folder, slices)
    mask = case.grid.from_axial(case.reference).transpose(2, 1, 0)
    segments = segments or {"Liver": mask > 0, "Mass": mask == 2, "Portal vein": np.ones_like(mask, bool)}
    write_seg(folder / "seg.dcm", slices, segments, **settings)


@pytest.mark.parametrize("fractional", [False, True])
@pytest.mark.parametrize("orientation", ["LPS", "RAI", "SLP"])
def test_segments_become_the_mask_of_the_series_beside(tmp_path, orientation, fractional):
    case = small_case(grid=small_grid(orientation, turn_degrees=10))
    write_case(tmp_path / "anna", case, fractional=fractional)
    (files,) = find_cases(tmp_path)
    assert (files.name, files.reference) == ("anna", tmp_path / "anna" / "seg.dcm")
    found = read_case(files)
    np.testing.assert_array_equal(found.reference, case.reference)
    (note,) = read_dicom_seg(files.reference, found.grid).notes
    assert "Portal vein" in note.message


def test_without_a_ct_the_mask_lies_on_its_own_frames(tmp_path):
    case = small_case()
    mask = case.reference
    write_case(tmp_path / "anna", case, {"Liver": mask > 0, "liver tumor": mask == 2})
    np.testing.assert_array_equal(read_mask(tmp_path / "anna" / "seg.dcm"), mask[1:4])  # empty frames are left out


def test_a_ct_of_another_grid_is_refused(tmp_path):
    write_case(tmp_path / "anna", small_case())
    for other in (small_grid(shape=(5, 4, 4)), small_grid(spacing_mm=(2.5, 1.0, 0.7))):
        with pytest.raises(GeometryError, match="does not lie on the CT's voxels"):
            read_mask(tmp_path / "anna" / "seg.dcm", other)


def test_what_is_no_mask_of_the_liver_is_told(tmp_path):
    write_case(tmp_path / "anna", small_case(), {"Spleen": np.ones((5, 6, 7), bool)})
    with pytest.raises(InputError, match=r"seg\.dcm.*liver or a tumour, found Spleen"):
        read_mask(tmp_path / "anna" / "seg.dcm")
    with pytest.raises(InputError, match=r"image_0.*expected a DICOM segmentation, found CT; .*folder"):
        read_mask(tmp_path / "anna" / "image_0")


def test_two_segmentations_of_one_series_are_both_named(tmp_path):
    case = small_case()
    write_case(tmp_path / "anna", case)
    (tmp_path / "anna" / "copy.dcm").write_bytes((tmp_path / "anna" / "seg.dcm").read_bytes())
    with pytest.raises(InputError, match=r"copy\.dcm and .*seg\.dcm"):
        find_cases(tmp_path)


def test_a_real_segmentation_agrees_with_highdicom(real_ct):
    folder = real_ct.parent / "dcmqi"
    (files,) = find_cases(folder)
    assert files.reference == folder / "liver.dcm"
    case = read_case(files)
    assert case.volume.shape == (3, 512, 512)
    peer = highdicom.seg.segread(folder / "liver.dcm").get_volume(combine_segments=True)
    frames = peer.array if peer.affine[2, 0] > 0 else peer.array[::-1]  # from feet to head
    np.testing.assert_array_equal(case.reference, frames)
