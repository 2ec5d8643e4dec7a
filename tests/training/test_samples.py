import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import InputError
from lits_toolkit.training.samples import CaseDataset, EpochSampler, EvenBatches, in_order
from lits_toolkit.training.settings import TrainSettings


@pytest.fixture
def cases(tmp_path):
    prepared = []
    for index in range(2):
        random = np.random.default_rng(index)
        reference = np.zeros((10, 64, 64), np.uint8)
        reference[2:7, 30:50, 8:28] = 1
        reference[4, 34:38, 12:16] = 2
        case = Case(f"v-{index}", random.integers(-200, 200, (10, 64, 64)).astype(np.int16),
                    Grid((64, 64, 10), np.eye(4)), reference)  # fmt: skip
        write_prepared(case, tmp_path / f"v-{index}.b2nd", size=64)
        prepared.append(PreparedCase(tmp_path / f"v-{index}.b2nd"))
    return prepared


def dataset(cases, stage="liver", slices="liver", dimensions=2, livers=(), whole=False, **settings):
    return CaseDataset(cases, TrainSettings(stage=stage, slices=slices, **settings), dimensions, livers, whole)


def test_every_designated_slice_is_a_sample(cases):
    samples = dataset(cases)
    assert len(samples) == 10
    image, target, where = samples[(1, 4, 0)]
    assert image.shape == (9, 64, 64)
    np.testing.assert_array_equal(target, cases[1].mask_slices(4, 5)[0] >= 1)
    assert where.tolist() == [1, 4]


def test_in_3d_blocks_of_four_cover_the_designated_slices(cases):
    samples = dataset(cases, stage="tumor", dimensions=3)
    assert [starts.tolist() for starts in samples.starts] == [[0, 4], [0, 4]]
    image, target, _ = samples[(0, 4, 0)]
    assert (image.shape, target.shape) == ((1, 8, 64, 64), (4, 64, 64))
    np.testing.assert_array_equal(target, cases[0].mask_slices(4, 8) == 2)
    masked = cases[0].volume_slices(2, 10) * (cases[0].mask_slices(2, 10) >= 1)
    np.testing.assert_array_equal(image[0], masked)
    assert dataset(cases, stage="tumor", dimensions=3, crop=32)[(0, 4, 0)][0].shape == (1, 8, 32, 32)


def test_a_crop_lies_around_the_liver_and_is_the_same_for_the_same_seed(cases):
    samples = dataset(cases, crop=32)
    corners = set()
    for seed in range(20):
        image, target, _ = samples[(0, 4, seed)]
        assert image.shape == (9, 32, 32)
        assert int((target > 0).sum()) >= 12 * 12  # most of the 20 × 20 liver stays in view
        np.testing.assert_array_equal(image, samples[(0, 4, seed)][0])
        corners.add(image.numpy().tobytes())
    assert len(corners) > 5
    assert dataset(cases, crop=32, whole=True)[(0, 4, 0)][0].shape == (9, 64, 64)


def test_reduced_slices_are_means_of_squares(cases):
    image, target, _ = dataset(cases)[(0, 4, 0)]
    small, reduced, _ = dataset(cases, reduce=2)[(0, 4, 0)]
    assert small.shape == (9, 32, 32)
    for z, y, x in ((0, 0, 0), (4, 16, 9), (8, 31, 31)):
        four = image[z, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        assert float(small[z, y, x]) == pytest.approx(float(four.mean()), abs=1e-6)
    np.testing.assert_array_equal(reduced, target[::2, ::2])  # the liver's box begins and ends at even pixels


def test_the_tumour_stage_sees_the_liver_as_asked(cases):
    masked, centred = (
        dataset(cases, "tumor", crop=32, reduce=2, combine=how)[(0, 4, 7)][0] for how in ("mask", "centre")
    )
    inside = masked != 0
    assert inside.any()
    difference = (masked - centred)[inside]
    assert float(difference.max() - difference.min()) < 1e-6 < float(difference.min())
    assert not centred[~inside].any()


def test_the_order_is_the_epochs_own(cases):
    samples = dataset(cases, slices="all")
    sampler = EpochSampler(samples.starts, seed=1, cases_together=1)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    sampler.set_epoch(0)
    assert list(sampler) == first != second
    assert sorted(index[:2] for index in first) == [index[:2] for index in in_order(samples.starts)]
    assert len(sampler) == len(first) == 20


@given(st.integers(0, 60), st.integers(1, 9))
def test_batches_leave_no_sample_out_and_are_even(samples, size):
    order = [(0, start, 0) for start in range(samples)]
    batches = list(EvenBatches(order, size))
    assert [index for batch in batches for index in batch] == order
    assert len(batches) == len(EvenBatches(order, size)) == -(-samples // size)
    lengths = {len(batch) for batch in batches}
    assert all(length <= size for length in lengths)
    assert not lengths or max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("how", ["mask", "add", "none"])
def test_a_predicted_liver_takes_the_references_place(cases, tmp_path, how):
    """Tumour outside it is neither seen, where it masks, nor asked for."""
    predicted = np.zeros((10, 64, 64), bool)
    predicted[:, 36:64, :] = True
    np.savez(tmp_path / "liver.npz", liver=np.packbits(predicted), shape=predicted.shape, made_by=np.array(""))
    samples = dataset(cases[:1], "tumor", livers=[tmp_path / "liver.npz"], combine=how)
    image, target, _ = samples[(0, 4, 0)]
    plain = cases[0].volume_slices(0, 9)
    expected = {"mask": plain * predicted[:9], "add": plain + predicted[:9], "none": plain}[how]
    np.testing.assert_allclose(image, expected, atol=1e-7)
    np.testing.assert_array_equal(target, (cases[0].mask_slices(4, 5)[0] == 2) & predicted[4])
    assert 0 < int(target.sum()) < int((cases[0].mask_slices(4, 5) == 2).sum())


def test_the_classes_are_counted_over_the_samples_slices(cases):
    assert dataset(cases, "tumor").class_counts() == (2 * (5 * 64 * 64 - 16), 2 * 16)
    assert dataset(cases, "liver", slices="all").class_counts() == (2 * (10 * 64 * 64 - 5 * 400), 2 * 5 * 400)
    blocks = dataset(cases, "liver", dimensions=3)
    assert blocks.class_counts() == (2 * (8 * 64 * 64 - 5 * 400), 2 * 5 * 400)


@pytest.mark.parametrize("workers", [0, 2])
def test_readers_in_processes_of_their_own_give_the_same_batches(cases, workers):
    samples = dataset(cases, slices="all", crop=32)
    sampler = EpochSampler(samples.starts, seed=1, cases_together=2)
    context = "spawn" if workers else None
    found = list(DataLoader(samples, 5, sampler=sampler, num_workers=workers, multiprocessing_context=context))
    expected = [samples[index] for index in sampler]
    assert len(found) == 4
    for position, values in enumerate(zip(*found, strict=True)):
        np.testing.assert_array_equal(torch.cat(values), torch.stack([one[position] for one in expected]))


def test_nothing_to_train_on_is_said(cases, tmp_path):
    bare = Case("bare", np.zeros((4, 64, 64), np.int16), Grid((64, 64, 4), np.eye(4)), np.ones((4, 64, 64), np.uint8))
    write_prepared(bare, tmp_path / "bare.b2nd", size=64)
    with pytest.raises(InputError, match="none of the 1 cases to train on has a slice with tumor"):
        dataset([PreparedCase(tmp_path / "bare.b2nd")], "tumor", slices="tumor")
    with pytest.raises(InputError, match=r"none of the 0 cases to validate on has a slice$"):
        dataset([], slices="all", whole=True)
