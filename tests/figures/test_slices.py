from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.errors import GeometryError, InputError
from lits_toolkit.figures.slices import busiest_slice, draw_gallery, draw_prediction, spread_slices, take_slice


@pytest.fixture
def case():
    """10 slices of 40 × 60 at (5, 1, 2) mm: a body of 30 × 50 pixels, a liver of 10 × 20 in it, a tumour in slice 6."""
    volume = np.full((10, 40, 60), -1000, np.int16)
    volume[:, 5:35, 5:55] = 50
    reference = np.zeros(volume.shape, np.uint8)
    reference[2:8, 10:20, 10:30] = 1
    reference[6, 12:15, 12:16] = 2
    affine = np.diag([-2.0, -1.0, 5.0, 1.0])
    return Case("volume-0", volume, Grid((60, 40, 10), affine, nib.Nifti1Header()), reference)


def test_the_busiest_slice_has_the_most_tumor_and_else_the_most_liver(case):
    assert busiest_slice(case) == 6
    liver_only = np.minimum(case.reference, 1)
    liver_only[3, 20:22, 10:30] = 1
    assert busiest_slice(replace(case, reference=liver_only)) == 3
    assert busiest_slice(replace(case, reference=np.zeros_like(liver_only))) == 5
    assert busiest_slice(replace(case, reference=None)) == 5


def test_a_gallery_says_which_case_has_no_mask(case, assert_legible):
    bare = replace(case, name="volume-1", reference=None)
    drawn = draw_gallery([take_slice(case, 6), take_slice(bare, 6)], "phantom cohort")
    assert [ax.get_title() for ax in drawn.figure.axes] == ["volume-0, slice 6", "volume-1, slice 6, no mask"]
    assert_legible(drawn)
    alone = draw_gallery([take_slice(bare, 6)], "phantom cohort")
    assert alone.figure.get_suptitle() == "Slices without reference masks · phantom cohort"
    assert [text.get_text() for text in alone.figure.legends[0].get_texts()] == ["bar: 50 mm"]


@pytest.mark.parametrize("count", [1, 2, 4, 50])
def test_spread_slices_lie_inside_the_liver(case, count):
    places = spread_slices(case.reference, count)
    assert places == sorted(set(places))
    assert set(places) <= set(range(2, 8))
    assert len(places) <= count


def test_a_slice_shows_the_body_or_the_liver_with_its_margin(case):
    assert take_slice(case, 6).part == (slice(5, 35), slice(5, 55))
    near = take_slice(case, 6, margin_mm=4)
    assert near.part == (slice(6, 24), slice(8, 32))
    assert near.part_mm == (18, 48)
    assert np.array_equal(near.reference, case.reference[6])


def test_a_prediction_beyond_the_reference_is_seen(case):
    prediction = np.zeros_like(case.reference)
    prediction[0, 38, 58] = 1
    rows, columns = take_slice(case, 6, prediction, margin_mm=0).part
    assert (rows.stop, columns.stop) == (39, 59)


def test_a_wrong_shape_and_a_missing_slice_are_told(case):
    with pytest.raises(GeometryError, match=r"volume-0.*\(2, 2, 2\).*\(10, 40, 60\)"):
        take_slice(case, 0, np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(InputError, match="no slice 10: it has the slices 0 to 9"):
        take_slice(case, 10)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 30])
def test_a_gallery_of_any_size(case, assert_legible, count):
    drawn = draw_gallery([take_slice(case, 6)] * count, "phantom cohort")
    assert len(drawn.figure.axes) == count
    assert drawn.data.iloc[0].to_dict() == {"case": "volume-0", "z": 6, "liver_pixels": 200, "tumor_pixels": 12}
    assert_legible(drawn)


def test_a_case_without_reference_is_shown_without_masks(case):
    bare = Case(case.name, case.volume, case.grid)
    assert draw_gallery([take_slice(bare, 6)], "phantom cohort").data["tumor_pixels"].isna().all()


def test_reference_and_prediction_are_counted_apart(case, assert_legible):
    prediction = np.where(case.reference == 2, 1, case.reference).astype(np.uint8)
    drawn = draw_prediction([take_slice(case, z, prediction) for z in (4, 6)], "phantom cohort, volume-0")
    assert drawn.data["reference_tumor_pixels"].tolist() == [0, 12]
    assert drawn.data["prediction_tumor_pixels"].tolist() == [0, 0]
    assert drawn.data["prediction_liver_pixels"].tolist() == [200, 200]
    assert_legible(drawn)


def test_no_slice_is_told():
    with pytest.raises(InputError, match="no slice to draw"):
        draw_gallery([], "phantom cohort")
