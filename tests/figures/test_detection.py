import numpy as np
import pandas as pd
import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.detection import draw_detection_by_size_group, draw_froc
from lits_toolkit.metrics.froc import Candidates, froc
from lits_toolkit.study.comparison import detection_by_size_group


@pytest.fixture
def tables(make_lesions):
    lesions = make_lesions(("a", 500, 0.6), ("a", 600, 0.0), ("b", 5000, 0.5), ("b", 700, None), ("a", 20_000, None))
    inside = (lesions["voxels"] * lesions["dice"]).fillna(0).astype(int)
    lesions = lesions.assign(matched_voxels=lesions["voxels"], intersection_voxels=inside)
    counts = {f"{region}_{part}_voxels": 9 for region in ("liver", "tumor")
              for part in ("reference", "prediction", "intersection")}  # fmt: skip
    cases = pd.DataFrame({"case": ["a", "b"], "liver_dice": 1.0, "tumor_dice": 0.5, "lesions_predicted": 3, **counts})
    return cases, lesions


def test_bars_are_the_shares_found_and_the_false_alarms_of_each_size(tables, assert_legible):
    drawn = draw_detection_by_size_group(detection_by_size_group(*tables), "phantom cohort")
    found, alarms = drawn.figure.axes
    heights = [bar.get_height() for bar in found.patches]
    assert heights[:2] == [0.5, 1]
    assert np.isnan(heights[2])
    assert heights[3] == pytest.approx(2 / 3)
    assert [bar.get_height() for bar in alarms.patches] == [0.5, 0, 0.5, 1]
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
    own = drawn.data[drawn.data["method"] == "ours"]
    assert own["threshold"].tolist() == [np.inf, 0.9, 0.8, 0.7, 0.6]
    assert own["sensitivity"].tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 2 / 3])
    assert own["false_alarms_per_case"].tolist() == [0, 0, 0.5, 1, 1]
    assert drawn.figure.axes[0].get_xlim()[1] == pytest.approx(1.04)
    assert drawn.figure.get_suptitle() == "FROC · phantom cohort, 3 tumours in 2 cases"
    assert_legible(drawn)


def test_without_a_tumour_there_is_no_curve():
    with pytest.raises(InputError, match="no case has a tumour"):
        draw_froc({"ours": froc([Candidates(np.array([]), np.array([0.9]))])}, "phantom cohort")
