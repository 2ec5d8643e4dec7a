"""Prepared cases: CT clamped, resized in-plane and compressed, so that an epoch reads fast (dissertation §3.1.1)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import blosc2
import numpy as np
from joblib import Parallel, delayed
from rich.progress import track

from lits_toolkit.data.case import Case, CaseFiles
from lits_toolkit.data.folders import size_and_time
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import InputError, LitsError, SettingError
from lits_toolkit.files import output_folder, replacing

WINDOW = (-200, 200)
"""HU kept: the rest is air, metal and bone."""
SIZE = 256
FORMAT = 1
Window = tuple[int, int]


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
        z, y, x = self._array.shape[1:]
        return z, y, x

    @property
    def has_mask(self) -> bool:
        """Whether a reference mask was prepared with it."""
        return self._array.shape[0] == 2

    @property
    def window(self) -> Window:
        """The HU window it was clamped to."""
        low, high = self.metadata["window"]
        return low, high

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Spacing, original shape, orientation, affine, source and its fingerprint, window."""
        return dict(self._array.schunk.vlmeta[:])

    def volume_slices(self, start: int, stop: int) -> np.ndarray:
        """Slices [start, stop) as (n, y, x) float32 in [0, 1], min-max normalised over the window.

        Slices beyond the volume's ends are zero.
        """
        low, high = self.window
        hu = self._slices(0, start, stop, fill=low)
        return (hu.astype(np.float32) - low) / np.float32(high - low)

    def mask_slices(self, start: int, stop: int) -> np.ndarray:
        """Slices [start, stop) of the mask as (n, y, x) uint8; background beyond the ends."""
        if not self.has_mask:
            raise InputError(f"{self.path} was prepared without a reference mask")
        return self._slices(1, start, stop, fill=0).astype(np.uint8)

    def _slices(self, plane: int, start: int, stop: int, fill: int) -> np.ndarray:
        count = self._array.shape[1]
        low, high = max(start, 0), min(stop, count)
        if low >= high:
            return np.full((stop - start, *self._array.shape[2:]), fill, np.int16)
        inside = self._array[plane, low:high]
        if (low, high) == (start, stop):
            return inside
        return np.pad(inside, ((low - start, stop - high), (0, 0), (0, 0)), constant_values=fill)

    @cached_property
    def _array(self) -> "blosc2.NDArray":
        try:
            return blosc2.open(str(self.path), mode="r")
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(f"{self.path} is no prepared case that can be read: `lits prepare` makes them") from error

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Path]) -> None:
        object.__setattr__(self, "path", state["path"])


def prepare(
    cases: Sequence[CaseFiles],
    folder: str | Path,
    size: int = SIZE,
    window: Window = WINDOW,
    n_jobs: int = -1,
    overwrite: bool = False,
    progress: bool = True,
) -> list[Path]:
    """Prepare each case into FOLDER/NAME.b2nd, several at a time; returns the paths in the order of `cases`.

    A case prepared already from the same files with the same settings is kept, so that an interrupted call goes on
    where it stopped. Raises SettingError where one was prepared with other settings and `overwrite` is False, and,
    after the others are done, InputError that lists the cases that could not be prepared.
    """
    folder = output_folder(folder)
    todo = [case for case in cases if overwrite or not _is_prepared(case, _place(case, folder), size, window)]
    jobs = (delayed(_prepare_file)(case, _place(case, folder), size, window) for case in todo)
    results = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    problems = [
        problem
        for problem in track(results, "preparing", total=len(todo), disable=not progress or not todo)
        if problem is not None
    ]
    if problems:
        raise InputError(f"{len(problems)} of {len(cases)} cases could not be prepared:\n  " + "\n  ".join(problems))
    return [_place(case, folder) for case in cases]


def write_prepared(case: Case, path: Path, size: int = SIZE, window: Window = WINDOW) -> None:
    """Write one case in memory as a prepared case: (2, z, y, x) int16, HU and mask, a chunk per axial slice."""
    planes = [to_network_grid(case.volume, size, window)]
    if case.reference is not None:
        planes.append(mask_to_network_grid(case.reference, size).astype(np.int16))
    stacked = np.stack(planes)
    metadata = {
        "format": FORMAT,
        "name": case.name,
        "window": list(window),
        "size": size,
        "original_shape": list(case.volume.shape),
        "original_spacing_mm": list(case.spacing_mm),
        "spacing_mm": _prepared_spacing(case, size),
        "orientation": case.grid.orientation,
        "affine": case.grid.affine.tolist(),
        "fingerprint": fingerprint(case),
        "source": _source(case.files),
    }
    with replacing(path) as partial:
        array = blosc2.asarray(
            stacked,
            urlpath=str(partial),
            chunks=(1, 1, size, size),
            cparams={"codec": blosc2.Codec.ZSTD, "clevel": 1, "nthreads": 1},
            mode="w",
        )
        for key, value in metadata.items():
            array.schunk.vlmeta[key] = value


def to_network_grid(volume: np.ndarray, size: int = SIZE, window: Window = WINDOW) -> np.ndarray:
    """(z, y, x) int16 HU, clamped to the window, then resized in-plane to (z, size, size) int16.

    The mean over each new pixel's area where it shrinks (exactly the mean of 2 × 2 from 512 to 256), bilinear where
    it grows. y and x are resized each on its own, so that a matrix that is not square is stretched.
    """
    clamped = np.clip(volume, *window).astype(np.float32)
    resized = _resize(clamped, size)
    return np.rint(resized).astype(np.int16)


def mask_to_network_grid(mask: np.ndarray, size: int = SIZE) -> np.ndarray:
    """(z, y, x) uint8 labels resized in-plane to (z, size, size): each new pixel takes the label of most of its area.

    Ties go to the higher label, so that thin lesions are kept.
    """
    if mask.shape[1:] == (size, size):
        return mask
    shares = np.stack([_resize((mask == label).astype(np.float32), size) for label in (2, 1, 0)])
    return (2 - shares.argmax(axis=0)).astype(np.uint8)


def fingerprint(case: Case) -> str:
    """A hash of the case's voxels: the same CT under two names has the same one."""
    digest = hashlib.blake2b(np.ascontiguousarray(case.volume).tobytes(), digest_size=16)
    if case.reference is not None:
        digest.update(np.ascontiguousarray(case.reference).tobytes())
    return digest.hexdigest()


def _resize(volume: np.ndarray, size: int) -> np.ndarray:
    z, y, x = volume.shape
    if (y, x) == (size, size):
        return volume
    if (y, x) == (2 * size, 2 * size):
        return volume.reshape(z, size, 2, size, 2).mean(axis=(2, 4))
    import torch
    from torch.nn import functional

    slices = torch.from_numpy(volume)[:, None]
    if min(y, x) > size:
        return functional.interpolate(slices, size=(size, size), mode="area")[:, 0].numpy()
    return functional.interpolate(slices, size=(size, size), mode="bilinear", align_corners=False)[:, 0].numpy()


def _prepare_file(files: CaseFiles, path: Path, size: int, window: Window) -> str | None:
    """What went wrong, if anything did; an error of one case must not stop the others."""
    try:
        write_prepared(read_case(files), path, size, window)
    except LitsError as error:
        return f"{files.name}: {error}"
    return None


def _is_prepared(files: CaseFiles, path: Path, size: int, window: Window) -> bool:
    if not path.is_file():
        return False
    metadata = PreparedCase(path).metadata
    settings = {"size": size, "window": list(window), "format": FORMAT}
    differing = [f"{key} {metadata.get(key)} instead of {value}" for key, value in settings.items()
                 if metadata.get(key) != value]  # fmt: skip
    if differing:
        raise SettingError(f"{path} was prepared with {', '.join(differing)}: give the same settings, or --overwrite")
    return metadata["source"] == _source(files)


def _source(files: CaseFiles | None) -> list[list[Any]]:
    """Place, size and time of CT and mask, by which a changed source is noticed without reading it."""
    paths = [] if files is None else [path for path in (files.volume, files.reference) if path]
    return [[str(path.resolve()), *size_and_time(path)] for path in paths]


def _prepared_spacing(case: Case, size: int) -> list[float]:
    z, y, x = case.spacing_mm
    return [z, y * case.volume.shape[1] / size, x * case.volume.shape[2] / size]


def _place(files: CaseFiles, folder: Path) -> Path:
    return folder / f"{files.name}.b2nd"
