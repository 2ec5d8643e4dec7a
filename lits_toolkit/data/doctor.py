"""The doctor: what is wrong with a case, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from joblib import Parallel, delayed

from lits_toolkit.data.case import LIVER, TUMOR, CaseFiles, Grid
from lits_toolkit.data.reading import LABEL_TOLERANCE, read_stored, require_same_grid
from lits_toolkit.errors import GeometryError, InputError

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One thing that is worth knowing before hours of work."""

    case: str
    severity: Severity
    code: str
    message: str
    """What was found, and in which file."""
    advice: str
    """What to do."""


def check_cases(cases: Sequence[CaseFiles], n_jobs: int = -1) -> list[Finding]:
    """The findings of every case, in the order of the cases; several are read at a time."""
    found = Parallel(n_jobs=n_jobs)(delayed(check_case)(case) for case in cases)
    return [finding for findings in found for finding in findings]


def check_case(case: CaseFiles) -> list[Finding]:
    """Everything that is wrong with a case; an empty list for a sound one."""
    grid, findings = _check_volume(case)
    if case.reference is not None:
        findings += _check_reference(case, grid)
    return findings


def _check_volume(case: CaseFiles) -> tuple[Grid | None, list[Finding]]:
    try:
        stored = read_stored(case.volume, case.series)
    except InputError as error:
        return None, [_unusable(case, error)]
    grid, voxels = stored.grid, stored.voxels
    bad = np.count_nonzero(~np.isfinite(voxels)) if voxels.dtype.kind == "f" else 0
    if bad:
        message = f"{case.volume}: {bad} voxels are not finite numbers"
        return grid, [Finding(case.name, "error", "not-finite", message, "export the CT again from its source")]
    return grid, []


def _check_reference(case: CaseFiles, grid: Grid | None) -> list[Finding]:
    assert case.reference is not None
    findings: list[Finding] = []
    try:
        stored = read_stored(case.reference, grid=grid)
    except InputError as error:
        return [_unusable(case, error)]
    own, labels = stored.grid, stored.voxels
    if grid is not None:
        try:
            require_same_grid(own, grid, case.reference)
        except GeometryError as error:
            code = "mask-shape" if own.shape != grid.shape else "mask-geometry"
            advice = "take the mask that was drawn on this CT; never resample it by guess"
            findings.append(Finding(case.name, "error", code, str(error), advice))
    rounded = np.rint(labels)
    off = ~(np.abs(labels - rounded) <= LABEL_TOLERANCE)
    if off.any():
        message = f"{case.reference}: {np.count_nonzero(off)} labels are no integers, the first {labels[off][0]}"
        advice = "the mask was interpolated: export it again with nearest-neighbour resampling"
        findings.append(Finding(case.name, "error", "labels-not-integer", message, advice))
    strange = sorted(set(np.unique(rounded[~off]).astype(int)) - {0, LIVER, TUMOR})
    if strange:
        message = f"{case.reference}: expected the labels 0, 1 and 2, found {', '.join(map(str, strange[:10]))}"
        advice = "map the labels to 0 background, 1 liver, 2 tumour"
        findings.append(Finding(case.name, "error", "labels-unknown", message, advice))
    if not (rounded[~off] >= LIVER).any():
        message = f"{case.reference}: no voxel is liver or tumour"
        advice = "leave the case out, or take the right mask: there is nothing to learn from it"
        findings.append(Finding(case.name, "error", "no-liver", message, advice))
    return findings


def _unusable(case: CaseFiles, error: InputError) -> Finding:
    advice = "give one 3D volume per file" if error.code == "wrong-rank" else "copy or download the file again"
    return Finding(case.name, "error", error.code, str(error), advice)
