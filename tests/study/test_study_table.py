from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lits_toolkit.models.catalogue import describe_model
from lits_toolkit.study.results import score_folders
from lits_toolkit.study.study_table import STUDY_COLUMNS, study_table


@pytest.fixture
def results(folders):
    places = [folders / "2d-mobilenet_v2-top", folders / "mine"]
    return score_folders(places, folders / "cohort", label="phantom cohort")


def rows_of(table, model):
    return table[table["model"] == model].reset_index(drop=True)


def test_the_dissertations_row_has_what_it_prints_and_ours_what_is_counted_and_measured(results):
    table = study_table(results)
    assert tuple(table) == STUDY_COLUMNS
    theirs, ours = rows_of(table, "2d-mobilenet_v2-top").to_dict("records")
    assert (theirs["source"], theirs["small"], theirs["parameters"]) == ("dissertation, LiTS", 0.233, 3.76e6)
    assert theirs["seconds"] == 0.114  # Table 4.4
    assert (ours["source"], ours["method"]) == ("ours, phantom cohort", "2d-mobilenet_v2-top")
    assert ours["parameters"] == pytest.approx(3.76e6, rel=1e-3)
    assert theirs["macs"] == 123.89e6  # Table 4.2, by a counter that leaves most of them out
    assert ours["macs"] == describe_model("2d-mobilenet_v2-top").macs
    assert (ours["small"], ours["medium"], ours["tumors"]) == (1, 1, "2, 1, 0")
    assert np.isnan(ours["large"])
    assert np.isnan(ours["seconds"])
    expected = results.scores["2d-mobilenet_v2-top"].cases["tumor_dice"].mean()
    assert ours["dice_per_case"] == pytest.approx(expected)


def test_a_network_without_a_score_is_not_counted(results):
    theirs, ours = rows_of(study_table(results), "3d-dsts-top").to_dict("records")
    assert ours["note"] == "no prediction"
    assert np.isnan([ours["parameters"], ours["macs"]]).all()
    assert theirs["parameters"] == 1.68e6  # Table 4.3


def test_the_fastest_runtime_of_ours_counts(results):
    rows = [
        ("2d-mobilenet_v2-top", "prediction", "torch fp32", 0.05),
        ("2d-mobilenet_v2-top", "prediction", "openvino", 0.03),
        ("2d-mobilenet_v2-top", "prediction", "floor", 0.01),
        ("2d-mobilenet_v2-top", "prediction", "dissertation", 0.114),
        ("2d-mobilenet_v2-top", "training", "torch fp32", 0.001),
    ]
    times = pd.DataFrame(rows, columns=["model", "work", "source", "seconds"])
    table = study_table(results, times)
    assert rows_of(table, "2d-mobilenet_v2-top")["seconds"].tolist() == [0.114, 0.03]
    assert rows_of(table, "2d-mobilenet_v2-default")["seconds"].isna().tolist() == [False, True]


def test_why_there_is_none_is_told_and_what_has_no_network_comes_last(results):
    known = replace(results, trained=frozenset({"3d-dsts-top"}))
    table = study_table(known)
    assert rows_of(table, "3d-dsts-top")["note"].tolist() == ["", "trained, not scored"]
    assert rows_of(table, "3d-dsts-bottom")["note"].tolist() == ["", "not trained"]
    assert (table.iloc[-1]["model"], table.iloc[-1]["method"]) == ("", "mine")
    assert len(table) == 2 * 21 + 1
