"""What a file's affine says by itself: is there an orientation, and are the slices axial?"""

import numpy as np

from lits_toolkit.data.case import Grid, Note

MOST_OBLIQUE_DEGREES = 2.0
"""A head holder or a careless mouse turns a grid by less; a gantry is tilted by ten and more."""
THICKER = 1.5
"""How much thicker than wide voxels are at least along the axis in which a scan was cut."""


def check_grid(grid: Grid) -> list[Note]:
    """Notes on the affine alone."""
    notes = []
    missing = _missing_orientation(grid)
    if missing:
        notes.append(Note("no-orientation", missing))
    tilt = _tilt_degrees(grid)
    z, y, x = grid.spacing_mm
    if tilt > MOST_OBLIQUE_DEGREES:
        notes.append(Note("not-axial", f"the grid is turned or sheared by {tilt:.0f}° against the patient's axes"))
    elif max(y, x) > THICKER * max(z, min(y, x)):
        plane = "coronal" if y > x else "sagittal"
        found = " × ".join(f"{step:.3g}" for step in (z, y, x))
        notes.append(Note("not-axial", f"the slices are {plane}: the spacing along z, y, x is {found} mm"))
    return notes


def is_placeholder(grid: Grid) -> bool:
    """Whether the spacing is exactly 1 × 1 × 1 mm, as programs write that know none."""
    return bool(np.allclose(grid.spacing_mm, 1, rtol=0, atol=1e-6))


def _missing_orientation(grid: Grid) -> str:
    header = grid.header
    if header is not None and int(header["sform_code"]) == int(header["qform_code"]) == 0:
        return "the header has neither sform nor qform: orientation and position are unknown"
    if np.allclose(grid.affine, np.eye(4), rtol=0, atol=1e-6):
        return "the affine is the identity, which no scanner writes: spacing and orientation are unknown"
    return ""


def _tilt_degrees(grid: Grid) -> float:
    """The largest angle between an axis of the grid and the patient's axis that it stands for."""
    axes = grid.axial_affine[:3, :3]
    cosines = np.abs(np.diag(axes)) / np.linalg.norm(axes, axis=0)
    return float(np.degrees(np.arccos(np.clip(cosines, 0, 1))).max())
