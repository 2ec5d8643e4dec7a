import numpy as np
import pytest
import torch

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.figures.lookahead import NOISE, START, STEEPNESS
from lits_toolkit.figures.lookahead_gain import compare_lookahead, draw_lookahead_gain


def by_hand(learning_rate, steps, rate, cycles, seeds):
    """Algorithm 1 of Zhang et al. written out, with the gradient of the valley, (w1, STEEPNESS · w2), and its noise."""
    random = torch.Generator().manual_seed(0)
    noise = NOISE * torch.randn(steps * cycles, seeds, 2, generator=random, dtype=torch.float64).numpy()
    slow = np.tile(START, (seeds, 1))
    losses = [[], [float((START[0] ** 2 + STEEPNESS * START[1] ** 2) / 2)]]
    for cycle in range(cycles):
        fast = slow.copy()
        for step in range(steps):
            fast -= learning_rate * (fast * (1, STEEPNESS) + noise[cycle * steps + step])
            losses[0].append(((fast**2) @ (1, STEEPNESS)).mean() / 2)
        slow += rate * (fast - slow)
        losses[1].append(((slow**2) @ (1, STEEPNESS)).mean() / 2)
    return losses


@pytest.mark.parametrize(("steps", "rate", "cycles"), [(5, 0.5, 3), (2, 0.8, 4)])
def test_losses_are_those_of_the_algorithm_written_out(steps, rate, cycles):
    gain = compare_lookahead([0.15], steps, rate, cycles, seeds=7)
    fast, slow = by_hand(0.15, steps, rate, cycles, 7)
    alone, _ = by_hand(0.15, steps * cycles, 1.0, 1, 7)
    for weights, expected, places in (
        ("fast weights", fast, range(1, steps * cycles + 1)),
        ("slow weights", slow, range(0, steps * cycles + 1, steps)),
        ("SGD alone", alone, range(1, steps * cycles + 1)),
    ):
        own = gain[gain["weights"] == weights]
        assert own["step"].tolist() == list(places)
        np.testing.assert_allclose(own["loss"], expected, rtol=1e-10)


def last(gain, weights):
    return float(gain[gain["weights"] == weights].sort_values("step")["loss"].iloc[-1])


def test_lookahead_stays_in_the_valley_where_sgd_alone_leaves_it():
    """SGD alone multiplies the second weight by 1 − 9 · rate; five of them weighed by half, by 1/2 + (…)⁵ / 2."""
    between = 0.24  # 2 / 9 < 0.24 < (1 + 3^(1/5)) / 9 = 0.2495
    gain = compare_lookahead([between], cycles=20, seeds=20)
    assert last(gain, "SGD alone") > 1e6
    assert last(gain, "slow weights") < 1
    assert last(compare_lookahead([0.255], cycles=40, seeds=20), "slow weights") > 1e3


def test_both_panels_show_the_losses(assert_legible):
    gain = compare_lookahead([0.1, 0.2, 0.23], cycles=3, seeds=5)
    drawn = draw_lookahead_gain(gain, 0.19)
    assert_legible(drawn)
    panels = drawn.data.groupby("panel")
    assert set(panels.get_group("steps")["learning_rate"]) == {0.2}
    rates = panels.get_group("rates")
    assert set(rates["step"]) == {15}
    for _, own in rates.groupby("weights"):
        assert own["learning_rate"].tolist() == [0.1, 0.2, 0.23]
    assert set(rates["weights"]) == {"SGD alone", "slow weights"}
    assert len(drawn.figure.axes[0].get_lines()) == 3


def test_what_makes_no_picture_is_told():
    with pytest.raises(InputError, match="at least one"):
        draw_lookahead_gain(compare_lookahead([]))
    with pytest.raises(SettingError, match="rate"):
        compare_lookahead([0.1], rate=0)
