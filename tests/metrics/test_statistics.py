import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lits_toolkit.metrics.statistics import EXACT_UP_TO, RESAMPLES, interval, paired_difference, sign_flip_p

scores = st.lists(st.floats(0, 1, width=16), min_size=2, max_size=8)


def test_a_mean_has_the_interval_of_scipy():
    values = np.random.default_rng(1).beta(4, 2, 23)
    found = interval(values, resamples=20_000)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=5).confidence_interval
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.003)
    assert found.cases == 23


def test_a_ratio_has_the_interval_of_scipy_over_pairs():
    random = np.random.default_rng(2)
    lesions = random.integers(1, 9, 15)
    dice = lesions * random.random(15)
    found = interval(dice, lesions, confidence=0.9, resamples=20_000)
    theirs = stats.bootstrap(
        (dice, lesions), lambda above, below, axis: above.sum(axis=axis) / below.sum(axis=axis), paired=True,
        method="percentile", confidence_level=0.9, n_resamples=20_000, rng=5,
    ).confidence_interval  # fmt: skip
    assert found.value == pytest.approx(dice.sum() / lesions.sum())
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.004)


def test_two_cases_by_hand():
    # three of the four resamples that are likely: 0 (1/4), 1/2 (1/2), 1 (1/4)
    found = interval([0, 1], confidence=0.4)
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
    assert (interval([0, 1]).low, interval([0, 1]).high) == (0, 1)


def test_cases_are_resampled_and_not_lesions():
    # one case has ninety lesions: resampling lesions would give an interval a few percent wide
    found = interval([90, 0, 0], [90, 5, 5])
    assert found.value == 0.9
    assert (found.low, found.high) == (0, 1)


def test_a_seed_gives_one_interval():
    values = np.random.default_rng(0).random(30)
    assert interval(values) == interval(values)
    assert interval(values).low != interval(values, seed=1).low


def test_what_is_undefined_is_left_out_and_counted():
    assert interval([0.2, math.nan, 0.6]) == interval([0.2, 0.6])
    assert interval([1, 7, 3], [2, 0, 4]) == interval([1, 3], [2, 4])
    nothing = interval([math.nan])
    assert nothing.cases == 0
    assert math.isnan(nothing.value)
    one = interval([0.3, math.nan])
    assert (one.value, one.cases) == (0.3, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)


def test_one_number_for_each_case_is_asked_for():
    with pytest.raises(ValueError, match="one number for each case"):
        interval([1, 2, 3], [1, 2])


@settings(deadline=None, max_examples=40)
@given(scores)
def test_an_interval_lies_within_its_cases(values):
    found = interval(values, resamples=200)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
def test_p_is_the_share_of_all_signs(differences):
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    expected = sum(value >= abs(sum(differences)) for value in sums) / len(sums)
    assert sign_flip_p(np.array(differences) / 7) == pytest.approx(expected)


@pytest.mark.parametrize("cases", [6, EXACT_UP_TO])
def test_a_small_test_is_exact_as_scipys(cases):
    random = np.random.default_rng(cases)
    first, second = random.random(cases), random.random(cases) + 0.2
    theirs = stats.permutation_test(
        (first, second), lambda a, b, axis: (b - a).mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=np.inf,
    )  # fmt: skip
    found = paired_difference(first, second)
    assert found.p == pytest.approx(theirs.pvalue)
    assert found.difference.value == pytest.approx(theirs.statistic)


def test_a_large_test_is_close_to_scipys():
    random = np.random.default_rng(3)
    first = random.random(40)
    second = first + random.normal(0.03, 0.1, 40)
    theirs = stats.permutation_test(
        (first, second), lambda a, b, axis: (b - a).mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=20_000, rng=1,
    )  # fmt: skip
    assert paired_difference(first, second).p == pytest.approx(theirs.pvalue, abs=0.015)


def test_p_is_never_zero():
    found = paired_difference(np.zeros(50), np.ones(50))
    assert found.p == 1 / (RESAMPLES + 1)


def test_the_same_model_twice_makes_no_difference():
    found = paired_difference([0.1, 0.5, 0.9], [0.1, 0.5, 0.9])
    assert found.p == 1
    assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)


def test_exchanging_the_models_turns_the_sign():
    first, second = [0.3, 0.1, 0.8, 0.5], [0.4, 0.4, 0.7, 0.9]
    one, other = paired_difference(first, second), paired_difference(second, first)
    assert one.p == other.p
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert one.difference.low == pytest.approx(-other.difference.high)


def test_a_case_undefined_in_either_is_in_neither():
    found = paired_difference([1.0, math.nan, 3.0, 10.0], [2.0, 5.0, 2.5, math.nan])
    assert (found.first, found.second) == (2.0, 2.25)
    assert found.difference.cases == 2
    assert math.isnan(paired_difference([math.nan], [1.0]).p)


def test_lesions_are_compared_by_the_cases_that_hold_them():
    # per case: summed Dice of 2, 0 and 3 lesions
    found = paired_difference([1.0, 0.0, 1.5], [1.6, 0.0, 2.4], [2, 0, 3])
    assert (found.first, found.second) == (0.5, 0.8)
    assert found.difference.value == pytest.approx(0.3)
    assert found.difference.cases == 2
    assert found.p == 0.5  # ++ and −− of four
