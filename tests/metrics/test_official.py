"""Held against the description written out slowly, on sets of voxels, and against figures reckoned by hand."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lits_toolkit.errors import GeometryError
from lits_toolkit.metrics.official import (
    ABSENT,
    MEASURES,
    official_scores,
    official_scores_as_published,
    score_official,
)

SPACING = (0.8, 0.7, 2.5)
# labels 1 and 2 alone: a liver, and tumours so many and near that they are bridged, split, missed and invented
masks = array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=5).flatmap(
    lambda shape: st.tuples(
        arrays(np.uint8, shape, elements=st.sampled_from([1, 1, 2])),
        arrays(np.uint8, shape, elements=st.sampled_from([1, 1, 2])),
    )
)
NEIGHBOURS_6 = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
NEIGHBOURS_18 = [
    (a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1) if 1 <= abs(a) + abs(b) + abs(c) <= 2
]


def beside(voxel, steps):
    return {tuple(v + s for v, s in zip(voxel, step, strict=True)) for step in steps}


def lesions_of(mask):
    """Number from 1 → its voxels, by a scan over the array, the last axis fastest."""
    left = {tuple(map(int, place)) for place in np.argwhere(mask == 2)}
    found = {}
    while left:
        frontier, lesion = {min(left)}, set()
        while frontier:
            lesion |= frontier
            left -= frontier
            frontier = {n for voxel in frontier for n in beside(voxel, NEIGHBOURS_6)} & left
        found[len(found) + 1] = lesion
    return found


def matched(expected, found):
    """Word by word: [(numbers of reference lesions, numbers of predicted ones)], in the order of the first of these."""
    merged_with = {reference: reference for reference in expected}
    for prediction in found:
        bridged = [reference for reference in expected if expected[reference] & found[prediction]]
        most = [
            reference
            for reference in bridged
            if prediction == max(found, key=lambda p: (len(expected[reference] & found[p]), -p))
        ]
        for reference in most:
            merged_with[reference] = min(most)
    groups = {}
    for reference, first in merged_with.items():
        groups.setdefault(first, []).append(reference)
    goes_to = {}
    for prediction, voxels in found.items():
        overlaps = {first: sum(len(expected[r] & voxels) for r in group) for first, group in groups.items()}
        best = max(overlaps, key=lambda first: (overlaps[first], -first), default=None)
        if best is not None and overlaps[best]:
            goes_to.setdefault(best, []).append(prediction)
    pairs = [(groups[first], predictions) for first, predictions in goes_to.items()]
    return sorted(pairs, key=lambda pair: pair[1][0])


def union_of(lesions, numbers):
    return set().union(*(lesions[number] for number in numbers))


def border(region):
    return [voxel for voxel in region if not beside(voxel, NEIGHBOURS_18) <= region]


def in_mm(voxel):
    return [place * step for place, step in zip(voxel, SPACING, strict=True)]


def segmentation(reference, prediction):
    """The seven measures of two sets of voxels; RVD by the description."""
    both, either = len(reference & prediction), len(reference | prediction)
    borders = [[in_mm(voxel) for voxel in border(region)] for region in (reference, prediction)]
    far = [min(math.dist(place, other) for other in to) for here, to in permutations(borders) for place in here]
    return {
        "dice": 2 * both / (len(reference) + len(prediction)),
        "jaccard": both / either,
        "voe": 1 - both / either,
        "rvd": (len(prediction) - len(reference)) / len(reference),
        "assd": sum(far) / len(far),
        "rmsd": math.sqrt(sum(value**2 for value in far) / len(far)),
        "msd": max(far),
    }


def literal(cases, threshold):
    """By the description: counts, and the measures of the pairs that are detected."""
    counts, measured = dict.fromkeys(("TP", "TP_predicted", "FP", "FN"), 0), []
    for reference, prediction in cases:
        expected, found = lesions_of(reference), lesions_of(prediction)
        true, true_predictions = 0, 0
        for references, predictions in matched(expected, found):
            r, p = union_of(expected, references), union_of(found, predictions)
            if len(r & p) / len(r | p) > threshold:
                true += len(references)
                true_predictions += len(predictions)
                measured.append(segmentation(r, p))
        counts["TP"] += true
        counts["FN"] += len(expected) - true
        counts["TP_predicted"] += true_predictions
        counts["FP"] += len(found) - true_predictions
    return counts, measured


def literal_as_published(cases, threshold):
    """By the program: two arrays that are painted and erased, and a count that is lowered."""
    counts, measured = dict.fromkeys(("TP", "FP", "FN"), 0), []
    for reference, prediction in cases:
        expected, found = lesions_of(reference), lesions_of(prediction)
        pairs = matched(expected, found)
        painted = np.zeros(reference.shape, int)
        merged = np.zeros(reference.shape, int)
        for number, voxels in expected.items():
            for voxel in voxels:
                merged[voxel] = number
        for references, predictions in pairs:
            for voxel in union_of(expected, references):
                merged[voxel] = min(references)
            for voxel in union_of(found, predictions):
                painted[voxel] = min(references)
        left = len(pairs)
        for references, predictions in pairs:
            group = min(references)
            common = len(union_of(expected, references) & union_of(found, predictions))
            union = np.count_nonzero((painted == min(predictions)) | (merged == group))
            if common / union <= threshold:
                painted[painted == group] = 0
                left -= len(references)
        counts["TP"] += left
        counts["FP"] += len(found) - left
        counts["FN"] += len(expected) - left
        if left > 0:
            for group in np.unique(painted[painted > 0]):
                r, p = ({tuple(map(int, v)) for v in np.argwhere(array == group)} for array in (merged, painted))
                measured.append(segmentation(r, p) | {"rvd": (len(r) - len(p)) / len(p)})
    return counts, measured


def check(scores, counts, measured, ending, threshold):
    predicted = counts.get("TP_predicted", counts["TP"]) + counts["FP"]
    expected = counts["TP"] + counts["FN"]
    assert {key: scores["counts"][f"{threshold:g}"][key] for key in counts} == counts
    precision = counts.get("TP_predicted", counts["TP"]) / predicted if predicted else 0
    assert scores[f"lesion_precision{ending}"] == pytest.approx(precision)
    assert scores[f"lesion_recall{ending}"] == pytest.approx(counts["TP"] / expected if expected else 0)
    if threshold and measured:
        for measure in MEASURES:
            mean = sum(row[measure] for row in measured) / len(measured)
            assert scores[f"lesion_{measure}"] == pytest.approx(mean, abs=1e-9), measure


@settings(max_examples=150, deadline=None)
@given(st.lists(masks, min_size=1, max_size=2))
def test_by_the_description(cases):
    scores = official_scores([score_official(*case, SPACING) for case in cases])
    for threshold, ending in ((0.0, "_greater_zero"), (0.5, "")):
        check(scores, *literal(cases, threshold), ending, threshold)


@settings(max_examples=150, deadline=None)
@given(st.lists(masks, min_size=1, max_size=2))
def test_as_the_program_computes_it(cases):
    assume(all((reference == 2).any() for reference, _ in cases))
    scores = official_scores_as_published([score_official(*case, SPACING) for case in cases])
    for threshold, ending in ((0.0, "_greater_zero"), (0.5, "")):
        check(scores, *literal_as_published(cases, threshold), ending, threshold)


def line(text):
    """A case of one row: "." liver, "#" tumour, " " background."""
    return np.array([[[{".": 1, "#": 2, " ": 0}[letter] for letter in text]]], np.uint8)


def scored(*pairs):
    return [score_official(line(reference), line(prediction), (1.0, 1.0, 1.0)) for reference, prediction in pairs]


def test_a_bridge_merges_what_it_overlaps_most():
    (case,) = scored(("####.####..##", "#########..##"))
    assert [(pair.references, pair.predictions) for pair in case.pairs] == [((1, 2), (1,)), ((3,), (2,))]
    assert case.pairs[0].iou == 8 / 9
    scores = official_scores([case])
    assert scores["counts"]["0.5"] == {"TP": 3, "TP_predicted": 2, "FP": 0, "FN": 0}
    assert (scores["lesion_recall"], scores["lesion_precision"]) == (1, 1)
    # the program counts pairs, so that the bridged lesion is not found
    published = official_scores_as_published([case])
    assert published["counts"]["0.5"] == {"TP": 2, "TP_predicted": 2, "FP": 0, "FN": 1}
    assert published["lesion_recall"] == pytest.approx(2 / 3)


def test_a_split_lesion_is_one_pair_with_all_its_parts():
    (case,) = scored(("..########..", "..###.####.#"))
    assert [(pair.references, pair.predictions) for pair in case.pairs] == [((1,), (1, 2))]
    counts = official_scores([case])["counts"]["0.5"]
    assert counts == {"TP": 1, "TP_predicted": 2, "FP": 1, "FN": 0}


def test_the_program_looks_for_a_pairs_predictions_under_the_wrong_number():
    # reference 1 is missed, so that the numbers of references and predictions are one apart
    (case,) = scored(("##..####..####", "....##....#.##"))
    assert [(pair.references, pair.predictions) for pair in case.pairs] == [((2,), (1,)), ((3,), (2, 3))]
    description, published = official_scores([case]), official_scores_as_published([case])
    # 2 of 4 voxels is no detection at 0.5, 3 of 4 is
    assert description["counts"]["0.5"] == {"TP": 1, "TP_predicted": 2, "FP": 1, "FN": 2}
    # the second pair's union has the first one's predictions, which have failed: 3 of 4 all the same; then the count of
    # two pairs is lowered by one
    assert published["counts"]["0.5"] == {"TP": 1, "TP_predicted": 1, "FP": 2, "FN": 2}


def test_rvd_has_the_sign_and_the_divisor_of_each():
    (case,) = scored(("..####", "..###."))
    assert official_scores([case])["lesion_rvd"] == -0.25
    assert official_scores_as_published([case])["lesion_rvd"] == pytest.approx(1 / 3)
    (case,) = scored(("..####", " .####"))
    assert official_scores([case])["liver_rvd"] == pytest.approx(-1 / 6)
    assert official_scores_as_published([case])["liver_rvd"] == pytest.approx(1 / 5)


def test_dice_per_case_and_global():
    cases = scored(("..##..", "..##.."), ("..##..", "......"), ("......", "......"), ("......", ".#...."))
    scores = official_scores(cases)
    assert scores["lesion_dice_per_case"] == pytest.approx((1 + 0 + 1 + 0) / 4)
    assert scores["lesion_dice_global"] == pytest.approx(2 * 2 / (4 + 2 + 1))
    published = official_scores_as_published(cases)
    assert published["cases_left_out"] == 2
    assert published["lesion_dice_per_case"] == 0.5
    assert published["lesion_dice_global"] == pytest.approx(2 * 2 / 6)


def test_tumour_burden():
    cases = scored(("..##", "...#"), ("...#", "..##"), ("..##", "..##"))
    scores, published = official_scores(cases), official_scores_as_published(cases)
    assert scores["RMSE_Tumorburden"] == published["RMSE_Tumorburden"] == pytest.approx(math.sqrt(2 * 0.25**2 / 3))
    assert scores["MAXERROR_Tumorburden"] == published["MAXERROR_Tumorburden"] == 0.25
    (worse,) = scored(("...#", "..##"))
    assert official_scores([worse])["MAXERROR_Tumorburden"] == 0.25
    assert official_scores_as_published([worse])["MAXERROR_Tumorburden"] == -0.25


def test_a_missing_liver_has_its_penalties():
    cases = scored(("..##", "    "), ("..##", "..##"))
    for scores in (official_scores(cases), official_scores_as_published(cases)):
        assert scores["cases_without_liver"] == 1
        assert (scores["liver_dice"], scores["liver_voe"], scores["liver_dice_per_case"]) == (0.5, 0.5, 0.5)
        assert scores["liver_assd"] == scores["liver_rvd"] == 9001 / 2
        assert scores["liver_dice_global"] == pytest.approx(2 * 4 / (4 + 8))
        assert scores["RMSE_Tumorburden"] == pytest.approx(math.sqrt((0.5 - 9001) ** 2 / 2))
    assert cases[0].liver_score == ABSENT


def test_nothing_detected():
    cases = scored(("..##..", "#....."))
    scores, published = official_scores(cases), official_scores_as_published(cases)
    assert math.isnan(scores["lesion_dice"])
    assert (published["lesion_dice"], published["lesion_voe"], published["lesion_assd"]) == (0, 1, 9001)
    assert scores["counts"]["0"] == {"TP": 0, "TP_predicted": 0, "FP": 1, "FN": 1}
    assert scores["lesion_precision"] == scores["lesion_recall"] == 0


def test_without_any_lesion_detection_is_0_and_what_is_a_mean_over_nothing_nan():
    scores = official_scores(scored(("......", "......")))
    assert scores["lesion_precision"] == scores["lesion_recall"] == scores["lesion_recall_greater_zero"] == 0
    assert math.isnan(scores["lesion_assd"])
    assert math.isnan(scores["lesion_dice_global"])
    assert scores["lesion_dice_per_case"] == 1


def test_of_two_equal_overlaps_the_smaller_number_decides():
    # the middle lesion is overlapped by two voxels of either prediction: it is merged with what lies before it
    (case,) = scored(("###.#####.####", "######.#######"))
    assert [(pair.references, pair.predictions) for pair in case.pairs] == [((1, 2), (1,)), ((3,), (2,))]
    assert [pair.overlap.reference for pair in case.pairs] == [8, 4]
    # so that a file that runs the other way is matched otherwise
    (turned,) = scored(("####.#####.###", "#######.######"))
    assert [pair.overlap.reference for pair in turned.pairs] == [9, 3]


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(GeometryError, match="one shape"):
        score_official(np.ones((2, 2, 2)), np.ones((2, 2, 3)), SPACING)
