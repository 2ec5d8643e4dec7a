"""What a prediction takes, told before it starts."""

import math
from collections.abc import Collection, Sequence
from contextlib import suppress

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.reading import read_grid
from lits_toolkit.errors import LitsError
from lits_toolkit.models.storage import Model

BASE_GB = {2: 1.1, 3: 1.3}
"""By the networks' dimensions: Python, the libraries, the networks and their activations on a batch of 8
(`docs/measurements.md`)."""
BYTES_PER_VOXEL = 4
"""Of the CT: while it is read, the file's array and the axial one; later masks, and components in the liver's box."""
BYTES_PER_PIXEL = 4
"""Of a network's grid: HU and the probability, while the masks are there too."""

Shape = tuple[int, int, int]


def read_shapes(cases: Sequence[CaseFiles]) -> dict[str, Shape]:
    """(z, y, x) of each CT, by case, from the headers that can be read."""
    shapes = {}
    for case in cases:
        with suppress(LitsError, OSError):
            shapes[case.name] = read_grid(case.volume, case.series).axial_shape
    return shapes


def estimate_memory_gb(shapes: Collection[Shape], models: Sequence[Model], n_jobs: int = 1) -> float:
    """The largest memory that predicting CTs of these shapes takes, in GB."""
    pixels = sum(size**2 for size in {model.size for model in models})
    each = (BYTES_PER_VOXEL * math.prod(shape) + BYTES_PER_PIXEL * pixels * shape[0] for shape in shapes)
    base = max(BASE_GB[model.network.dimensions] for model in models)
    return max(1, min(n_jobs, len(shapes))) * (base + max(each, default=0) / 1e9)
