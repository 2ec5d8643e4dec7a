import highdicom
import numpy as np
import pydicom
import pytest
from writers import dicom_slices, small_case, small_grid, write_dicom, write_dicom_case

from lits_toolkit.data.dicom_seg import read_dicom_seg
from lits_toolkit.data.dicom_seg_writing import write_dicom_seg
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.reading import read_case, read_mask
from lits_toolkit.errors import GeometryError, OutputError, SettingError


@pytest.mark.parametrize("orientation", ["LPS", "RAI", "SLP", "PIR"])
def test_it_reads_back_as_the_mask_beside_its_series(tmp_path, orientation):
    case = small_case(grid=small_grid(orientation, turn_degrees=10))
    write_dicom_case(tmp_path / "anna", case)
    read = read_case(find_cases(tmp_path)[0])
    write_dicom_seg(case.reference, read.grid, (tmp_path / "anna", ""), tmp_path / "anna" / "s.dcm", "x")
    (files,) = find_cases(tmp_path)
    assert files.reference == tmp_path / "anna" / "s.dcm"
    np.testing.assert_array_equal(read_case(files).reference, case.reference)
    assert not read_dicom_seg(files.reference, read.grid).notes


def test_segments_are_coded_and_refer_to_every_image(tmp_path):
    case = small_case()
    slices = dicom_slices(case.grid.from_axial(case.volume), case.grid)
    write_dicom(tmp_path / "ct", slices)
    write_dicom_seg(case.reference, case.grid, (tmp_path / "ct", ""), tmp_path / "s.dcm", "liver a and tumor b")
    seg = highdicom.seg.segread(tmp_path / "s.dcm")
    liver, tumor = (seg.get_segment_description(number) for number in (1, 2))
    assert (liver.segment_label, liver.segmented_property_type.value) == ("Liver", "10200004")
    assert (tumor.segment_label, tumor.segmented_property_type.value) == ("Tumor", "108369006")
    assert tumor.anatomic_regions[0].value == "10200004"
    assert liver.algorithm_type.value == "AUTOMATIC"
    assert seg.StudyInstanceUID == slices[0].StudyInstanceUID
    assert seg.FrameOfReferenceUID == slices[0].FrameOfReferenceUID
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == slices[0].SeriesInstanceUID
    uids = {image.SOPInstanceUID for image in slices}
    assert {uid for _, _, uid in seg.get_source_image_uids()} <= uids
    by_highdicom = seg.get_pixels_by_source_instance([image.SOPInstanceUID for image in slices])
    expected = case.grid.from_axial(case.reference).transpose(2, 1, 0)
    np.testing.assert_array_equal(by_highdicom[..., 0], expected >= 1)
    np.testing.assert_array_equal(by_highdicom[..., 1], expected == 2)


def test_an_empty_mask_is_an_empty_segmentation(tmp_path):
    case = small_case()
    write_dicom_case(tmp_path / "ct", case)
    write_dicom_seg(np.zeros_like(case.reference), case.grid, (tmp_path / "ct", ""), tmp_path / "s.dcm", "x")
    assert not read_mask(tmp_path / "s.dcm", case.grid).any()
    assert len(pydicom.dcmread(tmp_path / "s.dcm").SegmentSequence) == 2


def test_what_cannot_be_written_is_told(tmp_path, monkeypatch):
    case = small_case()
    write_dicom_case(tmp_path / "ct", case)
    with pytest.raises(GeometryError, match="another grid"):
        write_dicom_seg(case.reference, small_grid("RAS"), (tmp_path / "ct", ""), tmp_path / "s.dcm", "x")
    (tmp_path / "s.dcm").write_text("somebody's")
    with pytest.raises(OutputError, match="exists already"):
        write_dicom_seg(case.reference, case.grid, (tmp_path / "ct", ""), tmp_path / "s.dcm", "x")
    monkeypatch.setitem(__import__("sys").modules, "highdicom", None)
    with pytest.raises(SettingError, match=r'pip install "lits-toolkit\[seg\]"'):
        write_dicom_seg(case.reference, case.grid, (tmp_path / "ct", ""), tmp_path / "other.dcm", "x")
