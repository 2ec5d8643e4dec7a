"""Which predicted mask belongs to which reference, checked on the files' headers before a voxel is read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lits_toolkit.data.case import mask_file_name
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.reading import read_grid
from lits_toolkit.errors import GeometryError, InputError
from lits_toolkit.metrics.surface import Spacing

AFFINE_TOLERANCE = 1e-3
"""Largest difference of two affines' entries (mm) for one grid: above the rounding of a float32 header."""

Masks = dict[str, tuple[str, Path]]
"""The file name that `mask_file_name` gives to a case's mask → the case's name and the file."""


@dataclass(frozen=True)
class MaskPair:
    """A case's reference and predicted mask on disk, which lie on one voxel grid."""

    case: str
    reference: Path
    prediction: Path
    spacing_mm: Spacing


def pair_masks(
    predictions: str | Path, references: str | Path, names: Iterable[str] | None = None, only_matching: bool = False
) -> list[MaskPair]:
    """Pair each reference with its prediction, in the order of the cases' numbers.

    Args:
        predictions: Folder of masks named by `mask_file_name`.
        references: A cohort, of which the cases with a reference count, or a folder of masks named alike.
        names: Only these cases; then predictions of others are left aside. None means all.
        only_matching: Leave aside what has no counterpart, as `find_unmatched` lists it, instead of raising.

    Raises:
        InputError: A folder has no masks, a name in `names` no reference, or a case not exactly one prediction; with
            `only_matching`, not a single case has both.
        GeometryError: The shape or the affine of a prediction differs from its reference's.
    """
    predictions, references = Path(predictions), Path(references)
    expected = _reference_masks(references)
    found = _by_file_name(predictions, _nifti_files(predictions))
    if names is not None:
        wanted = {mask_file_name(name): name for name in names}
        unknown = [name for key, name in wanted.items() if key not in expected]
        if unknown:
            raise InputError(f"{references} has no reference for {_listed(unknown)}")
        expected = {key: expected[key] for key in wanted}
        found = {key: found[key] for key in wanted if key in found}
    if only_matching:
        expected = {key: mask for key, mask in expected.items() if key in found}
        if not expected:
            raise InputError(f"none of the masks in {predictions} has a reference in {references}")
    else:
        _require_same_cases(expected, found, predictions, references)
    pairs = [_pair(case, reference, found[key][1]) for key, (case, reference) in expected.items()]
    return sorted(pairs, key=lambda pair: _natural(pair.case))


def find_unmatched(predictions: str | Path, references: str | Path) -> tuple[list[str], list[str]]:
    """The cases with a reference but no prediction, and those with a prediction but no reference.

    Takes the folders that `pair_masks` takes, and raises InputError likewise where one has no masks.
    """
    predictions, references = Path(predictions), Path(references)
    expected = _reference_masks(references)
    found = _by_file_name(predictions, _nifti_files(predictions))
    without_prediction = [case for key, (case, _) in expected.items() if key not in found]
    without_reference = [case for key, (case, _) in found.items() if key not in expected]
    return sorted(without_prediction, key=_natural), sorted(without_reference, key=_natural)


def _reference_masks(folder: Path) -> Masks:
    files = _nifti_files(folder, "**/*")
    if all("segmentation-" in path.name for path in files):
        return _by_file_name(folder, files)
    cases = find_cases(folder)
    references = {mask_file_name(case.name): (case.name, case.reference) for case in cases if case.reference}
    if not references and any("volume-" in case.name for case in cases):
        raise InputError(f"{folder} has volumes but no reference masks beside them (segmentation-N.nii.gz)")
    return references or _by_file_name(folder, files)  # masks that are named as their cases


def _nifti_files(folder: Path, pattern: str = "*") -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected a folder of masks (segmentation-N.nii.gz)")
    files = [path for path in sorted(folder.glob(pattern)) if path.name.endswith((".nii", ".nii.gz"))]
    files = [path for path in files if not path.name.startswith(".")]  # what `replacing` has not finished
    if not files:
        raise InputError(f"{folder} has no masks; expected files named segmentation-N.nii.gz")
    return files


def _by_file_name(folder: Path, files: list[Path]) -> Masks:
    masks: Masks = {}
    for path in files:
        case = _case_name(path)
        other = masks.setdefault(mask_file_name(case), (case, path))[1]
        if other != path:
            raise InputError(
                f"{folder} has two masks of {case}: {other.relative_to(folder)} and {path.relative_to(folder)}; "
                "keep one of them"
            )
    return masks


def _case_name(mask: Path) -> str:
    """The case of a mask's file: the inverse of `mask_file_name`.

    >>> [_case_name(Path(name)) for name in ("test-segmentation-7.nii", "segmentation-anna.nii.gz", "anna.nii.gz")]
    ['test-volume-7', 'anna', 'anna']
    """
    stem = mask.name.removesuffix(".gz").removesuffix(".nii")
    if re.fullmatch(r"(.*-)?segmentation-\d+", stem):
        return stem.replace("segmentation-", "volume-", 1)
    return stem.removeprefix("segmentation-")


def _require_same_cases(expected: Masks, found: Masks, predictions: Path, references: Path) -> None:
    missing = [case for key, (case, _) in expected.items() if key not in found]
    extra = [path.name for key, (_, path) in found.items() if key not in expected]
    problems = []
    if missing:
        problems.append(f"{predictions} has no prediction for {_listed(missing)}")
    if extra:
        problems.append(f"{references} has no reference for {_listed(extra)}")
    if problems:
        raise InputError("; ".join(problems) + "; --only-matching scores the cases that have both")


def _pair(case: str, reference: Path, prediction: Path) -> MaskPair:
    """Compare in axial order: a file stored in another orientation has the same voxels at the same places."""
    expected, found = read_grid(reference), read_grid(prediction)
    where = f"the prediction {prediction} does not lie on the grid of its reference {reference}"
    advice = "a mask is never resampled for scoring, write it on the CT's own grid"
    if found.axial_shape != expected.axial_shape:
        raise GeometryError(
            f"{where}: expected the shape (z, y, x) {expected.axial_shape}, found {found.axial_shape}; {advice}"
        )
    difference = float(np.abs(found.axial_affine - expected.axial_affine).max())
    if not difference <= AFFINE_TOLERANCE:
        raise GeometryError(
            f"{where}: expected the affine {_rows(expected.axial_affine)}, found {_rows(found.axial_affine)}, "
            f"which differ by up to {difference:.3g} mm; {advice}"
        )
    return MaskPair(case, reference, prediction, expected.spacing_mm)


def _rows(affine: np.ndarray) -> str:
    return str(np.round(affine[:3], 3).tolist())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names, key=_natural))


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts volume-2 before volume-10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]
