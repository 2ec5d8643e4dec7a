import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from writers import ORIENTATIONS, small_grid

from lits_toolkit.metrics.official import score_official
from lits_toolkit.study.case_scores import CASE_COLUMNS, LESION_COLUMNS, score_case, score_on_grid

SPACING_MM = (2.5, 0.8, 0.7)
labels = arrays(np.uint8, (5, 6, 7), elements=st.sampled_from([0, 1, 2, 2]))
DISTANCES = [f"{region}_{name}_mm" for region in ("liver", "tumor") for name in ("assd", "rmsd", "mssd")]


def line(text):
    return np.array([[[{".": 1, "#": 2}[letter] for letter in text]]], np.uint8)


def detections(lesions):
    return [(row["pair_iou"], row["detected_iou0"], row["detected_iou50"]) for row in lesions]


def test_lesions_of_a_bridge_are_found_together():
    case, lesions = score_case("a", line("####.####..##"), line("#########..##"), (1.0, 1.0, 1.0))
    assert detections(lesions) == [(8 / 9, True, True), (8 / 9, True, True), (1, True, True)]
    assert (case["lesions_found_iou50"], case["predictions_true_iou50"]) == (3, 2)
    assert (case["lesion_recall_iou50"], case["lesion_precision_iou50"]) == (1, 1)


def test_a_prediction_in_two_parts_and_one_that_is_too_small():
    case, lesions = score_case("a", line("########.######..."), line("###.####....#....#"), (1.0, 1.0, 1.0))
    assert detections(lesions[:2]) == [(7 / 8, True, True), (1 / 6, True, False)]
    assert (case["lesions_found_iou0"], case["predictions_true_iou0"]) == (2, 3)
    assert (case["lesions_found_iou50"], case["predictions_true_iou50"]) == (1, 2)
    assert (case["lesion_recall_iou50"], case["lesion_precision_iou50"]) == (1 / 2, 2 / 4)


def test_a_lesion_whose_prediction_went_to_another_is_a_hit_but_found_by_no_pair():
    case, lesions = score_case("a", line("#########.##"), line("#####.#####."), (1.0, 1.0, 1.0))
    assert [row["detected"] for row in lesions] == [True, True]
    assert detections(lesions) == [(8 / 11, True, True), (0, False, False)]
    assert (case["lesion_recall_iou0"], case["lesion_precision_iou0"]) == (1 / 2, 1)


def test_a_false_alarm_is_in_no_pair():
    _, lesions = score_case("a", line("....##"), line("##...."), (1.0, 1.0, 1.0))
    assert detections(lesions)[0] == (0, False, False)
    assert (lesions[1]["kind"], math.isnan(lesions[1]["pair_iou"])) == ("false alarm", True)


def test_shares_of_nothing_are_undefined():
    case, _ = score_case("a", line("......"), line("......"), (1.0, 1.0, 1.0))
    assert math.isnan(case["lesion_recall_iou0"])
    assert math.isnan(case["lesion_precision_iou50"])
    assert (case["tumor_burden_reference"], case["tumor_burden_prediction"]) == (0, 0)
    nothing = np.zeros((2, 3, 4), np.uint8)
    case, _ = score_case("a", nothing, nothing, (1.0, 1.0, 1.0))
    assert math.isnan(case["tumor_burden_reference"])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_boxes_with_a_gap_are_as_far_apart_as_the_spacing_says(axis):
    reference, prediction = np.zeros((2, 9, 9, 9), np.uint8)
    place = [slice(3, 6)] * 3
    for mask, start in ((reference, 0), (prediction, 4)):
        place[axis] = slice(start, start + 1)
        mask[tuple(place)] = 2
    case, _ = score_case("a", reference, prediction, SPACING_MM)
    for name in DISTANCES:  # the tumour is the liver, too
        assert case[name] == pytest.approx(4 * SPACING_MM[axis])


def test_a_voxel_beside_a_row_of_three():
    reference, prediction = line("..#...") * 0, line("..#...") * 0
    reference[0, 0, 1], prediction[0, 0, 1:4] = 2, 2
    case, (lesion,) = score_case("a", reference, prediction, (1.0, 1.0, 2.0))
    # from the voxel 0; from the three 0, 2 and 4 mm
    for row, ending in ((case, "tumor_"), (lesion, "")):
        assert row[f"{ending}assd_mm"] == pytest.approx(6 / 4)
        assert row[f"{ending}rmsd_mm"] == pytest.approx(math.sqrt(20 / 4))
        assert row[f"{ending}mssd_mm"] == 4
        assert (row[f"{ending}jaccard"], row[f"{ending}voe"], row[f"{ending}rvd"]) == (1 / 3, 1 - 1 / 3, 2)


@settings(deadline=None, max_examples=40)
@given(labels, labels, st.sampled_from(range(3)))
def test_what_is_symmetric_what_turns_and_what_scales(reference, prediction, axis):
    case, _ = score_case("a", reference, prediction, SPACING_MM)
    swapped, _ = score_case("a", prediction, reference, SPACING_MM)
    flipped, _ = score_case("a", np.flip(reference, axis), np.flip(prediction, axis), SPACING_MM)
    turned, _ = score_case("a", reference.transpose(2, 0, 1), prediction.transpose(2, 0, 1), (0.7, 2.5, 0.8))
    double, _ = score_case("a", reference, prediction, tuple(2 * value for value in SPACING_MM))
    for name in DISTANCES:
        for other, factor in ((swapped, 1), (flipped, 1), (turned, 1), (double, 2)):
            assert other[name] == pytest.approx(factor * case[name], nan_ok=True)
    for region in ("liver", "tumor"):
        for name in ("dice", "jaccard", "voe"):
            assert swapped[f"{region}_{name}"] == pytest.approx(case[f"{region}_{name}"], nan_ok=True)


@settings(deadline=None, max_examples=80)
@given(labels, labels, st.sampled_from(ORIENTATIONS))
def test_in_any_orientation_the_rows_have_the_official_pairs(reference, prediction, orientation):
    grid = small_grid(orientation, shape=(5, 6, 7))
    case, lesions, official = score_on_grid("a", reference, prediction, grid)
    assert (tuple(case), {tuple(row) for row in lesions} - {LESION_COLUMNS}) == (CASE_COLUMNS, set())
    stored = grid.from_axial(reference), grid.from_axial(prediction)
    direct = score_official(*stored, grid.stored_spacing_mm)
    assert [(p.references, p.predictions, p.overlap) for p in official.pairs] == [
        (p.references, p.predictions, p.overlap) for p in direct.pairs
    ]
    assert official.detected_as_published == direct.detected_as_published
    for mine, theirs in zip(official.pair_scores, direct.pair_scores, strict=True):
        assert mine.assd == pytest.approx(theirs.assd)
    sizes = sorted((pair.iou, len(pair.references), pair.overlap.reference) for pair in official.pairs)
    own = [row for row in lesions if row["kind"] == "reference" and row["pair_iou"] > 0]
    by_iou = {iou: [row for row in own if row["pair_iou"] == iou] for iou, _, _ in sizes}
    for iou, rows in by_iou.items():
        same = [size for size in sizes if size[0] == iou]
        assert len(rows) == sum(members for _, members, _ in same)
        assert sum(row["voxels"] for row in rows) == sum(voxels for _, _, voxels in same)
    for ending in ("iou0", "iou50"):
        assert sum(row[f"detected_{ending}"] for row in lesions) == case[f"lesions_found_{ending}"]
