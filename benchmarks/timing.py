"""What the benchmarks share."""

import statistics
import time


def seconds(run, repeat: int, warm_up: bool = False) -> float:
    """The median of several runs, after one that does not count where `warm_up`."""
    if warm_up:
        run()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
