"""How far apart two surfaces are: ASSD, RMSD and MSSD in mm, all from distances that are computed once.

The surface of a region is its voxels with an 18-neighbour (by face or edge) outside the region, where all that lies
beyond the array is outside. Distances run between voxel centres. The means pool both directions: every border voxel
of either region counts once. Other tools choose otherwise (26 neighbours, the mean of two means, surface elements
weighted by area) and give somewhat different figures for the same masks.

After the LiTS challenge's evaluation, https://github.com/PatrickChrist/LITS-CHALLENGE.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from lits_toolkit.errors import GeometryError
from lits_toolkit.metrics.boxes import bounding_box

Spacing = tuple[float, float, float]


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
    box = bounding_box(reference, prediction)
    borders = border(reference[box]), border(prediction[box])
    if not all(voxels.any() for voxels in borders):
        return SurfaceDistances(np.empty(0), np.empty(0))
    return SurfaceDistances(_distances_mm(*borders, spacing_mm), _distances_mm(*borders[::-1], spacing_mm))


def _distances_mm(border: np.ndarray, other: np.ndarray, spacing_mm: Spacing) -> np.ndarray:
    """From each voxel of a border, in C order, to the nearest of another."""
    distances_mm = np.zeros(np.count_nonzero(border))
    apart = ~other[border]  # what both share has no way to go, and in a good prediction that is much
    places_mm, others_mm = (np.argwhere(voxels) * np.asarray(spacing_mm, float) for voxels in (border, other))
    tree = cKDTree(others_mm, balanced_tree=False, compact_nodes=False)  # built faster than it is slower to search
    distances_mm[apart] = tree.query(places_mm[apart])[0]
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
