import pandas as pd
import pytest

from lits_toolkit.study.challenges import CHALLENGES, choose_challenges
from lits_toolkit.study.tissue import CONTRAST_COLUMNS, TISSUE_COLUMNS


@pytest.fixture
def tissues():
    rows = [("a", "liver", 60, 40, 80, 9), ("b", "liver", 60, 10, 95, 9), ("c", "liver", 60, 0, 99, 9)]
    return pd.DataFrame([*rows, ("a", "bone", 500, 300, 1000, 9)], columns=list(TISSUE_COLUMNS))


def make_lesions(*rows):
    """A lesion table from (case, z, voxels, contrast)."""
    table = [
        (case, 1, z, voxels, "small" if voxels < 1000 else "medium", 0.0, contrast)
        for case, z, voxels, contrast in rows
    ]
    return pd.DataFrame(table, columns=list(CONTRAST_COLUMNS))


def test_each_challenge_by_its_rule(tissues):
    lesions = make_lesions(
        ("a", 1, 900, -5), ("a", 2, 800, 60), ("a", 3, 5000, -20), ("b", 4, 3, 300), ("b", 5, 700, -90), ("a", 6, 2, 0)
    )  # fmt: skip
    table = choose_challenges(tissues, lesions)
    assert tuple(table["challenge"]) == CHALLENGES
    assert list(zip(table["case"], table["z"], strict=True)) == [("b", 5), ("b", 5), ("a", 3), ("a", 1)]
    assert table["why"].tolist() == [
        "liver: 90 % within 85 HU", "700 voxels, −90 HU", "4 in this case", "900 voxels, −5 HU"
    ]  # fmt: skip


def test_without_small_tumors_all_are_looked_at(tissues):
    table = choose_challenges(tissues, make_lesions(("a", 1, 4000, 10), ("a", 2, 3000, -40)))
    assert table["z"].tolist() == [1, 2, 1, 1]


def test_a_tumor_without_liver_around_it_is_left_out(tissues):
    table = choose_challenges(tissues, make_lesions(("c", 1, 10, float("nan")), ("a", 2, 10, 5)))
    assert set(table["case"]) == {"a"}


def test_without_tumors_there_is_none(tissues):
    assert choose_challenges(tissues, make_lesions()).empty
    assert choose_challenges(tissues.iloc[:0], make_lesions()).columns.tolist() == ["challenge", "case", "z", "why"]
