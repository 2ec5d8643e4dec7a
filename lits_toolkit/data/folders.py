"""Files below a place on disk: a folder, a zip file, a folder in a zip file, or a zip file in one, all read alike.

A place in a zip file is a path that goes on behind it: `3Dircadb1.1.zip/3Dircadb1.1/PATIENT_DICOM.zip`.
"""

import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from lits_toolkit.errors import InputError

_DAMAGED = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""RuntimeError is what zipfile raises where a password is needed or a compression is not known."""


@dataclass(frozen=True)
class Entry:
    """One file below a place."""

    name: str
    """Its path below the place, with "/" on every system."""
    read: Callable[[], bytes]
    """Its content; InputError where the disk or the zip file is damaged."""


@contextmanager
def opened(place: str | Path) -> Iterator[list[Entry]]:
    """The files below a folder or zip file, in natural order, hidden ones left out; InputError where there is none."""
    place = Path(place)
    if place.is_dir():
        yield [Entry(path.relative_to(place).as_posix(), _reader(path.read_bytes, path)) for path in files_below(place)]
        return
    outer = outer_zip(place)
    if outer is None:
        raise InputError(f"{place} does not exist: expected a folder or a zip file")
    with ExitStack() as stack:
        try:
            archive, inner = _open_zip(stack, outer, place.relative_to(outer).as_posix())
        except _DAMAGED as error:
            raise InputError(f"{place}: expected a zip file, found none that can be read ({error})") from error
        start = "" if inner == "." else f"{inner}/"
        names = [name for name in archive.namelist() if name.startswith(start) and not name.endswith("/")]
        inside = {name.removeprefix(start): name for name in names}
        yield [
            Entry(name, _reader(partial(archive.read, inside[name]), place / name))
            for name in sorted(inside, key=natural)
            if not any(is_hidden(part) for part in PurePosixPath(name).parts)
        ]


def files_below(folder: Path) -> list[Path]:
    """Every file of a folder and of those in it, in natural order, hidden ones left out."""
    return [directory / name for directory, _, names in walk(folder) for name in names]


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """`os.walk` in natural order without what is hidden; folders taken out of the second list are not entered."""
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted((name for name in folders if not is_hidden(name)), key=natural)
        yield Path(directory), folders, sorted((name for name in names if not is_hidden(name)), key=natural)


def by_folder_name(places: Sequence[Path]) -> dict[str, Path]:
    """Places under their own names, or with the folder above where two are called alike."""
    names = [place.resolve().name for place in places]
    return {
        name if names.count(name) == 1 else f"{place.resolve().parent.name}/{name}": place
        for name, place in zip(names, places, strict=True)
    }


def split_places(text: str) -> list[str]:
    """The places of a list parted by commas; one that is there under its whole name is one place, commas and all.

    Examples:
        >>> split_places("top, bottom"), split_places("")
        (['top', 'bottom'], [])
    """
    if text and Path(text).expanduser().exists():
        return [text]
    return [place.strip() for place in text.split(",") if place.strip()]


def size_and_time(place: str | Path) -> tuple[int, int]:
    """Bytes and time of the last change (ns): of a file, of all files below a folder, of the zip file around a place.

    By these a changed source is noticed without reading it. OSError where there is nothing.
    """
    place = Path(place)
    files = files_below(place) if place.is_dir() else [outer_zip(place) or place]
    stats = [path.stat() for path in files]
    return sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)


def outer_zip(place: Path) -> Path | None:
    """The zip file on disk that `place` is or lies in, told by its ending."""
    for outer in (place, *place.parents):
        if outer.suffix.lower() == ".zip" and outer.is_file():
            return outer
    return None


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's: unfinished, AppleDouble (`._volume-1.nii`), version control."""
    return name.startswith(".") or name == "__MACOSX"


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts volume-2 before volume-10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def listed(names: Iterable[str]) -> str:
    """Names in natural order with commas between them, for a message."""
    return ", ".join(sorted(names, key=natural))


def _open_zip(stack: ExitStack, file: Path | io.BytesIO, inner: str) -> tuple[zipfile.ZipFile, str]:
    archive = stack.enter_context(zipfile.ZipFile(file))
    if inner.lower().endswith(".zip"):
        try:
            return _open_zip(stack, io.BytesIO(archive.read(inner)), ".")
        except KeyError as error:
            raise OSError(f"there is no {inner} in it") from error
    return archive, inner


def _reader(read: Callable[[], bytes], path: Path) -> Callable[[], bytes]:
    def read_entry() -> bytes:
        try:
            return read()
        except _DAMAGED as error:
            raise InputError(f"{path} is cut off or damaged ({error})") from error

    return read_entry
