import numpy as np
import pandas as pd
import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.size_groups import draw_dice_by_size_group
from lits_toolkit.study.tables import published_dice_by_size_group


def test_a_group_has_the_mean_of_its_lesions_with_misses_as_zero(make_lesions, assert_legible):
    lesions = make_lesions(("a", 500, 0.6), ("a", 600, 0.0), ("b", 5000, 0.5), ("b", 700, None), ("b", 20_000, None))
    drawn = draw_dice_by_size_group(lesions, "phantom cohort")
    data = drawn.data.set_index("size_group")
    assert data["dice"].to_dict() == pytest.approx({"small": 0.3, "medium": 0.5, "large": np.nan}, nan_ok=True)
    assert data["lesions"].to_dict() == {"small": 2, "medium": 1, "large": 0}
    assert data["detected"].to_dict() == {"small": 1, "medium": 1, "large": 0}
    assert data["false_alarms"].to_dict() == {"small": 1, "medium": 0, "large": 1}
    assert drawn.figure.get_suptitle() == "Tumour Dice by size group · phantom cohort, 3 tumours"
    assert_legible(drawn)


def test_runs_stand_beside_each_other_and_the_published_is_named_as_lits(make_lesions, assert_legible):
    ours = make_lesions(("a", 500, 0.6), ("a", 2000, 0.4), ("b", 50_000, 0.9)).assign(method="cascade")
    lesions = pd.concat([ours, ours.assign(method="threshold", dice=ours["dice"] / 2)])
    drawn = draw_dice_by_size_group(lesions, "phantom cohort", published_dice_by_size_group(["3d-dsts-bottom"]))
    dice = {method: rows.set_index("size_group")["dice"].to_dict() for method, rows in drawn.data.groupby("method")}
    assert dice["threshold"] == pytest.approx({"small": 0.3, "medium": 0.2, "large": 0.45})
    assert dice["3d-dsts-bottom"] == {"small": 0.289, "medium": 0.572, "large": 0.668}
    assert set(drawn.data.loc[drawn.data["source"] != "here", "method"]) == {"3d-dsts-bottom"}
    legend = [text.get_text() for text in drawn.figure.legends[0].get_texts()]
    ticks = [tick.get_text() for tick in drawn.figure.axes[0].get_xticklabels()]
    assert ticks[0].endswith("1 tumour, 1 / 1 found\n0 / 0 false alarms")
    assert legend == ["cascade", "threshold", "dissertation, LiTS: 3d-dsts-bottom", "95 % interval over cases"]
    assert_legible(drawn)


def test_a_mean_has_its_interval_over_cases(make_lesions):
    lesions = make_lesions(("a", 500, 0.2), ("a", 600, 0.4), ("b", 700, 0.9), ("b", 5000, 0.5))
    drawn = draw_dice_by_size_group(lesions, "phantom cohort")
    data = drawn.data.set_index("size_group")
    # with two cases the extremes of the bootstrap are each of them alone
    assert data.loc["small", ["low", "dice", "high"]].tolist() == pytest.approx([0.3, 0.5, 0.9])
    assert data.loc[["medium", "large"], ["low", "high"]].isna().all(axis=None)
    lines = [each.get_segments() for each in drawn.figure.axes[0].collections if hasattr(each, "get_segments")]
    upright = [line[:, 1] for found in lines for line in found if len(line) and line[0, 0] == line[1, 0]]
    assert np.concatenate(upright).tolist() == pytest.approx([0.3, 0.9])


def test_every_lesion_is_a_point(make_lesions):
    lesions = make_lesions(*(("a", 100 + index, index / 100) for index in range(90)))
    ax = draw_dice_by_size_group(lesions, "phantom cohort").figure.axes[0]
    offsets = [np.asarray(drawn.get_offsets()) for drawn in ax.collections]
    (points,) = [places for places in offsets if len(places) == 90]
    assert sorted(points[:, 1]) == pytest.approx([index / 100 for index in range(90)])


def test_no_reference_lesion_is_told(make_lesions):
    with pytest.raises(InputError, match="no case has a tumour"):
        draw_dice_by_size_group(make_lesions(("a", 50, None)), "phantom cohort")
