"""What the benchmarks share: the library's own way of timing."""

from lits_toolkit.models.timing import durations, seconds

__all__ = ["durations", "seconds"]
