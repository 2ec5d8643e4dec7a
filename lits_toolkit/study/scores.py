"""Scores of predicted masks against reference masks: per case, per lesion, and over the cohort.

`score_case` takes arrays, `evaluate` files. Both tables are tidy and hold all that `summarize` needs, so that a
subset of the cases is summarised by filtering the tables. What a figure is a mean over, and what becomes of empty
masks, is in `study.summary`: RULES and `empty_case_rule`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console
from rich.progress import track

from lits_toolkit.data.case import Case
from lits_toolkit.data.folders import listed
from lits_toolkit.data.splits import Part
from lits_toolkit.errors import InputError, OutputError, SettingError
from lits_toolkit.files import output_folder, read_json, replacing, require_writable, write_json
from lits_toolkit.metrics.official import OfficialCase, official_scores, official_scores_as_published
from lits_toolkit.study.case_scores import CASE_COLUMNS, DETECTION, LESION_COLUMNS, MEASURES, Row, score_on_grid
from lits_toolkit.study.jobs import sensible_jobs
from lits_toolkit.study.pairs import MaskPair, pair_masks, read_labels
from lits_toolkit.study.summary import summarize
from lits_toolkit.study.workspace import Workspace

OFFICIAL, OFFICIAL_AS_PUBLISHED = "official.json", "official_as_published.json"
_FILES = ("cases.csv", "lesions.csv", "summary.json", OFFICIAL, OFFICIAL_AS_PUBLISHED)

_LESION_DTYPES = {
    **dict.fromkeys(("detected", *(f"detected_{ending}" for ending in DETECTION.values())), bool),
    **dict.fromkeys((*MEASURES, "pair_iou"), float),
}

Scored = tuple[Row, list[Row], OfficialCase]
"""A case's row, its lesions' rows, and what it adds to the official scores."""


@dataclass(frozen=True, eq=False)
class Scores:
    """The score tables of one set of predictions."""

    cases: pd.DataFrame
    """One row per case, with the columns CASE_COLUMNS. Liver is mask ≥ 1. RVD is (|P| - |R|) / |R|.

    `lesions_found` and `predictions_true` count the reference and predicted lesions in the pairs of `metrics.official`
    whose IoU exceeds 0 (`_iou0`) or 0.5 (`_iou50`); recall and precision are their shares. Tumour burden is tumour
    voxels to liver voxels. What is undefined is NaN.
    """
    lesions: pd.DataFrame
    """One row per reference lesion and per false alarm, with the columns LESION_COLUMNS.

    `lesion` is the component's number in its own mask, `matched_voxels` the size of the prediction that is given to
    the lesion (`metrics.lesions.give_prediction`), against which Dice and all other measures are taken. `detected` is
    whether any voxel of it is found. `pair_iou` is the IoU of the pair that it is in by the official score's rules, 0
    where it is in none, and `detected_iou0` and `detected_iou50` say whether that exceeds 0 and 0.5. (z, y, x) is the
    centroid in voxels.
    """
    summary: dict[str, Any]
    """The figures over all cases, as `summarize` gives them."""
    official: dict[str, Any]
    """The official LiTS score by its description (`metrics.official`); empty in scores that are older."""
    official_as_published: dict[str, Any]
    """The same as the challenge's program computes it."""


def evaluate(
    predictions: str | Path,
    references: str | Path,
    output: str | Path | None = None,
    *,
    names: Iterable[str] | None = None,
    only_matching: bool = False,
    overwrite: bool = False,
    n_jobs: int | None = None,
) -> Scores:
    """Score a folder of predicted masks against a cohort's references.

    Args:
        predictions: Folder of masks named by `mask_file_name`, for example "segmentation-7.nii.gz".
        references: A cohort, or a folder of masks named alike.
        output: Where to write cases.csv, lesions.csv, summary.json, official.json and official_as_published.json; None
            writes nothing.
        names: Only these cases ("volume-7"), for example the held-out ones; None means all.
        only_matching: Score the cases that have both a prediction and a reference, instead of raising for the others.
        overwrite: Replace scores that are in `output` already.
        n_jobs: Cases scored at a time, each in a process of its own; None for as many as processors and memory allow
            (`study.jobs`). The scores are the same for any number.

    Raises:
        InputError: A prediction or a reference is missing, or a file cannot be read as a mask.
        GeometryError: A prediction does not lie on its reference's voxel grid. Nothing is ever resampled.
        OutputError: `output` holds scores already, or cannot be written; before anything is scored.
        SettingError: `n_jobs` is below 1, or so many processes have no room in the memory.
    """
    if n_jobs is not None and n_jobs < 1:
        raise SettingError(f"expected 1 or more jobs, found {n_jobs}")
    if output is not None:
        _require_no_scores(Path(output), overwrite)
        require_writable(output)
    pairs = pair_masks(predictions, references, names, only_matching)
    n_jobs = n_jobs or sensible_jobs([pair.voxels for pair in pairs])
    jobs = joblib.Parallel(n_jobs=min(n_jobs, len(pairs)), return_as="generator")(
        joblib.delayed(_score_pair)(pair) for pair in pairs
    )
    console = Console(stderr=True)
    bar = track(jobs, "scoring", total=len(pairs), console=console, transient=True, disable=not console.is_terminal)
    try:
        rows = list(bar)
    except TerminatedWorkerError as error:
        raise SettingError(
            f"the system ended a process, most likely since {n_jobs} cases at a time need more memory than there is: "
            "take fewer --jobs"
        ) from error
    scores = _tables(rows)
    if output is not None:
        write_scores(scores, output, overwrite=overwrite)
    return scores


def evaluate_run(
    workspace: Workspace, run: str, *, part: Part = "held-out", overwrite: bool = False, n_jobs: int | None = None
) -> Scores:
    """Score what a run predicted of a part of the study's cases, into the run's scores; raises as `evaluate` does."""
    if not workspace.predictions(run).is_dir():
        others = listed(path.name for path in workspace.predictions(run).parent.glob("*/"))
        raise InputError(
            f"{workspace.folder} has no predictions of a run {run!r}{f', but of {others}' if others else ''}: "
            f"`lits predict --workspace {workspace.folder} --run {run}` makes them"
        )
    if not overwrite and _scores_in(workspace.scores_folder(run)):
        raise OutputError(f"{workspace.scores_folder(run)} has scores already: --overwrite scores the run anew")
    return evaluate(
        workspace.predictions(run),
        workspace.data,
        workspace.scores_folder(run),
        names=workspace.names_of(part),
        overwrite=overwrite,
        n_jobs=n_jobs,
    )


def score_masks(cases: Sequence[Case], masks: Sequence[np.ndarray]) -> Scores:
    """Score masks in memory, one for each case.

    Args:
        cases: Cases with a reference.
        masks: For each case its (z, y, x) predicted mask.

    Raises:
        InputError: There is not one mask for each case, or a case has no reference.
        GeometryError: A mask has not its case's shape.
    """
    if len(cases) != len(masks):
        raise InputError(f"expected one mask for each of {len(cases)} cases, found {len(masks)}")
    rows = []
    for case, mask in zip(cases, masks, strict=True):
        if case.reference is None:
            raise InputError(f"{case.name} has no reference to score a mask against")
        rows.append(score_on_grid(case.name, case.reference, mask, case.grid))
    return _tables(rows)


def write_scores(scores: Scores, folder: str | Path, *, overwrite: bool = False) -> None:
    """Write the tables, the summary and the official scores; OutputError if any is there, unless `overwrite`."""
    folder = output_folder(folder)
    _require_no_scores(folder, overwrite)
    for table, name in ((scores.cases, "cases.csv"), (scores.lesions, "lesions.csv")):
        with replacing(folder / name) as partial:
            table.to_csv(partial, index=False, na_rep="NaN")
    write_json(folder / "summary.json", scores.summary)
    write_json(folder / OFFICIAL, scores.official)
    write_json(folder / OFFICIAL_AS_PUBLISHED, scores.official_as_published)


def read_scores(folder: str | Path) -> Scores:
    """Read the tables that `evaluate` wrote; InputError if they are not there."""
    try:
        cases, lesions = (pd.read_csv(Path(folder) / name) for name in ("cases.csv", "lesions.csv"))
    except FileNotFoundError as error:
        raise InputError(f"no scores in {folder}: {error.filename} is missing; write it by lits evaluate") from error
    except (OSError, ValueError) as error:
        raise InputError(f"the scores in {folder} cannot be read: {error}") from error
    missing = [*set(CASE_COLUMNS) - set(cases), *set(LESION_COLUMNS) - set(lesions)]
    if missing:
        columns = ", ".join(sorted(missing))
        raise InputError(f"the scores in {folder} lack the columns {columns}; lits evaluate --overwrite scores anew")
    lesions = lesions.astype(_LESION_DTYPES)
    official, published = (
        read_json(path) if path.is_file() else {}
        for path in (Path(folder) / OFFICIAL, Path(folder) / OFFICIAL_AS_PUBLISHED)
    )
    return Scores(cases, lesions, summarize(cases, lesions), official, published)


def read_runs(study: Workspace) -> tuple[dict[str, Scores], dict[str, str]]:
    """The scores of a study's runs by their names, and of those that cannot be read, as of older columns, why not."""
    readable, refused = {}, {}
    for run in study.runs():
        try:
            readable[run] = study.scores(run)
        except InputError as error:
            refused[run] = str(error)
    return readable, refused


def _score_pair(pair: MaskPair) -> Scored:
    reference = read_labels(pair.reference, pair.grid)
    return score_on_grid(pair.case, reference, read_labels(pair.prediction), pair.grid)


def _tables(rows: list[Scored]) -> Scores:
    cases = pd.DataFrame([case for case, _, _ in rows], columns=list(CASE_COLUMNS))
    lesions = pd.DataFrame([lesion for _, found, _ in rows for lesion in found], columns=list(LESION_COLUMNS))
    lesions = lesions.astype(_LESION_DTYPES)  # a cohort without a lesion has columns of no type
    official = [case for _, _, case in rows]
    return Scores(
        cases, lesions, summarize(cases, lesions), official_scores(official), official_scores_as_published(official)
    )


def _require_no_scores(folder: Path, overwrite: bool) -> None:
    there = _scores_in(folder)
    if there and not overwrite:
        raise OutputError(f"{folder} has scores already ({', '.join(there)}); give another folder, or --overwrite")


def _scores_in(folder: Path) -> list[str]:
    return [name for name in _FILES if (folder / name).exists()]
