"""NIfTI files: voxels in, CT and masks out, whatever their orientation."""

import io
import math
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import nibabel as nib
import numpy as np
from isal import igzip

from lits_toolkit.data.case import Grid, Stored
from lits_toolkit.errors import GeometryError, InputError, OutputError
from lits_toolkit.files import replacing

ENDINGS = (".nii", ".nii.gz")
_HEADER_BYTES = 540
"""Of NIfTI-2; NIfTI-1's are fewer."""
_BYTES_AT_ONCE = 1 << 22

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
    """A NIfTI file's own voxels, slope and intercept applied; InputError where there is no readable 3D volume.

    The voxels go from the file into the array that is returned, and nowhere else: a CT is in memory once.
    """
    path = Path(path)
    with _opened(path) as file:
        image = _read_start(file, path)
        grid = _grid(image, path)
        raw = _room(_voxel_bytes(image, path), path)
        found = _read_into(file, raw)
        if path.suffix == ".gz":
            file.read(1)  # the checksum lies behind the last voxel
    if found < raw.size:
        raise InputError(f"{path} is cut off: expected {raw.size} bytes of voxels, found {found}; copy the file again")
    return Stored(_scaled(raw, image), grid, path)


def read_nifti_grid(path: str | Path) -> Grid:
    """The voxel grid of a NIfTI file, from its beginning alone; raises as `read_nifti` does."""
    path = Path(path)
    with _opened(path) as file:
        return _grid(_read_start(file, path), path)


def decode_nifti(stored: bytes, path: str | Path) -> Stored:
    """The voxels of an uncompressed NIfTI file in memory, called `path` in errors; raises as `read_nifti` does."""
    image = _image(stored, path)
    grid = _grid(image, path)
    raw = np.frombuffer(stored, np.uint8)[_offset(image) :][: _voxel_bytes(image, path)]
    if raw.size < _voxel_bytes(image, path):
        raise InputError(f"{path} is cut off: expected {_voxel_bytes(image, path)} bytes of voxels, found {raw.size}")
    return Stored(_scaled(raw, image), grid, Path(path))


def write_mask(mask: np.ndarray, grid: Grid, path: str | Path, overwrite: bool = False) -> None:
    """Put a (z, y, x) mask back onto a CT's own grid, affine and header, as uint8.

    Raises GeometryError if the shape is not the grid's, OutputError if `path` exists and `overwrite` is False.
    """
    _write(mask.astype(np.uint8, copy=False), grid, path, overwrite)


def write_volume(volume: np.ndarray, grid: Grid, path: str | Path, overwrite: bool = False) -> None:
    """Write a (z, y, x) int16 volume in HU onto a grid; raises as `write_mask` does."""
    _write(volume.astype(np.int16, copy=False), grid, path, overwrite)


def write_probability(steps: np.ndarray, grid: Grid, path: str | Path, overwrite: bool = False) -> None:
    """Write (z, y, x) uint8 of 255 steps, which read as 0…1 by a slope of 1/255; raises as `write_mask` does."""
    slope = np.nextafter(np.float32(1 / 255), np.float32(0))  # the float32 nearest to 1/255 makes 255 more than 1
    _write(steps.astype(np.uint8, copy=False), grid, path, overwrite, float(slope))


def encode_mask(mask: np.ndarray, grid: Grid, path: str | Path) -> bytes:
    """What `write_mask` writes under a name in .nii; `path` is what a GeometryError calls it."""
    return b"".join(_encoded(mask.astype(np.uint8, copy=False), grid, path))


def _write(array: np.ndarray, grid: Grid, path: str | Path, overwrite: bool, slope: float = 1) -> None:
    path = Path(path)
    if not path.name.endswith(ENDINGS):
        raise OutputError(f"expected a name that ends in .nii or .nii.gz, found {path.name}")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already: give another name, or --overwrite")
    with replacing(path) as partial, partial.open("wb") as file, ExitStack() as stack:
        if path.suffix == ".gz":
            out = igzip.IGzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0)
            file = stack.enter_context(io.BufferedWriter(out, _BYTES_AT_ONCE))
        file.writelines(_encoded(array, grid, path, slope))


def _encoded(array: np.ndarray, grid: Grid, path: str | Path, slope: float = 1) -> Iterator[bytes]:
    """An uncompressed NIfTI file, slice by slice, so that it is never in memory as a whole."""
    if array.shape != grid.axial_shape:
        raise GeometryError(f"{path}: expected an array of shape {grid.axial_shape}, found {array.shape}")
    header = None if grid.header is None else grid.header.copy()
    voxels = grid.from_axial(array)
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(voxels, None if header is not None else grid.affine, header)
    image.set_data_dtype(array.dtype)
    image.header.set_slope_inter(slope, 0)
    if header is not None:
        # through None the image keeps the header's own sform, qform and codes; through an affine it would reset them
        image.header["sform_code"], image.header["qform_code"] = header["sform_code"], header["qform_code"]
    else:
        image.header.set_xyzt_units("mm")
    image.update_header()
    image.header["vox_offset"] = image.header.single_vox_offset + image.header.extensions.get_sizeondisk()
    start = io.BytesIO()
    image.header.write_to(start)
    yield start.getvalue().ljust(int(image.header.get_data_offset()), b"\0")
    dtype = image.get_data_dtype()  # with the byte order of the header, which a CT's own may have swapped
    for k in range(voxels.shape[2]):
        yield voxels[:, :, k].astype(dtype, copy=False).tobytes(order="F")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file's uncompressed bytes; InputError for whatever is wrong with them."""
    try:
        with igzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except _UNREADABLE as error:
        raise _not_nifti(path, error) from error


def _read_start(file: BinaryIO, path: Path) -> nib.Nifti1Image:
    """The image without its voxels, from all that comes before them; the file stands at the first one then."""
    start = file.read(_HEADER_BYTES)
    try:
        header = _kind(start).header_class
        offset = int(header(start[: header.sizeof_hdr], check=False)["vox_offset"])
        beyond = file.read(offset - len(start)) if offset > len(start) else b""
    except _UNREADABLE as error:
        raise _not_nifti(path, error) from error
    except (OverflowError, MemoryError) as error:  # four letters of a text, read as a number
        raise _not_nifti(path, ValueError("its header is none")) from error
    if beyond:
        return _image(start + beyond, path)
    image = _image(start, path)
    file.seek(_offset(image))
    return image


def _read_into(file: BinaryIO, raw: np.ndarray) -> int:
    """Fill `raw`, bytes, from a file as far as it goes; the number that was there."""
    view, found = memoryview(raw), 0  # type: ignore[arg-type]
    while found < raw.size and (count := file.readinto(view[found : found + _BYTES_AT_ONCE])):  # type: ignore[attr-defined]
        found += count
    return found


def _image(stored: bytes, path: str | Path) -> nib.Nifti1Image:
    try:
        return _kind(stored).from_bytes(stored)
    except _UNREADABLE as error:
        raise _not_nifti(path, error) from error


def _kind(stored: bytes) -> type[nib.Nifti1Image]:
    """A NIfTI-1 header begins with its own size, a NIfTI-2 header with its own."""
    return nib.Nifti2Image if stored[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c") else nib.Nifti1Image


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


def _offset(image: nib.Nifti1Image) -> int:
    return int(image.dataobj.offset)  # type: ignore[attr-defined]


def _voxel_bytes(image: nib.Nifti1Image, path: str | Path) -> int:
    dtype = image.get_data_dtype()
    if dtype.kind not in "iuf":
        raise InputError(f"{path}: expected real numbers, found voxels of type {dtype}")
    return math.prod(image.shape) * dtype.itemsize


def _room(size: int, path: Path) -> np.ndarray:
    try:
        return np.empty(size, np.uint8)
    except (MemoryError, ValueError) as error:
        raise InputError(f"{path}: {size / 1e9:.3g} GB of voxels are more than memory holds") from error


def _scaled(raw: np.ndarray, image: nib.Nifti1Image) -> np.ndarray:
    """Stored bytes as the file's own (i, j, k) array, slope and intercept applied, without a copy where there is none.

    Integers of up to 16 bits stay integers under a slope and intercept that are, as CTs have them.
    """
    dtype = image.get_data_dtype()
    voxels = raw.view(dtype).astype(dtype.newbyteorder("="), copy=False).reshape(image.shape[:3], order="F")
    slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)  # type: ignore[attr-defined]
    if (slope, intercept) == (1, 0):
        return voxels
    if dtype.kind in "iu" and dtype.itemsize <= 2 and slope.is_integer() and intercept.is_integer():
        ends = [int(end) * int(slope) + int(intercept) for end in (voxels.min(), voxels.max())]
        info = np.iinfo(np.int16)
        if info.min <= min(ends) and max(ends) <= info.max:
            hu = np.empty_like(voxels, np.int16)
            for k in range(voxels.shape[2]):
                hu[..., k] = voxels[..., k].astype(np.int32) * int(slope) + int(intercept)
            return hu
    return nib.volumeutils.apply_read_scaling(voxels, np.float64(slope), np.float64(intercept))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
