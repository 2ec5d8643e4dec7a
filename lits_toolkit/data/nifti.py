"""NIfTI files: voxels in, CT and masks out, whatever their orientation."""

import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip

from lits_toolkit.data.case import Grid, Stored
from lits_toolkit.errors import GeometryError, InputError, OutputError
from lits_toolkit.files import replacing

ENDINGS = (".nii", ".nii.gz")

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


def is_nifti(path: Path) -> bool:
    """Whether a path has the name of a NIfTI file, whatever it holds."""
    return path.name.lower().endswith(ENDINGS)


def without_ending(name: str) -> str:
    """A NIfTI file's name without .nii or .nii.gz."""
    return name[: -len(next(ending for ending in ENDINGS if name.lower().endswith(ending)))]


def find_nifti(place: Path) -> Path | None:
    """The NIfTI file of a name that is given without its ending, compressed or not; None where there is none."""
    both = (place.with_name(place.name + ending) for ending in reversed(ENDINGS))
    return next((path for path in both if path.is_file()), None)


def read_nifti(path: str | Path) -> Stored:
    """A NIfTI file's own voxels, slope and intercept applied; InputError where there is no readable 3D volume."""
    return decode_nifti(_bytes(path), path)


def read_nifti_grid(path: str | Path) -> Grid:
    """The voxel grid of a NIfTI file; raises as `read_nifti` does."""
    return _grid(_image(_bytes(path), path), path)


def decode_nifti(stored: bytes, path: str | Path) -> Stored:
    """The voxels of an uncompressed NIfTI file in memory, called `path` in errors; raises as `read_nifti` does."""
    image = _image(stored, path)
    grid = _grid(image, path)
    return Stored(_voxels(image, path), grid, Path(path))


def write_mask(mask: np.ndarray, grid: Grid, path: str | Path, overwrite: bool = False) -> None:
    """Put a (z, y, x) mask back onto a CT's own grid, affine and header, as uint8.

    Raises GeometryError if the shape is not the grid's, OutputError if `path` exists and `overwrite` is False.
    """
    _write(mask.astype(np.uint8, copy=False), grid, path, overwrite)


def write_volume(volume: np.ndarray, grid: Grid, path: str | Path, overwrite: bool = False) -> None:
    """Write a (z, y, x) int16 volume in HU onto a grid; raises as `write_mask` does."""
    _write(volume.astype(np.int16, copy=False), grid, path, overwrite)


def encode_mask(mask: np.ndarray, grid: Grid, path: str | Path) -> bytes:
    """What `write_mask` writes under a name in .nii; `path` is what a GeometryError calls it."""
    return _encode(mask.astype(np.uint8, copy=False), grid, path)


def _write(array: np.ndarray, grid: Grid, path: str | Path, overwrite: bool) -> None:
    path = Path(path)
    if not path.name.endswith(ENDINGS):
        raise OutputError(f"expected a name that ends in .nii or .nii.gz, found {path.name}")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already: give another name, or --overwrite")
    stored = _encode(array, grid, path)
    with replacing(path) as partial:
        partial.write_bytes(igzip.compress(stored, compresslevel=1) if path.suffix == ".gz" else stored)


def _encode(array: np.ndarray, grid: Grid, path: str | Path) -> bytes:
    if array.shape != grid.axial_shape:
        raise GeometryError(f"{path}: expected an array of shape {grid.axial_shape}, found {array.shape}")
    header = None if grid.header is None else grid.header.copy()
    image = nib.Nifti1Image(grid.from_axial(array), None if header is not None else grid.affine, header)
    image.set_data_dtype(array.dtype)
    image.header.set_slope_inter(1, 0)
    if header is not None:
        # through None the image keeps the header's own sform, qform and codes; through an affine it would reset them
        image.header["sform_code"], image.header["qform_code"] = header["sform_code"], header["qform_code"]
    else:
        image.header.set_xyzt_units("mm")
    return image.to_bytes()


def _bytes(path: str | Path) -> bytes:
    """A NIfTI file, uncompressed."""
    path = Path(path)
    try:
        stored = path.read_bytes()
        return igzip.decompress(stored) if path.suffix == ".gz" else stored
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except _UNREADABLE as error:
        raise _not_nifti(path, error) from error


def _image(stored: bytes, path: str | Path) -> nib.Nifti1Image:
    try:
        # a NIfTI-1 header begins with its own size, a NIfTI-2 header with its own
        kind = nib.Nifti2Image if stored[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c") else nib.Nifti1Image
        return kind.from_bytes(stored)
    except _UNREADABLE as error:
        raise _not_nifti(path, error) from error


def _not_nifti(path: str | Path, error: Exception) -> InputError:
    return InputError(f"{path}: expected a NIfTI file, found none that can be read ({_first_line(error)})")


def _grid(image: nib.Nifti1Image, path: str | Path) -> Grid:
    shape = image.shape
    if len(shape) < 3 or any(size != 1 for size in shape[3:]):
        raise InputError(f"{path}: expected a volume of 3 dimensions, found shape {shape}", "wrong-rank")
    if min(shape[:3]) < 1:
        raise InputError(f"{path}: expected voxels along every axis, found shape {shape}")
    affine = np.asarray(image.affine, np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError(f"{path}: expected an affine that can be inverted, found {affine[:3].round(3).tolist()}")
    return Grid((shape[0], shape[1], shape[2]), affine, image.header.copy())


def _voxels(image: nib.Nifti1Image, path: str | Path) -> np.ndarray:
    """The file's own (i, j, k) array with slope and intercept applied."""
    if image.get_data_dtype().kind not in "iuf":
        raise InputError(f"{path}: expected real numbers, found voxels of type {image.get_data_dtype()}")
    try:
        voxels = np.asanyarray(image.dataobj)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is cut off or damaged ({_first_line(error)})") from error
    return voxels.reshape(voxels.shape[:3])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
