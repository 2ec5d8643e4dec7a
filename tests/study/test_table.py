import pandas as pd

from lits_toolkit.study.table import Table, save_table

DATA = pd.DataFrame(
    {"block": ["a", "a", "b"], "layout": ["top", "top", "top"], "source": ["theirs", "ours", "ours"],
     "dice": [0.12345, float("nan"), 0.5]}
)  # fmt: skip
TEXT = DATA.assign(dice=["0.123", "–", "0.500"]).set_index(["block", "layout", "source"])
TABLE = Table("Table 9 · <phantoms>", DATA, TEXT, "Nothing & more.")
CODE = Table("", DATA, TEXT, "by `lits submit <a>`")


def test_as_text_names_stand_once_and_the_numbers_as_they_are_printed():
    lines = TABLE.to_markdown().splitlines()
    assert lines[0] == "**Table 9 · <phantoms>**"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:7]]
    assert cells[0] == ["block", "layout", "source", "dice"]
    assert cells[2:] == [["a", "top", "theirs", "0.123"], ["", "", "ours", "–"], ["b", "top", "ours", "0.500"]]
    assert lines[-1] == "Nothing & more."


def test_a_table_without_names_keeps_every_cell():
    plain = Table("", DATA, pd.DataFrame({"a": ["1", "1"], "b": ["2", "2"]}))
    assert plain.to_markdown().count("1 ") >= 2
    assert "index" not in plain.to_markdown()


def test_the_file_of_numbers_has_them_in_full(tmp_path):
    path = save_table(TABLE, tmp_path / "new", "09_table")
    assert path == tmp_path / "new" / "09_table.md"
    assert path.read_text(encoding="utf-8") == TABLE.to_markdown()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new" / "09_table.csv"), DATA)


def test_in_a_notebook_its_words_are_no_markup():
    shown = TABLE._repr_html_()
    assert "&lt;phantoms&gt;" in shown
    assert "Nothing &amp; more." in shown
    assert "by <code>lits submit &lt;a&gt;</code>" in CODE._repr_html_()
    assert shown.index("Table 9") < shown.index("<table") < shown.index("Nothing")
