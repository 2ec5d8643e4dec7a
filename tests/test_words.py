from lits_toolkit.words import counted, duration


def test_one_alone_has_no_plural():
    assert [counted(number, "case") for number in (0, 1, 2, 1234)] == ["0 cases", "1 case", "2 cases", "1 234 cases"]


def test_a_time_has_the_unit_that_suits_it():
    assert [duration(seconds) for seconds in (0.4, 119, 120, 7199, 7200)] == [
        "0 s",
        "119 s",
        "2 min",
        "120 min",
        "2.0 h",
    ]
