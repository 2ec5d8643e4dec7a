"""Which masks are of one case, told by the number in their names, whatever convention they are named by.

`segmentation-7`, `volume-7`, `liver_7`, `liver_007_0000`, `segmentation-liver_7` and `7` are all the case 7; a name
without such a number stands for itself, with or without `segmentation-` before it. `test-segmentation-7` and
`test-volume-7` are another case, since LiTS counts its training and its test volumes each from 0. The two kinds meet
under one exception: where one side has training names alone and the other test names alone, only the numbers count, as
with predictions that were named for a submission and references that were not.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

_NUMBERED = re.compile(r"(?P<test>test[-_])?((segmentation|volume)[-_])?(liver[-_])?0*(?P<number>\d+)(_0000)?")


class CaseKey(NamedTuple):
    """What two names of one case have in common."""

    test: bool | None
    """Whether it is a test case of LiTS; None where that does not matter, and for a name without a number."""
    id: str
    """Its number, or the name."""


def case_key(name: str) -> CaseKey:
    """The key of a case's or a mask's name, which has no ending.

    Examples:
        >>> case_key("volume-7") == case_key("segmentation-7") == case_key("liver_007_0000")
        True
        >>> case_key("test-volume-7"), case_key("segmentation-anna")
        (CaseKey(test=True, id='7'), CaseKey(test=None, id='anna'))
    """
    numbered = _NUMBERED.fullmatch(name)
    if numbered is None:
        return CaseKey(None, name.removeprefix("segmentation-"))
    return CaseKey(numbered["test"] is not None, numbered["number"])


def case_keys(one: Iterable[str], other: Iterable[str]) -> tuple[list[CaseKey], list[CaseKey]]:
    """The keys of the names of two sides, equal where they are of one case, by the rule above."""
    keys = [case_key(name) for name in one], [case_key(name) for name in other]
    kinds = [{key.test for key in side if key.test is not None} for side in keys]
    if all(len(kind) == 1 for kind in kinds) and kinds[0] != kinds[1]:
        return [CaseKey(None, key.id) for key in keys[0]], [CaseKey(None, key.id) for key in keys[1]]
    return keys
