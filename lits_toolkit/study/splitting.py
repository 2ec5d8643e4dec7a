"""A cohort's split: by tumour size, with a patient's cases together."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lits_toolkit.data.case import TUMOR
from lits_toolkit.data.dissertation import dissertation_split
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.data.splits import Split, join_patients, split_by_folds, split_by_fraction
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.metrics.lesions import find_lesions, size_group


@dataclass(frozen=True)
class SplitSettings:
    """How a cohort is divided."""

    by: Literal["fraction", "folds", "dissertation"] = "fraction"
    validation: float = 0.15
    """Share of the cases by which the best weights are chosen; by fraction."""
    test: float = 0.0
    """Share held out altogether; by fraction and folds."""
    folds: int = 5
    """Parts of a cross-validation, of which one validates; by folds."""
    fold: int = 0
    """Which one, from 0."""
    seed: int = 0


def split_cohort(
    prepared: Sequence[Path], settings: SplitSettings | None = None, patients: Mapping[str, str] | None = None
) -> Split:
    """Divide those prepared cases that have a reference mask.

    By fraction and by folds, the parts are alike in tumour size (`tumor_stratum`). Cases that `patients` (name →
    patient) gives one patient, or whose CT has the same voxels, are in one part. The dissertation's own split is taken
    as it is; SettingError where that would put a patient on two sides. Raises SettingError where there are too few.
    """
    settings = settings or SplitSettings()
    cases = [case for case in map(PreparedCase, prepared) if case.has_mask]
    names = [case.name for case in cases]
    if not names:
        found = f"none of {len(prepared)} prepared cases has a reference mask" if prepared else "no case was prepared"
        raise SettingError(f"{found}: nothing to train on")
    joined = join_patients(names, patients or {}, {case.name: case.metadata["fingerprint"] for case in cases})
    if settings.by == "dissertation":
        split = dissertation_split(names)
        both = {joined[name] for name in split.train} & {joined[name] for name in split.validation}
        if both:
            shared = sorted(name for name in names if joined[name] in both)
            raise SettingError(f"the dissertation's split has one patient on both sides: {', '.join(shared)}")
        return split
    strata = {case.name: tumor_stratum(case) for case in cases}
    if settings.by == "folds":
        return split_by_folds(names, settings.folds, settings.fold, settings.test, settings.seed, strata, joined)
    return split_by_fraction(names, settings.validation, settings.test, settings.seed, strata, joined)


def tumor_stratum(case: PreparedCase) -> str:
    """The size group of the case's tumours by their mean size (as Figures 4.1 and 4.2 order cases), or "none".

    Counted on the prepared mask, in which each voxel stands for several of the CT's: near enough for a stratum, and no
    file of the cohort is read again.
    """
    sizes = find_lesions(case.mask_slices(0, case.shape[0]) == TUMOR).voxels
    if not len(sizes):
        return "none"
    _, y, x = case.metadata["original_shape"]
    return size_group(float(sizes.mean()) * (max(y, x) / case.shape[1]) ** 2)


def read_patients(path: str | Path) -> dict[str, str]:
    """Name → patient, from a CSV with the columns case and patient; InputError where it is none."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}") from error
    if not rows or any(not row.get("case") or not row.get("patient") for row in rows):
        raise InputError(f"{path}: expected a CSV with the columns case and patient, both filled in every row")
    patients: dict[str, str] = {}
    for row in rows:
        if patients.setdefault(row["case"], row["patient"]) != row["patient"]:
            raise InputError(f"{path}: {row['case']} is given to {patients[row['case']]} and to {row['patient']}")
    return patients
