"""Each fact against its definition, written out slowly with NumPy and SciPy on small arrays."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from lits_toolkit.errors import GeometryError
from lits_toolkit.viewer.facts import (
    COMMON,
    EXCESS,
    MISSED,
    error_mask,
    lesion_rows,
)

SPACING = (2.5, 0.7, 0.8)


def masks(shape):
    # Mostly background, so that several lesions are apart from each other.
    labels = st.sampled_from([0, 0, 0, 0, 1, 2, 2])
    return st.tuples(arrays(np.uint8, shape, elements=labels), arrays(np.uint8, shape, elements=labels))


pairs = array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6).flatmap(masks)


def components(mask):
    labels, count = ndimage.label(mask == 2)  # face neighbours, numbered in the order of their first voxel
    return [labels == number for number in range(1, count + 1)]


def places_mm(region):
    return np.argwhere(region) * SPACING


def distances_mm(one, other):
    return np.linalg.norm(places_mm(one)[:, None] - places_mm(other)[None], axis=-1)


def surface(region):
    eighteen = ndimage.generate_binary_structure(3, 2)
    return region & ~ndimage.binary_erosion(region, eighteen)


def given_to(lesions, predictions, index):
    """The prediction of one reference lesion: voxel by voxel, of each predicted lesion that overlaps it."""
    mine = np.zeros(lesions[index].shape, bool)
    for predicted in predictions:
        rivals = [number for number, lesion in enumerate(lesions) if (lesion & predicted).any()]
        if index not in rivals:
            continue
        for voxel in np.argwhere(predicted):
            apart = [np.linalg.norm((np.argwhere(lesions[rival]) - voxel) * SPACING, axis=1).min() for rival in rivals]
            nearest = next(rival for rival, mm in zip(rivals, apart, strict=True) if mm < min(apart) + 1e-3)
            mine[tuple(voxel)] |= nearest == index
    return mine


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_the_lesions_of_two_masks_are_as_they_are_defined(pair):
    lesions, predictions = map(components, pair)
    found = [any((lesion & predicted).any() for predicted in predictions) for lesion in lesions]
    alarms = [predicted for predicted in predictions if not any((lesion & predicted).any() for lesion in lesions)]
    rows = lesion_rows(*pair, SPACING)
    assert [row.number for row in rows] == list(range(1, len(lesions) + len(alarms) + 1))
    fates = ["hit" if hit else "miss" for hit in found] + ["false alarm"] * len(alarms)
    assert [row.fate for row in rows] == fates
    for index, (row, region) in enumerate(zip(rows, [*lesions, *alarms], strict=True)):
        assert row.voxels == region.sum()
        assert row.volume_ml == pytest.approx(region.sum() * math.prod(SPACING) / 1000)
        assert row.size_group == "small"
        assert row.box == tuple((axis.min(), axis.max() + 1) for axis in np.nonzero(region))
        others = predictions if index < len(lesions) else lesions
        if row.fate == "hit":
            mine = given_to(lesions, predictions, index)
            assert row.dice == pytest.approx(2 * (mine & region).sum() / (mine.sum() + region.sum()))
            apart = distances_mm(surface(region), surface(mine))
            pooled = np.concatenate([apart.min(axis=1), apart.min(axis=0)])
            assert row.distance_mm == pytest.approx(pooled.mean())
            continue
        assert row.dice == (0 if row.fate == "miss" else None)
        if others:
            assert row.distance_mm == pytest.approx(min(distances_mm(region, other).min() for other in others))
        else:
            assert row.distance_mm is None


@settings(max_examples=100, deadline=None)
@given(pairs)
def test_a_lesions_voxel_is_the_nearest_to_the_middle_of_its_largest_slice(pair):
    mask = pair[0]
    for row, region in zip(lesion_rows(mask, None, SPACING), components(mask), strict=True):
        z, y, x = row.voxel
        assert region[row.voxel]
        areas = region.sum(axis=(1, 2))
        assert areas[z] == areas.max()
        inside = np.argwhere(region[z])
        apart = np.linalg.norm((inside - inside.mean(axis=0)) * SPACING[1:], axis=1)
        own = np.linalg.norm(([y, x] - inside.mean(axis=0)) * SPACING[1:])
        assert own == pytest.approx(apart.min())


@pytest.mark.parametrize("lacking", [0, 1])
def test_of_one_mask_the_lesions_have_no_fate(lacking):
    mask = np.zeros((4, 5, 6), np.uint8)
    mask[1:3, 1:3, 1:4] = 2
    mask[3, 4, 5] = 2
    given = [None if at == lacking else mask for at in (0, 1)]
    rows = lesion_rows(*given, SPACING)
    assert [(row.fate, row.number, row.voxels, row.dice, row.distance_mm) for row in rows] == [
        ("lesion", 1, 12, None, None),
        ("lesion", 2, 1, None, None),
    ]
    assert lesion_rows(None, None, SPACING) == []
    assert lesion_rows(np.zeros_like(mask), np.zeros_like(mask), SPACING) == []


def test_a_lesion_is_grouped_by_its_voxels():
    mask = np.zeros((10, 40, 40), np.uint8)
    mask[:, :10, :10] = 2  # exactly 1000
    assert [row.size_group for row in lesion_rows(mask, None, SPACING)] == ["medium"]


def test_masks_of_two_shapes_and_spacings_below_zero_are_refused():
    mask = np.full((2, 3, 4), 2, np.uint8)
    with pytest.raises(GeometryError):
        lesion_rows(mask, mask[1:], SPACING)
    with pytest.raises(GeometryError):
        lesion_rows(mask, mask, (1, 0, 1))


@settings(max_examples=100, deadline=None)
@given(pairs)
def test_errors_are_told_voxel_by_voxel(pair):
    errors = error_mask(*pair)
    assert errors.dtype == np.uint8
    words = {(True, True): COMMON, (True, False): MISSED, (False, True): EXCESS, (False, False): 0}
    for voxel in np.ndindex(errors.shape):
        assert errors[voxel] == words[pair[0][voxel] == 2, pair[1][voxel] == 2]
