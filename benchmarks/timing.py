"""What the benchmarks share."""

import statistics
import time


def seconds(run, repeat: int, warm_up: bool = False, clock=time.perf_counter) -> float:
    """The median of several runs, after one that does not count where `warm_up`.

    By `clock=time.process_time` the seconds of all cores together, which other work on the machine hardly changes.
    """
    if warm_up:
        run()
    times = []
    for _ in range(repeat):
        started = clock()
        run()
        times.append(clock() - started)
    return statistics.median(times)
