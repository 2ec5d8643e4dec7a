"""Prepared cases as they lie on disk: written once, read slice by slice in every epoch.

Two formats of one content, told apart by the ending. `.b2nd`, a Blosc2 file of int16 (2, z, y, x), HU and mask, has a
chunk per axial slice, so that nine neighbouring slices decompress nothing else. `.npz` is the dissertation's (§3.1.1):
the CT as float32 in [0, 1], the mask, the spacing and the dimensions, deflated; it is read whole. Both give exactly the
same numbers.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import blosc2
import numpy as np

from lits_toolkit.data.network_grid import Window
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import replacing

Format = Literal["b2nd", "npz"]
FORMATS: tuple[Format, ...] = get_args(Format)
VERSION = 2
"""Raised whenever the same case would be prepared otherwise than before."""

NPZ_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
"""What `open_npz`, and asking it for an array, raises where the file is none, damaged, or lacks the array."""
_UNREADABLE = (*NPZ_UNREADABLE, RuntimeError, TypeError)


@dataclass(frozen=True)
class PreparedCase:
    """A prepared case on disk; slices are read when asked for. Cheap to pickle: it holds no open file."""

    path: Path

    @property
    def name(self) -> str:
        """The case's name."""
        return self.path.stem

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) at the prepared size."""
        return self.metadata["original_shape"][0], self.metadata["size"], self.metadata["size"]

    @property
    def has_mask(self) -> bool:
        """Whether a reference mask was prepared with it."""
        return bool(self.metadata["has_mask"])

    @property
    def window(self) -> Window:
        """The HU window it was clamped to."""
        low, high = self.metadata["window"]
        return low, high

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Spacing, original shape, orientation, affine, source and its fingerprint, window, size.

        Raises InputError where the file is no prepared case, is damaged, or was made by another version.
        """
        try:
            if self.path.suffix == ".npz":
                with open_npz(self.path) as stored:
                    metadata = dict(json.loads(str(stored["metadata"])))
            else:
                metadata = dict(self._blosc.schunk.vlmeta[:])
        except _UNREADABLE as error:
            raise self._unreadable() from error
        if metadata.get("version") != VERSION:
            raise InputError(f"{self.path} was prepared by another version: run `lits prepare` again")
        return metadata

    def volume_slices(self, start: int, stop: int) -> np.ndarray:
        """Slices [start, stop) as (n, y, x) float32 in [0, 1], min-max normalised over the window.

        Slices beyond the volume's ends are zero.
        """
        return self._slices("volume", start, stop)

    def mask_slices(self, start: int, stop: int) -> np.ndarray:
        """Slices [start, stop) of the mask as (n, y, x) uint8; background beyond the ends."""
        if not self.has_mask:
            raise InputError(f"{self.path} was prepared without a reference mask")
        return self._slices("mask", start, stop)

    def _slices(self, what: Literal["volume", "mask"], start: int, stop: int) -> np.ndarray:
        count, y, x = self.shape
        low, high = max(start, 0), min(stop, count)
        if low >= high:
            return np.zeros((stop - start, y, x), np.float32 if what == "volume" else np.uint8)
        try:
            inside = self._read(what, low, high)
        except _UNREADABLE as error:
            raise self._unreadable() from error
        if (low, high) == (start, stop):
            return inside
        return np.pad(inside, ((low - start, stop - high), (0, 0), (0, 0)))

    def _read(self, what: Literal["volume", "mask"], low: int, high: int) -> np.ndarray:
        if self.path.suffix == ".npz":
            with open_npz(self.path) as stored:
                return stored[what][low:high]
        if what == "volume":
            return normalise(self._blosc[0, low:high], self.window)
        return self._blosc[1, low:high].astype(np.uint8)

    @cached_property
    def _blosc(self) -> "blosc2.NDArray":
        return blosc2.open(str(self.path), mode="r")

    def _unreadable(self) -> InputError:
        return InputError(f"{self.path} is no prepared case that can be read: `lits prepare` makes them")

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Path]) -> None:
        object.__setattr__(self, "path", state["path"])


def normalise(hu: np.ndarray, window: Window) -> np.ndarray:
    """HU inside the window to float32 in [0, 1]: the dissertation's min-max normalisation."""
    low, high = window
    return (hu.astype(np.float32) - low) / np.float32(high - low)


def to_hu(normalised: np.ndarray, window: Window) -> np.ndarray:
    """The way back: float32 in [0, 1] to int16 HU."""
    low, high = window
    return np.rint(normalised * (high - low) + low).astype(np.int16)


def find_prepared(folder: str | Path, name: str) -> Path | None:
    """Where a case is prepared in `folder`, in whichever format; None where it is not."""
    places = (Path(folder) / f"{name}.{format}" for format in FORMATS)
    return next((place for place in places if place.is_file()), None)


def store(path: Path, hu: np.ndarray, mask: np.ndarray | None, metadata: dict[str, Any]) -> None:
    """Write (z, y, x) int16 HU and uint8 mask on the network's grid, in the format that the ending of `path` names.

    Raises SettingError where it names none, OutputError where nothing can be written.
    """
    if path.suffix[1:] not in FORMATS:
        raise SettingError(f"expected a prepared case's name to end in {' or '.join(FORMATS)}, found {path.name}")
    with replacing(path) as partial:
        if path.suffix == ".npz":
            _store_npz(partial, hu, mask, metadata)
        else:
            _store_blosc(partial, hu, mask, metadata)


@contextmanager
def open_npz(path: Path) -> Iterator[Any]:
    """The arrays of an .npz file by name; nothing in it is executed."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        yield stored


def _store_blosc(path: Path, hu: np.ndarray, mask: np.ndarray | None, metadata: dict[str, Any]) -> None:
    planes = hu[np.newaxis] if mask is None else np.stack([hu, mask.astype(np.int16)])
    array = blosc2.asarray(
        planes,
        chunks=(1, 1, *hu.shape[1:]),
        cparams={"codec": blosc2.Codec.ZSTD, "clevel": 1, "nthreads": 1},
    )
    for key, value in metadata.items():
        array.schunk.vlmeta[key] = value
    path.write_bytes(array.to_cframe())  # by Python: its errors on a full disk are OSErrors


def _store_npz(path: Path, hu: np.ndarray, mask: np.ndarray | None, metadata: dict[str, Any]) -> None:
    np.savez_compressed(
        path,
        volume=normalise(hu, metadata["window"]),
        spacing_mm=np.array(metadata["spacing_mm"]),
        original_spacing_mm=np.array(metadata["original_spacing_mm"]),
        original_shape=np.array(metadata["original_shape"]),
        metadata=np.array(json.dumps(metadata)),
        **({} if mask is None else {"mask": mask}),  # type: ignore[arg-type]
    )
