import doctest
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from lits_toolkit.errors import GeometryError
from lits_toolkit.metrics import lesions as module
from lits_toolkit.metrics.lesions import (
    find_lesions,
    give_prediction,
    renumber,
    scan_order,
    score_lesions,
    shared_voxels,
    size_group,
)

spacings = st.tuples(*[st.sampled_from([0.7, 1.0, 1.5, 5.0])] * 3)
tumors = array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


def literal_components(tumor):
    """Flood fill by face neighbours, started at each voxel in scan order: a list of voxel sets."""
    left = {tuple(place) for place in np.argwhere(tumor).tolist()}
    components = []
    for start in sorted(left):
        if start not in left:
            continue
        left.remove(start)
        component, frontier = {start}, [start]
        while frontier:
            z, y, x = frontier.pop()
            beside = {(z + 1, y, x), (z - 1, y, x), (z, y + 1, x), (z, y - 1, x), (z, y, x + 1), (z, y, x - 1)} & left
            left -= beside
            component |= beside
            frontier += beside
        components.append(component)
    return components


def in_mm(voxel, spacing_mm):
    return [place * step for place, step in zip(voxel, spacing_mm, strict=True)]


def literal_given(expected, found, spacing_mm):
    """DESIGN §7 word by word, on sets of voxels: the set of predicted voxels that is given to each reference lesion."""

    lesions_mm = [[in_mm(voxel, spacing_mm) for voxel in lesion] for lesion in expected]

    def distance(voxel, lesion_mm):
        return min(math.dist(in_mm(voxel, spacing_mm), other) for other in lesion_mm)

    given_to = [set() for _ in expected]
    for lesion in found:
        rivals = [number for number, other in enumerate(expected) if other & lesion]
        for voxel in lesion if rivals else ():
            distances = [distance(voxel, lesions_mm[number]) for number in rivals]
            nearest = next(n for n, d in zip(rivals, distances, strict=True) if d <= min(distances) + 1e-3)
            given_to[nearest].add(voxel)
    return given_to


def literal_scores(reference, prediction, spacing_mm):
    """([(voxels, prediction, intersection)], [false alarms' numbers])."""
    expected, found = literal_components(reference), literal_components(prediction)
    given_to = literal_given(expected, found, spacing_mm)
    rows = [(len(own), len(given), len(own & given)) for own, given in zip(expected, given_to, strict=True)]
    return rows, [n for n, lesion in enumerate(found, start=1) if not any(lesion & other for other in expected)]


def scores_of(reference, prediction, spacing_mm=(1.0, 1.0, 1.0)):
    return score_lesions(find_lesions(reference), find_lesions(prediction), spacing_mm)


@settings(deadline=None, max_examples=200)
@given(tumors, spacings)
def test_every_lesion_is_scored_as_the_design_words_it(pair, spacing_mm):
    scores = scores_of(*pair, spacing_mm)
    rows, alarms = literal_scores(*pair, spacing_mm)
    references = [score for score in scores if score.kind == "reference"]
    assert [(s.voxels, s.matched_voxels, s.intersection_voxels) for s in references] == rows
    assert [score.lesion for score in references] == list(range(1, len(rows) + 1))
    assert [score.lesion for score in scores if score.kind == "false alarm"] == alarms
    for score, (voxels, given_voxels, shared) in zip(references, rows, strict=True):
        assert score.dice == 2 * shared / (voxels + given_voxels)
        assert score.detected == (shared > 0)
        assert 0 <= score.dice <= 1


STEPS = [step for step in itertools.product((-1, 0, 1), repeat=3) if 1 <= np.abs(step).sum() <= 2]


def literal_border(region):
    """The voxels of a set with one of their 18 face and edge neighbours outside it."""
    return [(z, y, x) for z, y, x in region if any((z + a, y + b, x + c) not in region for a, b, c in STEPS)]


def literal_distances(one, other, spacing_mm):
    """The distance in mm from each border voxel of either set to the nearest of the other's."""
    borders = [[in_mm(voxel, spacing_mm) for voxel in literal_border(region)] for region in (one, other)]
    return [
        min(math.dist(place, goal) for goal in to) for here, to in itertools.permutations(borders) for place in here
    ]


@settings(deadline=None, max_examples=60)
@given(tumors, spacings)
def test_every_measure_of_a_lesion_is_taken_against_the_prediction_given_to_it(pair, spacing_mm):
    expected = literal_components(pair[0])
    given_to = literal_given(expected, literal_components(pair[1]), spacing_mm)
    scores = [score for score in scores_of(*pair, spacing_mm) if score.kind == "reference"]
    for score, own, mine in zip(scores, expected, given_to, strict=True):
        jaccard = len(own & mine) / len(own | mine)
        assert (score.overlap.jaccard, score.overlap.voe) == (jaccard, 1 - jaccard)
        assert score.overlap.rvd == (len(mine) - len(own)) / len(own)
        if not mine:
            assert all(math.isnan(value) for value in (score.assd_mm, score.rmsd_mm, score.mssd_mm))
            continue
        far = literal_distances(own, mine, spacing_mm)
        assert score.assd_mm == pytest.approx(sum(far) / len(far))
        assert score.rmsd_mm == pytest.approx(math.sqrt(sum(value**2 for value in far) / len(far)))
        assert score.mssd_mm == pytest.approx(max(far))


@settings(deadline=None, max_examples=60)
@given(tumors, st.permutations(range(3)), st.tuples(*[st.sampled_from([1, -1])] * 3))
def test_lesions_can_be_numbered_along_another_order_of_the_axes(pair, axes, steps):
    def turned(array):
        return array.transpose(axes)[tuple(slice(None, None, step) for step in steps)]

    lesions, direct = find_lesions(pair[0]), find_lesions(turned(pair[0]))
    again = renumber(lesions, scan_order(turned(lesions.labels)))
    np.testing.assert_array_equal(turned(again.labels), direct.labels)
    np.testing.assert_array_equal(again.voxels, direct.voxels)
    for number, box in enumerate(again.boxes, start=1):
        assert np.count_nonzero(again.labels[box] == number) == again.voxels[number - 1]


@settings(deadline=None)
@given(array_shapes(min_dims=3, max_dims=3, max_side=7).flatmap(lambda shape: arrays(bool, shape)))
def test_lesions_are_face_components_numbered_in_scan_order(tumor):
    lesions = find_lesions(tumor)
    components = literal_components(tumor)
    assert lesions.voxels.tolist() == [len(component) for component in components]
    for number, component in enumerate(components, start=1):
        assert {tuple(place) for place in np.argwhere(lesions.labels == number).tolist()} == component
        np.testing.assert_allclose(lesions.centroids[number - 1], np.mean(list(component), axis=0), atol=1e-4)
        assert (lesions.labels[lesions.boxes[number - 1]] == number).sum() == len(component)
    np.testing.assert_array_equal(lesions.labels, ndimage.label(tumor)[0])


@settings(deadline=None, max_examples=50)
@given(tumors, spacings, st.tuples(*[st.integers(0, 3)] * 6))
def test_it_does_not_matter_where_the_lesions_lie(pair, spacing_mm, margins):
    moved = [np.pad(tumor, [margins[0:2], margins[2:4], margins[4:6]]) for tumor in pair]
    before, after = scores_of(*pair, spacing_mm), scores_of(*moved, spacing_mm)
    assert [(s.matched_voxels, s.intersection_voxels) for s in before] == [
        (s.matched_voxels, s.intersection_voxels) for s in after
    ]
    for here, there in zip(before, after, strict=True):
        np.testing.assert_allclose(np.add(here.centroid, margins[::2]), there.centroid, atol=1e-4)


@settings(deadline=None, max_examples=50)
@given(tumors)
def test_a_tumour_against_itself_is_perfect(pair):
    assert all(score.dice == 1 and score.detected for score in scores_of(pair[0], pair[0]))


@settings(deadline=None)
@given(tumors)
def test_shared_voxels_are_counted_pair_by_pair(pair):
    expected, found = map(literal_components, pair)
    table = shared_voxels(*map(find_lesions, pair)).toarray()
    assert table.shape == (len(expected), len(found))
    for (row, one), (column, other) in itertools.product(enumerate(expected), enumerate(found)):
        assert table[row, column] == len(one & other)


def test_voxels_that_touch_by_an_edge_or_a_corner_are_two_lesions():
    tumor = np.zeros((2, 2, 2), bool)
    tumor[0, 0, 0] = tumor[1, 1, 1] = tumor[0, 1, 1] = True
    assert find_lesions(tumor).voxels.tolist() == [1, 2]


def test_one_prediction_over_two_lesions_is_split_between_them():
    reference, prediction = np.zeros((2, 1, 1, 12), bool)
    reference[..., 0:2], reference[..., 8:12] = True, True
    prediction[..., 0:12] = True
    first, second = scores_of(reference, prediction)
    # Voxels 2 to 4 are nearer to voxel 1, voxels 5 to 7 to voxel 8: the gap is halved.
    assert (first.matched_voxels, first.dice) == (5, 2 * 2 / (2 + 5))
    assert (second.matched_voxels, second.dice) == (7, 2 * 4 / (4 + 7))


def test_a_voxel_as_near_to_two_lesions_goes_to_the_first():
    reference, prediction = np.zeros((2, 1, 1, 5), bool)
    reference[..., [0, 1, 3, 4]], prediction[...] = True, True
    first, second = scores_of(reference, prediction)
    assert (first.matched_voxels, second.matched_voxels) == (3, 2)


def test_nearest_is_meant_in_mm():
    reference, prediction = np.zeros((2, 4, 1, 4), bool)
    reference[0, 0, 0] = reference[2, 0, 2] = True
    prediction[0, 0, 0:3], prediction[0:3, 0, 2] = True, True
    # The voxel (0, 0, 2) is two voxels from either lesion; the spacing decides.
    assert [s.matched_voxels for s in scores_of(reference, prediction, (5.0, 1.0, 1.0))] == [3, 2]
    assert [s.matched_voxels for s in scores_of(reference, prediction, (1.0, 1.0, 5.0))] == [2, 3]


def test_only_lesions_that_a_prediction_overlaps_compete_for_its_voxels():
    reference, prediction = np.zeros((2, 3, 1, 9), bool)
    reference[0, 0, 0] = reference[0, 0, 8] = reference[2, 0, 4] = True
    prediction[0] = True
    ends = scores_of(reference, prediction)
    assert [score.matched_voxels for score in ends] == [5, 4, 0]
    assert [score.detected for score in ends] == [True, True, False]


def test_several_predictions_of_one_lesion_count_together():
    reference, prediction = np.zeros((2, 1, 1, 10), bool)
    reference[..., 2:8] = True
    prediction[..., [1, 2, 4, 5, 7, 8]] = True
    (score,) = scores_of(reference, prediction)
    assert (score.matched_voxels, score.intersection_voxels, score.dice) == (6, 4, 8 / 12)


def test_a_miss_is_0_and_a_false_alarm_has_a_size_and_no_dice():
    reference, prediction = np.zeros((2, 12, 12, 12), bool)
    reference[0, 0, 0], prediction[1:11, 1:11, 1:11] = True, True
    miss, alarm = scores_of(reference, prediction)
    assert (miss.kind, miss.dice, miss.detected, miss.size_group) == ("reference", 0, False, "small")
    assert (miss.overlap.jaccard, miss.overlap.voe, miss.overlap.rvd) == (0, 1, -1)
    assert (alarm.kind, alarm.voxels, alarm.size_group, alarm.detected) == ("false alarm", 1000, "medium", False)
    assert all(math.isnan(value) for value in (alarm.dice, alarm.overlap.voe, alarm.overlap.rvd, alarm.assd_mm))
    assert alarm.centroid == (5.5, 5.5, 5.5)


@pytest.mark.parametrize(
    ("voxels", "group"), [(1, "small"), (999, "small"), (1000, "medium"), (10_000, "medium"), (10_001, "large")]
)
def test_size_groups_have_these_limits(voxels, group):
    assert size_group(voxels) == group


@pytest.mark.parametrize("shape", [(0, 0, 0), (0, 4, 4), (3, 3, 3)])
def test_no_lesions_are_no_scores(shape):
    assert scores_of(np.zeros(shape), np.zeros(shape)) == []


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.float32])
def test_any_dtype_and_memory_order_score_alike(dtype):
    random = np.random.default_rng(2)
    reference, prediction = random.random((2, 8, 9, 10)) > 0.7
    plain = scores_of(reference, prediction)
    for order in "CF":
        found = scores_of(reference.astype(dtype, order=order), prediction.astype(dtype, order=order))
        assert list(map(str, found)) == list(map(str, plain))


def test_lesions_of_two_shapes_are_refused():
    with pytest.raises(GeometryError, match="one shape"):
        scores_of(np.ones((2, 2, 2)), np.ones((2, 2, 3)))


def test_the_examples_in_the_documentation_run():
    assert doctest.testmod(module).failed == 0


@given(tumors, spacings)
@settings(max_examples=100, deadline=None)
def test_each_predicted_voxel_is_given_to_the_lesion_that_the_definition_says(pair, spacing_mm):
    labels = give_prediction(find_lesions(pair[0]), find_lesions(pair[1]), spacing_mm)
    literal = literal_given(literal_components(pair[0]), literal_components(pair[1]), spacing_mm)
    assert [
        {tuple(place) for place in np.argwhere(labels == n).tolist()} for n in range(1, len(literal) + 1)
    ] == literal
    assert labels.max(initial=0) <= len(literal)


@given(tumors, spacings, st.sampled_from([1, 2, 3]))
@settings(max_examples=100, deadline=None)
def test_where_a_lesion_may_be_the_nearest_is_told_block_by_block(pair, spacing_mm, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        labels = give_prediction(find_lesions(pair[0]), find_lesions(pair[1]), spacing_mm)
    literal = literal_given(literal_components(pair[0]), literal_components(pair[1]), spacing_mm)
    assert [
        {tuple(place) for place in np.argwhere(labels == n).tolist()} for n in range(1, len(literal) + 1)
    ] == literal


@pytest.mark.parametrize("seed", range(3))
def test_a_prediction_over_dozens_of_lesions_is_split_between_all(seed):
    """Against a whole transform of each lesion: the first one of the least distance."""
    random = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(random.normal(size=(20, 50, 60)), 2)
    reference, spacing_mm = field > 1.8 * field.std(), (2.5, 0.8, 0.8)
    prediction = np.ones(reference.shape, bool)
    prediction[random.integers(20), random.integers(50)] = False
    expected, found = find_lesions(reference), find_lesions(prediction)
    assert len(expected) > 20
    far = [ndimage.distance_transform_edt(expected.labels != n + 1, spacing_mm) for n in range(len(expected))]
    rivals = np.isin(np.arange(len(expected)) + 1, expected.labels[prediction])
    far_mm = np.where(rivals[:, None, None, None], far, np.inf)
    nearest = np.argmax(far_mm <= far_mm.min(axis=0) + 1e-3, axis=0) + 1
    np.testing.assert_array_equal(give_prediction(expected, found, spacing_mm), np.where(prediction, nearest, 0))
