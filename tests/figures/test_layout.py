from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.figures.layout import BRANCH_GAP, lay_out


def unit(inputs):
    return lay_out(inputs, [(1.0, 1.0)] * len(inputs))


def test_a_chain_stands_one_below_the_other():
    laid = unit([(), (0,), (1,)])
    assert laid.centres == {0: (0, 0.5), 1: (0, 1.5), 2: (0, 2.5)}
    assert laid.lanes == {}
    assert laid.height == 3


def test_a_residual_has_a_lane_right_of_what_it_passes():
    laid = lay_out([(), (0,), (0, 1)], [(1.0, 1.0), (2.0, 1.0), (1.0, 1.0)])
    assert {x for x, _ in laid.centres.values()} == {0}
    assert list(laid.lanes) == [(0, 2)]
    assert laid.lanes[0, 2] > 1  # half of the widest box


def test_a_lane_within_a_lane_is_nearer():
    laid = unit([(), (0,), (1,), (1, 2), (0, 3)])
    assert laid.lanes[1, 3] < laid.lanes[0, 4]


def test_branches_stand_side_by_side_about_the_axis():
    laid = unit([(), (0,), (0,), (2,), (1, 3)])
    (left, y), (right, first), (below, second) = laid.centres[1], laid.centres[2], laid.centres[3]
    reach = (1 + BRANCH_GAP) / 2
    assert (left, right, below) == pytest.approx((-reach, reach, reach))
    assert y == pytest.approx((first + second) / 2)
    assert not laid.lanes


def test_two_inputs_are_branches_from_nothing():
    laid = unit([(), (), (0, 1)])
    assert laid.centres[0][1] == laid.centres[1][1] < laid.centres[2][1]


def test_what_is_neither_in_series_nor_side_by_side_is_a_column_with_a_lane_for_each_skip():
    laid = unit([(), (0,), (0, 1), (1, 2), (2, 3)])
    assert {x for x, _ in laid.centres.values()} == {0}
    assert len(set(laid.lanes.values())) == len(laid.lanes) == 3


@st.composite
def graphs(draw):
    """Any graph with one input in which everything leads to the last box."""
    givens = [st.sets(st.integers(0, number), min_size=1, max_size=3) for number in range(draw(st.integers(0, 8)))]
    inputs = [(), *(tuple(draw(given)) for given in givens)]
    used = {given for each in inputs for given in each}
    return [*inputs, tuple(number for number in range(len(inputs)) if number not in used)]


@given(graphs())
def test_no_box_lies_over_another_none_is_left_out_and_all_lead_downwards(inputs):
    laid = lay_out(inputs, [(0.8, 0.9)] * len(inputs))
    assert set(laid.centres) == set(range(len(inputs)))
    for (x, y), (other_x, other_y) in combinations(laid.centres.values(), 2):
        assert abs(x - other_x) >= 0.8 - 1e-9 or abs(y - other_y) >= 0.9 - 1e-9
    for number, each in enumerate(inputs):
        assert all(laid.centres[given][1] < laid.centres[number][1] for given in each)
    assert set(laid.lanes) <= {(given, number) for number, each in enumerate(inputs) for given in each}
    for x, y in laid.centres.values():
        assert laid.left - 1e-9 <= x - 0.4
        assert x + 0.4 <= laid.right + 1e-9
        assert y + 0.45 <= laid.height + 1e-9
