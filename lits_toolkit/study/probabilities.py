"""Probabilities of tumour on disk, and the FROC curve of a folder of them."""

from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np

from lits_toolkit.data.case import TUMOR, Grid
from lits_toolkit.data.folders import is_hidden, split_places
from lits_toolkit.data.nifti import is_nifti, read_nifti, without_ending
from lits_toolkit.errors import GeometryError, InputError, SettingError
from lits_toolkit.metrics.froc import Candidates, Froc, find_candidates, froc
from lits_toolkit.study.numbers import case_keys
from lits_toolkit.study.pairs import (
    MaskPair,
    read_labels,
    require_counterparts,
    require_one_file_each,
    require_same_axial_grid,
)
from lits_toolkit.study.results import Results


def froc_curves(probabilities: str, results: Results, n_jobs: int = 1) -> dict[str, Froc]:
    """The FROC curves of folders of probabilities, parted by commas: of the first method, the second, and so on.

    Raises:
        SettingError: There are more folders than methods.
        InputError, GeometryError: As `folder_froc` raises.
    """
    folders = split_places(probabilities)
    if len(folders) > len(results.scores):
        methods = ", ".join(results.scores)
        raise SettingError(f"found {len(folders)} folders of probabilities, expected at most one for each of {methods}")
    return {
        method: folder_froc(folder, results.pairs, n_jobs)
        for method, folder in zip(results.scores, folders, strict=False)
    }


def folder_froc(folder: str | Path, pairs: Sequence[MaskPair], n_jobs: int = 1) -> Froc:
    """The FROC curve of a folder of probabilities.

    Args:
        folder: A file for each case, .npy or .nii[.gz], named by any convention of `study.numbers`.
        pairs: The cases with their references.
        n_jobs: Cases read at a time, each in a process of its own; -1 for as many as there are processors.

    Raises:
        InputError: A case has no file or two, or a file is no array of probabilities.
        GeometryError: A file does not lie on its reference's grid.
    """
    files = _files(Path(folder))
    keys, found = case_keys([pair.case for pair in pairs], [_stem(path) for path in files])
    by_key = require_one_file_each(Path(folder), found, files)
    missing = [pair.case for key, pair in zip(keys, pairs, strict=True) if key not in by_key]
    require_counterparts({f"{folder} has no probabilities of": missing}, "FROC needs those of every case")
    jobs = (joblib.delayed(_candidates)(by_key[key], pair) for key, pair in zip(keys, pairs, strict=True))
    return froc(joblib.Parallel(n_jobs=n_jobs)(jobs))


def read_probability(path: str | Path, grid: Grid) -> np.ndarray:
    """The probability of tumour in each voxel, (z, y, x) floating, in [0, 1].

    A .npy file has that very array, a NIfTI file lies on the grid of its CT.

    Raises:
        InputError: The file cannot be read, or has something that is no probability.
        GeometryError: It does not lie on `grid`.
    """
    path = Path(path)
    if is_nifti(path):
        stored = read_nifti(path)
        require_same_axial_grid(stored.grid, path, grid, "its reference")
        probability = stored.grid.to_axial(stored.voxels)
    else:
        try:
            probability = np.load(path, allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            raise InputError(f"{path} cannot be read as an array: {error}") from error
        if probability.shape != grid.axial_shape:
            raise GeometryError(
                f"{path}: expected the shape (z, y, x) {grid.axial_shape} of its reference, found {probability.shape}"
            )
    if not ((probability >= 0) & (probability <= 1)).all():
        raise InputError(
            f"{path}: expected probabilities from 0 to 1, found {probability.min():g} to {probability.max():g}"
        )
    return probability.astype(np.float32, copy=False)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected a folder of probabilities (volume-N.npy)")
    files = [path for path in sorted(folder.iterdir()) if path.suffix == ".npy" or is_nifti(path)]
    return [path for path in files if not is_hidden(path.name)]


def _stem(path: Path) -> str:
    return without_ending(path.name) if is_nifti(path) else path.stem


def _candidates(path: Path, pair: MaskPair) -> Candidates:
    return find_candidates(read_labels(pair.reference, pair.grid) == TUMOR, read_probability(path, pair.grid))
