"""From probabilities to masks (dissertation §3.1.6, §3.1.8)."""

import cc3d
import numpy as np

from lits_toolkit.metrics.boxes import bounding_box


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest face-connected component of a boolean (z, y, x) array, all False if there is none."""
    box = bounding_box(mask)
    inside = np.ascontiguousarray(mask[box])
    if not inside.size:
        return np.zeros(mask.shape, bool)
    return _within(mask.shape, box, cc3d.largest_k(inside, k=1, connectivity=6) > 0)


def drop_unsure_components(mask: np.ndarray, probabilities: np.ndarray, least: float) -> np.ndarray:
    """Remove each face-connected component whose highest probability stays below `least`.

    `probabilities` are those of the boolean (z, y, x) mask's voxels alone: (n,) float32, as `probability[mask]` gives.
    """
    box = bounding_box(mask)
    inside = np.ascontiguousarray(mask[box])
    if not inside.size:
        return np.zeros(mask.shape, bool)
    return _within(mask.shape, box, _sure_components(inside, probabilities, least))


def _sure_components(inside: np.ndarray, probabilities: np.ndarray, least: float) -> np.ndarray:
    labels, count = cc3d.connected_components(inside, connectivity=6, return_N=True)
    highest = np.zeros(count + 1, np.float32)
    np.maximum.at(highest, labels[inside], probabilities)
    sure = highest >= least
    sure[0] = False
    return sure[labels]


def _within(shape: tuple[int, ...], box: tuple[slice, ...], found: np.ndarray) -> np.ndarray:
    """A boolean array of that shape, made only now that the labels of all voxels are gone: both are large."""
    whole = np.zeros(shape, bool)
    whole[box] = found
    return whole
