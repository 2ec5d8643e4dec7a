"""Which DICOM series a folder holds, told by a glance at each file's head."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.dicom import damage_told, is_dicom, read_dataset
from lits_toolkit.data.folders import natural
from lits_toolkit.errors import InputError

_HEAD = 16384
_SERIES_UID = re.compile(rb"\x20\x00\x0e\x00(?:UI..|..\x00\x00)([0-9.]{2,64})", re.DOTALL)
"""SeriesInstanceUID (0020,000E) in explicit or implicit little endian. Nested ones match too, which does no harm:
files that share all of them share the series, and one header of each kind is read in full."""


@dataclass(frozen=True)
class Series:
    """The files of one series in one folder."""

    uid: str
    modality: str
    """CT, SEG, …; LOCALIZER for the scout views of a CT."""
    number: str
    """The scanner's number of it."""
    files: tuple[Path, ...]
    of: str = ""
    """The series on which a segmentation was drawn."""


def find_series(files: Sequence[Path]) -> list[Series]:
    """The series among the files of one folder, in the order of their numbers; what is not DICOM is left out.

    Reads no pixels, and of files that are alike one header. One that is damaged counts as CT, so that reading it
    tells what is wrong.
    """
    alike: dict[tuple[bytes, ...], list[Path]] = {}
    for path in files:
        head = _head(path)
        if is_dicom(head):
            uids = tuple(_SERIES_UID.findall(head)) or (str(path).encode(),)
            alike.setdefault(uids, []).append(path)
    found: dict[tuple[str, str], Series] = {}
    for paths in alike.values():
        series = _describe(paths)
        key = (series.uid, series.modality)
        before = found[key].files if key in found else ()
        found[key] = Series(*key, series.number, (*before, *series.files), series.of)
    return sorted(found.values(), key=lambda series: (natural(series.number), series.uid))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _describe(paths: list[Path]) -> Series:
    for path in paths:
        try:
            with damage_told(path):
                return _describe_file(path, paths)
        except InputError:
            continue
    return Series("", "CT", "", tuple(paths))


def _describe_file(path: Path, alike: list[Path]) -> Series:
    dataset = read_dataset(path.read_bytes(), path, pixels=False)
    scout = "LOCALIZER" in (dataset.get("ImageType") or ())
    drawn_on = dataset.get("ReferencedSeriesSequence") or [{}]
    return Series(
        str(dataset.get("SeriesInstanceUID") or ""),
        "LOCALIZER" if scout else str(dataset.get("Modality") or ""),
        str(dataset.get("SeriesNumber") or ""),
        tuple(alike),
        str(drawn_on[0].get("SeriesInstanceUID") or ""),
    )


def series_cases(folder: Path, files: Sequence[Path]) -> list[CaseFiles]:
    """The CT series among a folder's files as cases, each with the DICOM-SEG that was drawn on it, if one is there.

    A series is named as its folder; where there are several, its number follows. InputError where two segmentations
    were drawn on one series.
    """
    series = find_series(files)
    scans = [one for one in series if one.modality == "CT"]
    masks: dict[str, Path] = {}
    for one in series:
        for path in one.files if one.modality == "SEG" else ():
            if one.of in masks:
                raise InputError(f"two files are masks of one series: {masks[one.of]} and {path}; keep one of them")
            masks[one.of] = path
    name = folder.resolve().name
    numbers = [one.number for one in scans]
    if len(set(numbers)) < len(numbers) or "" in numbers:
        numbers = [str(at) for at in range(1, len(scans) + 1)]
    names = [f"{name}-{number}" for number in numbers] if len(scans) > 1 else [name]
    return [CaseFiles(name, folder, masks.get(one.uid), one.uid) for name, one in zip(names, scans, strict=False)]
