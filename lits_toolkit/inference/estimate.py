"""What a prediction takes, told before it starts."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.reading import read_grid
from lits_toolkit.errors import LitsError
from lits_toolkit.models.storage import Model

BASE_GB = 1.0
"""Python, the libraries, the networks and their activations on a batch of 8 (`docs/measurements.md`)."""
BYTES_PER_VOXEL = 4
"""Of the CT: while it is read, the file's array and the axial one; later masks, and components in the liver's box."""
BYTES_PER_PIXEL = 4
"""Of a network's grid: HU and the probability, while the masks are there too."""


def estimate_memory_gb(cases: Sequence[CaseFiles], models: Sequence[Model], n_jobs: int = 1) -> float:
    """The largest memory that predicting the cases takes, in GB; from headers, those that can be read."""
    largest = 0.0
    for case in cases:
        with suppress(LitsError, OSError):
            shape = read_grid(case.volume, case.series).axial_shape
            grid = sum(size**2 for size in {model.size for model in models}) * shape[0]
            largest = max(largest, BYTES_PER_VOXEL * float(np.prod(shape)) + BYTES_PER_PIXEL * grid)
    return max(1, min(n_jobs, len(cases))) * (BASE_GB + largest / 1e9)
