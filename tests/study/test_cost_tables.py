import pytest

from lits_toolkit.errors import SettingError
from lits_toolkit.models.encoders import encoders
from lits_toolkit.study.cost_tables import cost_table, costs, encoder_table

SOME = ["2d-mobilenet_v2-default", "2d-mobilenet_v2-bottom", "3d-dsts-top"]


@pytest.fixture(scope="module")
def counted():
    return costs(SOME)


def test_printed_and_counted_stand_beside_each_other(counted):
    rows = counted.set_index("model")
    printed = rows[["table", "printed_row", "parameters_printed", "flops_printed"]]
    assert printed.loc["2d-mobilenet_v2-default"].tolist() == ["4.2", "top", 4_640_000, 107_140_000]
    assert printed.loc["3d-dsts-top"].tolist() == ["4.3", "top", 1_680_000, 66_990_000]
    assert rows.loc["3d-dsts-top", "difference"] == pytest.approx(rows.loc["3d-dsts-top", "parameters"] / 1.68e6 - 1)


def test_table_4_2_says_that_its_rows_are_swapped_and_4_3_does_not(counted):
    two, three = cost_table("4.2", counted), cost_table("4.3", counted)
    assert two.title.startswith("Table 4.2 ·")
    assert list(two.text.index) == [("mobilenet_v2", "default"), ("mobilenet_v2", "bottom")]
    assert two.text.loc[("mobilenet_v2", "bottom")].tolist()[:4] == ["6.37 M", "6.37 M", "0.0 %", "104.80 M"]
    assert "rows top and default" in two.note
    assert "rows top and default" not in three.note
    assert three.text.iloc[0]["difference"].startswith("+")
    assert "FLOPs" in three.note


def test_another_table_or_network_is_refused(counted):
    with pytest.raises(SettingError, match=r"table 4\.4: expected one of 4\.2, 4\.3"):
        cost_table("4.4", counted)
    with pytest.raises(SettingError, match=r"no network of Table 4\.3 was counted"):
        cost_table("4.3", counted[:1])
    with pytest.raises(SettingError, match="no published cost of 'han2017'"):
        costs(["han2017"])
    with pytest.raises(SettingError, match="the nearest is '2d-mobilenet_v2-top'"):
        encoder_table("2d-mobilenet_v2-topp")


def test_the_tables_of_the_appendix_are_all_there_once():
    tables = [encoder_table(name) for name in encoders()]
    assert sorted(int(table.data["table"][0].removeprefix("A.")) for table in tables) == list(range(3, 24))
    assert all(len(table.text) == 7 for table in tables)


def test_a_row_as_it_is_printed():
    table = encoder_table("3d-mobilenet_v2-default")  # Table A.12, Layer3
    assert table.text.loc["3"].tolist() == ["2", "5", "2×2×2", "6", "12", "20", "0.25"]
    assert table.note == ""
    assert encoder_table("3d-dsts-bottom").text["expansion"].tolist() == 7 * ["–"]


def test_what_is_not_taken_as_printed_is_told():
    table = encoder_table("2d-mobilenet_v2-top")
    assert table.data.loc[0, ["expansion", "printed_expansion"]].tolist() == [6, 1]
    assert (table.data["expansion"] == table.data["printed_expansion"])[1:].all()
    assert "printed with expansion 1" in table.note
