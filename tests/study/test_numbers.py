import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.data.case import mask_file_name
from lits_toolkit.data.nifti import without_ending
from lits_toolkit.study import numbers as module
from lits_toolkit.study.numbers import CaseKey, case_key, case_keys

numbers = st.integers(0, 9999)


@given(numbers, st.sampled_from(["", "0", "000"]), st.sampled_from(["", "_0000"]))
def test_a_case_has_its_number_however_it_is_written(number, zeros, channel):
    for name in ("segmentation-", "volume-", "liver_", "segmentation-liver_", ""):
        assert case_key(f"{name}{zeros}{number}{channel}") == CaseKey(False, str(number))
        assert case_key(f"test-{name}{zeros}{number}{channel}") == CaseKey(True, str(number))


@pytest.mark.parametrize("name", ["volume-7", "test-volume-7", "liver_7", "7", "anna", "anna_7", "3Dircadb1.4"])
def test_a_case_and_the_mask_that_is_written_of_it_meet(name):
    assert case_key(without_ending(mask_file_name(name))) == case_key(name)


@pytest.mark.parametrize("name", ["anna", "anna_7", "7a", "volume-7-old", "3Dircadb1.4", "volume-"])
def test_a_name_without_a_number_stands_for_itself(name):
    assert case_key(name) == CaseKey(None, name)


@given(st.lists(numbers, unique=True, min_size=1), st.lists(numbers, unique=True, min_size=1))
def test_kinds_count_unless_each_side_has_one_and_they_differ(one, other):
    training, tests = [f"volume-{n}" for n in one], [f"test-segmentation-{n}" for n in other]
    keys = case_keys(training, tests)
    assert {key.id for key in set(keys[0]) & set(keys[1])} == {str(n) for n in one} & {str(n) for n in other}
    mixed = case_keys([*training, "test-volume-10000"], tests)
    assert not set(mixed[0]) & set(mixed[1])


def test_the_examples_in_the_documentation_run():
    assert doctest.testmod(module).failed == 0
