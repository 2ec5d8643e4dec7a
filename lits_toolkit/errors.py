"""What can go wrong for a user. Each message says what was expected, what was found, where, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import find_spec


class LitsError(Exception):
    """Base of every error that is the user's to mend; the command line prints it as one line, without a trace."""


class InputError(LitsError):
    """A file or folder cannot be used as given: unreadable, of the wrong form, or missing."""

    def __init__(self, message: str, code: str = "unreadable") -> None:
        super().__init__(message)
        self.code = code
        """By which the doctor tells what is wrong: "unreadable", "wrong-rank", …"""

    def __reduce__(self) -> tuple:
        return type(self), (str(self), self.code)


class GeometryError(LitsError):
    """Arrays that have to share one voxel grid do not."""


class SettingError(LitsError):
    """A setting, a name or a combination of them is not known or not allowed."""


class TrainingError(LitsError):
    """Training cannot go on: the loss is no number any more."""


class OutputError(LitsError):
    """A result cannot be written: read-only folder, full disk, or a file already there."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Words that help on from a mistyped name.

    Examples:
        >>> nearest("cascde", ["cascade", "other"])
        "the nearest is 'cascade'"
    """
    close = get_close_matches(name, list(known), n=1, cutoff=0)
    return f"the nearest is {close[0]!r}" if close else "there is none"


def require_extra(library: str, extra: str) -> None:
    """SettingError with the command that installs it, where a library of an extra is not there."""
    if find_spec(library) is None:
        raise SettingError(f'{library} is not installed: pip install "lits-toolkit[{extra}]"')
