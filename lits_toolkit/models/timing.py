"""One way of timing, for `lits benchmark` and everything in `benchmarks/`."""

import statistics
import time
from collections.abc import Callable


def durations(
    run: Callable[[], object], repeat: int, warm_up: bool = False, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Seconds of each of several runs, after one that does not count where `warm_up`.

    By `clock=time.process_time` the seconds of all cores together, which other work on the machine hardly changes.
    """
    if warm_up:
        run()
    times = []
    for _ in range(repeat):
        started = clock()
        run()
        times.append(clock() - started)
    return times


def seconds(
    run: Callable[[], object], repeat: int, warm_up: bool = False, clock: Callable[[], float] = time.perf_counter
) -> float:
    """The median of `durations`."""
    return statistics.median(durations(run, repeat, warm_up, clock))
