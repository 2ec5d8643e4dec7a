import pytest
from rich.progress import Progress

from lits_toolkit.cli.printing import SlicesBar


@pytest.fixture
def clock():
    """Seconds that a test lets pass."""
    return [0.0]


@pytest.fixture
def bar(clock):
    progress = Progress(disable=True, get_time=lambda: clock[0])
    return SlicesBar("predicting", progress), progress.tasks[0]


def test_the_bar_goes_on_from_where_a_part_begins_whatever_the_one_before_has_left_out(bar):
    shown, task = bar
    assert (task.description, task.total) == ("predicting", None)
    shown.plan([("a", "liver", 10), ("a", "tumor", 10), ("b", "liver", 4), ("b", "tumor", 4)])
    assert task.total == 28
    shown.advance("a", "liver", 8)
    shown.advance("a", "liver", 2)
    shown.advance("a", "tumor", 3)  # of ten slices three have liver
    assert (task.completed, task.description) == (13, "a: tumor")
    shown.advance("b", "liver", 4)
    assert task.completed == 24
    shown.finish("b")
    assert task.completed == 28


def test_cases_done_at_once_are_counted_and_what_was_not_planned_does_no_harm(bar):
    shown, task = bar
    shown.plan([("a", "tumor", 10), ("b", "tumor", 5)])
    shown.finish("a")
    assert task.completed == 10
    shown.advance("unreadable", "tumor", 2)
    shown.finish("unreadable")
    assert task.completed == 12


def test_the_time_left_is_that_of_the_mean_speed(bar, clock):
    shown, task = bar
    clock[0] = 100  # until the models are opened
    shown.plan((name, "tumor", 10) for name in "abcd")
    assert task.fields["left"] == ""
    clock[0] = 120
    shown.finish("a")
    shown.finish("b")  # with two jobs, at the same moment
    assert task.fields["left"] == "0:00:20 left"
    clock[0] = 240
    shown.finish("d")
    assert task.fields["left"] == "0:00:00 left"


def test_what_was_there_already_does_not_count_as_speed(bar, clock):
    shown, task = bar
    shown.plan([("a", "liver", 40), ("a", "tumor", 60)])
    clock[0] = 30
    shown.advance("a", "tumor", 20)
    assert task.fields["left"] == "0:01:00 left"
