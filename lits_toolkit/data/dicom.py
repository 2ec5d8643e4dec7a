"""DICOM series: the slices of a folder or zip file, sorted by position, as one volume in HU."""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pydicom
from pydicom.pixels import get_decoder
from pydicom.uid import CTImageStorage

from lits_toolkit.data.case import Grid, Note, Stored
from lits_toolkit.data.folders import Entry, opened
from lits_toolkit.data.planes import Plane, arrange, read_plane
from lits_toolkit.errors import InputError, LitsError

T = TypeVar("T")

PLUGINS = "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"


@dataclass(frozen=True, eq=False)
class Slice:
    """One image of a series."""

    plane: Plane
    path: Path
    pixels: np.ndarray
    """(rows, columns)"""


def read_dicom(place: str | Path, series: str = "") -> Stored:
    """A series' voxels in HU, as (i along a row, j along a column, k along the normal of the slices).

    Slices that lack within the series are filled with their nearest neighbour, so that the others keep their places,
    and identical ones at one place are read once; a Note says so. InputError where there is no readable series, where
    there are several and `series`, the SeriesInstanceUID, does not tell which, or where its slices fit no even grid.
    """
    place = Path(place)
    with opened(place) as entries:
        slices = _each(entries, place, series, lambda image, path: Slice(_plane(image, path), path, _hu(image, path)))
    return stack(slices, place)


def read_dicom_grid(place: str | Path, series: str = "") -> Grid:
    """The voxel grid of a series, from its headers; raises as `read_dicom` does."""
    place = Path(place)
    with opened(place) as entries:
        return read_slices_grid(entries, place, series)


def read_headers(place: str | Path, series: str = "") -> list[tuple[Plane, pydicom.Dataset]]:
    """Each image of a series without its pixels, and where it lies; raises as `read_dicom` does."""
    place = Path(place)
    with opened(place) as entries:
        return _each(entries, place, series, lambda image, path: (_plane(image, path), image), pixels=False)


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with these bytes, 132 at least, is DICOM."""
    return head[128:132] == b"DICM"


def read_dataset(content: bytes, path: str | Path, pixels: bool = True) -> pydicom.Dataset:
    """A DICOM file's data set; InputError where it is none that can be read."""
    with damage_told(path):
        return pydicom.dcmread(io.BytesIO(content), stop_before_pixels=not pixels)


@contextmanager
def damage_told(path: str | Path) -> Iterator[None]:
    """Whatever pydicom raises on a damaged file, and it is of many kinds, as an InputError that names the file.

    It converts values when they are asked for, so that this belongs around their use as well. Its warnings, of values
    that break the standard and are mostly none of ours, are silenced.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except LitsError:
        raise
    except Exception as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: expected a DICOM file, found one that is cut off or damaged ({line})") from error


def read_pixels(dataset: pydicom.Dataset, path: str | Path) -> np.ndarray:
    """The stored values of a data set's image or images; InputError says which plug-in a compressed one needs."""
    syntax = dataset.file_meta.TransferSyntaxUID if "file_meta" in dataset.__dict__ else None
    try:
        available = syntax is not None and get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise InputError(
            f"{path}: its pixels are compressed as {getattr(syntax, 'name', 'unknown')}, which needs a plug-in: "
            f"{PLUGINS} (or python-gdcm)",
            "compression",
        )
    with damage_told(path):
        return dataset.pixel_array


def read_slices(entries: list[Entry], place: Path) -> list[Slice]:
    """The images among some files, with their stored values and no rescaling; InputError where there is none."""
    return _each(entries, place, "", lambda image, path: Slice(_plane(image, path), path, read_pixels(image, path)))


def read_slices_grid(entries: list[Entry], place: Path, series: str = "") -> Grid:
    """The voxel grid of the images among some files, from their headers; raises as `read_dicom` does."""
    return arrange(_each(entries, place, series, _plane, pixels=False), place)[0]


def stack(slices: list[Slice], place: Path) -> Stored:
    """One volume of slices in any order, each with its pixels."""
    grid, numbers = arrange([part.plane for part in slices], place)
    present: dict[int, Slice] = {}
    repeated = []
    for number, part in zip(numbers.tolist(), slices, strict=True):
        other = present.setdefault(number, part)
        if other is part:
            continue
        if not np.array_equal(other.pixels, part.pixels):
            raise InputError(
                f"{place}: two slices that differ lie at one position: {other.path.name} and {part.path.name}; "
                "keep those of one reconstruction",
                "conflicting-slices",
            )
        repeated.append(part.path.name)
    count = grid.shape[2]
    missing = sorted(set(range(count)) - set(present))
    if len(missing) > len(present):
        raise InputError(
            f"{place}: expected {count} slices from end to end, found only {len(present)}: export the series again",
            "slices-missing",
        )
    numbered = np.array(sorted(present))
    nearest = numbered[np.abs(np.arange(count)[:, None] - numbered).argmin(axis=1)]
    voxels = np.stack([present[number].pixels for number in nearest.tolist()]).transpose(2, 1, 0)
    notes = []
    if missing:
        message = f"{place}: {_missing(missing, grid)}; each was filled with its nearest neighbour"
        notes.append(Note("slices-missing", message))
    if repeated:
        message = f"{place}: {len(repeated)} slices are there twice, the first {repeated[0]}; each was read once"
        notes.append(Note("slices-repeated", message))
    return Stored(voxels, grid, place, tuple(notes))


def _each(
    entries: list[Entry],
    place: Path,
    series: str,
    make: Callable[[pydicom.Dataset, Path], T],
    pixels: bool = True,
) -> list[T]:
    """What is made of each image of one series; one data set at a time is in memory."""
    made = []
    found = None
    for entry in entries:
        content = entry.read()
        if not is_dicom(content) and not entry.name.lower().endswith(".dcm"):
            continue
        path = place / entry.name
        with damage_told(path):
            dataset = read_dataset(content, path, pixels)
            # the beginning of this UID, or nothing, is what a file has that is cut off in its first lines
            kind = str(dataset.file_meta.get("MediaStorageSOPClassUID") or "")
            if "Rows" not in dataset and CTImageStorage.startswith(kind):
                raise InputError(f"{path} is cut off: its header ends before the image; copy the file again")
            uid = str(dataset.get("SeriesInstanceUID") or "")
            if "Rows" not in dataset or dataset.get("Modality") == "SEG" or series not in ("", uid):
                continue
            if found not in (None, uid):
                raise InputError(f"{place}: expected one series of slices, found several: give each its own folder")
            found = uid
            made.append(make(dataset, path))
    if not made:
        raise InputError(f"{place}: expected DICOM slices{f' of series {series}' * bool(series)}, found none")
    return made


def _plane(dataset: pydicom.Dataset, path: Path) -> Plane:
    if "SharedFunctionalGroupsSequence" in dataset or int(dataset.get("NumberOfFrames") or 1) > 1:
        raise InputError(
            f"{path}: expected one slice per file, found an enhanced CT of {dataset.get('NumberOfFrames')} frames: "
            "convert it to NIfTI, for example with dcm2niix",
            "multi-frame",
        )
    if int(dataset.get("SamplesPerPixel") or 1) != 1:
        raise InputError(f"{path}: expected a grey image, found one in colour")
    return read_plane(dataset, dataset, dataset, (int(dataset.Rows), int(dataset.Columns)), path)


def _hu(dataset: pydicom.Dataset, path: Path) -> np.ndarray:
    """(rows, columns) in HU: int16 where they fit, int32 where not, float32 where slope or intercept are fractions."""
    pixels = read_pixels(dataset, path)
    slope, intercept = (float(dataset.get(name, default)) for name, default in
                        (("RescaleSlope", 1), ("RescaleIntercept", 0)))  # fmt: skip
    if not (slope.is_integer() and intercept.is_integer()):
        return (pixels * slope + intercept).astype(np.float32)
    hu = pixels.astype(np.int32) * int(slope) + int(intercept)
    info = np.iinfo(np.int16)
    return hu.astype(np.int16) if info.min <= hu.min() and hu.max() <= info.max else hu


def _missing(numbers: list[int], grid: Grid) -> str:
    """Which slices lack, counted from the first as 1, and at what z (or other main direction) they would lie."""
    axis = int(np.abs(grid.affine[:3, 2]).argmax())
    places = [f"{number + 1} ({(grid.affine @ [0, 0, number, 1])[axis]:.1f} mm)" for number in numbers]
    more = f" and {len(places) - 10} more" if len(places) > 10 else ""
    return f"{len(numbers)} of {grid.shape[2]} slices are missing: {', '.join(places[:10])}{more}"
