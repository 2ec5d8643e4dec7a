import pytest
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.data.splits import split_by_fraction
from lits_toolkit.errors import SettingError


@given(st.integers(4, 60), st.floats(0.05, 0.3), st.floats(0, 0.3), st.integers(0, 5))
def test_every_case_is_in_one_part_only(count, validation, test, seed):
    names = [f"volume-{index}" for index in range(count)]
    split = split_by_fraction(names, validation, test, seed)
    assert sorted([*split.train, *split.validation, *split.test]) == sorted(names)
    assert split.train
    assert split.validation
    assert bool(split.test) == (test > 0)
    assert split == split_by_fraction(names[::-1], validation, test, seed)


def test_the_dissertations_share():
    split = split_by_fraction([str(index) for index in range(131)], 0.15)
    assert (len(split.train), len(split.validation)) == (111, 20)


@pytest.mark.parametrize(("names", "validation"), [(["a"], 0.15), (["a", "b"], 1.0), ([], 0.15)])
def test_too_little_is_said(names, validation):
    with pytest.raises(SettingError):
        split_by_fraction(names, validation)
