import json
from dataclasses import replace

import numpy as np
import pytest

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import write_json
from lits_toolkit.study.results import score_folders
from lits_toolkit.study.study_table import study_table
from lits_toolkit.study.tables import (
    CHALLENGE_COLUMNS,
    SIZE_COLUMNS,
    challenge_table,
    published_dice_by_size_group,
    size_table,
)

OFFICIAL = {
    "lesion_dice_per_case": 0.5, "lesion_dice_global": 0.6, "lesion_voe": 0.4, "lesion_rvd": -0.1, "lesion_assd": 1.25
}  # fmt: skip
SCORES = ["dice_per_case", "dice_global", "voe", "rvd", "assd_mm"]


@pytest.fixture
def results(folders):
    return score_folders(
        [folders / "2d-mobilenet_v2-top", folders / "mine"], folders / "cohort", label="phantom cohort"
    )


@pytest.fixture
def official(tmp_path):
    def write(**other):
        write_json(tmp_path / "official.json", OFFICIAL | other)
        return tmp_path / "official.json"

    return write


def test_the_published_tables_are_complete():
    tables = published_dice_by_size_group()
    assert tables.groupby("table")["model"].nunique().to_dict() == {"4.6": 9, "4.7": 12}
    assert tables["dice"].between(0, 1).all()
    best = published_dice_by_size_group(["2d-mobilenet_v2-top"]).set_index("size_group")["dice"]
    assert best.to_dict() == {"small": 0.233, "medium": 0.470, "large": 0.615}


def test_an_unpublished_model_is_told():
    with pytest.raises(SettingError, match="no published Dice for han2017"):
        published_dice_by_size_group(["han2017"])


def test_ours_stands_below_the_dissertations_row_and_each_says_what_it_was_measured_on(results):
    table = size_table("4.6", study_table(results)).data
    assert tuple(table) == SIZE_COLUMNS
    top = table[(table["block"] == "mobilenet_v2") & (table["layout"] == "top")]
    assert top["source"].tolist() == ["dissertation, LiTS", "ours, phantom cohort"]
    assert top[["small", "medium"]].to_numpy().tolist() == [[0.233, 0.470], [1, 1]]
    assert top["large"].tolist() == pytest.approx([0.615, np.nan], nan_ok=True)
    assert top["tumors"].tolist() == ["", "2, 1, 0"]
    last = table.iloc[-1]
    assert (last["block"], last["source"], last["small"]) == ("mine", "ours, phantom cohort", 0)
    assert last["medium"] == pytest.approx(2 / 3)  # half of 2000 voxels
    assert len(table) == 2 * 9 + 1


def test_no_number_of_ours_is_called_the_dissertations(results):
    printed = published_dice_by_size_group().pivot(index="model", columns="size_group", values="dice")
    for table, dimensions in (("4.6", "2d"), ("4.7", "3d")):
        rows = size_table(table, study_table(results)).data
        theirs = rows[rows["source"] == "dissertation, LiTS"]
        for row in theirs.to_dict("records"):
            expected = printed.loc[f"{dimensions}-{row['block']}-{row['layout']}"]
            assert {group: row[group] for group in expected.index} == expected.to_dict()
        assert set(rows["source"]) == {"dissertation, LiTS", "ours, phantom cohort"}


@pytest.mark.parametrize(
    ("trained", "why"),
    [
        (None, "no prediction"),
        (frozenset({"2d-mobilenet_v3-top"}), "trained, not scored"),
        (frozenset({"2d-mobilenet_v2-top"}), "not trained"),
    ],
)
def test_why_a_network_has_no_number_is_told(results, trained, why):
    known = replace(results, trained=trained)
    table = size_table("4.6", study_table(known)).data
    row = table[(table["block"] == "mobilenet_v3") & (table["layout"] == "top")].iloc[1]
    assert row["note"] == why
    assert row[["small", "medium", "large"]].isna().all()


def test_two_methods_of_one_network_have_a_row_each(results):
    alike = replace(results, networks=dict.fromkeys(results.networks, "3d-dsts-top"))
    table = size_table("4.7", study_table(alike)).data
    rows = table[(table["block"] == "dsts") & (table["layout"] == "top")]
    assert rows["note"].tolist() == ["", "2d-mobilenet_v2-top", "mine"]
    assert len(table) == 2 * 12 + 1


def test_another_table_is_told(results):
    with pytest.raises(SettingError, match=r"table 4\.5: expected one of 4\.6, 4\.7"):
        size_table("4.5", study_table(results))


def test_nobody_submitted_ours_yet():
    table = challenge_table().data
    assert tuple(table) == CHALLENGE_COLUMNS
    ours = table[table["source"] == "ours, LiTS"]
    assert ours["model"].tolist() == ["3d-dsts-bottom", "2d-mobilenet_v2-top", "3d-mobilenet_v2-top"]
    assert ours["parameters"].tolist() == ["2.98M", "3.76M", "1.23M"]
    assert ours[SCORES].isna().all(axis=None)
    theirs = table[table["source"] == "dissertation, LiTS"].set_index("model")
    assert theirs.loc["DSTS-3D", SCORES].tolist() == [0.548, 0.768, 0.400, -0.120, 1.187]
    assert table["source"].value_counts()["published, LiTS"] == 6


def test_the_official_score_of_a_submission_fills_its_row(official):
    table = challenge_table({"3d-dsts-top": official(cases=66, cases_left_out=4), "3d-dsts-bottom": official()}).data
    ours = table[table["source"] == "ours, LiTS"].set_index("model")
    assert list(ours.index)[3:] == ["3d-dsts-top"]
    for model in ("3d-dsts-top", "3d-dsts-bottom"):
        assert ours.loc[model, SCORES].tolist() == [0.5, 0.6, 0.4, -0.1, 1.25]
    assert ours.loc["2d-mobilenet_v2-top", SCORES].isna().all()


def test_a_score_of_anything_but_the_test_volumes_is_refused(official):
    with pytest.raises(InputError, match=r"is of 8 cases: Table 4\.8 is of the 70 test volumes"):
        challenge_table({"3d-dsts-bottom": official(cases=8, cases_left_out=0)})


def test_a_phantoms_score_is_refused_even_of_seventy_cases(official):
    path = official(cases=70)
    cohort = {"data": "cohort", "label": "phantom cohort", "split": {"train": [], "validation": [], "test": []}}
    (path.parent / "cohort.json").write_text(json.dumps(cohort))
    with pytest.raises(InputError, match="is of a phantom cohort: a phantom's score is none of LiTS"):
        challenge_table({"3d-dsts-bottom": path})


def test_what_is_no_official_score_or_no_network_is_told(official, tmp_path):
    write_json(tmp_path / "summary.json", {"cases": 70})
    with pytest.raises(InputError, match=r"summary\.json lacks lesion_dice_per_case, "):
        challenge_table({"3d-dsts-bottom": tmp_path / "summary.json"})
    with pytest.raises(SettingError, match="no model is called '3d-dst-bottom'"):
        challenge_table({"3d-dst-bottom": official()})


def test_in_print_what_has_no_number_is_a_dash(results):
    text = size_table("4.6", study_table(results)).text
    assert text.index.names == ["block", "layout", "source"]
    ours = text.loc[("mobilenet_v2", "top", "ours, phantom cohort")]
    assert ours[["small", "medium", "large"]].tolist() == ["1.000", "1.000", "–"]
    assert challenge_table().text.loc[("3D-UNet", "published, LiTS"), "voe"] == "–"
