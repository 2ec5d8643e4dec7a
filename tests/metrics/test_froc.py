import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from lits_toolkit.errors import GeometryError
from lits_toolkit.metrics.froc import Candidates, find_candidates, froc
from lits_toolkit.metrics.lesions import find_lesions, score_lesions


def test_a_case_by_hand():
    reference = np.array([[[1, 1, 0, 0, 1, 0, 0, 0, 1]]])
    probability = np.array([[[0.6, 0.9, 0.7, 0.2, 0.4, 0.0, 0.8, 0.1, 0.55]]])
    found = find_candidates(reference, probability)
    np.testing.assert_array_equal(found.lesion_scores, [0.9, np.nan, 0.55])  # the second stays below 0.5
    np.testing.assert_array_equal(found.false_scores, [0.8])
    curve = froc([found])
    np.testing.assert_array_equal(curve.thresholds, [np.inf, 0.9, 0.8, 0.55])
    np.testing.assert_allclose(curve.sensitivity, [0, 1 / 3, 1 / 3, 2 / 3])
    np.testing.assert_array_equal(curve.false_alarms_per_case, [0, 0, 1, 1])
    assert curve.sensitivity_at(0.5) == pytest.approx(1 / 3)
    assert curve.sensitivity_at(1) == pytest.approx(2 / 3)


def test_a_lower_floor_makes_more_candidates():
    reference = np.array([[[1, 1, 0, 0, 1]]])
    probability = np.array([[[0.6, 0.9, 0.2, 0.2, 0.4]]])
    np.testing.assert_array_equal(find_candidates(reference, probability, above=0.3).lesion_scores, [0.9, 0.4])


masks = arrays(bool, (2, 4, 5))
probabilities = arrays(np.float32, (2, 4, 5), elements=st.sampled_from([0.0, 0.3, 0.55, 0.6, 0.7, 0.9]))


def slow_point(pairs, threshold):
    """Sensitivity and false alarms per case, a mask made for the threshold."""
    hits = lesions = alarms = 0
    for reference, probability in pairs:
        labels, count = ndimage.label(probability > 0.5)
        standing = [n for n in range(1, count + 1) if probability[labels == n].max() >= threshold]
        alarms += sum(not reference[labels == n].any() for n in standing)
        own, own_count = ndimage.label(reference)
        lesions += own_count
        hits += sum(np.isin(labels[own == n], standing).any() for n in range(1, own_count + 1))
    return hits / lesions if lesions else math.nan, alarms / len(pairs)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(masks, probabilities), min_size=1, max_size=3))
def test_every_point_is_that_of_a_mask_made_for_its_threshold(pairs):
    curve = froc([find_candidates(*pair) for pair in pairs])
    for threshold, *point in zip(curve.thresholds, curve.sensitivity, curve.false_alarms_per_case, strict=True):
        np.testing.assert_allclose(point, slow_point(pairs, threshold))
    np.testing.assert_allclose((curve.sensitivity[-1], curve.false_alarms_per_case[-1]), slow_point(pairs, 0.0))
    assert (np.diff(curve.thresholds) < 0).all()
    assert (np.diff(curve.false_alarms_per_case) >= 0).all()


@settings(deadline=None, max_examples=30)
@given(masks, probabilities)
def test_the_last_point_is_that_of_the_table_of_lesions(reference, probability):
    rows = score_lesions(find_lesions(reference), find_lesions(probability > 0.5), (1, 1, 1))
    curve = froc([find_candidates(reference, probability)])
    assert curve.false_alarms_per_case[-1] == sum(row.kind == "false alarm" for row in rows)
    if curve.lesions:
        detected = sum(row.detected for row in rows)
        assert curve.sensitivity[-1] == detected / curve.lesions


def test_without_lesions_sensitivity_is_undefined_and_without_candidates_nothing_is_found():
    empty, some = np.zeros((1, 2, 3)), np.zeros((1, 2, 3))
    some[0, 0, 0] = 0.8
    assert np.isnan(froc([find_candidates(empty, some)]).sensitivity).all()
    np.testing.assert_array_equal(froc([find_candidates(some > 0, empty)]).sensitivity, [0])
    both = froc([find_candidates(empty, empty)])
    assert (both.lesions, both.cases, len(both.thresholds)) == (0, 1, 1)


def test_what_cannot_be_is_refused():
    with pytest.raises(GeometryError, match="one shape"):
        find_candidates(np.zeros((1, 2, 3)), np.zeros((1, 2, 4)))
    with pytest.raises(ValueError, match="at least one case"):
        froc([])


def test_cases_are_counted_together():
    first = Candidates(np.array([0.9, np.nan]), np.array([0.6, 0.7]))
    second = Candidates(np.array([]), np.array([0.95]))
    curve = froc([first, second])
    np.testing.assert_array_equal(curve.thresholds, [np.inf, 0.95, 0.9, 0.7, 0.6])
    np.testing.assert_array_equal(curve.sensitivity, [0, 0, 0.5, 0.5, 0.5])
    np.testing.assert_array_equal(curve.false_alarms_per_case, [0, 0.5, 0.5, 1, 1.5])
