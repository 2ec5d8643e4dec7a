import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.training.schedule import cosine, epochs_without_gain, plateau, should_stop, warm_up

LOSSES = st.lists(
    st.one_of(st.sampled_from([1.0, 0.99995, 0.9999, 0.99985, 0.5, 0.0, -0.5, math.nan, math.inf]), st.floats(-10, 10)),
    max_size=30,
)


def test_the_warm_up_by_hand():
    assert [warm_up(step, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert warm_up(0, 0) == warm_up(0, 1) == warm_up(7, 0) == 1


@given(st.integers(1, 40), st.floats(0, 0.9))
def test_the_cosine_is_torch_s(steps, last):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 1.0)
    annealed = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=last)
    for step in range(steps + 1):
        assert cosine(step, steps, last) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        annealed.step()
    assert cosine(2 * steps, steps, last) == pytest.approx(last)


def test_the_cosine_by_hand():
    assert [cosine(step, 10, 0.2) for step in (0, 5, 10, 11)] == pytest.approx([1, 0.6, 0.2, 0.2])
    assert cosine(100, 100) == pytest.approx(0.02)
    assert cosine(0, 0) == pytest.approx(0.02)


@given(LOSSES, st.integers(0, 5), st.sampled_from([0.1, 0.5, 0.9]))
def test_the_plateau_is_torch_s(losses, patience, factor):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 1.0)
    reduced = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=factor, patience=patience, eps=0)
    for number, loss in enumerate(losses):
        reduced.step(loss)
        assert plateau(losses[: number + 1], patience, factor) == optimizer.param_groups[0]["lr"]


def test_the_plateau_by_hand():
    falling, level = [3.0, 2.0, 1.0], [1.0, 1.0, 1.0]
    assert plateau([], 2, 0.1) == plateau(falling, 2, 0.1) == plateau(falling + level[:2], 2, 0.1) == 1
    assert plateau(falling + level, 2, 0.5) == 0.5
    assert plateau(falling + 2 * level, 2, 0.5) == 0.25


@given(LOSSES, st.integers(1, 5))
def test_it_stops_when_the_last_epochs_were_none_of_them_lower_than_what_came_before(losses, patience):
    earlier, last = losses[:-patience], losses[-patience:]
    lowest = min((loss for loss in earlier if not math.isnan(loss)), default=math.inf)
    assert should_stop(losses, patience) == (len(last) == patience and not any(loss < lowest for loss in last))


@given(LOSSES)
def test_epochs_are_counted_from_the_lowest_loss(losses):
    lowest = min((loss for loss in losses if loss < math.inf), default=None)
    expected = len(losses) if lowest is None else len(losses) - 1 - losses.index(lowest)
    assert epochs_without_gain(losses) == expected


def test_stopping_by_hand():
    losses = [3.0, 2.0, 2.0, math.nan, 2.5]
    assert [epochs_without_gain(losses[:count]) for count in range(6)] == [0, 0, 0, 1, 2, 3]
    assert should_stop(losses, 3)
    assert not should_stop(losses, 4)
    assert not should_stop(losses, None)
    assert [should_stop(losses[:count], 0) for count in range(4)] == [False, False, False, True]
