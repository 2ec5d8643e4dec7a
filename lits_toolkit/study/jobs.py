"""How many cases are scored at a time: as many as processors and memory allow, and one where more would not pay."""

from collections.abc import Sequence

import joblib
import psutil

BYTES_PER_VOXEL = 16
"""What scoring needs at most: two masks, of which one may be stored as floats, and their components and distances."""
BYTES_PER_PROCESS = 400_000_000
"""Python with its libraries, and what a small case needs."""
LEAST_VOXELS = 20_000_000
"""Of all cases together; with fewer the processes would take longer to start than the cases to score."""


def sensible_jobs(voxels: Sequence[int], available: int | None = None, processors: int | None = None) -> int:
    """How many cases of so many voxels are scored at a time.

    Args:
        voxels: Of each case.
        available: Bytes of memory; None for what is free now.
        processors: None for those that this process may use.
    """
    if sum(voxels) < LEAST_VOXELS:
        return 1
    available = psutil.virtual_memory().available if available is None else available
    fitting = available // (BYTES_PER_PROCESS + BYTES_PER_VOXEL * max(voxels))
    return max(1, min(processors or joblib.cpu_count(), fitting, len(voxels)))
