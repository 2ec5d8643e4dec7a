"""Where medpy defines a measure as we do, it gives the same figures; where it does not, the difference is the one told
in `metrics.surface`."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.metrics.surface import border, surface_distances

medpy = pytest.importorskip("medpy.metric.binary", exc_type=ImportError)

spacings = st.tuples(*[st.sampled_from([0.7, 1.0, 1.5, 5.0])] * 3)
regions = array_shapes(min_dims=3, max_dims=3, max_side=7).flatmap(
    lambda shape: st.tuples(arrays(bool, shape, fill=st.just(True)), arrays(bool, shape))
)


@st.composite
def boxes(draw):
    """Two boxes in one array."""
    pair = np.zeros((2, 9, 9, 9), bool)
    for region in pair:
        sides = [sorted(draw(st.tuples(st.integers(0, 8), st.integers(0, 8)))) for _ in range(3)]
        region[tuple(slice(low, high + 1) for low, high in sides)] = True
    return pair


@settings(deadline=None)
@given(regions)
def test_overlap_agrees(pair):
    reference, prediction = pair
    assume(reference.any())
    overlap = count_overlap(*pair)
    assert overlap.dice == medpy.dc(prediction, reference)
    assert overlap.jaccard == medpy.jc(prediction, reference)
    assert overlap.rvd == pytest.approx(medpy.ravd(prediction, reference))


@settings(deadline=None)
@given(regions, spacings)
def test_distances_agree_when_medpy_is_asked_for_18_neighbours(pair, spacing_mm):
    reference, prediction = pair
    assume(reference.any() and prediction.any())
    ours = surface_distances(*pair, spacing_mm)
    options = {"voxelspacing": spacing_mm, "connectivity": 2}
    assert ours.assd_mm == pytest.approx(medpy.assd(prediction, reference, **options), abs=1e-9)
    assert ours.mssd_mm == pytest.approx(medpy.hd(prediction, reference, **options), abs=1e-9)
    assert ours.from_reference_mm.mean() == pytest.approx(medpy.asd(reference, prediction, **options), abs=1e-9)
    assert ours.from_prediction_mm.mean() == pytest.approx(medpy.asd(prediction, reference, **options), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(boxes(), spacings, st.sampled_from([1, 2, 3]))
def test_distances_of_boxes_agree_whatever_the_neighbours(pair, spacing_mm, connectivity):
    reference, prediction = pair
    ours = surface_distances(reference, prediction, spacing_mm)
    assert ours.assd_mm == pytest.approx(medpy.assd(prediction, reference, spacing_mm, connectivity), abs=1e-9)
    assert ours.mssd_mm == pytest.approx(medpy.hd(prediction, reference, spacing_mm, connectivity), abs=1e-9)


@given(array_shapes(min_dims=3, max_dims=3, max_side=6).flatmap(lambda s: arrays(bool, s, fill=st.just(True))))
def test_our_border_lies_between_that_of_6_and_that_of_26_neighbours(region):
    six, twenty_six = (
        region & ~ndimage.binary_erosion(region, ndimage.generate_binary_structure(3, rank)) for rank in (1, 3)
    )
    ours = border(region)
    assert (ours | six == ours).all()
    assert (ours & twenty_six == ours).all()


def test_by_its_default_of_6_neighbours_a_notch_has_less_surface():
    block = np.ones((5, 5, 5), bool)
    notched = block.copy()
    notched[0, 0] = False  # five voxels, each a millimetre from the border of what is left
    # below the notch three more voxels have a missing edge neighbour and all six face neighbours
    assert surface_distances(block, notched, (1, 1, 1)).assd_mm == pytest.approx((5 + 3) / (98 + 96))
    assert medpy.assd(notched, block) == pytest.approx(5 / (98 + 93))
