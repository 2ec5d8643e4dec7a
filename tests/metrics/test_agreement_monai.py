"""Where MONAI defines a measure as we do, it gives the same figures; where it does not, the difference is the one told
in `metrics.surface`. A module of its own, since MONAI takes seconds to import."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from scipy.spatial.distance import cdist

from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.metrics.surface import surface_distances

monai = pytest.importorskip("monai.metrics", exc_type=ImportError)
torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:monai")  # it calls what it has deprecated itself

spacings = st.tuples(*[st.sampled_from([0.7, 1.0, 1.5, 5.0])] * 3)
regions = array_shapes(min_dims=3, max_dims=3, max_side=6).flatmap(
    lambda shape: st.tuples(arrays(bool, shape, fill=st.just(True)), arrays(bool, shape))
)


def batch(region):
    """(batch 1, class 1, z, y, x), as MONAI wants it."""
    return torch.from_numpy(np.array(region, np.float32))[None, None]


def monai_distances(reference, prediction, spacing_mm, symmetric=True):
    """Average and Hausdorff."""
    options = {"include_background": True, "spacing": spacing_mm}
    pair = batch(prediction), batch(reference)
    average = monai.compute_average_surface_distance(*pair, symmetric=symmetric, **options)
    return average.item(), monai.compute_hausdorff_distance(*pair, **options).item()


def six_neighbour_distances(reference, prediction, spacing_mm):
    """From each voxel of either border by 6 neighbours to the nearest of the other, over all pairs."""
    first, second = (
        np.argwhere(region & ~ndimage.binary_erosion(region)) * spacing_mm for region in (reference, prediction)
    )
    table = cdist(first, second)
    return table.min(axis=1), table.min(axis=0)


@settings(deadline=None, max_examples=40)
@given(regions)
def test_dice_and_jaccard_agree_where_there_is_a_reference(pair):
    reference, prediction = pair
    assume(reference.any())
    overlap = count_overlap(*pair)
    assert monai.compute_dice(batch(prediction), batch(reference)).item() == pytest.approx(overlap.dice)
    assert monai.compute_iou(batch(prediction), batch(reference)).item() == pytest.approx(overlap.jaccard)


@pytest.mark.parametrize("predicted", [False, True])
def test_without_a_reference_monai_has_nan_unless_told_otherwise(predicted):
    reference, prediction = np.zeros((2, 2, 2), bool), np.full((2, 2, 2), predicted)
    pair, overlap = (batch(prediction), batch(reference)), count_overlap(reference, prediction)
    assert math.isnan(monai.compute_dice(*pair).item())  # where ours is 0 if anything is predicted
    assert monai.compute_dice(*pair, ignore_empty=False).item() == overlap.dice_per_case == 1 - predicted


@settings(deadline=None, max_examples=40)
@given(regions, spacings)
def test_distances_are_ours_but_for_the_border_of_6_neighbours(pair, spacing_mm):
    reference, prediction = pair
    assume(reference.any() and prediction.any())
    from_reference, from_prediction = six_neighbour_distances(*pair, spacing_mm)
    pooled = np.concatenate([from_reference, from_prediction])
    assert monai_distances(*pair, spacing_mm) == pytest.approx((pooled.mean(), pooled.max()), rel=1e-5, abs=1e-6)
    one_way, _ = monai_distances(*pair, spacing_mm, symmetric=False)  # its default
    assert one_way == pytest.approx(from_prediction.mean(), rel=1e-5, abs=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 8), min_size=12, max_size=12), spacings)
def test_distances_of_boxes_agree(corners, spacing_mm):
    reference, prediction = np.zeros((2, 9, 9, 9), bool)
    for region, sides in ((reference, corners[:6]), (prediction, corners[6:])):
        region[tuple(slice(min(ends), max(ends) + 1) for ends in zip(sides[:3], sides[3:], strict=True))] = True
    ours = surface_distances(reference, prediction, spacing_mm)
    found = monai_distances(reference, prediction, spacing_mm)
    assert found == pytest.approx((ours.assd_mm, ours.mssd_mm), rel=1e-5, abs=1e-6)


def test_by_6_neighbours_a_notch_has_less_surface():
    block = np.ones((5, 5, 5), bool)
    notched = block.copy()
    notched[0, 0] = False  # as in the module on medpy
    average, _ = monai_distances(block, notched, (1.0, 1.0, 1.0))
    assert surface_distances(block, notched, (1, 1, 1)).assd_mm == pytest.approx(8 / 194)
    assert average == pytest.approx(5 / 191)
