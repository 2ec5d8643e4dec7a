"""The cohort as the dissertation counted and divided it (Tables A.1 and A.2)."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from lits_toolkit.data.splits import Split
from lits_toolkit.errors import SettingError


@dataclass(frozen=True)
class CountedCase:
    """One of LiTS's 131 training volumes as the tables have it."""

    name: str
    """"volume-0" to "volume-130"."""
    split: Literal["train", "validation"]
    tumors: int
    tumor_voxels: int
    """Of all its tumours together, at the CT's own resolution."""


@cache
def dissertation_cohort() -> tuple[CountedCase, ...]:
    """The 131 volumes in the order of their numbers: 111 to train on, 20 to validate, 908 tumours."""
    text = files("lits_toolkit.data").joinpath("dissertation_cohort.csv").read_text()
    return tuple(
        CountedCase(
            row["name"],
            "train" if row["split"] == "train" else "validation",
            int(row["tumors"]),
            int(row["tumor_voxels"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


def dissertation_split(names: Sequence[str]) -> Split:
    """The cases of those names as the dissertation divides them; nothing is held out beside the validation.

    Raises SettingError where a name is not one of LiTS's training volumes, or one part would be empty.
    """
    parts = {case.name: case.split for case in dissertation_cohort()}
    unknown = [name for name in names if name not in parts]
    if unknown:
        raise SettingError(
            f"the dissertation divides volume-0 to volume-130, and has no {', '.join(unknown)}: "
            "leave them out, or split by fraction or folds"
        )
    train, validation = (
        tuple(sorted(name for name in names if parts[name] == part)) for part in ("train", "validation")
    )
    if not train or not validation:
        raise SettingError(
            f"of these {len(names)} cases the dissertation trains on {len(train)} and validates on {len(validation)}: "
            "expected at least one of each; split by fraction or folds"
        )
    return Split(train, validation)
