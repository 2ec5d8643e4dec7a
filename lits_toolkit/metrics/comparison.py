"""What every score of one predicted mask starts from, computed once and on the box around both masks."""

from dataclasses import dataclass, replace

import numpy as np

from lits_toolkit.metrics.boxes import bounding_box
from lits_toolkit.metrics.lesions import Lesions, find_lesions, renumber
from lits_toolkit.metrics.overlap import Overlap, count_overlap
from lits_toolkit.metrics.surface import Spacing, SurfaceDistances, surface_distances


@dataclass(frozen=True, eq=False)
class Comparison:
    """A predicted mask against its reference. Liver is mask ≥ 1, tumour mask == 2."""

    liver: Overlap
    tumor: Overlap
    liver_distances: SurfaceDistances
    tumor_distances: SurfaceDistances
    expected: Lesions
    """The lesions of the reference, on the box."""
    found: Lesions
    """The lesions of the prediction, likewise."""
    spacing_mm: Spacing
    corner: tuple[int, ...]
    """Where the box begins in the masks."""

    def renumbered(self, expected: np.ndarray, found: np.ndarray) -> "Comparison":
        """The same with the lesions in another order, as `metrics.lesions.renumber` takes it."""
        return replace(self, expected=renumber(self.expected, expected), found=renumber(self.found, found))


def compare_masks(reference: np.ndarray, prediction: np.ndarray, spacing_mm: Spacing) -> Comparison:
    """Compare two masks with the labels 0 background, 1 liver and 2 tumour.

    Args:
        reference: Mask of the expert with three axes in any order, of any dtype.
        prediction: Mask of ours, likewise.
        spacing_mm: Distance of neighbouring voxels along the three axes.

    Raises:
        GeometryError: The masks are not three-dimensional or differ in shape, or a spacing is not positive.
    """
    box = bounding_box(reference, prediction)
    reference, prediction = np.ascontiguousarray(reference[box]), np.ascontiguousarray(prediction[box])
    liver, tumor = (reference >= 1, prediction >= 1), (reference == 2, prediction == 2)
    return Comparison(
        liver=count_overlap(*liver),
        tumor=count_overlap(*tumor),
        liver_distances=surface_distances(*liver, spacing_mm),
        tumor_distances=surface_distances(*tumor, spacing_mm),
        expected=find_lesions(tumor[0]),
        found=find_lesions(tumor[1]),
        spacing_mm=spacing_mm,
        corner=tuple(side.start for side in box),
    )
