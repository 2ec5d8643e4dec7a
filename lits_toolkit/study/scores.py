"""Scores of predicted masks against reference masks: per case, per lesion, and over the cohort.

`score_case` takes arrays, `evaluate` files. Both tables are tidy and hold all that `summarize` needs, so that a
subset of the cases is summarised by filtering the tables. A score's rule for empty masks is `empty_case_rule`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from lits_toolkit.data.case import LIVER, TUMOR, Case, Grid
from lits_toolkit.data.reading import read_mask
from lits_toolkit.errors import InputError, OutputError
from lits_toolkit.files import output_folder, read_json, replacing, write_json
from lits_toolkit.metrics.boxes import bounding_box
from lits_toolkit.metrics.lesions import SIZE_GROUPS, LesionScore, find_lesions, score_lesions
from lits_toolkit.metrics.official import (
    OfficialCase,
    official_scores,
    official_scores_as_published,
    score_official,
)
from lits_toolkit.metrics.overlap import Overlap, count_overlap
from lits_toolkit.metrics.surface import Spacing, surface_distances
from lits_toolkit.study.pairs import MaskPair, pair_masks
from lits_toolkit.study.workspace import Workspace

CASE_COLUMNS = (
    "case", "liver_reference_voxels", "liver_prediction_voxels", "liver_intersection_voxels", "liver_dice",
    "liver_voe", "liver_rvd", "liver_assd_mm", "tumor_reference_voxels", "tumor_prediction_voxels",
    "tumor_intersection_voxels", "tumor_dice", "tumor_voe", "tumor_rvd", "tumor_assd_mm", "lesions",
    "lesions_predicted", "mean_lesion_voxels",
)  # fmt: skip
LESION_COLUMNS = (
    "case", "kind", "lesion", "size_group", "voxels", "volume_ml", "matched_voxels", "intersection_voxels",
    "dice", "detected", "z", "y", "x",
)  # fmt: skip
OFFICIAL, OFFICIAL_AS_PUBLISHED = "official.json", "official_as_published.json"
_FILES = ("cases.csv", "lesions.csv", "summary.json", OFFICIAL, OFFICIAL_AS_PUBLISHED)

Row = dict[str, Any]
Scored = tuple[Row, list[Row], OfficialCase]
"""A case's row, its lesions' rows, and what it adds to the official scores."""


@dataclass(frozen=True, eq=False)
class Scores:
    """The score tables of one set of predictions."""

    cases: pd.DataFrame
    """One row per case, with the columns CASE_COLUMNS. Liver is mask ≥ 1. RVD is (|P| - |R|) / |R|."""
    lesions: pd.DataFrame
    """One row per reference lesion and per false alarm, with the columns LESION_COLUMNS.

    `lesion` is the component's number in its own mask, `matched_voxels` the size of the prediction that is given to
    the lesion, `detected` whether any voxel of it is found, (z, y, x) the centroid in voxels.
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
    n_jobs: int = 1,
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
        n_jobs: Cases scored at a time, each in a process of its own; -1 for as many as there are processors. The
            scores are the same for any number.

    Raises:
        InputError: A prediction or a reference is missing, or a file cannot be read as a mask.
        GeometryError: A prediction does not lie on its reference's voxel grid. Nothing is ever resampled.
        OutputError: `output` holds scores already, or cannot be written.
    """
    if output is not None:
        _require_no_scores(Path(output), overwrite)
    pairs = pair_masks(predictions, references, names, only_matching)
    jobs = joblib.Parallel(n_jobs=min(n_jobs, len(pairs)), return_as="generator")(
        joblib.delayed(_score_pair)(pair) for pair in pairs
    )
    console = Console(stderr=True)
    rows = list(
        track(jobs, "scoring", total=len(pairs), console=console, transient=True, disable=not console.is_terminal)
    )
    scores = _tables(rows)
    if output is not None:
        write_scores(scores, output, overwrite=overwrite)
    return scores


def evaluate_run(workspace: Workspace, run: str, *, overwrite: bool = False) -> Scores:
    """Score what a run predicted of the study's held-out cases, into the run's scores; raises as `evaluate` does."""
    if not workspace.predictions(run).is_dir():
        raise InputError(
            f"{workspace.folder} has no predictions of a run {run!r}: "
            f"`lits predict --workspace {workspace.folder} --run {run}` makes them"
        )
    return evaluate(
        workspace.predictions(run),
        workspace.data,
        workspace.scores_folder(run),
        names=workspace.held_out,
        overwrite=overwrite,
    )


def score_case(name: str, reference: np.ndarray, prediction: np.ndarray, spacing_mm: Spacing) -> tuple[Row, list[Row]]:
    """Score one predicted mask.

    Args:
        name: What the rows call the case.
        reference: (z, y, x) mask of the expert: 0 background, 1 liver, 2 tumour; of any dtype.
        prediction: (z, y, x) mask of ours, likewise.
        spacing_mm: Distance of neighbouring voxels along (z, y, x).

    Returns:
        The case's row (CASE_COLUMNS), and a row for each reference lesion and each false alarm (LESION_COLUMNS).

    Raises:
        GeometryError: The masks are not three-dimensional or differ in shape, or a spacing is not positive.
    """
    box = bounding_box(reference, prediction)
    reference, prediction = np.ascontiguousarray(reference[box]), np.ascontiguousarray(prediction[box])
    case: Row = {"case": name}
    tumor, predicted_tumor = reference == TUMOR, prediction == TUMOR
    regions = {"liver": (reference >= LIVER, prediction >= LIVER), "tumor": (tumor, predicted_tumor)}
    for region, (expected, found) in regions.items():
        overlap = count_overlap(expected, found)
        case |= {
            f"{region}_reference_voxels": overlap.reference,
            f"{region}_prediction_voxels": overlap.prediction,
            f"{region}_intersection_voxels": overlap.intersection,
            f"{region}_dice": overlap.dice_per_case,
            f"{region}_voe": overlap.voe,
            f"{region}_rvd": overlap.rvd,
            f"{region}_assd_mm": surface_distances(expected, found, spacing_mm).assd_mm,
        }
    lesions, predicted = find_lesions(tumor), find_lesions(predicted_tumor)
    case |= {
        "lesions": len(lesions),
        "lesions_predicted": len(predicted),
        "mean_lesion_voxels": float(lesions.voxels.mean()) if len(lesions) else math.nan,
    }
    corner = [side.start for side in box]
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    scores = score_lesions(lesions, predicted, spacing_mm)
    return case, [_lesion_row(name, score, corner, voxel_ml) for score in scores]


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
        rows.append(_score_masks(case.name, case.reference, mask, case.grid))
    return _tables(rows)


def summarize(cases: pd.DataFrame, lesions: pd.DataFrame) -> dict[str, Any]:
    """The figures over the cases of two score tables; NaN for a mean over nothing.

    Returns:
        "cases"; for "liver" and "tumor" the mean of the cases' Dice ("dice_per_case"), the Dice of all voxels together
        ("dice_global") and the number of cases whose reference has none; "tumor_by_size_group" with the mean Dice over
        the reference lesions of each group, their number, how many are detected, and the false alarms of that size;
        "empty_cases", the rule for empty masks in words.
    """
    references, alarms = lesions[lesions["kind"] == "reference"], lesions[lesions["kind"] == "false alarm"]
    groups = {}
    for group in SIZE_GROUPS:
        own = references[references["size_group"] == group]
        groups[group] = {
            "dice": float(own["dice"].mean()),
            "lesions": len(own),
            "detected": int(own["detected"].sum()),
            "false_alarms": int((alarms["size_group"] == group).sum()),
        }
    return {
        "cases": len(cases),
        "liver": _summarize_region(cases, "liver"),
        "tumor": _summarize_region(cases, "tumor"),
        "tumor_by_size_group": groups,
        "empty_cases": empty_case_rule(cases),
    }


def empty_case_rule(cases: pd.DataFrame) -> str:
    """What the scores say about empty masks, and how many cases that touches; printed beside the figures."""
    without = cases[cases["tumor_reference_voxels"] == 0]
    right = int((without["tumor_prediction_voxels"] == 0).sum())
    rule = (
        "Dice per case is 1 where reference and prediction are both empty and 0 where only one of them is; "
        "VOE, RVD and surface distances that an empty mask leaves undefined are NaN and left out of means."
    )
    if without.empty:
        return f"{rule} Every case here has a reference tumour."
    return (
        f"{rule} {len(without)} of {len(cases)} cases here have no reference tumour: {right} without a predicted one "
        f"(tumour Dice 1), {len(without) - right} with one (tumour Dice 0)."
    )


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
        raise InputError(f"the scores in {folder} lack the columns {', '.join(sorted(missing))}")
    lesions = lesions.astype({"detected": bool, "dice": float})
    official, published = (
        read_json(path) if path.is_file() else {}
        for path in (Path(folder) / OFFICIAL, Path(folder) / OFFICIAL_AS_PUBLISHED)
    )
    return Scores(cases, lesions, summarize(cases, lesions), official, published)


def _score_pair(pair: MaskPair) -> Scored:
    reference = _read_labels(pair.reference, pair.grid)
    return _score_masks(pair.case, reference, _read_labels(pair.prediction), pair.grid)


def _score_masks(name: str, reference: np.ndarray, prediction: np.ndarray, grid: Grid) -> Scored:
    case, lesions = score_case(name, reference, prediction, grid.spacing_mm)
    # lesions are numbered along the file's own axes
    stored = grid.from_axial(reference), grid.from_axial(prediction)
    return case, lesions, score_official(*stored, grid.stored_spacing_mm)


def _read_labels(path: Path, grid: Grid | None = None) -> np.ndarray:
    mask = read_mask(path, grid)
    if mask.max() > TUMOR:
        raise InputError(f"{path}: expected the labels 0 background, 1 liver and 2 tumour, found {mask.max()}")
    return mask


def _lesion_row(case: str, score: LesionScore, corner: list[int], voxel_ml: float) -> Row:
    z, y, x = (float(place + start) for place, start in zip(score.centroid, corner, strict=True))
    return {
        "case": case,
        "kind": score.kind,
        "lesion": score.lesion,
        "size_group": score.size_group,
        "voxels": score.voxels,
        "volume_ml": score.voxels * voxel_ml,
        "matched_voxels": score.matched_voxels,
        "intersection_voxels": score.intersection_voxels,
        "dice": score.dice,
        "detected": score.detected,
        "z": z,
        "y": y,
        "x": x,
    }


def _tables(rows: list[Scored]) -> Scores:
    cases = pd.DataFrame([case for case, _, _ in rows], columns=list(CASE_COLUMNS))
    lesions = pd.DataFrame([lesion for _, found, _ in rows for lesion in found], columns=list(LESION_COLUMNS))
    lesions = lesions.astype({"detected": bool, "dice": float})  # a cohort without a lesion has columns of no type
    official = [case for _, _, case in rows]
    return Scores(
        cases, lesions, summarize(cases, lesions), official_scores(official), official_scores_as_published(official)
    )


def _summarize_region(cases: pd.DataFrame, region: str) -> dict[str, Any]:
    counts = [cases[f"{region}_{part}_voxels"].sum() for part in ("reference", "prediction", "intersection")]
    return {
        "dice_per_case": float(cases[f"{region}_dice"].mean()),
        "dice_global": Overlap(*map(int, counts)).dice,
        f"cases_without_{region}": int((cases[f"{region}_reference_voxels"] == 0).sum()),
    }


def _require_no_scores(folder: Path, overwrite: bool) -> None:
    there = [name for name in _FILES if (folder / name).exists()]
    if there and not overwrite:
        raise OutputError(f"{folder} has scores already ({', '.join(there)}); give another folder, or --overwrite")
