from rich.progress import Progress

from lits_toolkit.cli.printing import SlicesBar


def test_the_bar_goes_on_from_where_a_part_begins_whatever_the_one_before_has_left_out():
    progress = Progress(disable=True)
    bar = SlicesBar("predicting", progress)
    (task,) = progress.tasks
    assert (task.description, task.total) == ("predicting", None)
    bar.plan([("a", "liver", 10), ("a", "tumor", 10), ("b", "liver", 4), ("b", "tumor", 4)])
    assert task.total == 28
    bar.advance("a", "liver", 8)
    bar.advance("a", "liver", 2)
    bar.advance("a", "tumor", 3)  # of ten slices three have liver
    assert (task.completed, task.description) == (13, "a: tumor")
    bar.advance("b", "liver", 4)
    assert task.completed == 24
    bar.finish("b")
    assert task.completed == 28


def test_cases_done_at_once_are_counted_and_what_was_not_planned_does_no_harm():
    progress = Progress(disable=True)
    bar = SlicesBar("predicting", progress)
    (task,) = progress.tasks
    bar.plan([("a", "tumor", 10), ("b", "tumor", 5)])
    bar.finish("a")
    assert task.completed == 10
    bar.advance("unreadable", "tumor", 2)
    bar.finish("unreadable")
    assert task.completed == 12
