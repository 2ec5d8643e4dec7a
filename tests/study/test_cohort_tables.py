import pandas as pd
import pytest

from lits_toolkit.study.cohort_tables import NOT_LITS, hu_table, size_group_table, volume_table

NAN = float("nan")


def test_hu_stand_beside_what_is_printed():
    rows = [
        ("fat", -100, -100, -98.4, -111.2, -90, 3),
        ("blood", 30, 45, NAN, NAN, NAN, 0),
        ("bone", 150, NAN, 355, 306, 430, 3),
    ]
    columns = ["tissue", "published_low", "published_high", "hu", "hu_low", "hu_high", "cases"]
    table = hu_table(pd.DataFrame(rows, columns=columns), "some cohort")
    assert table.text.loc["fat"].tolist() == ["−100", "−98", "−111 … −90", "3"]
    assert table.text.loc["blood"].tolist() == ["30 … 45", "–", "–", "0"]
    assert table.text.loc["bone"].tolist() == ["> 150", "355", "306 … 430", "3"]
    assert table.title == "Table 2.1 · HU of tissues, some cohort"


def test_every_size_group_is_counted():
    lesions = pd.DataFrame({"size_group": ["small", "large", "small"], "voxels": [999, 20_000, 1]})
    table = size_group_table(lesions, "some cohort").data.set_index("size_group")
    assert table["tumors"].to_dict() == {"small": 2, "medium": 0, "large": 1}
    assert table["voxels"].to_dict() == {"small": 1000, "medium": 0, "large": 20_000}


@pytest.mark.parametrize(("label", "note"), [("LiTS", ""), ("phantom cohort", NOT_LITS), ("dissertation phantoms", "")])
def test_each_volume_stands_beside_what_is_printed_of_it(label, note):
    cases = pd.DataFrame({"case": ["volume-1", "mine"], "lesions": [3, 0], "tumor_voxels": [50, 0]}).astype(
        {"lesions": "Int64", "tumor_voxels": "Int64"}
    )
    table = volume_table(cases, label)
    data = table.data
    assert len(data) == 131 + 1
    assert data["case"].head(3).tolist() == ["volume-1", "mine", "volume-0"]
    first = data.iloc[0]
    assert (first["split"], first["tumors"], first["printed_tumors"], first["printed_tumor_voxels"]) == (
        "train",
        3,
        12,
        7194,
    )
    assert data["printed_tumors"].sum() == 908
    assert table.text.loc["mine"].tolist() == ["", "0", "0", "–", "–"]
    assert table.note == note
