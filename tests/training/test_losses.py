import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.training.losses import EPSILON, LOSSES, cross_entropy, dice_distance


@given(st.integers(0, 2**31))
def test_against_the_definitions_written_out(seed):
    random = np.random.default_rng(seed)
    logits, targets = random.normal(size=(2, 2, 3, 4)), random.integers(0, 2, (2, 3, 4))
    odds = np.exp(logits)
    probability = odds[:, 1] / odds.sum(1)
    dice = 1 - (2 * (probability * targets).sum() + EPSILON) / (probability.sum() + targets.sum() + EPSILON)
    entropy = -np.log(np.where(targets == 1, probability, 1 - probability)).mean()
    given_logits, given_targets = torch.from_numpy(logits), torch.from_numpy(targets.astype(np.uint8))
    assert float(dice_distance(given_logits, given_targets)) == pytest.approx(dice, abs=1e-5)
    assert float(cross_entropy(given_logits, given_targets)) == pytest.approx(entropy, abs=1e-5)
    both = float(LOSSES["cross_entropy_and_dice"](given_logits, given_targets))
    assert both == pytest.approx(dice + entropy, abs=1e-5)


def test_a_sure_and_right_answer_costs_nothing_even_where_there_is_no_object():
    for targets in (torch.zeros(1, 4, 4, dtype=torch.uint8), torch.ones(1, 4, 4, dtype=torch.uint8)):
        sure = 40 * (targets.float() - 0.5)
        logits = torch.stack([-sure, sure], 1)
        for loss in LOSSES.values():
            assert float(loss(logits, targets)) == pytest.approx(0, abs=1e-4)
