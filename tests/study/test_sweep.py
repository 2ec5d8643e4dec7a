"""Against the slow, literal way: the cascade's own mask at each threshold, scored by the metrics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from lits_toolkit.inference.cascade import Thresholds, find_liver, find_tumor
from lits_toolkit.metrics.lesions import find_lesions, score_lesions
from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.study.sweep import TOLERANCE, choose, lesion_dice, sweep_liver, sweep_tumor

STEPS = (0.2, 0.4, 0.5, 0.7, 0.85)
SPACING = (2.0, 0.8, 0.8)


def blobs(seed, shape=(6, 26, 26), width=1.5):
    """Smooth values between 0 and 1 that make a few dozen components at every threshold."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), width)
    field = (field - field.min()) / np.ptp(field)
    return np.clip(1.3 * field - 0.15, 0, 1).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_the_livers_dice_at_each_threshold(seed):
    probability, reference = blobs(seed), blobs(seed + 10, width=3) > 0.55
    literal = [
        count_overlap(reference, find_liver(probability, reference.shape, Thresholds(liver=t))).dice_per_case
        for t in STEPS
    ]
    np.testing.assert_array_equal(sweep_liver(probability, reference, STEPS), literal)


@pytest.mark.parametrize("seed", range(4))
def test_every_score_of_the_tumours_at_each_pair_of_thresholds(seed):
    """Seed 3 has no lesion in the reference."""
    probability, liver = blobs(seed), blobs(seed + 20, width=4) > 0.4
    reference = (blobs(seed + 30, width=1.2) > 0.7) & liver & (seed < 3)
    if seed == 2:
        reference[-1, -3:, -3:] = True  # outside the liver, where nothing is found
    swept = sweep_tumor(probability, liver, reference, STEPS, STEPS)
    expected = find_lesions(reference)
    merged = 0
    for row, tumor in enumerate(STEPS):
        for column, component in enumerate(STEPS):
            found = find_tumor(probability, liver, Thresholds(tumor=tumor, tumor_component=component))
            scores = score_lesions(expected, find_lesions(found), SPACING)
            lesions = [score for score in scores if score.kind == "reference"]
            merged += sum(score.matched_voxels > score.intersection_voxels > 0 for score in lesions)
            assert swept.dice[row, column] == pytest.approx(count_overlap(reference, found).dice_per_case)
            assert swept.false_alarms[row, column] == len(scores) - len(lesions)
            voxels, dice = lesion_dice(reference, found, SPACING)
            assert voxels.tolist() == [score.voxels for score in lesions]
            assert dice.tolist() == pytest.approx([score.dice for score in lesions])
    assert merged or not reference.any()


def test_a_liver_that_falls_apart_is_the_larger_of_all_pieces():
    """The largest piece lies elsewhere at a higher threshold, and so does one that had been the largest before."""
    probability, reference = np.zeros((2, 1, 1, 30), np.float32)
    probability[..., :12] = [0.3, 0.9, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]
    probability[..., 14:20], probability[..., 22:24] = 0.6, 0.8
    reference[..., 14:24] = 1
    expected = [0, 2 * 6 / (10 + 6), 2 * 6 / (10 + 6), 2 * 2 / (10 + 2), 0]
    assert sweep_liver(probability, reference > 0, STEPS).tolist() == pytest.approx(expected)


def test_nothing_to_find_and_nothing_found_is_all_right():
    nothing = np.zeros((3, 8, 8), np.float32)
    assert sweep_liver(nothing, nothing > 0, STEPS).tolist() == 5 * [1.0]
    swept = sweep_tumor(nothing, nothing == 0, nothing > 0, STEPS, STEPS)
    assert (swept.dice == 1).all()
    assert not swept.false_alarms.any()


def test_the_middle_of_a_plateau_is_taken_and_not_a_lone_spike():
    curve = np.array([0.50, 0.60, 0.70, 0.80, 0.801, 0.799, 0.80, 0.798, 0.60])
    assert choose(curve, (0,)) == (5,)
    spike = np.array([0.80, 0.80, 0.80, 0.80, 0.10, 0.803, 0.10])
    assert choose(spike, (1,)) == (5,)  # what is not connected with the best is another plateau
    assert choose(np.where(spike > 0.801, 0.799, spike), (3,)) == (2,)


def test_what_must_not_be_chosen_is_outside_the_plateau():
    dice = np.full((5, 5), 0.5)
    dice[np.tri(5, k=-1) > 0] = np.nan
    row, column = choose(dice, (0, 4))
    assert row < column


@given(arrays(float, (4, 5), elements=st.floats(0, 1)), st.integers(0, 3), st.integers(0, 4))
def test_never_worse_than_the_default_and_never_far_below_the_best(dice, row, column):
    chosen = choose(dice, (row, column))
    assert dice[chosen] >= dice[row, column]
    assert dice[chosen] >= dice.max() - TOLERANCE
