import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from lits_toolkit.inference.postprocess import drop_unsure_components, largest_component

masks = arrays(bool, (4, 6, 6), elements=st.booleans())


@given(masks)
def test_largest_component_is_scipys(mask):
    found = largest_component(mask)
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=2)[1:]
    assert found.sum() == (sizes.max() if count else 0)
    assert not (found & ~mask).any()
    assert ndimage.label(found)[1] == min(count, 1)


@given(masks, arrays(np.float32, (4, 6, 6), elements=st.floats(0, 1, width=32)), st.floats(0, 1))
def test_a_component_stays_exactly_if_its_highest_probability_reaches_the_threshold(mask, probability, least):
    least = float(np.float32(least))
    labels, count = ndimage.label(mask)
    expected = np.zeros_like(mask)
    for component in range(1, count + 1):
        where = labels == component
        if probability[where].max() >= least:
            expected |= where
    np.testing.assert_array_equal(drop_unsure_components(mask, probability[mask], least), expected)
