"""Which predicted mask belongs to which reference, checked on the files' headers before a voxel is read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lits_toolkit.data.case import CaseFiles, Grid, mask_file_name
from lits_toolkit.data.decathlon import LABELS_OF
from lits_toolkit.data.folders import is_hidden, natural
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.nifti import is_nifti
from lits_toolkit.data.reading import AFFINE_TOLERANCE_MM, read_grid, read_reference_grid
from lits_toolkit.errors import GeometryError, InputError
from lits_toolkit.metrics.surface import Spacing

Masks = dict[str, tuple[str, Path]]
"""The file name that `mask_file_name` gives to a case's mask → the case's name and the file."""
References = dict[str, CaseFiles]
"""The same name → a case with a reference."""


@dataclass(frozen=True, eq=False)
class MaskPair:
    """A case's reference and predicted mask on disk, which lie on one voxel grid."""

    case: str
    reference: Path
    prediction: Path
    grid: Grid
    """The reference's voxel grid."""

    @property
    def spacing_mm(self) -> Spacing:
        """Distance of neighbouring voxels along (z, y, x), in mm."""
        return self.grid.spacing_mm


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
    files = _nifti_files(predictions, "*")
    if not files:
        raise InputError(f"{predictions} has no masks; expected files named segmentation-N.nii.gz")
    found = _by_file_name(predictions, files)
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
    pairs = [_pair(case, found[key][1]) for key, case in expected.items()]
    return sorted(pairs, key=lambda pair: natural(pair.case))


def find_unmatched(predictions: str | Path, references: str | Path) -> tuple[list[str], list[str]]:
    """The cases with a reference but no prediction, and those with a prediction but no reference.

    Takes the folders that `pair_masks` takes, and raises InputError likewise where one has no masks.
    """
    predictions, references = Path(predictions), Path(references)
    expected = _reference_masks(references)
    found = _by_file_name(predictions, _nifti_files(predictions, "*"))
    without_prediction = [case.name for key, case in expected.items() if key not in found]
    without_reference = [case for key, (case, _) in found.items() if key not in expected]
    return sorted(without_prediction, key=natural), sorted(without_reference, key=natural)


def _reference_masks(folder: Path) -> References:
    files = _nifti_files(folder, "**/*")
    if files and (folder.name in LABELS_OF.values() or all("segmentation-" in path.name for path in files)):
        return _masks_alone(folder, files)
    cases = find_cases(folder)
    references = {mask_file_name(case.name): case for case in cases if case.reference}
    if not references and any("volume-" in case.name or case.volume not in files for case in cases):
        raise InputError(f"{folder} has volumes but no reference masks beside them (segmentation-N.nii.gz)")
    return references or _masks_alone(folder, files)  # masks that are named as their cases


def _masks_alone(folder: Path, files: list[Path]) -> References:
    """A folder of masks without their CTs."""
    return {key: CaseFiles(case, path, path) for key, (case, path) in _by_file_name(folder, files).items()}


def _nifti_files(folder: Path, pattern: str) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected a folder of masks (segmentation-N.nii.gz)")
    return [path for path in sorted(folder.glob(pattern)) if is_nifti(path) and not is_hidden(path.name)]


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


def _require_same_cases(expected: References, found: Masks, predictions: Path, references: Path) -> None:
    missing = [case.name for key, case in expected.items() if key not in found]
    extra = [path.name for key, (_, path) in found.items() if key not in expected]
    problems = []
    if missing:
        problems.append(f"{predictions} has no prediction for {_listed(missing)}")
    if extra:
        problems.append(f"{references} has no reference for {_listed(extra)}")
    if problems:
        raise InputError("; ".join(problems) + "; --only-matching scores the cases that have both")


def _pair(case: CaseFiles, prediction: Path) -> MaskPair:
    """Compare in axial order: a file stored in another orientation has the same voxels at the same places."""
    assert case.reference is not None
    expected, found = read_reference_grid(case), read_grid(prediction)
    where = f"the prediction {prediction} does not lie on the grid of its reference {case.reference}"
    advice = "a mask is never resampled for scoring, write it on the CT's own grid"
    if found.axial_shape != expected.axial_shape:
        raise GeometryError(
            f"{where}: expected the shape (z, y, x) {expected.axial_shape}, found {found.axial_shape}; {advice}"
        )
    difference = float(np.abs(found.axial_affine - expected.axial_affine).max())
    if not difference <= AFFINE_TOLERANCE_MM:
        raise GeometryError(
            f"{where}: expected the affine {_rows(expected.axial_affine)}, found {_rows(found.axial_affine)}, "
            f"which differ by up to {difference:.3g} mm; {advice}"
        )
    return MaskPair(case.name, case.reference, prediction, expected)


def _rows(affine: np.ndarray) -> str:
    return str(np.round(affine[:3], 3).tolist())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names, key=natural))
