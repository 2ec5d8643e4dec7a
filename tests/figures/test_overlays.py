import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.colors import to_rgb
from scipy import ndimage

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.errors import InputError
from lits_toolkit.figures.overlays import cases_from_worst_to_best, draw_hits_and_misses, lesion_status, take_overlay
from lits_toolkit.figures.style import FALSE_ALARM, MISS

MASKS = arrays(np.uint8, (3, 6, 6), elements=st.sampled_from([0, 0, 1, 2]))


@pytest.fixture
def case():
    reference = np.zeros((5, 40, 40), np.uint8)
    reference[:, 5:35, 5:35] = 1
    reference[1:3, 8:12, 8:12] = 2
    reference[2, 20:24, 20:24] = 2
    return Case("volume-0", np.full(reference.shape, 60, np.int16), Grid((40, 40, 5), np.eye(4)), reference)


@pytest.fixture
def prediction(case):
    """The first lesion found, the second missed, and a false alarm in slices 2 and 4."""
    prediction = np.minimum(case.reference, 1)
    prediction[1, 9:14, 9:14] = 2
    prediction[2, 30:33, 30:33] = 2
    prediction[4, 30:33, 30:33] = 2
    return prediction


@settings(max_examples=60, deadline=None)
@given(MASKS, MASKS)
def test_each_lesion_has_the_fate_that_a_plain_loop_finds(reference, prediction):
    expected = np.zeros(reference.shape, np.uint8)
    for mine, other, otherwise in ((reference == 2, prediction == 2, 2), (prediction == 2, reference == 2, 3)):
        labels, count = ndimage.label(mine)
        for number in range(1, count + 1):
            lesion = labels == number
            expected[lesion] = 1 if (lesion & other).any() else otherwise
    assert np.array_equal(lesion_status(reference, prediction), expected)


def test_the_slice_with_the_most_fates_is_chosen(case, prediction):
    overlay = take_overlay(case, prediction)
    assert overlay.z == 2
    assert set(np.unique(overlay.status)) == {0, 1, 2, 3}
    assert take_overlay(case, prediction, z=4).z == 4


def test_what_is_seen_in_a_slice_is_counted(case, prediction, assert_legible):
    drawn = draw_hits_and_misses([take_overlay(case, prediction, z=z) for z in (0, 1, 2, 4)], "phantom cohort")
    assert drawn.data["hits"].tolist() == [0, 1, 1, 0]
    assert drawn.data["misses"].tolist() == [0, 0, 1, 0]
    assert drawn.data["false_alarms"].tolist() == [0, 0, 1, 1]
    titles = [ax.get_title().splitlines()[1] for ax in drawn.figure.axes]
    assert titles == ["no tumour in this slice", "1 hit", "1 hit, 1 miss, 1 false alarm", "1 false alarm"]
    assert_legible(drawn)


def test_hits_misses_and_false_alarms_differ_in_form_as_in_color(case, prediction):
    drawn = draw_hits_and_misses([take_overlay(case, prediction)], "phantom cohort")
    forms = {type(form).__name__ for form in drawn.figure.axes[0].patches}
    assert forms == {"Ellipse", "Rectangle"}
    legend = [text.get_text() for text in drawn.figure.legends[0].get_texts()]
    assert legend == [
        "reference", "prediction", "hit: common part", "hit: missed part", "hit: excess",
        "missed lesion", "false alarm", "hit or missed: by whole lesion, in 3D", "bar: 50 mm",
    ]  # fmt: skip


def test_the_missed_part_of_a_hit_is_no_missed_lesion(case, prediction):
    drawn = draw_hits_and_misses([take_overlay(case, prediction, z=z) for z in (1, 2)], "phantom cohort")
    # Slice 1: 4 × 4 expected, 5 × 5 found, 3 × 3 of them common. Slice 2: nothing is found of the same lesion.
    assert drawn.data["common_pixels"].tolist() == [9, 0]
    assert drawn.data["missed_pixels"].tolist() == [7, 16]
    assert drawn.data["excess_pixels"].tolist() == [16, 0]
    patterns = [{pattern for drawn in ax.collections for pattern in hatches(drawn)} for ax in drawn.figure.axes]
    assert patterns == [{"/////", "....."}, {"/////"}]
    assert [len(ax.patches) for ax in drawn.figure.axes] == [0, 2]  # the marks of a miss and of a false alarm


def test_what_is_missed_or_invented_is_seen_above_its_outline(case, prediction):
    (ax,) = draw_hits_and_misses([take_overlay(case, prediction)], "phantom cohort").figure.axes
    marked = {MISS: slice(20, 24), FALSE_ALARM: slice(30, 33)}
    outlines = max(drawn.get_zorder() for drawn in ax.collections)
    above = [np.asarray(image.get_array()) for image in ax.images if image.get_zorder() > outlines]
    for (color, side), tint in zip(marked.items(), above, strict=True):
        expected = np.zeros((40, 40), bool)
        expected[side, side] = True
        assert np.array_equal(tint[..., 3] > 0.5, expected)
        assert tint[side.start, side.start, :3] == pytest.approx(to_rgb(color))


def hatches(collection):
    return [pattern for pattern in getattr(collection, "hatches", [None]) if pattern]


def test_a_case_without_reference_is_told(case, prediction):
    with pytest.raises(InputError, match="volume-0 has no reference mask"):
        take_overlay(Case("volume-0", case.volume, Grid((40, 40, 5), np.eye(4), nib.Nifti1Header())), prediction)


def test_cases_are_spread_from_worst_to_best(make_scores):
    scores = make_scores(*((f"volume-{index}", 500, (index + 1) / 10) for index in range(9)), ("empty", None, None))
    assert cases_from_worst_to_best(scores, 3) == ["volume-0", "volume-4", "volume-8"]
    assert len(cases_from_worst_to_best(scores, 50)) == 9
    assert cases_from_worst_to_best(scores, 0) == []
