"""Writing that never leaves half a file: each result is written beside its place and renamed into it."""

import errno
import hashlib
import json
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lits_toolkit.errors import InputError, OutputError


def output_folder(folder: str | Path) -> Path:
    """Make `folder` (with parents) and return it; OutputError where that is not allowed."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {reason(error)}") from error
    return folder


def require_writable(folder: str | Path) -> None:
    """Raise OutputError where nothing can be written into a folder, which need not be there yet; leaves no trace."""
    folder = Path(folder)
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {reason(error)}") from error


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; renamed onto it on success, removed on any failure.

    The temporary name keeps the suffixes of `path`, since writers choose their format by them. Writers that are
    libraries give their bytes to Python to write, whose errors are OSErrors whatever the library would have raised.
    Raises OutputError for what the file system refuses (read-only, no space left).
    """
    path = Path(path)
    output_folder(path.parent)
    partial = path.with_name(f".partial-{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from error
    finally:
        with suppress(OSError):  # where nothing could be written there is nothing to remove, and no right to
            partial.unlink(missing_ok=True)


def remove(path: str | Path) -> None:
    """Delete a file if it is there; OutputError where that is not allowed."""
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot delete {path}: {reason(error)}") from error


def remove_partials(folder: str | Path) -> None:
    """Remove what processes that were killed left half written in `folder`; no other may be writing there."""
    for partial in Path(folder).glob(".partial-????????-*"):
        partial.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON; NaN becomes null, since JSON knows no NaN."""
    with replacing(path) as partial:
        text = json.dumps(_without_nan(value), indent=2, ensure_ascii=False, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; InputError names the file where it is missing or not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable as JSON: {error}") from error


def content_hash(content: bytes) -> str:
    """A hash, by which what was made of one content is told from what was made of another."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def reason(error: OSError) -> str:
    """What the file system refused, in words."""
    reasons = {
        errno.ENOSPC: "no space is left on the disk",
        errno.EFBIG: "the file is larger than is allowed there",
        errno.EROFS: "the file system is read-only",
        errno.EACCES: "you have no permission for that",
        errno.EPERM: "you have no permission for that",
        errno.ENOTDIR: "that path, or a part of it, is a file, not a folder",
        errno.EEXIST: "a file of that name is in the way",
    }
    return reasons.get(error.errno or 0, error.strerror or str(error))


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
