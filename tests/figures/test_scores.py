import numpy as np
import pandas as pd
import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.scores import ERRORS, draw_dice_per_case, draw_errors_per_case

ROWS = (("volume-7", 20_000, 0.8), ("volume-1", 500, None), ("volume-2", None, 0.0), ("volume-3", 5000, 0.6))


def test_cases_stand_in_the_order_of_their_mean_tumor_size(make_scores):
    drawn = draw_dice_per_case(make_scores(*ROWS), "phantom cohort")
    assert drawn.data["case"].tolist() == ["volume-1", "volume-3", "volume-7"]
    assert drawn.data["place"].tolist() == [0, 1, 2]
    assert drawn.data["tumor_dice"].tolist() == [0.0, 0.6, 0.8]
    assert drawn.data["size_group"].tolist() == ["small", "medium", "large"]
    assert [label.get_text() for label in drawn.figure.axes[0].get_xticklabels()] == ["1", "3", "7"]
    assert "volume-N" in drawn.figure.axes[0].get_xlabel()
    assert drawn.figure.get_suptitle() == "Tumour Dice per case · phantom cohort, 3 cases (1 without tumour left out)"


@pytest.mark.parametrize("count", [1, 12, 45, 131])
@pytest.mark.parametrize("draw", [draw_dice_per_case, draw_errors_per_case])
def test_any_number_of_cases_is_legible(make_scores, assert_legible, draw, count):
    random = np.random.default_rng(0)
    rows = [(f"volume-{index}", 40 * 1.1**index, random.choice([None, 0.1, 0.55, 0.9])) for index in range(count - 1)]
    assert_legible(draw(make_scores(("volume-200", 8000, 0.5), *rows), "phantom cohort"))


def test_a_mean_stands_in_the_band_of_its_interval_over_cases(make_scores):
    rows = [(f"volume-{index}", 100 * index, dice) for index, dice in enumerate((0.2, 0.4, 0.9), start=1)]
    (ax,) = draw_dice_per_case(make_scores(*rows), "phantom cohort").figure.axes
    assert "mean\n0.500\n95 %:\n0.200 to\n0.900" in [text.get_text() for text in ax.texts]
    bands = [patch.get_extents().transformed(ax.transData.inverted()) for patch in ax.patches]
    assert [(band.y0, band.y1) for band in bands if band.height < 1] == [pytest.approx((0.2, 0.9))]
    errors = draw_errors_per_case(make_scores(*rows), "phantom cohort").figure.axes
    assert [ax.texts[-1].get_text().split("\n")[1] for ax in errors[1:]] == ["25.0", "1.5"]


def test_of_many_cases_those_with_the_largest_overlap_errors_are_named(make_scores):
    rows = [(f"volume-{index}", 100 + index, 0.1 if index in (7, 31) else 0.9 - index / 1000) for index in range(60)]
    last = draw_errors_per_case(make_scores(*rows), "phantom cohort").figure.axes[-1]
    names = [label.get_text() for label in last.get_xticklabels()]
    assert {"7", "31"} < set(names)
    assert len(names) == 5
    assert "the worst by VOE named" in last.get_xlabel()


def test_errors_are_in_percent_and_mm_and_undefined_ones_are_crossed(make_scores):
    drawn = draw_errors_per_case(make_scores(*ROWS), "phantom cohort")
    values = drawn.data.set_index(["case", "error"])["value"]
    assert values.loc["volume-3"].to_dict() == pytest.approx(
        {"tumor_voe": 100 * (1 - 0.6 / 1.4), "tumor_rvd": 25.0, "tumor_assd_mm": 1.5}
    )
    assert values.loc["volume-1", "tumor_rvd"] == -100
    assert np.isnan(values.loc["volume-1", "tumor_assd_mm"])
    assert set(drawn.data["error"]) == set(ERRORS)
    assert "undefined in 1 case" in drawn.figure.axes[2].get_title(loc="left")


@pytest.mark.parametrize("methods", [2, 4])
@pytest.mark.parametrize("draw", [draw_dice_per_case, draw_errors_per_case])
def test_methods_stand_beside_each_other_in_the_order_of_the_cases_sizes(make_scores, assert_legible, draw, methods):
    runs = [make_scores(*ROWS).assign(method=f"run {4 - number}") for number in range(methods)]
    runs[1]["tumor_dice"] /= 2
    drawn = draw(pd.concat(runs), "phantom cohort")
    data = drawn.data.drop_duplicates(["method", "case"])
    assert data["method"].tolist() == [f"run {4 - number}" for number in range(methods) for _ in range(3)]
    assert data["case"].tolist() == ["volume-1", "volume-3", "volume-7"] * methods
    assert data["place"].tolist() == [0, 1, 2] * methods
    legend = [text.get_text() for text in drawn.figure.legends[0].get_texts()]
    assert [name.partition(",")[0] for name in legend] == [f"run {4 - number}" for number in range(methods)]
    assert_legible(drawn)


def test_each_methods_dice_is_a_point_of_its_own_and_its_mean_is_in_the_legend(make_scores):
    one, other = (make_scores(*ROWS).assign(method=method) for method in ("one", "other"))
    other["tumor_dice"] /= 2
    drawn = draw_dice_per_case(pd.concat([one, other]), "phantom cohort")
    legend = [text.get_text() for text in drawn.figure.legends[0].get_texts()]
    assert legend == ["one, mean 0.467", "other, mean 0.233"]
    points = np.concatenate(
        [own.get_offsets() for own in drawn.figure.axes[0].collections if len(own.get_offsets()) == 3]
    )
    assert sorted(points[:, 1]) == pytest.approx([0, 0, 0.3, 0.4, 0.6, 0.8])
    assert len(set(points[:, 0].round(6))) == 6


def test_one_huge_volume_difference_does_not_flatten_the_others(make_scores):
    scores = make_scores(*ROWS)
    scores.loc[0, "tumor_rvd"] = 40.0
    panel = draw_errors_per_case(scores, "phantom cohort").figure.axes[1]
    assert panel.get_yscale() == "symlog"
    assert panel.get_title(loc="left") == "logarithmic beyond ±100 %"


def test_a_cohort_without_tumors_is_told(make_scores):
    with pytest.raises(InputError, match="no case has a tumour"):
        draw_dice_per_case(make_scores(("volume-2", None, 1.0)), "phantom cohort")
