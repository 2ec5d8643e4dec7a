import numpy as np
import pytest

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.errors import InputError
from lits_toolkit.figures.detection import draw_detection_by_size_group, draw_froc
from lits_toolkit.metrics.froc import Candidates, froc
from lits_toolkit.study.intervals import detection_by_size_group
from lits_toolkit.study.scores import score_masks


@pytest.fixture
def tables():
    """A small tumour found and one missed, a medium one just touched, and false alarms, in two cases."""
    masks = np.full((2, 2, 4, 60, 60), 1, np.uint8)
    (first, second), (found, other) = masks
    first[0, :10, :50], found[0, :10, :50] = 2, 2
    first[3, :10, :50] = 2
    second[:3, 20:50, 20:50], other[:3, 20:50, 20:30] = 2, 2
    other[:, 0, 0] = 2
    found[:, 12:, 55:] = 2
    grid = Grid((60, 60, 4), np.diag([-1.0, -1.0, 2.0, 1.0]))
    cases = [
        Case(name, np.zeros((4, 60, 60), np.int16), grid, own) for name, own in zip("ab", (first, second), strict=True)
    ]
    scores = score_masks(cases, [found, other])
    return scores.cases, scores.lesions


def test_bars_are_the_shares_found_and_the_false_alarms_of_each_size(tables, assert_legible):
    drawn = draw_detection_by_size_group(detection_by_size_group(*tables), "phantom cohort")
    found, alarms = drawn.figure.axes
    heights = [bar.get_height() for bar in found.patches]
    assert heights[:2] == [0.5, 1]
    assert np.isnan(heights[2])
    assert heights[3] == pytest.approx(2 / 3)
    assert [bar.get_height() for bar in found.patches][4:] == pytest.approx([0.5, 0, np.nan, 1 / 3], nan_ok=True)
    assert [bar.get_height() for bar in alarms.patches] == [1, 0, 0, 1]
    assert [label.get_text().splitlines()[-1] for label in found.get_xticklabels()] == [
        "2 tumours", "1 tumour", "0 tumours", "3 tumours"
    ]  # fmt: skip
    assert_legible(drawn)


def test_without_a_tumour_there_is_no_detection(tables):
    cases, lesions = tables
    with pytest.raises(InputError, match="no case has a tumour"):
        draw_detection_by_size_group(detection_by_size_group(cases, lesions.iloc[:0]), "phantom cohort")


def test_a_froc_curve_has_a_step_for_each_score(assert_legible):
    ours = froc(
        [Candidates(np.array([0.9, 0.6, np.nan]), np.array([0.7, 0.8])), Candidates(np.array([]), np.array([]))]
    )
    theirs = froc([Candidates(np.array([0.6, 0.6, 0.6]), np.array([])), Candidates(np.array([]), np.array([0.9]))])
    drawn = draw_froc({"ours": ours, "theirs": theirs}, "phantom cohort")
    assert not [line for line in drawn.figure.axes[0].lines if line.get_marker() == "o"]
    own = drawn.data[drawn.data["method"] == "ours"]
    assert own["threshold"].tolist() == [np.inf, 0.9, 0.8, 0.7, 0.6]
    assert own["sensitivity"].tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 2 / 3])
    assert own["false_alarms_per_case"].tolist() == [0, 0, 0.5, 1, 1]
    assert drawn.figure.axes[0].get_xlim()[1] == pytest.approx(1.04)
    assert drawn.figure.get_suptitle() == "FROC · phantom cohort, 3 tumours in 2 cases"
    assert_legible(drawn)


def test_a_masks_point_is_that_of_its_own_table_not_the_curves_end(tables, assert_legible):
    curve = froc([Candidates(np.array([0.9, 0.6, np.nan]), np.array([0.8])), Candidates(np.array([]), np.array([]))])
    drawn = draw_froc({"ours": curve}, "phantom cohort", {"ours": detection_by_size_group(*tables)})
    (point,) = [line for line in drawn.figure.axes[0].lines if line.get_marker() == "o"]
    # a medium one touched and one of two small ones found, at two false alarms in two cases
    assert np.ravel(point.get_data()).tolist() == pytest.approx([1, 2 / 3])
    row = drawn.data[drawn.data["threshold"].isna()].iloc[0]
    assert (row["method"], row["sensitivity"], row["false_alarms_per_case"]) == ("ours", pytest.approx(2 / 3), 1)
    assert_legible(drawn)


def test_without_a_tumour_there_is_no_curve():
    with pytest.raises(InputError, match="no case has a tumour"):
        draw_froc({"ours": froc([Candidates(np.array([]), np.array([0.9]))])}, "phantom cohort")
