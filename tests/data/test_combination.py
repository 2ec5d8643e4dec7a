import numpy as np
import pytest

from lits_toolkit.data.combination import combine
from lits_toolkit.errors import SettingError


@pytest.fixture
def volume():
    return np.random.default_rng(0).random((6, 16, 16), np.float32)


@pytest.fixture
def liver():
    found = np.zeros((6, 16, 16), bool)
    found[1:5, 3:9, 4:15] = True
    return found


@pytest.mark.parametrize("how", ["mask", "centre"])
def test_outside_the_liver_everything_is_zero(volume, liver, how):
    before = volume.copy()
    assert (combine(volume, liver, how)[~liver] == 0).all()
    np.testing.assert_array_equal(volume, before)


@pytest.mark.parametrize("how", ["mask", "add", "none", "centre"])
def test_it_may_take_the_volumes_own_place(volume, liver, how):
    expected = combine(volume.copy(), liver, how)
    assert combine(volume, liver, how, out=volume) is volume
    np.testing.assert_array_equal(volume, expected)


def test_masked_the_ct_is_kept_inside(volume, liver):
    np.testing.assert_array_equal(combine(volume, liver, "mask")[liver], volume[liver])


def test_centred_the_livers_median_is_zero_and_differences_are_kept(volume, liver):
    centred = combine(volume, liver, "centre")
    values = np.sort(volume[liver])
    median = (values[len(values) // 2 - 1] + values[len(values) // 2]) / 2
    np.testing.assert_allclose(centred[liver], volume[liver] - median, atol=1e-6)
    assert centred.dtype == np.float32


def test_a_case_without_a_liver_stays_empty(volume):
    assert not combine(volume, np.zeros(volume.shape, bool), "centre").any()


def test_an_unknown_combination_names_the_known_ones(volume, liver):
    with pytest.raises(SettingError, match="mask, add, none, centre"):
        combine(volume, liver, "sum")


def test_added_the_liver_stands_out_by_the_whole_range_and_nothing_is_lost(volume, liver):
    added = combine(volume, liver, "add")
    np.testing.assert_allclose(added[liver], volume[liver] + 1)
    np.testing.assert_array_equal(added[~liver], volume[~liver])
    assert added.dtype == np.float32
    np.testing.assert_array_equal(combine(volume, liver, "none"), volume)
