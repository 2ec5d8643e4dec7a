import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lits_toolkit.data.doctor.cohort import Twin, find_twins, slice_prints


def a_volume(seed, slices=10):
    return np.random.default_rng(seed).integers(-1024, 1000, (slices, 8, 9)).astype(np.int16)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.int16, (3, 4, 5), elements=st.integers(-1024, 3071)), st.sets(st.integers(0, 2)))
def test_flips_do_not_change_the_prints(volume, axes):
    assert slice_prints(np.flip(volume, tuple(axes))) == slice_prints(volume)
    assert slice_prints(volume.transpose(0, 2, 1)) == slice_prints(volume)


def test_padding_counts_as_air_and_one_other_voxel_counts():
    volume = a_volume(0)
    volume[:, 0] = -1024
    padded = volume.copy()
    padded[:, 0] = -2048
    assert slice_prints(padded) == slice_prints(volume)
    padded[4, 4, 4] += 1
    assert len(slice_prints(padded) - slice_prints(volume)) == 1


def test_flat_slices_have_no_print():
    assert slice_prints(np.full((4, 5, 5), -1024, np.int16)) == frozenset()


def test_twins_are_told_by_half_of_their_slices():
    whole, other = a_volume(1), a_volume(2)
    prints = {
        "whole": slice_prints(whole),
        "other": slice_prints(other),
        "upper": slice_prints(whole[4:]),
        "mixed": slice_prints(np.concatenate([whole[:4], a_volume(3, 6)])),
        "again": slice_prints(other[::-1, ::-1]),
        "empty": frozenset(),
    }
    assert find_twins(prints) == [Twin("upper", "whole", 6, 6), Twin("again", "other", 10, 10)]
