"""The official score of LiTS, by its description and as the published program computes it.

Lesions are matched before they are scored. A prediction that bridges several reference lesions merges those that it
overlaps more than any other prediction does; then each prediction goes to the group of reference lesions that it
overlaps most, and those of one group are merged. Such a *pair* is detected where its IoU exceeds a threshold.

The published program departs from that description. `official_scores` follows the description,
`official_scores_as_published` the program, so that figures of the leaderboard can be compared. What differs:

- RVD is (|R| − |P|) / |P|, where it is (|P| − |R|) / |R| here.
- Found lesions are counted from the number of pairs, not of their reference lesions; each pair that fails subtracts the
  number of its reference lesions. The same number stands for found reference lesions and for true predictions.
- In the union of a pair stand, instead of its own predictions, those of the pair whose group has the number of this
  pair's first prediction, as long as that pair has not failed. Pairs are tested in the order of their first prediction.
- Lesions are scored only in cases in which the count of found ones is above zero.
- The largest error of tumour burden is the largest signed one, reference less prediction.
- A case without a reference lesion makes the program stop: such cases are left out of its figures.

Both give an object that is missing a Dice of 0, a VOE of 1, and 9001 for RVD and distances, and a case with neither
lesions nor predicted ones a Dice of 1. Precision over no predicted lesion and recall over no reference lesion are 0.

After Bilic et al., The Liver Tumor Segmentation Benchmark (LiTS), and the challenge's evaluation,
https://github.com/PatrickChrist/LITS-CHALLENGE.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lits_toolkit.metrics.boxes import joint_box
from lits_toolkit.metrics.comparison import Comparison, compare_masks
from lits_toolkit.metrics.lesions import Lesions, shared_voxels
from lits_toolkit.metrics.overlap import Overlap
from lits_toolkit.metrics.surface import Spacing, SurfaceDistances, surface_distances

MISSING = 9001.0
"""For RVD, distances and tumour burden where an object is missing."""
THRESHOLDS = (0.0, 0.5)
"""A pair is detected where its IoU exceeds this; lesions are scored where it exceeds the last."""
MEASURES = ("dice", "jaccard", "voe", "rvd", "assd", "rmsd", "msd")


@dataclass(frozen=True)
class Pair:
    """A group of reference lesions with the predicted lesions that go to it. Numbers are from 1."""

    references: tuple[int, ...]
    predictions: tuple[int, ...]
    overlap: Overlap

    @property
    def iou(self) -> float:
        """Of all its reference lesions and all its predicted ones."""
        return self.overlap.jaccard


@dataclass(frozen=True)
class ObjectScore:
    """How well one object is segmented; distances in mm."""

    dice: float
    jaccard: float
    voe: float
    rvd: float
    """(|P| − |R|) / |R|."""
    rvd_as_published: float
    """(|R| − |P|) / |P|."""
    assd: float
    rmsd: float
    msd: float
    """The largest of both directions."""


ABSENT = ObjectScore(0.0, 0.0, 1.0, MISSING, MISSING, MISSING, MISSING, MISSING)
"""Of an object that is missing."""


@dataclass(frozen=True)
class OfficialCase:
    """What one case adds to the official scores."""

    lesions: int
    predicted_lesions: int
    pairs: tuple[Pair, ...]
    pair_scores: tuple[ObjectScore, ...]
    """Of each pair that either way of counting takes for detected at the last threshold; ABSENT for the others."""
    detected_as_published: dict[float, tuple[bool, ...]] = field(repr=False)
    """Threshold → of each pair, whether the program leaves it."""
    tumor: Overlap
    liver: Overlap
    """Of mask ≥ 1."""
    liver_score: ObjectScore
    burden: float
    """Tumour voxels of the reference to those of its liver (mask ≥ 1); NaN without a liver."""
    predicted_burden: float
    """Likewise of the prediction; 9001 where it has no liver."""
    liver_is_missing: bool
    """Whether reference or prediction have no voxel of the label 1, as the program asks."""

    def detected(self, threshold: float) -> tuple[int, int]:
        """The reference lesions and the predicted ones in pairs whose IoU exceeds the threshold."""
        pairs = [pair for pair in self.pairs if pair.iou > threshold]
        return sum(len(pair.references) for pair in pairs), sum(len(pair.predictions) for pair in pairs)

    def found_as_published(self, threshold: float) -> int:
        """How many lesions the program counts as found; below zero at times."""
        kept = self.detected_as_published[threshold]
        return len(self.pairs) - sum(
            len(pair.references) for pair, stays in zip(self.pairs, kept, strict=True) if not stays
        )


def score_official(reference: np.ndarray, prediction: np.ndarray, spacing_mm: Spacing) -> OfficialCase:
    """Score one case.

    Args:
        reference: (x, y, z) mask of the expert *in the order of its NIfTI file*, 0 background, 1 liver, 2 tumour:
            lesions are numbered along it, and where two overlap alike the smaller number decides.
        prediction: The predicted mask, likewise.
        spacing_mm: Distance of neighbouring voxels along the three axes.

    Raises:
        GeometryError: The masks are not three-dimensional or differ in shape, or a spacing is not positive.
    """
    return official_case(compare_masks(reference, prediction, spacing_mm))


def official_case(comparison: Comparison) -> OfficialCase:
    """Score a case that is compared already, with its lesions numbered as in `score_official`."""
    expected, found, spacing_mm = comparison.expected, comparison.found, comparison.spacing_mm
    liver, tumor = comparison.liver, comparison.tumor
    shared = shared_voxels(expected, found).toarray()
    pairs = match_lesions(shared, expected.voxels, found.voxels)
    detected = {threshold: _detected_as_published(pairs, shared, threshold) for threshold in THRESHOLDS}
    scored = [pair.iou > THRESHOLDS[-1] or stays for pair, stays in zip(pairs, detected[THRESHOLDS[-1]], strict=True)]
    # what is liver and not tumour has the label 1
    predicted = liver.prediction > tumor.prediction
    missing = not predicted or liver.reference == tumor.reference
    return OfficialCase(
        lesions=len(expected),
        predicted_lesions=len(found),
        pairs=tuple(pairs),
        pair_scores=tuple(
            _score_pair(pair, expected, found, spacing_mm) if score else ABSENT
            for pair, score in zip(pairs, scored, strict=True)
        ),
        detected_as_published=detected,
        tumor=tumor,
        liver=liver,
        liver_score=ABSENT if missing else _object_score(liver, comparison.liver_distances),
        burden=tumor.reference / liver.reference if liver.reference else math.nan,
        predicted_burden=tumor.prediction / liver.prediction if predicted else MISSING,
        liver_is_missing=missing,
    )


def match_lesions(shared: np.ndarray, reference_voxels: np.ndarray, predicted_voxels: np.ndarray) -> list[Pair]:
    """Pair groups of reference lesions with the predicted lesions that go to them.

    Args:
        shared: (reference lesions, predicted lesions): the voxels that two have in common.
        reference_voxels: (reference lesions,) the size of each.
        predicted_voxels: (predicted lesions,) likewise.

    Returns:
        The pairs, in the order of their first predicted lesion. Lesions without overlap are in none.
    """
    if not shared.any():
        return []
    touched = np.flatnonzero(shared.any(axis=1))
    best_prediction = shared[touched].argmax(axis=1)  # the smaller number where two overlap alike
    groups = [touched[best_prediction == prediction] for prediction in np.unique(best_prediction)]
    groups.sort(key=lambda group: int(group[0]))
    by_group = np.array([shared[group].sum(axis=0) for group in groups])
    going = np.flatnonzero(shared.any(axis=0))
    goes_to = by_group[:, going].argmax(axis=0)
    pairs = []
    for number, group in enumerate(groups):
        predictions = going[goes_to == number]
        if len(predictions):
            overlap = Overlap(
                reference=int(reference_voxels[group].sum()),
                prediction=int(predicted_voxels[predictions].sum()),
                intersection=int(by_group[number, predictions].sum()),
            )
            pairs.append(Pair(_numbers(group), _numbers(predictions), overlap))
    return sorted(pairs, key=lambda pair: pair.predictions[0])


def official_scores(cases: Sequence[OfficialCase]) -> dict[str, Any]:
    """The official score by its description, under the names of the challenge.

    A mean over nothing is NaN; precision without a predicted lesion and recall without a reference lesion are 0.
    """
    last = THRESHOLDS[-1]
    lesions = [
        score for case in cases for pair, score in zip(case.pairs, case.pair_scores, strict=True) if pair.iou > last
    ]
    counts = {}
    for threshold in THRESHOLDS:
        detected = [case.detected(threshold) for case in cases]
        counts[threshold] = _counts(cases, sum(found for found, _ in detected), sum(true for _, true in detected))
    burdens = np.array([case.burden - case.predicted_burden for case in cases])
    return {
        **_detection(counts),
        **_means("lesion", lesions, "rvd"),
        **_dice("lesion", [case.tumor for case in cases], [case.tumor.dice_per_case for case in cases]),
        **_liver(cases, "rvd"),
        "RMSE_Tumorburden": _root_mean_square(burdens),
        "MAXERROR_Tumorburden": float(np.abs(burdens).max()) if len(burdens) else math.nan,
        "counts": _by_text(counts),
        "cases": len(cases),
        "cases_without_liver": sum(case.liver_is_missing for case in cases),
        "cases_without_reference_lesion": sum(case.lesions == 0 for case in cases),
    }


def official_scores_as_published(cases: Sequence[OfficialCase]) -> dict[str, Any]:
    """The official score as the published program computes it; cases without a reference lesion are left out."""
    left_out = sum(case.lesions == 0 for case in cases)
    cases = [case for case in cases if case.lesions]
    last = THRESHOLDS[-1]
    lesions = [
        score
        for case in cases
        if case.found_as_published(last) > 0
        for score, stays in zip(case.pair_scores, case.detected_as_published[last], strict=True)
        if stays
    ]
    counts = {}
    for threshold in THRESHOLDS:
        found = sum(case.found_as_published(threshold) for case in cases)
        counts[threshold] = _counts(cases, found, found)
    burdens = np.array([case.burden - case.predicted_burden for case in cases])
    return {
        **_detection(counts),
        **_means("lesion", lesions or ([ABSENT] if cases else []), "rvd_as_published"),
        **_dice("lesion", [case.tumor for case in cases], [case.tumor.dice_per_case for case in cases]),
        **_liver(cases, "rvd_as_published"),
        "RMSE_Tumorburden": _root_mean_square(burdens),
        "MAXERROR_Tumorburden": float(burdens.max()) if len(burdens) else math.nan,
        "counts": _by_text(counts),
        "cases": len(cases),
        "cases_without_liver": sum(case.liver_is_missing for case in cases),
        "cases_left_out": left_out,
    }


def _detected_as_published(pairs: Sequence[Pair], shared: np.ndarray, threshold: float) -> tuple[bool, ...]:
    """Of each pair, whether the program's test leaves it; `pairs` are in the order in which it tests them."""
    standing = {pair.references[0]: pair for pair in pairs}
    stays = []
    for pair in pairs:
        # it looks for its predictions under their own first number, where those of another group may stand
        other = standing.get(pair.predictions[0])
        voxels = common = 0
        if other is not None:
            voxels = other.overlap.prediction
            common = int(shared[np.ix_(_indices(pair.references), _indices(other.predictions))].sum())
        union = voxels + pair.overlap.reference - common
        stays.append(pair.overlap.intersection / union > threshold)
        if not stays[-1]:
            del standing[pair.references[0]]
    return tuple(stays)


def _score_pair(pair: Pair, expected: Lesions, found: Lesions, spacing_mm: Spacing) -> ObjectScore:
    boxes = [expected.boxes[index] for index in _indices(pair.references)]
    boxes += [found.boxes[index] for index in _indices(pair.predictions)]
    box = joint_box(*boxes)
    references, predictions = (
        np.isin(expected.labels[box], pair.references),
        np.isin(found.labels[box], pair.predictions),
    )
    return _object_score(pair.overlap, surface_distances(references, predictions, spacing_mm))


def _object_score(overlap: Overlap, distances: SurfaceDistances) -> ObjectScore:
    return ObjectScore(
        dice=overlap.dice,
        jaccard=overlap.jaccard,
        voe=overlap.voe,
        rvd=overlap.rvd,
        rvd_as_published=(overlap.reference - overlap.prediction) / overlap.prediction,
        assd=distances.assd_mm,
        rmsd=distances.rmsd_mm,
        msd=distances.mssd_mm,
    )


def _counts(cases: Sequence[OfficialCase], found: int, true_predictions: int) -> dict[str, int]:
    return {
        "TP": found,
        "TP_predicted": true_predictions,
        "FP": sum(case.predicted_lesions for case in cases) - true_predictions,
        "FN": sum(case.lesions for case in cases) - found,
    }


def _detection(counts: dict[float, dict[str, int]]) -> dict[str, float]:
    scores = {}
    for threshold, ending in zip(THRESHOLDS, ("_greater_zero", ""), strict=True):
        counted = counts[threshold]
        predicted, expected = counted["TP_predicted"] + counted["FP"], counted["TP"] + counted["FN"]
        scores[f"lesion_precision{ending}"] = counted["TP_predicted"] / predicted if predicted else 0.0
        scores[f"lesion_recall{ending}"] = counted["TP"] / expected if expected else 0.0
    return scores


def _means(region: str, scores: Sequence[ObjectScore], rvd: str) -> dict[str, float]:
    """The mean of each measure over objects; `rvd` says which of the two is meant."""
    return {
        f"{region}_{measure}": _mean([getattr(score, rvd if measure == "rvd" else measure) for score in scores])
        for measure in MEASURES
    }


def _dice(region: str, overlaps: Sequence[Overlap], per_case: Sequence[float]) -> dict[str, float]:
    total = sum(overlaps, start=Overlap(0, 0, 0))
    return {f"{region}_dice_per_case": _mean(per_case), f"{region}_dice_global": total.dice}


def _liver(cases: Sequence[OfficialCase], rvd: str) -> dict[str, float]:
    # a missing liver has Dice 0, and adds to the global Dice what the reference has
    overlaps = [Overlap(case.liver.reference, 0, 0) if case.liver_is_missing else case.liver for case in cases]
    scores = [case.liver_score for case in cases]
    return _means("liver", scores, rvd) | _dice("liver", overlaps, [score.dice for score in scores])


def _by_text(counts: dict[float, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {f"{threshold:g}": counted for threshold, counted in counts.items()}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else math.nan


def _numbers(indices: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) + 1 for index in indices)


def _indices(numbers: Sequence[int]) -> list[int]:
    return [number - 1 for number in numbers]
