import numpy as np
import pytest

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.figures.lookahead import LEARNING_RATE, START, STEEPNESS, draw_lookahead, lookahead_path, valley


def positions(path, weights, cycle):
    rows = path[(path["weights"] == weights) & (path["cycle"] == cycle)]
    return rows[["w1", "w2"]].to_numpy()


@pytest.mark.parametrize(("steps", "rate", "cycles"), [(5, 0.5, 8), (3, 0.8, 2), (1, 1.0, 4)])
def test_the_slow_weights_follow_the_fast_ones_by_the_rate(steps, rate, cycles):
    path = lookahead_path(steps, rate, cycles)
    assert len(path) == cycles * (steps + 1) + 1
    assert positions(path, "slow", 0).tolist() == [list(START)]
    for cycle in range(cycles):
        (before,), (after,) = positions(path, "slow", cycle), positions(path, "slow", cycle + 1)
        fast = positions(path, "fast", cycle)
        assert len(fast) == steps
        np.testing.assert_allclose(after, before + rate * (fast[-1] - before), rtol=1e-12)
    np.testing.assert_allclose(path["loss"], (path["w1"] ** 2 + STEEPNESS * path["w2"] ** 2) / 2)
    fast = path[path["weights"] == "fast"]
    assert fast["step"].tolist() == list(range(1, cycles * steps + 1))
    assert path.loc[path["weights"] == "slow", "step"].tolist() == list(range(0, cycles * steps + 1, steps))


def test_the_next_cycle_starts_from_the_slow_weights():
    """Each step less the gradient's share is noise, as often to the one side as to the other."""
    path = lookahead_path(steps=4, cycles=200)
    firsts = np.array([positions(path, "fast", cycle)[0] - positions(path, "slow", cycle)[0] for cycle in range(200)])
    starts = np.array([positions(path, "slow", cycle)[0] for cycle in range(200)])
    noise = firsts + LEARNING_RATE * starts * (1, STEEPNESS)
    assert np.abs(noise.mean(0)).max() < 0.03
    assert np.abs(noise).max() < 0.5


def test_a_seed_is_a_path():
    assert lookahead_path(seed=3).equals(lookahead_path(seed=3))
    assert not lookahead_path(seed=3).equals(lookahead_path(seed=4))


@pytest.mark.parametrize(("steps", "rate", "share"), [(5, 0.5, "50 %"), (2, 0.25, "25 %"), (1, 1.0, "100 %")])
def test_the_panels_are_those_of_figure_3_5(assert_legible, steps, rate, share):
    path = lookahead_path(steps, rate, cycles=3)
    drawn = draw_lookahead(path)
    assert share in drawn.figure.axes[1].get_title(loc="left")
    counts = drawn.data.groupby(["panel", "weights"]).size().to_dict()
    assert counts == {
        ("a", "fast"): steps, ("a", "slow"): 1, ("b", "fast"): steps, ("b", "slow"): 2,
        ("c", "fast"): steps + 1, ("c", "slow"): 2, ("d", "fast"): 3 * steps, ("d", "slow"): 4,
    }  # fmt: skip
    assert drawn.data[drawn.data["panel"] == "d"].drop(columns="panel").reset_index(drop=True).equals(path)
    for ax in drawn.figure.axes:
        assert ax.get_aspect() == 1
        (low, high), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        assert path["w1"].between(low, high).all()
        assert path["w2"].between(bottom, top).all()
    assert_legible(drawn)


def test_the_valley_s_floor_is_nought():
    assert valley(0.0, 0.0) == 0
    assert valley(2.0, 0.0) == 2
    assert valley(0.0, -2.0) == 2 * STEEPNESS


def test_what_makes_no_picture_is_told():
    with pytest.raises(InputError, match="two cycles at least"):
        draw_lookahead(lookahead_path(cycles=1))
    with pytest.raises(SettingError, match="rate"):
        lookahead_path(rate=0)
