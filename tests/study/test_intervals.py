import math
from dataclasses import replace

import numpy as np
import pytest

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.errors import InputError
from lits_toolkit.study.case_scores import MEASURES
from lits_toolkit.study.intervals import (
    DETECTION_COLUMNS,
    DIFFERENCE_COLUMNS,
    INTERVAL_COLUMNS,
    compare_cases,
    compare_runs,
    detection_by_size_group,
    score_intervals,
)
from lits_toolkit.study.scores import score_masks

GRID = Grid((40, 30, 6), np.diag([-1.0, -1.0, 2.0, 1.0]))


def mask(*boxes):
    """A liver with the tumours of the given (z, y, x) slices."""
    array = np.ones(GRID.axial_shape, np.uint8)
    for box in boxes:
        array[box] = 2
    return array


MEDIUM = np.s_[0:5, 0:20, 0:20]  # 2000 voxels
SMALL = np.s_[0:2, 25:29, 30:35]  # 40
OTHER = np.s_[5:6, 25:29, 0:5]  # 20
HALF = np.s_[0:5, 0:20, 0:10]


@pytest.fixture
def make_scores():
    def make(*predictions):
        references = mask(MEDIUM, SMALL), mask(SMALL), mask()
        names = ("volume-2", "volume-10", "volume-1")
        volume = np.zeros(GRID.axial_shape, np.int16)
        cases = [Case(name, volume, GRID, own) for name, own in zip(names, references, strict=True)]
        return score_masks(cases, [mask(*boxes) for boxes in predictions])

    return make


@pytest.fixture
def scores(make_scores):
    """A half of the medium one and none of the small; the small one and an invented; an invented."""
    return make_scores([HALF], [SMALL, OTHER], [OTHER])


def test_every_figure_by_hand(scores):
    table = score_intervals(scores.cases, scores.lesions)
    assert tuple(table) == INTERVAL_COLUMNS
    found = table.set_index(["region", "size_group", "measure"])
    expected = {
        ("liver", "all", "dice_per_case"): (1, 3),
        ("liver", "all", "voe_per_case"): (0, 3),
        ("tumor", "all", "dice_per_case"): ((2000 / 3040 + 80 / 100 + 0) / 3, 3),
        ("tumor", "all", "dice_global"): (2 * 1040 / (2040 + 40 + 1000 + 60 + 20), 3),
        ("tumor", "all", "rvd_per_case"): ((-1040 / 2040 + 0.5) / 2, 2),
        ("tumor", "all", "dice_per_lesion"): ((2 / 3 + 0 + 1) / 3, 2),
        ("tumor", "small", "dice_per_lesion"): (0.5, 2),
        ("tumor", "medium", "dice_per_lesion"): (2 / 3, 1),
        ("tumor", "large", "dice_per_lesion"): (math.nan, 0),
        ("tumor", "all", "voe_per_lesion"): ((1 / 2 + 1 + 0) / 3, 2),
        ("tumor", "medium", "rvd_per_lesion"): (-1 / 2, 1),
        ("tumor", "small", "rvd_per_lesion"): (-1 / 2, 2),
        ("tumor", "small", "mssd_mm_per_lesion"): (0, 1),  # of the hit alone
        ("tumor", "medium", "mssd_mm_per_lesion"): (10, 1),
        ("tumor", "all", "mssd_mm_per_lesion"): (5, 2),
        ("tumor", "all", "hit_rate"): (2 / 3, 2),
        ("tumor", "medium", "hit_rate"): (1, 1),
        ("tumor", "medium", "recall_iou50"): (0, 1),  # an IoU of a half is not above it
        ("tumor", "all", "recall_iou50"): (1 / 3, 2),
        ("tumor", "all", "precision_iou0"): (2 / 4, 3),
        ("tumor", "all", "precision_iou50"): (1 / 4, 3),
        ("tumor", "small", "false_alarms_per_case"): (2 / 3, 3),
        ("tumor", "large", "false_alarms_per_case"): (0, 3),
    }
    for key, (value, cases) in expected.items():
        assert found.loc[key, "value"] == pytest.approx(value, nan_ok=True), key
        assert found.loc[key, "cases"] == cases, key
    assert not table.duplicated(["region", "size_group", "measure"]).any()


def test_the_figures_are_those_of_the_summary(scores):
    found = score_intervals(scores.cases, scores.lesions).set_index(["region", "size_group", "measure"])["value"]
    for region in ("liver", "tumor"):
        for measure in ("dice_per_case", "dice_global", "voe_per_case", "assd_mm_per_case", "mssd_mm_per_case"):
            assert found[region, "all", measure] == pytest.approx(scores.summary[region][measure], nan_ok=True)
    for threshold, ending in (("0", "iou0"), ("0.5", "iou50")):
        counted = scores.summary["tumor_detection"][threshold]
        assert found["tumor", "all", f"recall_{ending}"] == pytest.approx(counted["recall"])
        assert found["tumor", "all", f"precision_{ending}"] == pytest.approx(counted["precision"])
    for group, own in scores.summary["tumor_by_size_group"].items():
        for measure in MEASURES:
            assert found["tumor", group, f"{measure}_per_lesion"] == pytest.approx(own[measure], nan_ok=True)
        assert found["tumor", group, "false_alarms_per_case"] * 3 == pytest.approx(own["false_alarms"])


def test_an_interval_holds_its_figure_and_needs_two_cases(scores):
    table = score_intervals(scores.cases, scores.lesions)
    assert (table["low"].isna() == (table["cases"] < 2)).all()
    known = table.dropna(subset="low")
    assert ((known["low"] <= known["value"] + 1e-9) & (known["value"] <= known["high"] + 1e-9)).all()


def test_detection_by_size_with_false_alarms_by_their_own(scores):
    table = detection_by_size_group(scores.cases, scores.lesions).set_index("size_group")
    assert ("size_group", *table) == DETECTION_COLUMNS
    counts = ["lesions", "detected", "detected_iou50", "false_alarms"]
    assert table[counts].to_numpy().tolist() == [[2, 1, 1, 2], [1, 1, 0, 0], [0, 0, 0, 0], [3, 2, 1, 2]]
    assert table["hit_rate"].tolist() == pytest.approx([0.5, 1, math.nan, 2 / 3], nan_ok=True)
    assert table.loc["small", ["hit_rate_low", "hit_rate_high"]].tolist() == [0, 1]
    assert table["false_alarms_per_case"].tolist() == pytest.approx([2 / 3, 0, 0, 2 / 3])


def test_a_cohort_without_lesions_has_all_rows(make_scores):
    scores = make_scores([], [], [])
    alone = scores.cases[scores.cases["case"] == "volume-1"]
    table = score_intervals(alone, scores.lesions.iloc[:0]).set_index(["region", "size_group", "measure"])
    assert table.loc[("tumor", "all", "dice_per_case"), "value"] == 1
    assert math.isnan(table.loc[("tumor", "all", "hit_rate"), "value"])
    assert len(detection_by_size_group(alone, scores.lesions.iloc[:0])) == 4


def test_two_runs_are_compared_case_by_case(scores, make_scores):
    better = make_scores([MEDIUM], [SMALL], [])
    table = compare_runs(scores, better)
    assert tuple(table) == DIFFERENCE_COLUMNS
    found = table.set_index(["region", "size_group", "measure"])
    dice = found.loc["tumor", "all", "dice_per_case"]
    differences = [4000 / 4040 - 2000 / 3040, 0.2, 1]
    assert dice["difference"] == pytest.approx(sum(differences) / 3)
    assert dice["second"] - dice["first"] == pytest.approx(dice["difference"])
    assert dice["p"] == 2 / 8  # all three rise: +++ and −−− of eight
    assert dice["cases"] == 3
    assert found.loc[("tumor", "all", "false_alarms_per_case"), "difference"] == pytest.approx(-2 / 3)
    assert found.loc[("tumor", "medium", "dice_per_lesion"), "difference"] == pytest.approx(1 / 3)
    assert found.loc[("liver", "all", "dice_per_case"), "p"] == 1
    assert found.loc[("tumor", "medium", "voe_per_lesion"), "difference"] == pytest.approx(-1 / 2)
    assert {"dice_global", "precision_iou0", "assd_mm_per_lesion"}.isdisjoint(table["measure"])


def test_the_order_of_the_cases_does_not_matter(scores, make_scores):
    better = make_scores([MEDIUM], [SMALL], [])
    turned = replace(better, cases=better.cases.iloc[::-1])
    assert compare_runs(scores, better).equals(compare_runs(scores, turned))


def test_cases_are_listed_from_the_largest_loss(scores, make_scores):
    table = compare_cases(scores, make_scores([], [SMALL], []))
    assert table["case"].tolist() == ["volume-2", "volume-10", "volume-1"]
    assert table["difference"].tolist() == pytest.approx([-2000 / 3040, 0.2, 1])


def test_runs_of_other_cases_or_references_are_not_compared(scores):
    fewer = replace(scores, cases=scores.cases.iloc[:2])
    with pytest.raises(InputError, match=r"only one of them has volume-1$"):
        compare_runs(scores, fewer)
    other = scores.cases.assign(tumor_reference_voxels=[2040, 41, 0])
    with pytest.raises(InputError, match=r"different references of volume-10$"):
        compare_cases(scores, replace(scores, cases=other))
