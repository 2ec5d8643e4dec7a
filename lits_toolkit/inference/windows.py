"""A model over a whole volume: batches of slices in, a probability volume out."""

import re
from collections.abc import Callable

import numpy as np

from lits_toolkit.data.sampling import REACH, Reach, sample_starts
from lits_toolkit.errors import SettingError
from lits_toolkit.inference.runtimes import Runner

_OUT_OF_MEMORY = re.compile(
    r"can.?t allocate|out of memory|bad.?alloc|failed to (re)?allocate|not enough memory|CL_(MEM|OUT_OF)", re.IGNORECASE
)
"""What torch, oneDNN, OpenVINO and ONNX Runtime say in a RuntimeError; only torch on CUDA has an error of its own."""


def probability_volume(
    runner: Runner,
    image: np.ndarray,
    slices: np.ndarray,
    batch_size: int = 8,
    progress: Callable[[int], None] | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """The probability of the model's object in each voxel.

    `image` is (z, y, x) float32 in [0, 1] at the network's size; `slices` the indices to compute, the others are 0.
    Beyond the volume's ends the network sees zeros, as in training. Returns (z, y, x) float32: `out`, zeros to be
    filled, where that is given. The numbers do not depend on `batch_size`, which is halved where memory does not hold
    so many; SettingError where it does not hold one. `progress` is called with the number of slices just done.
    """
    reach = REACH[runner.dimensions]
    starts = sample_starts(slices, runner.dimensions)
    # The middle comes first, since `auto` chooses by the first batch: at the ends there is neither liver nor tumour.
    starts = np.roll(starts, -(len(starts) // 2))
    probability = np.zeros(image.shape, np.float32) if out is None else out
    first = 0
    while first < len(starts):
        batch = starts[first : first + batch_size]
        try:
            windows = _windows(image, batch, reach)
            found = runner.run(windows if runner.dimensions == 2 else windows[:, None])
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise SettingError(f"memory does not hold the network on one sample of {image.shape[1:]}") from error
            batch_size = len(batch) // 2
            continue
        for start, block in zip(batch, found, strict=True):
            end = min(start + reach.slices, len(image))
            probability[start:end] = block[: end - start]
        first += len(batch)
        if progress:
            progress(len(batch) * reach.slices)
    return probability


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a runtime failed since there was no more memory, by which a smaller batch may do."""
    return isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))


def _windows(image: np.ndarray, starts: np.ndarray, reach: Reach) -> np.ndarray:
    """(b, seen, y, x) float32: the slices around each start, zero beyond the ends."""
    windows = np.zeros((len(starts), reach.seen, *image.shape[1:]), np.float32)
    for window, start in zip(windows, starts - reach.context, strict=True):
        low, high = max(start, 0), min(start + reach.seen, len(image))
        window[low - start : high - start] = image[low:high]
    return windows
