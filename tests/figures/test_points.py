import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.figures.points import short_names, spread

NAMES = st.lists(st.text("ab1-_.", min_size=1, max_size=8), min_size=1, max_size=6)


@given(st.integers(0, 300), st.floats(0.1, 2))
def test_spread_points_stay_inside_and_apart(count, width):
    offsets = spread(count, width)
    assert offsets.shape == (count,)
    assert np.all(np.abs(offsets) <= width / 2)
    assert len(np.unique(offsets)) == count


@given(NAMES)
def test_prefix_and_short_name_make_the_name(names):
    shortened, prefix = short_names(names)
    assert [prefix + short for short in shortened] == names


def test_only_whole_words_are_split_off():
    assert short_names(["volume-12", "volume-130"]) == (["12", "130"], "volume-")
    assert short_names(["volume-1", "volume-1"]) == (["volume-1", "volume-1"], "")
