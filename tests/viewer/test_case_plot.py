import pandas as pd
import pytest

from lits_toolkit.viewer.case_plot import CasePlot


def table(*rows):
    return pd.DataFrame(rows, columns=["case", "lesions", "mean_lesion_voxels", "tumor_dice"])


SCORES = {
    "cascade": table(("volume-1", 2, 20000.0, 0.8), ("volume-2", 1, 90.0, 0.0), ("volume-3", 0, float("nan"), 1.0)),
    "other": table(("volume-4", 3, 1500.0, 0.25), ("volume-2", 1, 90.0, float("nan"))),
}
COLORS = {"cascade": "#ff0000", "other": "#00ff00"}


@pytest.fixture
def opened():
    return []


@pytest.fixture
def plot(opened):
    plot = CasePlot(lambda *chosen: opened.append(chosen))
    plot.show(SCORES, COLORS)
    return plot


def test_cases_stand_in_the_order_of_their_tumors_sizes(plot):
    assert [(case["name"], case["group"]) for case in plot.cases] == [
        ("volume-2", "small"),
        ("volume-4", "medium"),
        ("volume-1", "large"),
    ]


def test_each_run_has_its_dice_or_none_where_it_was_not_scored(plot):
    assert [(run["name"], run["color"], run["dice"]) for run in plot.runs] == [
        ("cascade", "#ff0000", [0.0, None, 0.8]),
        ("other", "#00ff00", [None, 0.25, None]),
    ]


def test_what_is_left_out_is_told(plot):
    assert plot.note == "1 without a tumour left out"
    plot.show({"other": SCORES["other"]}, COLORS)
    assert plot.note == ""
    plot.show({}, {})
    assert (plot.cases, plot.runs) == ([], [])


@pytest.mark.parametrize(
    ("message", "heard"),
    [
        ({"kind": "open", "case": "volume-4", "run": "other"}, [("volume-4", "other")]),
        ({"kind": "open", "case": "volume-9", "run": "other"}, []),
        ({"kind": "open", "case": "volume-4", "run": "third"}, []),
        ({"kind": "something later"}, []),
    ],
)
def test_only_marks_that_are_there_are_opened(plot, opened, message, heard):
    plot._handle_custom_msg(message, [])
    assert opened == heard
