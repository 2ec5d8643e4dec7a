from lits_toolkit.words import counted


def test_one_alone_has_no_plural():
    assert [counted(number, "case") for number in (0, 1, 2, 1234)] == ["0 cases", "1 case", "2 cases", "1 234 cases"]
