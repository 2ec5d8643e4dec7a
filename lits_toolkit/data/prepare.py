"""Preparing: CT clamped, resized in-plane and compressed, so that an epoch reads fast (dissertation §3.1.1)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from rich.progress import track

from lits_toolkit.data.case import Case, CaseFiles
from lits_toolkit.data.doctor import Finding, check_case
from lits_toolkit.data.folders import size_and_time
from lits_toolkit.data.network_grid import (
    SIZE,
    WINDOW,
    Window,
    mask_to_network_grid,
    network_spacing,
    to_network_grid,
)
from lits_toolkit.data.prepared import FORMATS, VERSION, Format, PreparedCase, find_prepared, store
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import output_folder, remove_partials


@dataclass(frozen=True)
class Preparation:
    """What a call of `prepare` came to."""

    prepared: tuple[Path, ...]
    """The prepared cases, those of earlier calls too, in the order of the cases."""
    refused: tuple[Finding, ...]
    """The doctor's errors on the cases that were not prepared, in the same order."""


def prepare(
    cases: Sequence[CaseFiles],
    folder: str | Path,
    size: int = SIZE,
    window: Window = WINDOW,
    format: Format = "b2nd",
    n_jobs: int = -1,
    overwrite: bool = False,
    progress: bool = True,
) -> Preparation:
    """Prepare each case into FOLDER/NAME.b2nd (or .npz), several at a time; one call at a time per folder.

    A case in which the doctor finds an error is refused, and the others go on. A case prepared already from the same
    files with the same settings is kept, so that a call that was interrupted, or killed, goes on where it stopped.
    Raises SettingError where a case was prepared with other settings and `overwrite` is False, and OutputError where
    nothing can be written.
    """
    folder = output_folder(folder)
    remove_partials(folder)
    if size < 1 or window[0] >= window[1]:
        raise SettingError(f"expected a size above 0 and a rising window, found {size} and {window}")
    places = {case.name: folder / f"{case.name}.{format}" for case in cases}
    todo = [case for case in cases if overwrite or not _is_prepared(case, places[case.name], size, window)]
    jobs = (delayed(_prepare_file)(case, places[case.name], size, window) for case in todo)
    results = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    shown = track(results, "preparing", total=len(todo), disable=not progress or not todo)
    refused = tuple(finding for findings in shown for finding in findings)
    names = {finding.case for finding in refused}
    return Preparation(tuple(place for name, place in places.items() if name not in names), refused)


def write_prepared(case: Case, path: Path, size: int = SIZE, window: Window = WINDOW) -> None:
    """Write one case in memory as a prepared case, in the format that the ending of `path` names."""
    metadata = {
        "version": VERSION,
        "format": path.suffix[1:],
        "name": case.name,
        "window": list(window),
        "size": size,
        "has_mask": case.reference is not None,
        "original_shape": list(case.volume.shape),
        "original_spacing_mm": list(case.spacing_mm),
        "spacing_mm": list(network_spacing(case.spacing_mm, case.volume.shape, size)),
        "orientation": case.grid.orientation,
        "affine": case.grid.affine.tolist(),
        "fingerprint": fingerprint(case.volume),
        "source": _source(case.files),
    }
    mask = None if case.reference is None else mask_to_network_grid(case.reference, size)
    store(path, to_network_grid(case.volume, size, window), mask, metadata)


def fingerprint(volume: np.ndarray) -> str:
    """A hash of a CT's shape and voxels: the same CT under two names, or with two masks, has the same one."""
    digest = hashlib.blake2b(repr(volume.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(volume).data)
    return digest.hexdigest()


def _prepare_file(files: CaseFiles, path: Path, size: int, window: Window) -> list[Finding]:
    """The errors for which the case is refused, if any. What was prepared of it before, in any format, goes.

    The files are read a second time after the check, which looks at the voxels as they are stored.
    """
    errors = [finding for finding in check_case(files) if finding.severity == "error"]
    if not errors:
        write_prepared(read_case(files), path, size, window)
    for format in FORMATS:
        place = path.with_name(f"{files.name}.{format}")
        if errors or place != path:
            place.unlink(missing_ok=True)
    return errors


def _is_prepared(files: CaseFiles, path: Path, size: int, window: Window) -> bool:
    """Whether `path` holds the case as it would be prepared now; SettingError where it has other settings."""
    place = find_prepared(path.parent, files.name)
    metadata = None if place is None else _metadata(place)
    if metadata is None:
        return False
    settings = {"format": path.suffix[1:], "size": size, "window": list(window)}
    differing = [f"{key} {metadata[key]} instead of {value}" for key, value in settings.items()
                 if metadata[key] != value]  # fmt: skip
    if differing:
        raise SettingError(f"{place} was prepared with {', '.join(differing)}: give the same settings, or --overwrite")
    return bool(metadata["source"] == _source(files))


def _metadata(path: Path) -> dict[str, Any] | None:
    """None where what is there is damaged or of another version: it has to be prepared anew."""
    try:
        return PreparedCase(path).metadata
    except InputError:
        return None


def _source(files: CaseFiles | None) -> list[list[Any]]:
    """Place, size and time of CT and mask, by which a changed source is noticed without reading it."""
    paths = [] if files is None else [path for path in (files.volume, files.reference) if path]
    return [[str(path.resolve()), *size_and_time(path)] for path in paths]
