"""Which predicted mask belongs to which reference, checked on the files' headers before a voxel is read.

They meet by the number in their names, by the rule of `study.numbers`. A mask is never resampled.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lits_toolkit.data.case import TUMOR, CaseFiles, Grid
from lits_toolkit.data.decathlon import LABELS_OF
from lits_toolkit.data.folders import is_hidden, listed, natural
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.nifti import is_nifti, without_ending
from lits_toolkit.data.reading import AFFINE_TOLERANCE_MM, read_grid, read_mask, read_reference_grid
from lits_toolkit.errors import GeometryError, InputError
from lits_toolkit.metrics.surface import Spacing
from lits_toolkit.study.numbers import CaseKey, case_key, case_keys


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

    @property
    def voxels(self) -> int:
        """How many the grid has."""
        return math.prod(self.grid.shape)


def pair_masks(
    predictions: str | Path, references: str | Path, names: Iterable[str] | None = None, only_matching: bool = False
) -> list[MaskPair]:
    """Pair each reference with its prediction, in the order of the cases' numbers.

    Args:
        predictions: Folder of masks, named by any convention of `study.numbers`.
        references: A cohort, of which the cases with a reference count, or a folder of masks named likewise.
        names: Only these cases; then predictions of others are left aside. None means all.
        only_matching: Leave aside what has no counterpart, as `find_unmatched` lists it, instead of raising.

    Raises:
        InputError: A folder has no masks or two of one case, a name in `names` has no reference, or a case not exactly
            one prediction; with `only_matching`, not a single case has both.
        GeometryError: The shape or the affine of a prediction differs from its reference's.
    """
    predictions, references = Path(predictions), Path(references)
    expected, found = _by_key(predictions, references)
    if names is not None:
        wanted = {case_key(name): name for name in names}
        own = {case_key(case.name): key for key, case in expected.items()}
        unknown = [name for key, name in wanted.items() if key not in own]
        if unknown:
            raise InputError(f"{references} has no reference for {listed(unknown)}")
        expected = {own[key]: expected[own[key]] for key in wanted}
        found = {key: path for key, path in found.items() if key in expected}
    if only_matching:
        expected = {key: case for key, case in expected.items() if key in found}
        if not expected:
            raise InputError(f"none of the masks in {predictions} has a reference in {references}")
    else:
        _require_same_cases(expected, found, predictions, references)
    pairs = [pair_case(case, found[key]) for key, case in expected.items()]
    return sorted(pairs, key=lambda pair: natural(pair.case))


def pair_case(case: CaseFiles, prediction: Path) -> MaskPair:
    """A case with a reference and its predicted mask.

    Raises:
        InputError: A header cannot be read.
        GeometryError: The shape or the affine of the prediction differs from the reference's.
    """
    assert case.reference is not None
    expected = read_reference_grid(case)
    require_same_axial_grid(read_grid(prediction), prediction, expected, f"its reference {case.reference}")
    return MaskPair(case.name, case.reference, prediction, expected)


def find_unmatched(predictions: str | Path, references: str | Path) -> tuple[list[str], list[str]]:
    """The cases with a reference but no prediction, and those with a prediction but no reference.

    Takes the folders that `pair_masks` takes, and raises InputError likewise.
    """
    expected, found = _by_key(Path(predictions), Path(references))
    without_prediction = [case.name for key, case in expected.items() if key not in found]
    without_reference = [_case_name(path) for key, path in found.items() if key not in expected]
    return sorted(without_prediction, key=natural), sorted(without_reference, key=natural)


def find_masks(folder: Path) -> list[Path]:
    """The masks of a folder of predictions, those of folders in it left out; InputError where there are none."""
    files = _nifti_files(folder, "*")
    if not files:
        raise InputError(f"{folder} has no masks; expected files named segmentation-N.nii.gz")
    return files


def require_one_file_each(folder: Path, keys: Sequence[CaseKey], files: Sequence[Path]) -> dict[CaseKey, Path]:
    """The file of each key; InputError names two files of `folder` that have one key."""
    by_key: dict[CaseKey, Path] = {}
    for key, path in zip(keys, files, strict=True):
        other = by_key.setdefault(key, path)
        if other != path:
            one, two = (file.relative_to(folder) if file.is_relative_to(folder) else file for file in (other, path))
            raise InputError(
                f"{folder} has two files of {_case_name(path)}: {one} and {two}; expected one of each case"
            )
    return by_key


def read_labels(path: Path, grid: Grid | None = None) -> np.ndarray:
    """A mask as `data.reading.read_mask` reads it; InputError also where a label is above 2."""
    mask = read_mask(path, grid)
    if mask.max() > TUMOR:
        raise InputError(f"{path}: expected the labels 0 background, 1 liver and 2 tumour, found {mask.max()}")
    return mask


def _by_key(predictions: Path, references: Path) -> tuple[dict[CaseKey, CaseFiles], dict[CaseKey, Path]]:
    """The cases with a reference, and the predicted masks, each under its key."""
    cases = _reference_cases(references)
    files = find_masks(predictions)
    # cases without a reference count as well where the rule asks which kinds of names there are
    keys, found = case_keys([case.name for case in cases], [without_ending(path.name) for path in files])
    with_mask = [(key, case) for key, case in zip(keys, cases, strict=True) if case.reference]
    masks = [case.reference for _, case in with_mask if case.reference]
    require_one_file_each(references, [key for key, _ in with_mask], masks)
    return dict(with_mask), require_one_file_each(predictions, found, files)


def _reference_cases(folder: Path) -> list[CaseFiles]:
    """The cases of a cohort, at least one of them with a reference, or those of a folder of masks without their CTs."""
    files = _nifti_files(folder, "**/*")
    masks = [CaseFiles(_case_name(path), path, path) for path in files]
    if files and (folder.name in LABELS_OF.values() or all("segmentation-" in path.name for path in files)):
        return masks
    try:
        cases = find_cases(folder)
    except InputError as error:
        if files:
            raise
        raise InputError(f"{error}; masks without their CT are named segmentation-N.nii.gz") from error
    if any(case.reference for case in cases):
        return cases
    # masks that are named as their cases
    if all(case.volume in files for case in cases) and (
        _is_mask(files[0]) or not any("volume-" in path.name for path in files)
    ):
        return masks
    raise InputError(f"{folder} has volumes but no reference masks beside them (segmentation-N.nii.gz)")


def _is_mask(path: Path) -> bool:
    """Whether a file named as a CT has the labels of a mask."""
    try:
        return bool(1 <= read_mask(path).max() <= TUMOR)
    except InputError:
        return False


def _nifti_files(folder: Path, pattern: str) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected a folder of masks (segmentation-N.nii.gz)")
    return [path for path in sorted(folder.glob(pattern)) if is_nifti(path) and not is_hidden(path.name)]


def _case_name(mask: Path) -> str:
    """The case of a mask's file: the inverse of `mask_file_name`.

    Examples:
        >>> [_case_name(Path(name)) for name in ("test-segmentation-7.nii", "segmentation-anna.nii.gz", "anna.nii.gz")]
        ['test-volume-7', 'anna', 'anna']
    """
    stem = without_ending(mask.name) if is_nifti(mask) else mask.stem
    if re.fullmatch(r"(.*-)?segmentation-\d+", stem):
        return stem.replace("segmentation-", "volume-", 1)
    return stem.removeprefix("segmentation-")


def _require_same_cases(
    expected: dict[CaseKey, CaseFiles], found: dict[CaseKey, Path], predictions: Path, references: Path
) -> None:
    missing = [case.name for key, case in expected.items() if key not in found]
    extra = [path.name for key, path in found.items() if key not in expected]
    require_counterparts(
        {f"{predictions} has no prediction for": missing, f"{references} has no reference for": extra},
        "--only-matching scores the cases that have both",
    )


def require_counterparts(lacking: Mapping[str, Sequence[str]], advice: str) -> None:
    """InputError where names lack their counterpart: what is said of them → the names, in natural order."""
    problems = [f"{said} {listed(names)}" for said, names in lacking.items() if names]
    if problems:
        raise InputError("; ".join([*problems, advice]))


def require_same_axial_grid(found: Grid, prediction: Path, expected: Grid, what: str) -> None:
    """GeometryError unless a predicted mask lies on the grid of `what`.

    Compared in axial order: a file stored in another orientation has the same voxels at the same places.
    """
    where = f"the prediction {prediction} does not lie on the grid of {what}"
    advice = "a mask is never resampled, write it on the CT's own grid"
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


def _rows(affine: np.ndarray) -> str:
    return str(np.round(affine[:3], 3).tolist())
