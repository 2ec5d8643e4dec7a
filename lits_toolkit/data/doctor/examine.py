"""The examination of a case, and of a cohort: each file is read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from rich.progress import track

from lits_toolkit.data.case import CaseFiles, Grid, Note
from lits_toolkit.data.doctor.agreement import AXES, Agreement, judge
from lits_toolkit.data.doctor.anatomy import check_sides, check_sizes, look
from lits_toolkit.data.doctor.coarse import coarsen
from lits_toolkit.data.doctor.cohort import find_twins, slice_prints
from lits_toolkit.data.doctor.finding import CODES, Finding, finding
from lits_toolkit.data.doctor.geometry import check_grid, is_placeholder
from lits_toolkit.data.doctor.reference import check_mask, place, read_labels
from lits_toolkit.data.doctor.volume import check_slices, check_values, to_hu
from lits_toolkit.data.reading import read_stored
from lits_toolkit.errors import InputError


@dataclass(frozen=True)
class Examination:
    """What was found in a case, and by what it is recognised under another name."""

    findings: tuple[Finding, ...]
    prints: frozenset[bytes] = frozenset()


def check_cases(cases: Sequence[CaseFiles], n_jobs: int = -1, progress: bool = False) -> list[Finding]:
    """The findings of every case, in the order of the cases, and of the cohort: the same CT under two names.

    `n_jobs` cases are read at a time, each of them once; -1 takes every core.
    """
    jobs = Parallel(n_jobs=n_jobs, return_as="generator")(delayed(examine)(case) for case in cases)
    examined = list(track(jobs, "checking", total=len(cases), disable=not progress))
    prints = {str(i): found.prints for i, found in enumerate(examined)}
    twins = {int(twin.case): twin for twin in find_twins(prints)}
    findings: list[Finding] = []
    for i, (case, found) in enumerate(zip(cases, examined, strict=True)):
        findings += found.findings
        if i in twins:
            twin = twins[i]
            earlier = cases[int(twin.earlier)]
            text = f"{case.volume}: {twin.shared} of {twin.slices} slices are those of {earlier.name}, {earlier.volume}"
            findings.append(finding(case.name, Note("duplicate", text)))
    return findings


def check_case(case: CaseFiles) -> list[Finding]:
    """Everything that is wrong with a case by itself; an empty list for a sound one."""
    return list(examine(case).findings)


def examine(case: CaseFiles) -> Examination:
    """Read a case's files and look at them."""
    try:
        stored = read_stored(case.volume, case.series)
    except InputError as error:
        mask_notes = [] if case.reference is None else _read_reference(case.reference, None)[1]
        return Examination(_findings(case, [_refusal(error)], mask_notes))
    grid = stored.grid
    notes = [*stored.notes, *check_grid(grid), *check_values(stored.voxels)]
    hu = to_hu(stored.voxels, grid)
    del stored  # floats of a large CT are four times its HU
    noted = {note.code for note in notes}  # a DICOM series tells its gaps by the slices' positions
    notes += [note for note in check_slices(hu, grid.spacing_mm) if note.code not in noted]
    prints = slice_prints(hu)
    mask, mask_notes = (None, []) if case.reference is None else _read_reference(case.reference, grid)
    about_ct, about_mask = _check_anatomy(hu, mask, grid)
    if mask is not None:
        mask_notes += check_mask(mask)
    return Examination(_findings(case, notes + about_ct, mask_notes + about_mask), prints)


def _refusal(error: InputError) -> Note:
    return Note(error.code if error.code in CODES else "unreadable", str(error))


def _read_reference(path: Path, grid: Grid | None) -> tuple[np.ndarray | None, list[Note]]:
    """The mask as (z, y, x) uint8 on the CT's grid, None where it has no place there, and the notes so far."""
    try:
        stored = read_stored(path, grid=grid)
    except InputError as error:
        return None, [_refusal(error)]
    labels = read_labels(stored.voxels)
    notes = [*stored.notes, *labels.notes]
    if grid is None:
        return None, notes
    placed, about_place = place(stored.voxels if labels.mask is None else labels.mask, stored.grid, grid)
    return (None if labels.mask is None else placed), about_place + notes


def _check_anatomy(hu: np.ndarray, mask: np.ndarray | None, grid: Grid) -> tuple[list[Note], list[Note]]:
    """Notes on the CT and on the mask."""
    coarse = coarsen(hu, mask, grid.spacing_mm)
    agreement = judge(coarse)
    about_mask = [] if agreement is None else _check_agreement(agreement)
    if about_mask:  # a mask that is not on the liver tells nothing about the CT
        coarse = coarsen(hu, None, grid.spacing_mm)
    anatomy = look(coarse)
    if anatomy is None:
        return [], about_mask
    return check_sizes(anatomy, is_placeholder(grid)) + check_sides(anatomy), about_mask


def _check_agreement(agreement: Agreement) -> list[Note]:
    spread = f"the HU under it spread by {agreement.spread_hu:.0f}, then by {agreement.better_spread_hu:.0f}"
    if agreement.flip:
        axes = " and ".join(AXES[axis] for axis in agreement.flip)
        return [Note("mask-flipped", f"it fits the CT if flipped {axes}: {spread}")]
    if agreement.shift_mm is not None:
        z, y, x = agreement.shift_mm
        text = (
            f"it fits the CT if moved by {x:+.0f} mm to the left, {y:+.0f} to the back, {z:+.0f} to the head: {spread}"
        )
        return [Note("mask-shifted", text)]
    if agreement.gas_share > 0.1:
        return [Note("mask-misfit", f"{agreement.gas_share:.0%} of it lies in air, lung or gas")]
    return []


def _findings(case: CaseFiles, about_volume: list[Note], about_mask: list[Note]) -> tuple[Finding, ...]:
    named = [_naming(case.volume, note) for note in about_volume]
    if case.reference is not None:
        named += [_naming(case.reference, note) for note in about_mask]
    return tuple(finding(case.name, note) for note in named)


def _naming(path: Path, note: Note) -> Note:
    return note if str(path) in note.message else Note(note.code, f"{path}: {note.message}")
