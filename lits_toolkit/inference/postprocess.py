"""From probabilities to masks (dissertation §3.1.6, §3.1.8)."""

import cc3d
import numpy as np


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest face-connected component of a boolean (z, y, x) array, all False if there is none."""
    if not mask.any():
        return mask.copy()
    return cc3d.largest_k(np.ascontiguousarray(mask), k=1, connectivity=6).astype(bool)


def drop_unsure_components(mask: np.ndarray, probability: np.ndarray, least: float) -> np.ndarray:
    """Remove each face-connected component whose highest probability stays below `least`."""
    labels, count = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=6, return_N=True)
    highest = np.zeros(count + 1, np.float32)
    inside = labels > 0
    np.maximum.at(highest, labels[inside], probability[inside])
    return (highest >= least)[labels] & inside
