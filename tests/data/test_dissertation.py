from collections import Counter

import pytest

from lits_toolkit.data.dissertation import CountedCase, dissertation_cohort, dissertation_split
from lits_toolkit.errors import SettingError


def test_the_tables_add_up_to_what_the_text_says():
    cohort = dissertation_cohort()
    assert [case.name for case in cohort] == [f"volume-{number}" for number in range(131)]
    assert Counter(case.split for case in cohort) == {"train": 111, "validation": 20}
    assert sum(case.tumors for case in cohort) == 908
    assert sum(case.tumor_voxels for case in cohort) == 18_465_194
    assert all((case.tumors == 0) == (case.tumor_voxels == 0) for case in cohort)


def test_rows_as_printed():
    cohort = dissertation_cohort()
    assert cohort[4] == CountedCase("volume-4", "validation", 5, 1_516_253)
    assert cohort[39] == CountedCase("volume-39", "train", 1, 348_986)  # the one that §4.1.1 examines
    assert cohort[83] == CountedCase("volume-83", "train", 1, 98)


def test_the_split_of_all_and_of_some():
    split = dissertation_split([f"volume-{number}" for number in range(131)])
    assert (len(split.train), len(split.validation), split.test) == (111, 20, ())
    assert not set(split.train) & set(split.validation)
    some = dissertation_split(["volume-4", "volume-3", "volume-0"])
    assert (some.train, some.validation) == (("volume-0", "volume-3"), ("volume-4",))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["volume-0", "volume-4", "volume-131"], "no volume-131"),
        (["volume-0", "volume-1"], "trains on 2 and validates on 0"),
        ([], "at least one"),
    ],
)
def test_what_the_tables_cannot_divide_is_said(names, said):
    with pytest.raises(SettingError, match=said):
        dissertation_split(names)
