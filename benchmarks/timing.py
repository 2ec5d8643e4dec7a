"""What the benchmarks of the CPU share: a run that is timed by two clocks."""

import resource
import statistics
import time
from collections.abc import Callable
from typing import Any


def measure(run: Callable[[], object], repeat: int, samples: float) -> dict[str, Any]:
    """Milliseconds per sample by the clock and of all cores together, after two runs that do not count; peak bytes."""
    for _ in range(2):
        run()
    wall, cpu = [], []
    for _ in range(repeat):
        started, busy = time.perf_counter(), time.process_time()
        run()
        wall.append(1000 * (time.perf_counter() - started) / samples)
        cpu.append(1000 * (time.process_time() - busy) / samples)
    return {"wall": wall, "cpu": cpu, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def median(rounds: list[dict], clock: str) -> float:
    """Milliseconds per sample of the median run of all rounds."""
    return statistics.median(value for row in rounds for value in row[clock])
