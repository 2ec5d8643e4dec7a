"""NIfTI files: CT in, masks out, whatever their orientation."""

import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip

from lits_toolkit.data.case import Case, CaseFiles, Grid
from lits_toolkit.errors import GeometryError, InputError, OutputError
from lits_toolkit.files import replacing

LABEL_TOLERANCE = 1e-3
"""How far a stored label may be from an integer: some writers keep 3 as 2.9999."""
AFFINE_TOLERANCE_MM = 1e-3
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    igzip.BadGzipFile,
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)


def read_grid(path: str | Path) -> Grid:
    """The voxel grid of a NIfTI file."""
    return open_image(path)[1]


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
    image, grid = open_image(case.volume)
    hu = read_voxels(image, case.volume)
    if not np.isfinite(hu).all():
        raise InputError(f"{case.volume}: {np.count_nonzero(~np.isfinite(hu))} voxels are not finite numbers")
    info = np.iinfo(np.int16)
    volume = grid.to_axial(np.clip(np.rint(hu), info.min, info.max).astype(np.int16))
    reference = read_mask(case.reference, grid) if case.reference else None
    return Case(case.name, volume, grid, reference, case)


def read_mask(path: str | Path, grid: Grid | None = None) -> np.ndarray:
    """A mask as (z, y, x) uint8. Labels within 1e-3 of an integer are rounded, others are an InputError.

    With `grid`, the mask's own has to agree with it: GeometryError says what was expected and found.
    """
    image, own = open_image(path)
    if grid is not None:
        require_same_grid(own, grid, path)
    stored = read_voxels(image, path)
    labels = np.rint(stored) if stored.dtype.kind == "f" else stored
    off = ~(np.abs(stored - labels) <= LABEL_TOLERANCE) if stored.dtype.kind == "f" else np.zeros(1, bool)
    if off.any() or labels.min() < 0 or labels.max() > 255:
        wrong = stored[off][0] if off.any() else (labels.min() if labels.min() < 0 else labels.max())
        raise InputError(f"{path}: expected integer labels, found {wrong:g}")
    return own.to_axial(labels.astype(np.uint8))


def write_mask(mask: np.ndarray, grid: Grid, path: str | Path, overwrite: bool = False) -> None:
    """Put a (z, y, x) mask back onto a CT's own grid, affine and header, as uint8.

    Raises GeometryError if the shape is not the grid's, OutputError if `path` exists and `overwrite` is False.
    """
    _write(mask.astype(np.uint8, copy=False), grid, path, overwrite)


def write_volume(volume: np.ndarray, grid: Grid, path: str | Path, overwrite: bool = False) -> None:
    """Write a (z, y, x) int16 volume in HU onto a grid; raises as `write_mask` does."""
    _write(volume.astype(np.int16, copy=False), grid, path, overwrite)


def require_same_grid(found: Grid, expected: Grid, path: str | Path) -> None:
    """GeometryError unless both grids have the same shape and, within a thousandth of a millimetre, affine."""
    if found.shape != expected.shape:
        raise GeometryError(f"{path}: expected the CT's shape {expected.shape}, found {found.shape}")
    apart = float(np.abs(found.affine - expected.affine).max())
    if apart > AFFINE_TOLERANCE_MM:
        raise GeometryError(f"{path}: its affine differs from the CT's by up to {apart:.3g} mm; expected the same grid")


def open_image(path: str | Path) -> tuple[nib.Nifti1Image, Grid]:
    """A NIfTI file's image and grid; InputError where it is unreadable or no 3D volume."""
    image = _load(path)
    return image, _grid(image, path)


def read_voxels(image: nib.Nifti1Image, path: str | Path) -> np.ndarray:
    """The file's own (i, j, k) array with slope and intercept applied; InputError for what is no real number."""
    if image.get_data_dtype().kind not in "iuf":
        raise InputError(f"{path}: expected real numbers, found voxels of type {image.get_data_dtype()}")
    try:
        voxels = np.asanyarray(image.dataobj)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is cut off or damaged ({_first_line(error)})") from error
    return voxels.reshape(voxels.shape[:3])


def _write(array: np.ndarray, grid: Grid, path: str | Path, overwrite: bool) -> None:
    path = Path(path)
    if array.shape != grid.axial_shape:
        raise GeometryError(f"{path}: expected an array of shape {grid.axial_shape}, found {array.shape}")
    if not path.name.endswith((".nii", ".nii.gz")):
        raise OutputError(f"expected a name that ends in .nii or .nii.gz, found {path.name}")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already: give another name, or allow it to be overwritten")
    header = None if grid.header is None else grid.header.copy()
    image = nib.Nifti1Image(grid.from_axial(array), None if header is not None else grid.affine, header)
    image.set_data_dtype(array.dtype)
    image.header.set_slope_inter(1, 0)
    if header is not None:
        # through None the image keeps the header's own sform, qform and codes; through an affine it would reset them
        image.header["sform_code"], image.header["qform_code"] = header["sform_code"], header["qform_code"]
    else:
        image.header.set_xyzt_units("mm")
    stored = image.to_bytes()
    with replacing(path) as partial:
        partial.write_bytes(igzip.compress(stored, compresslevel=1) if path.suffix == ".gz" else stored)


def _load(path: str | Path) -> nib.Nifti1Image:
    path = Path(path)
    try:
        stored = path.read_bytes()
        if path.suffix == ".gz":
            stored = igzip.decompress(stored)
        # a NIfTI-1 header begins with its own size, a NIfTI-2 header with its own
        kind = nib.Nifti2Image if stored[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c") else nib.Nifti1Image
        return kind.from_bytes(stored)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except _UNREADABLE as error:
        raise InputError(
            f"{path}: expected a NIfTI file, found none that can be read ({_first_line(error)})"
        ) from error


def _grid(image: nib.Nifti1Image, path: str | Path) -> Grid:
    shape = image.shape
    if len(shape) < 3 or any(size != 1 for size in shape[3:]):
        raise InputError(f"{path}: expected a volume of 3 dimensions, found shape {shape}")
    if min(shape[:3]) < 1:
        raise InputError(f"{path}: expected voxels along every axis, found shape {shape}")
    affine = np.asarray(image.affine, np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError(f"{path}: expected an affine that can be inverted, found {affine[:3].round(3).tolist()}")
    return Grid((shape[0], shape[1], shape[2]), affine, image.header.copy())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
