"""Reading: a CT in HU and its mask, as axial arrays, whatever form their files have."""

from pathlib import Path

import numpy as np

from lits_toolkit.data.case import Case, CaseFiles, Grid, Stored
from lits_toolkit.data.dicom import read_dicom, read_dicom_grid
from lits_toolkit.data.dicom_seg import read_dicom_seg, read_dicom_seg_grid
from lits_toolkit.data.folders import outer_zip
from lits_toolkit.data.ircadb import is_ircadb_masks, read_ircadb_masks, read_ircadb_masks_grid
from lits_toolkit.data.nifti import is_nifti, read_nifti, read_nifti_grid
from lits_toolkit.errors import GeometryError, InputError
from lits_toolkit.words import counted

LABEL_TOLERANCE = 1e-3
"""How far a stored label may be from an integer: some writers keep 3 as 2.9999."""
AFFINE_TOLERANCE_MM = 1e-3


def read_stored(path: str | Path, series: str = "", grid: Grid | None = None) -> Stored:
    """The voxels of a volume or mask as they are stored; InputError where there is no readable 3D volume.

    `series` tells one DICOM series of a folder from the others. `grid` is the CT's, for a mask in a form that has
    no complete grid of its own. NIfTI files need neither.
    """
    path = Path(path)
    if is_nifti(path):
        return read_nifti(path)
    if is_ircadb_masks(path):
        return read_ircadb_masks(path)
    if path.is_dir() or outer_zip(path):
        return read_dicom(path, series)
    return read_dicom_seg(path, grid)


def read_grid(path: str | Path, series: str = "") -> Grid:
    """The voxel grid of a volume or mask; raises as `read_stored` does."""
    path = Path(path)
    if is_nifti(path):
        return read_nifti_grid(path)
    if is_ircadb_masks(path):
        return read_ircadb_masks_grid(path)
    if path.is_dir() or outer_zip(path):
        return read_dicom_grid(path, series)
    return read_dicom_seg_grid(path)


def read_reference_grid(case: CaseFiles) -> Grid:
    """The grid on which a case's reference lies: a DICOM-SEG's is that of its CT, since its frames skip slices.

    InputError where the case has no reference, and as `read_grid` raises.
    """
    if case.reference is None:
        raise InputError(f"{case.name} has no reference mask")
    whole = is_nifti(case.reference) or not case.reference.is_file()
    return read_grid(case.reference) if whole else read_grid(case.volume, case.series)


def read_case(case: CaseFiles | str | Path) -> Case:
    """Read a CT and, where there is one, its reference mask.

    A path stands for that one volume, with the mask that LiTS naming puts beside it. Raises InputError for a file
    that is no readable 3D CT, GeometryError where mask and CT do not share one grid.
    """
    if not isinstance(case, CaseFiles):
        from lits_toolkit.data.layouts import find_cases

        found = find_cases(case)
        if len(found) != 1:
            raise InputError(f"expected one CT file, found {len(found)} cases in {case}")
        case = found[0]
    stored = read_stored(case.volume, case.series)
    grid, hu = stored.grid, _int16(stored.voxels, case.volume)
    del stored  # of floats it is larger than all that is made of it
    volume = grid.to_axial(hu)
    reference = read_mask(case.reference, grid) if case.reference else None
    return Case(case.name, volume, grid, reference, case)


def _int16(hu: np.ndarray, path: Path) -> np.ndarray:
    """(i, j, k) HU of any real type, rounded and clipped slice by slice; the very array where it is int16 already.

    InputError where there is a voxel that is no finite number.
    """
    if hu.dtype == np.int16:
        return hu
    slices = range(hu.shape[2])
    if wrong := sum(int(np.count_nonzero(~np.isfinite(hu[..., k]))) for k in slices):
        raise InputError(f"{path}: expected finite numbers, found {counted(wrong, 'voxel')} of NaN or infinity")
    info = np.iinfo(np.int16)
    found = np.empty_like(hu, np.int16)
    for k in slices:
        found[..., k] = np.clip(np.rint(hu[..., k]), info.min, info.max)
    return found


def read_mask(path: str | Path, grid: Grid | None = None) -> np.ndarray:
    """A mask as (z, y, x) uint8. Labels within 1e-3 of an integer are rounded, others are an InputError.

    With `grid`, the mask's own has to agree with it: GeometryError says what was expected and found.
    """
    found = read_stored(path, grid=grid)
    if grid is not None:
        require_same_grid(found.grid, grid, path)
    stored = found.voxels
    labels = np.rint(stored) if stored.dtype.kind == "f" else stored
    off = ~(np.abs(stored - labels) <= LABEL_TOLERANCE) if stored.dtype.kind == "f" else np.zeros(1, bool)
    if off.any() or labels.min() < 0 or labels.max() > 255:
        wrong = stored[off][0] if off.any() else (labels.min() if labels.min() < 0 else labels.max())
        raise InputError(f"{path}: expected integer labels, found {wrong:g}")
    return found.grid.to_axial(labels.astype(np.uint8))


def require_same_grid(found: Grid, expected: Grid, path: str | Path) -> None:
    """GeometryError unless both grids have the same shape and, within a thousandth of a millimetre, affine."""
    if found.shape != expected.shape:
        raise GeometryError(f"{path}: expected the CT's shape {expected.shape}, found {found.shape}")
    apart = float(np.abs(found.affine - expected.affine).max())
    if apart > AFFINE_TOLERANCE_MM:
        raise GeometryError(f"{path}: its affine differs from the CT's by up to {apart:.3g} mm; expected the same grid")
