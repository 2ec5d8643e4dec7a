"""Repaired copies of what can be repaired with certainty; the input is never touched.

Certain is what follows from the files themselves: padding has no HU to lose, a label of 0.9998 is 1, and a mask
whose liver lies on the CT's liver voxel by voxel belongs there, whatever its affine says. What would need a guess
(a shift, a spacing that no file has kept, lesions outside the liver) is left to the reader.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from lits_toolkit.data.case import CaseFiles, Grid, Stored, mask_file_name
from lits_toolkit.data.doctor.agreement import AXES, Agreement, judge
from lits_toolkit.data.doctor.anatomy import BODY_HU, check_sizes, look
from lits_toolkit.data.doctor.coarse import coarsen
from lits_toolkit.data.doctor.finding import CODES, Finding
from lits_toolkit.data.doctor.geometry import is_placeholder
from lits_toolkit.data.doctor.reference import covers_the_same, place, read_labels
from lits_toolkit.data.doctor.volume import AIR, check_values, to_hu
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.reading import read_stored
from lits_toolkit.errors import InputError, OutputError
from lits_toolkit.files import output_folder, replacing


@dataclass(frozen=True)
class Repair:
    """One thing that was mended in a copy."""

    case: str
    code: str
    """The finding that it answers."""
    file: Path
    """The repaired copy."""
    done: str
    """What was changed."""
    known: str
    """How that is known to be right."""


@dataclass(frozen=True, eq=False)
class _Patient:
    """A case between reading and writing, with what was mended so far: (code, "volume" or "mask", done, known)."""

    hu: np.ndarray
    grid: Grid
    mask: np.ndarray | None = None
    mended: tuple[tuple[str, str, str, str], ...] = ()

    def with_mended(self, code: str, which: str, done: str, known: str, **changes: object) -> "_Patient":
        mended = (*self.mended, (code, which, done, known))
        return replace(self, mended=mended, **changes)  # type: ignore[arg-type]


def repair_cases(cases: Sequence[CaseFiles], folder: str | Path, findings: Sequence[Finding]) -> list[Repair]:
    """Write repaired copies of the cases that have something to repair, CT and mask, into `folder`; list what was done.

    `findings` are those of `check_cases`. Copies are NIfTI files under LiTS names on the case's own grid; a file of
    the case that needs no repair is copied along. Raises OutputError if `folder` holds one of the inputs, is below
    one, or has a file of that name already; then nothing is written.
    """
    folder = Path(folder)
    suspects = {found.case for found in findings if found.code in CODES and CODES[found.code].repairable}
    todo = [case for case in cases if case.name in suspects]
    for case in todo:
        _require_apart(case, folder)
    return [repair for case in todo for repair in _repair_case(case, folder)]


def _repair_case(case: CaseFiles, folder: Path) -> list[Repair]:
    try:
        stored = read_stored(case.volume, case.series)
        reference = None if case.reference is None else read_stored(case.reference, grid=stored.grid)
    except InputError:
        return []
    patient = _mend_values(stored)
    if reference is not None:
        patient = _mend_mask(patient, reference)
    if not patient.mended:
        return []
    places = {"volume": _volume_place(case, folder), "mask": _mask_place(case, folder)}
    output_folder(folder)
    write_volume(patient.hu, patient.grid, places["volume"])
    if patient.mask is not None:
        write_mask(patient.mask, patient.grid, places["mask"])
    elif case.reference is not None and case.reference.is_file():
        with replacing(folder / case.reference.name) as partial:
            shutil.copyfile(case.reference, partial)
    return [Repair(case.name, code, places[which], done, known) for code, which, done, known in patient.mended]


def _mend_values(stored: Stored) -> _Patient:
    patient = _Patient(to_hu(stored.voxels, stored.grid), stored.grid)
    codes = {note.code for note in check_values(stored.voxels)}
    if "not-finite" in codes and not _reaches_the_body(patient.hu, stored.grid.to_axial(~np.isfinite(stored.voxels))):
        done = f"what is not a finite number is now {AIR} HU"
        patient = patient.with_mended("not-finite", "volume", done, "all of it lies outside the patient's outline")
    if "padding" in codes:
        known = "no tissue is below -1024 HU, and one value this common is no measurement"
        patient = patient.with_mended(
            "padding", "volume", f"lower values are now {AIR} HU", known, hu=np.maximum(patient.hu, np.int16(AIR))
        )
    return patient


def _reaches_the_body(hu: np.ndarray, unknown: np.ndarray) -> bool:
    """Whether an unknown voxel lies within the outline of anything solid; both (z, y, x)."""
    for plane, gaps in zip(hu, unknown, strict=True):
        if gaps.any():
            outline = ndimage.binary_fill_holes(ndimage.binary_closing(plane > BODY_HU, iterations=2))
            if (outline & gaps).any():
                return True
    return False


def _mend_mask(patient: _Patient, reference: Stored) -> _Patient:
    labels = read_labels(reference.voxels)
    if labels.mask is None:
        return patient
    mask, about_place = place(labels.mask, reference.grid, patient.grid)
    if mask is None:
        return patient
    placed = _mend_geometry(patient, mask, labels.mask, reference.grid) if about_place else replace(patient, mask=mask)
    if placed is None or placed.mask is None:
        return patient
    patient = placed
    if any(note.code == "labels-rounded" for note in labels.notes):
        known = "each is within a thousandth of 0, 1 or 2"
        patient = patient.with_mended("labels-rounded", "mask", "labels are stored as integers", known)
    agreement = judge(coarsen(patient.hu, placed.mask, patient.grid.spacing_mm))
    if agreement is not None and agreement.flip:
        axes = " and ".join(AXES[axis] for axis in agreement.flip)
        flipped = np.flip(placed.mask, agreement.flip)
        patient = patient.with_mended("mask-flipped", "mask", f"flipped {axes}", _spreads(agreement), mask=flipped)
    return patient


def _mend_geometry(patient: _Patient, mask: np.ndarray, labels: np.ndarray, own: Grid) -> _Patient | None:
    """Bring CT and mask onto one grid where it is certain which; None where it is not."""
    if covers_the_same(own, patient.grid):
        done = f"stored as {patient.grid.orientation} like the CT, not as {own.orientation}"
        known = "both affines put the same voxels in the same places"
        return patient.with_mended("mask-geometry", "mask", done, known, mask=mask)
    coarse = coarsen(patient.hu, mask, patient.grid.spacing_mm)
    agreement = judge(coarse)
    if agreement is None or not agreement.fits:
        return None
    anatomy = look(coarse)
    lost = is_placeholder(patient.grid) and anatomy is not None and check_sizes(anatomy, placeholder=True)
    if lost and not is_placeholder(own):
        return _take_grid_of_mask(patient, labels, own)
    known = f"voxel by voxel the liver lies on the CT's: {_spreads(agreement)}"
    return patient.with_mended("mask-geometry", "mask", "it has the CT's affine", known, mask=mask)


def _take_grid_of_mask(patient: _Patient, labels: np.ndarray, own: Grid) -> _Patient | None:
    """The CT's spacing is a placeholder that contradicts the anatomy: does the mask's agree with it?"""
    hu, mask = own.to_axial(patient.grid.from_axial(patient.hu)), own.to_axial(labels)
    anatomy = look(coarsen(hu, mask, own.spacing_mm))
    if anatomy is None or check_sizes(anatomy, placeholder=True):
        return None
    spacing = " × ".join(f"{step:.3g}" for step in own.spacing_mm)
    known = f"the mask fits the CT voxel by voxel, and with its {spacing} mm (z, y, x) the body has a usual size"
    grid = replace(own, header=None)
    return patient.with_mended(
        "spacing-implausible", "volume", "it has the mask's affine", known, hu=hu, mask=mask, grid=grid
    )


def _spreads(agreement: Agreement) -> str:
    if agreement.flip:
        return f"the HU under the liver spread by {agreement.better_spread_hu:.0f}, before by {agreement.spread_hu:.0f}"
    return f"the HU under it spread by {agreement.spread_hu:.0f}, under any flip by {agreement.better_spread_hu:.0f}"


def _require_apart(case: CaseFiles, folder: Path) -> None:
    places = {_volume_place(case, folder), _mask_place(case, folder)}
    for path in (case.volume, case.reference):
        if path is None:
            continue
        if folder.resolve().is_relative_to(path.resolve().parent):
            raise OutputError(f"{folder} lies beside the input {path}: give another folder for the repaired copies")
        places.add(folder / path.name)
    for place_ in sorted(places):
        if place_.exists():
            raise OutputError(f"{place_} exists already: give an empty folder for the repaired copies")


def _volume_place(case: CaseFiles, folder: Path) -> Path:
    return folder / f"{case.name}.nii.gz"


def _mask_place(case: CaseFiles, folder: Path) -> Path:
    return folder / mask_file_name(case.name)
