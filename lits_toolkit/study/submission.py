"""A LiTS submission: one flat zip of test-segmentation-N.nii and nothing else, checked before and after it is packed.

Each mask is written as uint8 on its test volume's own grid, with its header. No more than one case is in memory.
"""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from lits_toolkit.data.case import CaseFiles, Grid
from lits_toolkit.data.folders import listed
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.nifti import decode_nifti, encode_mask, without_ending
from lits_toolkit.data.reading import read_grid, require_same_grid
from lits_toolkit.errors import InputError, LitsError, OutputError
from lits_toolkit.files import replacing
from lits_toolkit.study.numbers import case_key, case_keys
from lits_toolkit.study.pairs import (
    find_masks,
    read_labels,
    require_counterparts,
    require_one_file_each,
    require_same_axial_grid,
)


@dataclass(frozen=True, eq=False)
class Entry:
    """A mask of the zip."""

    name: str
    """Its file name there."""
    prediction: Path
    grid: Grid
    """The test volume's."""


def pack_submission(
    predictions: str | Path, volumes: str | Path, output: str | Path, *, overwrite: bool = False
) -> list[str]:
    """Pack a submission to the LiTS challenge; where a check fails no zip is written.

    Checked before: a prediction for each test volume and no other, on its grid, with the labels 0, 1 and 2. Checked
    after, on what is read back from the zip: names, checksums, shapes, affines and every voxel.

    Args:
        predictions: Folder of masks, named by any convention of `study.numbers`.
        volumes: The test volumes, test-volume-N.nii; where there are others beside them, those count alone. Where no
            volume is called so, every volume counts, by its number.
        output: The zip.
        overwrite: Replace a zip that is there.

    Returns:
        The names in the zip.

    Raises:
        InputError: A prediction is missing, one is too many, a volume has no number, a file cannot be read, or a
            label is not 0, 1 or 2.
        GeometryError: A prediction's shape or affine is not its volume's.
        OutputError: `output` is there already or no zip, cannot be written, or is not what was packed when read back.
    """
    output = Path(output)
    if output.suffix.lower() != ".zip":
        raise OutputError(f"expected a name that ends in .zip for the submission, found {output}")
    if output.is_dir():
        raise OutputError(f"{output} is a folder: expected the name of a zip for the submission")
    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists already: give another name, or --overwrite")
    entries = _entries(Path(predictions), Path(volumes))
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with replacing(output) as partial:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in track(entries, "packing", console=console, transient=True, disable=hidden):
                mask = encode_mask(read_labels(entry.prediction), entry.grid, entry.prediction)
                archive.writestr(zipfile.ZipInfo(entry.name), mask, zipfile.ZIP_DEFLATED)
        try:
            with zipfile.ZipFile(partial) as archive:
                _require_names(archive, entries)
                for entry in track(entries, "reading back", console=console, transient=True, disable=hidden):
                    _require_same_mask(archive, entry)
        except (LitsError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise OutputError(f"{output} was not written, since what was packed reads back wrong: {error}") from error
    return [entry.name for entry in entries]


def _entries(predictions: Path, volumes: Path) -> list[Entry]:
    """What belongs into the zip, each prediction on its volume's grid."""
    cases = _test_cases(volumes)
    files = find_masks(predictions)
    keys, found = case_keys([case.name for case in cases], [without_ending(path.name) for path in files])
    require_one_file_each(volumes, keys, [case.volume for case in cases])
    masks = require_one_file_each(predictions, found, files)
    missing = [case.name for key, case in zip(keys, cases, strict=True) if key not in masks]
    extra = [path.name for key, path in masks.items() if key not in keys]
    require_counterparts(
        {f"{predictions} has no prediction for": missing, f"{volumes} has no test volume for": extra},
        "a submission has one mask for each test volume and nothing else",
    )
    entries = []
    for key, case in zip(keys, cases, strict=True):
        grid, prediction = read_grid(case.volume, case.series), masks[key]
        require_same_axial_grid(read_grid(prediction), prediction, grid, f"its volume {case.volume}")
        entries.append(Entry(f"test-segmentation-{key.id}.nii", prediction, grid))
    return entries


def _test_cases(volumes: Path) -> list[CaseFiles]:
    cases = find_cases(volumes)
    cases = [case for case in cases if case_key(case.name).test] or cases
    unnumbered = [case.name for case in cases if case_key(case.name).test is None]
    if unnumbered:
        raise InputError(f"{volumes}: expected test volumes named test-volume-N.nii, found {listed(unnumbered)}")
    return cases


def _require_names(archive: zipfile.ZipFile, entries: Sequence[Entry]) -> None:
    expected, found = [entry.name for entry in entries], archive.namelist()
    if found != expected:
        raise OutputError(f"expected the names {', '.join(expected)}, found {', '.join(found)}")


def _require_same_mask(archive: zipfile.ZipFile, entry: Entry) -> None:
    """OutputError, or what reading raises, unless an entry is its prediction on its volume's grid."""
    stored = decode_nifti(archive.read(entry.name), entry.name)  # zipfile holds the checksum
    require_same_grid(stored.grid, entry.grid, entry.name)
    if stored.voxels.dtype != np.uint8:
        raise OutputError(f"{entry.name}: expected voxels of type uint8, found {stored.voxels.dtype}")
    expected = read_labels(entry.prediction)
    different = np.count_nonzero(stored.grid.to_axial(stored.voxels) != expected)
    if different:
        raise OutputError(f"{entry.name}: {different} voxels differ from {entry.prediction}")
