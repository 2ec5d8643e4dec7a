from lits_toolkit.models.timing import durations, seconds


def clock_of(*readings):
    return iter(readings).__next__


def test_each_run_is_timed_and_the_first_does_not_count():
    runs = []
    assert durations(lambda: runs.append(1), 2, warm_up=True, clock=clock_of(0, 3, 10, 14)) == [3, 4]
    assert len(runs) == 3


def test_the_median_counts():
    assert seconds(lambda: None, 3, clock=clock_of(0, 1, 10, 60, 100, 102)) == 2
