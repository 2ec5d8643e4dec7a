"""All measures of one case and of each of its lesions: two tables' rows from one comparison of two masks."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lits_toolkit.data.case import Grid
from lits_toolkit.metrics.comparison import Comparison, compare_masks
from lits_toolkit.metrics.lesions import LesionScore, scan_order, score_lesions
from lits_toolkit.metrics.official import THRESHOLDS, OfficialCase, official_case
from lits_toolkit.metrics.overlap import Overlap
from lits_toolkit.metrics.surface import Spacing, SurfaceDistances

DETECTION = dict(zip(THRESHOLDS, ("iou0", "iou50"), strict=True))
"""IoU that a pair has to exceed to be detected → how the columns of that detection end."""
OVERLAPS = ("jaccard", "voe", "rvd")
DISTANCES = ("assd_mm", "rmsd_mm", "mssd_mm")
MEASURES = ("dice", *OVERLAPS, *DISTANCES)

CASE_COLUMNS = (
    "case",
    *(
        f"{region}_{column}"
        for region in ("liver", "tumor")
        for column in ("reference_voxels", "prediction_voxels", "intersection_voxels", *MEASURES)
    ),
    "tumor_burden_reference", "tumor_burden_prediction", "lesions", "lesions_predicted", "mean_lesion_voxels",
    *(
        f"{column}_{ending}"
        for ending in DETECTION.values()
        for column in ("lesions_found", "predictions_true", "lesion_recall", "lesion_precision")
    ),
)  # fmt: skip
LESION_COLUMNS = (
    "case", "kind", "lesion", "size_group", "voxels", "volume_ml", "matched_voxels", "intersection_voxels",
    *MEASURES, "detected", "pair_iou", *(f"detected_{ending}" for ending in DETECTION.values()), "z", "y", "x",
)  # fmt: skip

Row = dict[str, Any]


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
    case, lesions, _ = _score(name, compare_masks(reference, prediction, spacing_mm), as_stored=np.asarray)
    return case, lesions


def score_on_grid(
    name: str, reference: np.ndarray, prediction: np.ndarray, grid: Grid
) -> tuple[Row, list[Row], OfficialCase]:
    """Score one predicted mask on its file's grid, along whose own axes the official score numbers the lesions.

    Takes axial masks and raises as `score_case` does, whose rows it returns with what the case adds to the official
    scores.
    """
    return _score(name, compare_masks(reference, prediction, grid.spacing_mm), as_stored=grid.from_axial)


def _score(
    name: str, comparison: Comparison, as_stored: Callable[[np.ndarray], np.ndarray]
) -> tuple[Row, list[Row], OfficialCase]:
    order = scan_order(as_stored(comparison.expected.labels))
    official = official_case(comparison.renumbered(order, scan_order(as_stored(comparison.found.labels))))
    pair_iou = np.zeros(len(order) + 1)
    for pair in official.pairs:
        pair_iou[order[[number - 1 for number in pair.references]]] = pair.iou
    scores = score_lesions(comparison.expected, comparison.found, comparison.spacing_mm)
    return _case_row(name, comparison, official), [_lesion_row(name, s, comparison, pair_iou) for s in scores], official


def _case_row(name: str, comparison: Comparison, official: OfficialCase) -> Row:
    liver, tumor, voxels = comparison.liver, comparison.tumor, comparison.expected.voxels
    return {
        "case": name,
        **_region("liver", liver, comparison.liver_distances),
        **_region("tumor", tumor, comparison.tumor_distances),
        "tumor_burden_reference": _ratio(tumor.reference, liver.reference),
        "tumor_burden_prediction": _ratio(tumor.prediction, liver.prediction),
        "lesions": official.lesions,
        "lesions_predicted": official.predicted_lesions,
        "mean_lesion_voxels": float(voxels.mean()) if len(voxels) else math.nan,
        **{key: value for threshold in DETECTION for key, value in _detection(official, threshold).items()},
    }


def _region(region: str, overlap: Overlap, distances: SurfaceDistances) -> Row:
    return {
        f"{region}_reference_voxels": overlap.reference,
        f"{region}_prediction_voxels": overlap.prediction,
        f"{region}_intersection_voxels": overlap.intersection,
        f"{region}_dice": overlap.dice_per_case,
        **{f"{region}_{measure}": getattr(overlap, measure) for measure in OVERLAPS},
        **{f"{region}_{measure}": getattr(distances, measure) for measure in DISTANCES},
    }


def _detection(official: OfficialCase, threshold: float) -> Row:
    found, true = official.detected(threshold)
    ending = DETECTION[threshold]
    return {
        f"lesions_found_{ending}": found,
        f"predictions_true_{ending}": true,
        f"lesion_recall_{ending}": _ratio(found, official.lesions),
        f"lesion_precision_{ending}": _ratio(true, official.predicted_lesions),
    }


def _lesion_row(case: str, score: LesionScore, comparison: Comparison, pair_iou: np.ndarray) -> Row:
    z, y, x = (float(place + start) for place, start in zip(score.centroid, comparison.corner, strict=True))
    iou = float(pair_iou[score.lesion]) if score.kind == "reference" else math.nan
    return {
        "case": case,
        "kind": score.kind,
        "lesion": score.lesion,
        "size_group": score.size_group,
        "voxels": score.voxels,
        "volume_ml": score.voxels * float(np.prod(comparison.spacing_mm)) / 1000,
        "matched_voxels": score.matched_voxels,
        "intersection_voxels": score.intersection_voxels,
        "dice": score.dice,
        **{measure: getattr(score.overlap, measure) for measure in OVERLAPS},
        **{measure: getattr(score, measure) for measure in DISTANCES},
        "detected": score.detected,
        "pair_iou": iou,
        **{f"detected_{ending}": iou > threshold for threshold, ending in DETECTION.items()},
        "z": z,
        "y": y,
        "x": x,
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
