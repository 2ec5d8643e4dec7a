"""A model over a whole volume: batches of slices in, a probability volume out."""

from collections.abc import Callable

import numpy as np

from lits_toolkit.data.sampling import REACH, sample_starts
from lits_toolkit.inference.runtimes import Runner


def probability_volume(
    runner: Runner,
    image: np.ndarray,
    slices: np.ndarray,
    batch_size: int = 8,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The probability of the model's object in each voxel.

    `image` is (z, y, x) float32 in [0, 1] at the network's size; `slices` the indices to compute, the others are 0.
    Beyond the volume's ends the network sees zeros, as in training. Returns (z, y, x) float32. The numbers do not
    depend on `batch_size`. `progress` is called with the number of slices just done.
    """
    reach = REACH[runner.dimensions]
    step, context = reach.slices, reach.context
    starts = sample_starts(slices, runner.dimensions)
    height = image.shape[0]
    padded = np.pad(image, ((context, context + step), (0, 0), (0, 0)))
    probability = np.zeros(image.shape, np.float32)
    for first in range(0, len(starts), batch_size):
        batch = starts[first : first + batch_size]
        windows = np.stack([padded[start : start + reach.seen] for start in batch])
        found = runner.run(windows if runner.dimensions == 2 else windows[:, None])
        for start, block in zip(batch, found, strict=True):
            end = min(start + step, height)
            probability[start:end] = block[: end - start]
        if progress:
            progress(len(batch) * step)
    return probability
