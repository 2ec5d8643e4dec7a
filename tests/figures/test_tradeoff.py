import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.errors import SettingError
from lits_toolkit.figures.tradeoff import draw_dice_against_cost, on_pareto_front
from lits_toolkit.study.study_table import DISSERTATION

NAN = float("nan")
COLUMNS = ["model", "source", "method", "note", "parameters", "macs", "seconds", "small"]
STUDY = pd.DataFrame(
    [
        ("2d-mobilenet_v2-top", "theirs", "", "", 3e6, 1e9, 0.1, 0.3),
        ("2d-shufflenet_v2-top", "theirs", "", "", 1e6, 2e9, 0.2, 0.2),
        ("3d-dsts-top", "theirs", "", "", 4e6, 3e9, 0.3, 0.25),
        ("2d-mobilenet_v2-top", "ours", "cascade", "", 3e6, 1e9, NAN, 0.5),
        ("3d-dsts-top", "ours", "", "not trained", 4e6, 3e9, NAN, NAN),
        ("", "ours", "threshold", "", NAN, NAN, NAN, 0.1),
    ],
    columns=COLUMNS,
)


def test_a_point_for_each_network_with_both_and_the_front_of_each_panel(assert_legible):
    drawn = draw_dice_against_cost(STUDY)
    assert_legible(drawn)
    counts = drawn.data.groupby(["source", "cost"]).size().to_dict()
    theirs = {("theirs", cost): 3 for cost in ("parameters", "macs", "seconds")}
    assert counts == theirs | {("ours", "parameters"): 1, ("ours", "macs"): 1}
    front = drawn.data[drawn.data["on_front"] & (drawn.data["source"] == "theirs")]
    by_cost = front.groupby("cost")["model"].apply(sorted).to_dict()
    assert by_cost["parameters"] == ["2d-mobilenet_v2-top", "2d-shufflenet_v2-top"]
    assert by_cost["macs"] == by_cost["seconds"] == ["2d-mobilenet_v2-top"]


def test_printed_flops_are_called_so_and_a_row_has_one_scale_of_dice():
    panels = draw_dice_against_cost(STUDY.replace({"source": {"theirs": DISSERTATION}})).figure.axes
    assert [ax.get_xlabel().split(",")[0] for ax in panels[1::3]] == [
        "FLOPs as printed\nper sample", "multiply-accumulates\nper sample"
    ]  # fmt: skip
    assert len({ax.get_ylim() for ax in panels[:3]}) == 1
    assert panels[0].get_ylim()[1] > 0.3


def test_an_empty_panel_says_why():
    texts = [text.get_text() for ax in draw_dice_against_cost(STUDY).figure.axes for text in ax.texts]
    assert "no seconds known" in texts
    none = STUDY.assign(small=STUDY["small"].where(STUDY["source"] == "theirs"), note="not trained")
    texts = [text.get_text() for ax in draw_dice_against_cost(none).figure.axes for text in ax.texts]
    assert texts.count("not trained") == 3


def test_another_size_group_is_told():
    with pytest.raises(SettingError, match="'huge': expected one of small, medium, large"):
        draw_dice_against_cost(STUDY, "huge")


numbers = st.floats(0, 10).map(lambda value: round(value, 1))


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12))
def test_the_front_is_what_no_other_point_beats(points):
    cost, dice = np.array(points).T
    expected = [
        not any((a <= c and b > d) or (a < c and b >= d) for a, b in points) for c, d in points
    ]  # fmt: skip
    assert on_pareto_front(cost, dice).tolist() == expected
