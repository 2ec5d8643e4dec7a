"""The figures over the cases of two score tables, each with its rule in words."""

from typing import Any

import numpy as np
import pandas as pd

from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.metrics.overlap import Overlap
from lits_toolkit.study.case_scores import DETECTION, DISTANCES, MEASURES, OVERLAPS

_NEITHER_EMPTY = "mean over the cases in which neither mask is empty"
RULES = {
    "dice_per_case": "mean over cases; 1 where reference and prediction are both empty, 0 where one of them is",
    "dice_global": "from the voxels of all cases together",
    "jaccard_per_case": "mean over the cases in which either mask has a voxel",
    "voe_per_case": "1 − Jaccard, likewise",
    "rvd_per_case": "(|P| − |R|) / |R|, mean over the cases whose reference has a voxel",
    "assd_mm_per_case": f"mean distance of both surfaces, {_NEITHER_EMPTY}",
    "rmsd_mm_per_case": "root mean square distance, likewise",
    "mssd_mm_per_case": "largest distance, likewise",
    "tumor_burden": "tumour voxels / liver voxels (tumours included), over the cases in which both masks have a liver",
    "tumor_detection": "lesions after LiTS's merging, found where a pair's IoU exceeds this; from sums over the cases",
    "tumor_lesions": "mean over reference lesions, unmerged; a miss has Dice 0, VOE 1, RVD −1 and no distance",
    "hits": "reference lesions with a predicted voxel; a false alarm overlaps no reference lesion and has its own size",
}
"""What a figure is a mean over, and what becomes of empty masks."""


def summarize(cases: pd.DataFrame, lesions: pd.DataFrame) -> dict[str, Any]:
    """The figures over the cases of two score tables; NaN for a mean over nothing.

    Returns:
        - "cases";
        - "liver" and "tumor": each measure's mean over the cases ("dice_per_case", "voe_per_case", …), those of all
          voxels together ("dice_global", …), how many cases have a distance, and in how many the reference has none;
        - "tumor_detection": under "0" and "0.5", which the IoU has to exceed, recall, precision and their counts;
        - "tumor_burden": root mean square and largest absolute error, and over how many cases;
        - "tumor_by_size_group": the means over the reference lesions of each group, how many these are, how many have
          any voxel predicted ("detected") or are found by IoU, and the false alarms of that size;
        - "tumor_lesions": the same over all sizes;
        - "empty_cases" and "rules": the rules in words.
    """
    groups = {group: lesions[lesions["size_group"] == group] for group in SIZE_GROUPS}
    return {
        "cases": len(cases),
        "liver": _summarize_region(cases, "liver"),
        "tumor": _summarize_region(cases, "tumor"),
        "tumor_detection": {f"{threshold:g}": _summarize_detection(cases, end) for threshold, end in DETECTION.items()},
        "tumor_burden": _summarize_burden(cases),
        "tumor_by_size_group": {group: _summarize_lesions(own) for group, own in groups.items()},
        "tumor_lesions": _summarize_lesions(lesions),
        "empty_cases": empty_case_rule(cases),
        "rules": RULES,
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


def _summarize_region(cases: pd.DataFrame, region: str) -> dict[str, Any]:
    counts = [cases[f"{region}_{part}_voxels"].sum() for part in ("reference", "prediction", "intersection")]
    together = Overlap(*map(int, counts))
    return {
        **{f"{measure}_per_case": float(cases[f"{region}_{measure}"].mean()) for measure in MEASURES},
        **{f"{measure}_global": getattr(together, measure) for measure in ("dice", *OVERLAPS)},
        "cases_with_distance": int(cases[f"{region}_{DISTANCES[0]}"].notna().sum()),
        f"cases_without_{region}": int((cases[f"{region}_reference_voxels"] == 0).sum()),
    }


def _summarize_detection(cases: pd.DataFrame, ending: str) -> dict[str, Any]:
    columns = ("lesions", "lesions_predicted", f"lesions_found_{ending}", f"predictions_true_{ending}")
    lesions, predicted, found, true = (int(cases[column].sum()) for column in columns)
    return {
        "recall": found / lesions if lesions else np.nan,
        "precision": true / predicted if predicted else np.nan,
        "lesions": lesions,
        "lesions_found": found,
        "lesions_predicted": predicted,
        "predictions_true": true,
    }


def _summarize_burden(cases: pd.DataFrame) -> dict[str, Any]:
    errors = (cases["tumor_burden_prediction"] - cases["tumor_burden_reference"]).dropna()
    return {
        "rmse": float(np.sqrt((errors**2).mean())),
        "max_error": float(errors.abs().max()),
        "cases": len(errors),
    }


def _summarize_lesions(lesions: pd.DataFrame) -> dict[str, Any]:
    own = lesions[lesions["kind"] == "reference"]
    return {
        **{measure: float(own[measure].mean()) for measure in MEASURES},
        "lesions": len(own),
        "detected": int(own["detected"].sum()),
        **{f"detected_{ending}": int(own[f"detected_{ending}"].sum()) for ending in DETECTION.values()},
        "false_alarms": int((lesions["kind"] == "false alarm").sum()),
    }
