"""From probabilities to masks (dissertation §3.1.6, §3.1.8)."""

import cc3d
import numpy as np

from lits_toolkit.metrics.boxes import bounding_box


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest face-connected component of a boolean (z, y, x) array, all False if there is none."""
    kept = np.zeros_like(mask, order="C")
    box = bounding_box(mask)
    if kept[box].size:
        kept[box] = cc3d.largest_k(np.ascontiguousarray(mask[box]), k=1, connectivity=6)
    return kept


def drop_unsure_components(mask: np.ndarray, probabilities: np.ndarray, least: float) -> np.ndarray:
    """Remove each face-connected component whose highest probability stays below `least`.

    `probabilities` are those of the boolean (z, y, x) mask's voxels alone: (n,) float32, as `probability[mask]` gives.
    """
    kept = np.zeros_like(mask, order="C")
    box = bounding_box(mask)
    if not kept[box].size:
        return kept
    inside = np.ascontiguousarray(mask[box])
    labels, count = cc3d.connected_components(inside, connectivity=6, return_N=True)
    highest = np.zeros(count + 1, np.float32)
    numbers = labels[inside]
    np.maximum.at(highest, numbers, probabilities)
    sure = highest >= least
    sure[0] = False
    kept[box] = sure[labels]
    return kept
