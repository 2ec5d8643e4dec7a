from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.data.sampling import REACH, designated_slices, epoch_order, sample, sample_starts
from lits_toolkit.errors import SettingError


@pytest.fixture
def prepared(tmp_path):
    random = np.random.default_rng(0)
    volume = random.integers(-300, 300, (12, 32, 32)).astype(np.int16)
    reference = np.zeros((12, 32, 32), np.uint8)
    reference[3:9, 8:24, 8:24] = 1
    reference[5:7, 10:14, 10:14] = 2
    case = Case("volume-0", volume, Grid((32, 32, 12), np.eye(4)), reference)
    path = tmp_path / "volume-0.b2nd"
    write_prepared(case, path, size=32)
    return PreparedCase(path), volume, reference


@pytest.mark.parametrize(
    ("designation", "expected"), [("all", range(12)), ("liver", range(3, 9)), ("tumor", range(5, 7))]
)
def test_designated_slices(prepared, designation, expected):
    assert designated_slices(prepared[0], designation).tolist() == list(expected)


def test_an_unknown_designation_names_the_known_ones(prepared):
    with pytest.raises(SettingError, match="all, liver, tumor"):
        designated_slices(prepared[0], "spleen")


def take(case, start, dimensions=2, least=1):
    return sample(case.volume_slices(0, 12), case.mask_slices(0, 12) >= least, start, dimensions)


def test_a_liver_sample_is_nine_normalised_slices_and_the_middle_mask(prepared):
    case, volume, reference = prepared
    found = take(case, 5)
    expected = (np.clip(volume[1:10], -200, 200).astype(np.float32) + 200) / 400
    np.testing.assert_array_equal(found.image, expected)
    np.testing.assert_array_equal(found.target, reference[5] >= 1)


def test_beyond_the_ends_there_is_zero(prepared):
    found = take(prepared[0], 1)
    assert (found.image[:3] == 0).all()
    assert (found.image[3:] > 0).any()


def test_in_the_tumour_stage_the_target_is_the_tumour(prepared):
    case, _, reference = prepared
    np.testing.assert_array_equal(take(case, 5, least=2).target, reference[5] == 2)


def test_a_3d_sample_is_eight_normalised_slices_and_the_masks_of_the_middle_four(prepared):
    case, volume, reference = prepared
    found = take(case, 4, dimensions=3)
    expected = (np.clip(volume[2:10], -200, 200).astype(np.float32) + 200) / 400
    np.testing.assert_array_equal(found.image, expected[None])
    np.testing.assert_array_equal(found.target, reference[4:8] >= 1)


@pytest.mark.parametrize(("start", "before", "after"), [(0, 2, 0), (8, 0, 2), (10, 0, 4)])
def test_a_3d_sample_is_zero_beyond_the_ends_in_image_and_target(prepared, start, before, after):
    found = take(prepared[0], start, dimensions=3)
    empty = [not found.image[0, index].any() for index in range(8)]
    assert empty == [True] * before + [False] * (8 - before - after) + [True] * after
    assert found.target.shape == (4, 32, 32)
    beyond = max(start + 4 - 12, 0)
    assert not found.target[4 - beyond :].any()


def test_what_each_kind_of_network_sees_and_segments():
    assert (REACH[2].seen, REACH[2].slices) == (9, 1)
    assert (REACH[3].seen, REACH[3].slices) == (8, 4)


@given(st.sets(st.integers(0, 60)), st.sampled_from([2, 3]))
def test_the_samples_segment_every_designated_slice_exactly_once(designated, dimensions):
    starts = sample_starts(np.array(sorted(designated), int), dimensions)
    covered = [int(start) + offset for start in starts for offset in range(REACH[dimensions].slices)]
    assert len(covered) == len(set(covered))
    assert designated <= set(covered)
    if dimensions == 2:
        assert designated == set(covered)


def test_an_epoch_has_every_designated_slice_once_and_one_case_after_the_other():
    slices = [np.arange(4), np.array([2, 7]), np.arange(3)]
    order = list(epoch_order(slices, np.random.default_rng(3)))
    assert sorted(order) == sorted((case, int(index)) for case, found in enumerate(slices) for index in found)
    cases = [case for case, _ in order]
    changes = sum(a != b for a, b in pairwise(cases))
    assert changes == 2
    mixed = [case for case, _ in epoch_order(slices, np.random.default_rng(3), cases_together=3)]
    assert sum(a != b for a, b in pairwise(mixed)) > 2
