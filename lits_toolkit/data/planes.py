"""Where DICOM slices lie, and the voxel grid that they make together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset

from lits_toolkit.data.case import Grid
from lits_toolkit.errors import InputError

ALIKE = 1e-4
"""Largest difference of direction cosines, and of pixel spacings in mm, within one series."""
SAME_PLACE_MM = 0.01
"""Slices nearer to each other than this lie at one place."""
UNEVEN = 0.1
"""How far a slice may be from its place on an even grid, as a share of the slices' distance."""
ROUNDED_MM = 0.1
"""How far it may be in any case: some scanners write positions with one decimal."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Plane:
    """One slice's place, in the millimetres of DICOM's world (LPS: to the left, the back and the head)."""

    position: np.ndarray
    """(3,) the centre of the first pixel."""
    along_row: np.ndarray
    """(3,) unit vector in which the column index grows."""
    along_column: np.ndarray
    """(3,) unit vector in which the row index grows."""
    spacing_mm: tuple[float, float]
    """Distance of neighbouring (rows, columns)."""
    shape: tuple[int, int]
    """(rows, columns)."""
    thickness_mm: float | None = None
    """The distance of slices where there is only one."""

    @property
    def normal(self) -> np.ndarray:
        """(3,) unit vector in which slices are counted."""
        return np.cross(self.along_row, self.along_column)


def read_plane(position: Dataset, orientation: Dataset, measures: Dataset, shape: tuple[int, int], path: Path) -> Plane:
    """The place of a slice from the DICOM attributes that tell it, wherever they stand; InputError where one lacks."""
    try:
        cosines = np.array(orientation.ImageOrientationPatient, np.float64).reshape(2, 3)
        origin = np.array(position.ImagePositionPatient, np.float64).reshape(3)
        between_rows, between_columns = (float(value) for value in measures.PixelSpacing)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: expected a slice's position, orientation and pixel spacing, found them missing or unreadable"
        ) from error
    upright = np.allclose(cosines @ cosines.T, np.eye(2), atol=1e-3)
    if not (upright and np.isfinite(origin).all() and 0 < between_rows < np.inf and 0 < between_columns < np.inf):
        raise InputError(
            f"{path}: expected two perpendicular unit vectors and a positive spacing, "
            f"found {cosines.tolist()} and {(between_rows, between_columns)}"
        )
    step = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
    thickness = abs(float(step)) if step else None
    return Plane(origin, cosines[0], cosines[1], (between_rows, between_columns), shape, thickness)


def arrange(planes: Sequence[Plane], place: Path) -> tuple[Grid, np.ndarray]:
    """The grid (i along a row, j along a column, k along the normal) of slices, and the k of each of them.

    A k that no slice has is a hole; slices that share one lie at one place. The third axis of the affine goes from
    the first slice to the last, so that the shear of a tilted gantry is kept. InputError where the slices differ in
    size or orientation, or lie so unevenly that no grid fits.
    """
    first = planes[0]
    for plane in planes:
        alike = plane.shape == first.shape and np.allclose(
            [*plane.along_row, *plane.along_column, *plane.spacing_mm],
            [*first.along_row, *first.along_column, *first.spacing_mm],
            rtol=0,
            atol=ALIKE,
        )
        if not alike:
            raise InputError(
                f"{place}: expected slices of one size, spacing and orientation, found {_told(first)} and "
                f"{_told(plane)}: keep one of the kinds",
                "mixed-slices",
            )
    positions = np.array([plane.position for plane in planes])
    heights = positions @ first.normal
    order = np.argsort(heights, kind="stable")
    numbers = np.empty(len(planes), int)
    numbers[order] = _count(np.diff(heights[order]))
    start, last = positions[order[0]], int(numbers.max())
    step = (positions[order[-1]] - start) / last if last else first.normal * _single_step(first, place)
    distance = float(step @ first.normal)
    off = np.linalg.norm(positions - (start + numbers[:, None] * step), axis=1)
    if off.max() > max(UNEVEN * distance, ROUNDED_MM):
        gaps = np.diff(heights[order])
        raise InputError(
            f"{place}: expected slices at even distances along one line, found distances from "
            f"{gaps.min():.3g} to {gaps.max():.3g} mm, {off.max():.3g} mm off: export the series again, or resample it",
            "uneven-slices",
        )
    affine = np.eye(4)
    affine[:3, 0] = first.along_row * first.spacing_mm[1]
    affine[:3, 1] = first.along_column * first.spacing_mm[0]
    affine[:3, 2] = step
    affine[:3, 3] = start
    rows, columns = first.shape
    return Grid((columns, rows, last + 1), _LPS_TO_RAS @ affine), numbers


def _count(gaps: np.ndarray) -> np.ndarray:
    """The number of each slice, from the distances of neighbours in order: most are one step, a hole is several."""
    apart = gaps[gaps > SAME_PLACE_MM]
    if apart.size == 0:
        return np.zeros(len(gaps) + 1, int)
    step = apart[apart < 1.5 * np.median(apart)].mean()  # nearer to the truth than one rounded distance
    steps = np.where(gaps > SAME_PLACE_MM, np.maximum(np.rint(gaps / step), 1), 0)
    return np.concatenate([[0], np.cumsum(steps)]).astype(int)


def _single_step(plane: Plane, place: Path) -> float:
    if plane.thickness_mm is None:
        raise InputError(f"{place}: expected slices at several positions, found one, and no thickness in it")
    return plane.thickness_mm


def _told(plane: Plane) -> str:
    directions = np.round([plane.along_row, plane.along_column], 3).tolist()
    return f"{plane.shape} at {tuple(round(value, 4) for value in plane.spacing_mm)} mm along {directions}"
