import numpy as np
import pytest

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import InputError
from lits_toolkit.training.samples import EpochSampler, SliceDataset, in_order


@pytest.fixture
def cases(tmp_path):
    prepared = []
    for index in range(2):
        random = np.random.default_rng(index)
        reference = np.zeros((10, 64, 64), np.uint8)
        reference[2:7, 30:50, 8:28] = 1
        case = Case(f"v-{index}", random.integers(-200, 200, (10, 64, 64)).astype(np.int16),
                    Grid((64, 64, 10), np.eye(4)), reference)  # fmt: skip
        write_prepared(case, tmp_path / f"v-{index}.b2nd", size=64)
        prepared.append(PreparedCase(tmp_path / f"v-{index}.b2nd"))
    return prepared


def test_every_designated_slice_is_a_sample(cases):
    dataset = SliceDataset(cases, "liver", "liver")
    assert len(dataset) == 10
    image, target = dataset[(1, 4, 0)]
    assert image.shape == (9, 64, 64)
    np.testing.assert_array_equal(target, cases[1].mask_slices(4, 5)[0])


def test_a_crop_lies_around_the_liver_and_is_the_same_for_the_same_seed(cases):
    dataset = SliceDataset(cases, "liver", "liver", crop=32)
    corners = set()
    for seed in range(20):
        image, target = dataset[(0, 4, seed)]
        assert image.shape == (9, 32, 32)
        assert int((target > 0).sum()) >= 12 * 12  # most of the 20 × 20 liver stays in view
        np.testing.assert_array_equal(image, dataset[(0, 4, seed)][0])
        corners.add(image.numpy().tobytes())
    assert len(corners) > 5


def test_reduced_slices_are_means_of_squares(cases):
    image, target = SliceDataset(cases, "liver", "liver")[(0, 4, 0)]
    small, reduced = SliceDataset(cases, "liver", "liver", reduce=2)[(0, 4, 0)]
    assert small.shape == (9, 32, 32)
    for z, y, x in ((0, 0, 0), (4, 16, 9), (8, 31, 31)):
        four = image[z, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        assert float(small[z, y, x]) == pytest.approx(float(four.mean()), abs=1e-6)
    np.testing.assert_array_equal(reduced, target[::2, ::2])  # the liver's box begins and ends at even pixels


def test_the_tumour_stage_sees_the_liver_as_asked(cases):
    masked, centred = (
        SliceDataset(cases, "tumor", "liver", crop=32, reduce=2, combination=how)[(0, 4, 7)][0]
        for how in ("mask", "centre")
    )
    inside = masked != 0
    assert inside.any()
    difference = (masked - centred)[inside]
    assert float(difference.max() - difference.min()) < 1e-6 < float(difference.min())
    assert not centred[~inside].any()


def test_the_order_is_the_epochs_own(cases):
    dataset = SliceDataset(cases, "liver", "all")
    sampler = EpochSampler(dataset.slices, seed=1, cases_together=1)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    sampler.set_epoch(0)
    assert list(sampler) == first != second
    assert sorted(index[:2] for index in first) == [index[:2] for index in in_order(dataset.slices)]
    assert len(sampler) == len(first) == 20


def test_nothing_to_train_on_is_said(cases):
    with pytest.raises(InputError, match="tumor"):
        SliceDataset(cases, "tumor", "tumor")
