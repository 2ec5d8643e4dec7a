"""Learning rate and stopping (dissertation §3.1.9) as functions of what has happened so far: there is no state."""

import math
from collections.abc import Sequence

THRESHOLD = 1e-4
"""The share by which a loss has to be lower than the lowest, for `plateau`, to be an improvement."""


def warm_up(step: int, steps: int) -> float:
    """The factor of step 0, 1, …: it rises evenly to 1 in step `steps` − 1 (Goyal et al. 2017) and stays there."""
    return min(1.0, (step + 1) / steps) if steps else 1.0


def cosine(step: int, steps: int, last: float = 0.02) -> float:
    """The factor of step 0, 1, …: half a cosine from 1 to `last`, reached in step `steps` and kept."""
    share = min(1.0, step / steps) if steps else 1.0
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * share))


def plateau(losses: Sequence[float], patience: int, factor: float) -> float:
    """The factor after these validation losses: one more `factor` whenever over `patience` epochs were no better.

    As torch's ReduceLROnPlateau: better is more than 0.01 % below the lowest, and counting begins anew after each
    reduction. NaN is no better.
    """
    lowest, epochs, reduced = math.inf, 0, 1.0
    for loss in losses:
        if loss < lowest * (1 - THRESHOLD):
            lowest, epochs = loss, 0
        else:
            epochs += 1
        if epochs > patience:
            epochs, reduced = 0, reduced * factor
    return reduced


def epochs_without_gain(losses: Sequence[float]) -> int:
    """Epochs since the lowest loss, the first of equal ones; all of them where every loss is NaN."""
    lowest, epochs = math.inf, 0
    for loss in losses:
        lowest, epochs = (loss, 0) if loss < lowest else (lowest, epochs + 1)
    return epochs


def should_stop(losses: Sequence[float], patience: int | None) -> bool:
    """Whether the last `patience` epochs brought no gain, at least one; never for None."""
    return patience is not None and epochs_without_gain(losses) >= max(patience, 1)
