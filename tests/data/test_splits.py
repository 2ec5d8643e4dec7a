from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.data.splits import join_patients, split_by_folds, split_by_fraction
from lits_toolkit.errors import SettingError


@st.composite
def cohorts(draw, least=8, most=60):
    """Names with their strata and, for some of them, patients."""
    count = draw(st.integers(least, most))
    names = [f"volume-{index}" for index in range(count)]
    strata = {name: draw(st.sampled_from(["none", "small", "medium", "large"])) for name in names}
    patients = {name: f"p{draw(st.integers(0, count))}" for name in names if draw(st.booleans())}
    return names, strata, patients


def parts_of(split):
    return split.train, split.validation, split.test


def assert_whole(split, names, patients):
    """Disjoint, complete, and no patient on two sides."""
    assert sorted(name for part in parts_of(split) for name in part) == sorted(names)
    sides = {patient: {index for index, part in enumerate(parts_of(split)) for name in part
                       if patients.get(name) == patient} for patient in patients.values()}  # fmt: skip
    assert all(len(found) == 1 for found in sides.values())


@given(cohorts(), st.floats(0.05, 0.3), st.floats(0, 0.3), st.integers(0, 5))
def test_every_case_is_in_one_part_only_and_patients_stay_whole(cohort, validation, test, seed):
    names, strata, patients = cohort
    if len(set(patients.values())) + len(names) - len(patients) < 3:
        return
    split = split_by_fraction(names, validation, test, seed, strata, patients)
    assert_whole(split, names, patients)
    assert split.train
    assert split.validation
    assert bool(split.test) == (test > 0)
    assert split == split_by_fraction(names[::-1], validation, test, seed, strata, patients)


@given(cohorts(), st.floats(0.05, 0.3), st.floats(0, 0.3), st.integers(0, 5))
def test_the_parts_have_the_share_of_each_stratum(cohort, validation, test, seed):
    names, strata, _ = cohort
    split = split_by_fraction(names, validation, test, seed, strata)
    assert len(split.validation) == max(1, round(validation * len(names)))
    assert len(split.test) == (max(1, round(test * len(names))) if test else 0)
    everyone, held_out, chosen = (
        Counter(strata[name] for name in part) for part in (names, split.test, split.validation)
    )
    for stratum, count in everyone.items():
        assert abs(held_out[stratum] - count * len(split.test) / len(names)) < 1
        left = count - held_out[stratum]
        assert abs(chosen[stratum] - left * len(split.validation) / (len(names) - len(split.test))) < 1


@given(cohorts(least=12), st.integers(2, 6), st.sampled_from([0, 0.1]), st.integers(0, 5))
def test_each_case_validates_once(cohort, folds, test, seed):
    names, strata, patients = cohort
    if len(set(patients.values())) + len(names) - len(patients) <= folds:
        return
    splits = [split_by_folds(names, folds, fold, test, seed, strata, patients) for fold in range(folds)]
    for split in splits:
        assert_whole(split, names, patients)
        assert split.train
        assert split.validation
        assert split.test == splits[0].test
    validated = [name for split in splits for name in split.validation]
    assert sorted([*validated, *splits[0].test]) == sorted(names)
    assert splits[0] == split_by_folds(names[::-1], folds, 0, test, seed, strata, patients)


@given(cohorts(least=6), st.integers(2, 6), st.integers(0, 5))
def test_folds_are_alike_in_size_and_strata(cohort, folds, seed):
    names, strata, _ = cohort
    found = [split_by_folds(names, folds, fold, 0, seed, strata).validation for fold in range(folds)]
    for stratum in ("none", "small", "medium", "large", None):
        sizes = [sum(stratum in (None, strata[name]) for name in part) for part in found]
        assert max(sizes) - min(sizes) <= 1


def test_another_seed_is_another_split():
    names = [str(index) for index in range(40)]
    assert len({split_by_fraction(names, seed=seed) for seed in range(5)}) == 5
    assert len({split_by_folds(names, seed=seed) for seed in range(5)}) == 5


def test_a_patient_of_half_the_cases_does_not_swallow_the_share():
    names = [f"c{index}" for index in range(20)]
    patients = dict.fromkeys(names[:10], "one")
    sizes = Counter(len(split_by_fraction(names, 0.1, seed=seed, patients=patients).validation) for seed in range(40))
    assert sizes.total() == 40
    assert sizes[2] > 20  # mostly others' cases; now and then the one patient, on its turn


def test_the_dissertations_share():
    split = split_by_fraction([str(index) for index in range(131)], 0.15)
    assert (len(split.train), len(split.validation)) == (111, 20)


@pytest.mark.parametrize(
    ("names", "validation"), [(["a"], 0.15), (["a", "b"], 1.0), ([], 0.15), (["a", "b", "c"], 0), (["a", "a"], 0.5)]
)
def test_too_little_is_said(names, validation):
    with pytest.raises(SettingError):
        split_by_fraction(names, validation)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"folds": 1}, "at least 2 folds"),
        ({"folds": 3, "fold": 3}, "fold from 0"),
        ({"folds": 5}, "4 patients are too few"),
        ({"folds": 2, "test": 1.0}, "share to hold out"),
        ({"folds": 3, "patients": dict.fromkeys("abcd", "one")}, "1 patients are too few"),
    ],
)
def test_impossible_folds_are_said(settings, said):
    with pytest.raises(SettingError, match=said):
        split_by_folds(list("abcd"), **settings)


def test_patients_are_joined_by_whatever_is_known_of_them():
    known = {"v1": "Ann", "v4": "Ann", "v2": "Bob"}, {"v4": "f", "v5": "f", "v3": "g"}
    assert join_patients(["v5", "v4", "v3", "v2", "v1"], *known) == {
        "v1": "v1", "v4": "v1", "v5": "v1", "v2": "v2", "v3": "v3",
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8))
def test_joining_is_reachability(pairs):
    names = [str(index) for index in range(10)]
    found = join_patients(names, *({str(a): "x", str(b): "x"} for a, b in pairs))
    reach = {name: {name} for name in names}
    for _ in names:
        for a, b in pairs:
            reach[str(a)] = reach[str(b)] = reach[str(a)] | reach[str(b)]
        reach = {name: set().union(*(reach[other] for other in group)) for name, group in reach.items()}
    assert found == {name: min(group) for name, group in reach.items()}
