"""How far apart two surfaces are: ASSD, RMSD and MSSD in mm, all from distances that are computed once.

The surface of a region is its voxels with an 18-neighbour (by face or edge) outside the region, where all that lies
beyond the array is outside. Distances run between voxel centres. The means pool both directions: every border voxel
of either region counts once. medpy gives the same figures if it is asked for `connectivity=2`. By default it takes 6
neighbours, and so do MONAI, whose mean also needs `symmetric=True` for both directions, and panoptica, which takes the
mean of the two directions' means; DeepMind's surface-distance weights the directions by area and does not join them. On
one pair they differ by a fifth and more: docs/measurements.md has an example.

After the LiTS challenge's evaluation, https://github.com/PatrickChrist/LITS-CHALLENGE.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from lits_toolkit.errors import GeometryError
from lits_toolkit.metrics.boxes import bounding_box

Spacing = tuple[float, float, float]

_NEARBY = 256
"""Places around a border voxel that are looked at one by one: where surfaces are near, faster than any search."""


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances from each border voxel to the other region's border; both empty if either region is."""

    from_reference_mm: np.ndarray
    """(n,) float64: from each border voxel of the reference to the nearest of the prediction."""
    from_prediction_mm: np.ndarray
    """(m,) float64: from each border voxel of the prediction to the nearest of the reference."""

    @property
    def pooled_mm(self) -> np.ndarray:
        """(n + m,) float64: the distances of both directions."""
        return np.concatenate([self.from_reference_mm, self.from_prediction_mm])

    @property
    def assd_mm(self) -> float:
        """Average symmetric surface distance; NaN if either region is empty."""
        return float(self.pooled_mm.mean()) if self.pooled_mm.size else math.nan

    @property
    def rmsd_mm(self) -> float:
        """Root mean square symmetric surface distance; NaN if either region is empty."""
        return float(np.sqrt(np.mean(self.pooled_mm**2))) if self.pooled_mm.size else math.nan

    @property
    def mssd_mm(self) -> float:
        """Maximum symmetric surface distance (Hausdorff); NaN if either region is empty."""
        return float(self.pooled_mm.max()) if self.pooled_mm.size else math.nan


def surface_distances(reference: np.ndarray, prediction: np.ndarray, spacing_mm: Spacing) -> SurfaceDistances:
    """Measure the distances between the surfaces of two regions.

    Args:
        reference: (z, y, x) region of the expert, of any dtype; what is not 0 is inside.
        prediction: (z, y, x) region of ours, likewise.
        spacing_mm: Distance of neighbouring voxels along (z, y, x).

    Raises:
        GeometryError: The regions are not three-dimensional or differ in shape, or a spacing is not positive.
    """
    require_spacing(spacing_mm)
    steps, lengths_mm = _steps_nearby(tuple(spacing_mm))
    box, margin = bounding_box(reference, prediction), [(reach, reach) for reach in steps.max(axis=0)]
    one, other = (border(np.pad(np.ascontiguousarray(region[box], bool), margin)) for region in (reference, prediction))
    if not one.any() or not other.any():
        return SurfaceDistances(np.empty(0), np.empty(0))
    strides = steps @ one.strides  # in a border a voxel is a byte
    ways = (one, other), (other, one)
    return SurfaceDistances(*(_distances_mm(*way, strides, lengths_mm, spacing_mm) for way in ways))


@cache
def _steps_nearby(spacing_mm: Spacing) -> tuple[np.ndarray, np.ndarray]:
    """The steps (n, 3) in voxels to all places in a ball of the volume of `_NEARBY` voxels, and their lengths in mm.

    The nearest comes first; the first is none at all.
    """
    spacing = np.asarray(spacing_mm, float)
    radius_mm = (_NEARBY * spacing.prod() / (4 / 3 * math.pi)) ** (1 / 3)
    reach = (radius_mm / spacing).astype(int)
    steps = np.indices(2 * reach + 1).reshape(3, -1).T - reach
    lengths_mm = np.linalg.norm(steps * spacing, axis=1)
    nearest = np.argsort(lengths_mm)[: np.count_nonzero(lengths_mm <= radius_mm)]
    return steps[nearest], lengths_mm[nearest]


def _distances_mm(
    border: np.ndarray, other: np.ndarray, strides: np.ndarray, lengths_mm: np.ndarray, spacing_mm: Spacing
) -> np.ndarray:
    """From each voxel of a border, in C order, to the nearest of another.

    Most have not far to go: all try one step after the other, from the shortest on, until they meet the other border.
    The few that do not meet it by any step ask a tree. No step may lead out of the arrays; `strides` are the steps in
    voxels of the flat array.
    """
    places = np.flatnonzero(border)
    distances_mm, left, there = np.empty(len(places)), np.arange(len(places)), other.ravel()
    for stride, length_mm in zip(strides, lengths_mm, strict=True):
        met = there[places + stride]
        distances_mm[left[met]] = length_mm
        left, places = left[~met], places[~met]
        if not len(left):
            return distances_mm
    goals_mm, places_mm = (
        np.stack(np.unravel_index(flat, border.shape), axis=1) * np.asarray(spacing_mm, float)
        for flat in (np.flatnonzero(there), places)
    )
    tree = cKDTree(goals_mm, balanced_tree=False, compact_nodes=False)  # built faster than it is slower to search
    distances_mm[left] = tree.query(places_mm)[0]
    return distances_mm


def border(region: np.ndarray) -> np.ndarray:
    """The voxels of a region that have one of their 18 face and edge neighbours outside it.

    Args:
        region: (z, y, x) of any dtype; what is not 0 is inside. Beyond the array all is outside.

    Returns:
        (z, y, x) bool.
    """
    region = np.asarray(region, bool)
    # The 18 neighbours are the square of 8 in the voxel's own slice and a cross of 5 in each slice beside it.
    padded = np.pad(region, 1)
    along_x = padded[:, 1:-1, :-2] & padded[:, 1:-1, 1:-1] & padded[:, 1:-1, 2:]
    cross = padded[:, :-2, 1:-1] & along_x & padded[:, 2:, 1:-1]
    interior = cross[:-2] & cross[1:-1] & cross[2:]
    interior[:, 1:] &= along_x[1:-1, :-1]
    interior[:, :-1] &= along_x[1:-1, 1:]
    return region & ~interior


def require_spacing(spacing_mm: Spacing) -> None:
    """Raise GeometryError unless there are three spacings, each a positive number."""
    if len(spacing_mm) != 3 or not all(0 < spacing < math.inf for spacing in spacing_mm):
        raise GeometryError(f"expected three positive spacings (z, y, x) in mm, found {tuple(spacing_mm)}")
