from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch.utils.data import DataLoader, TensorDataset

from lits_toolkit.data.augmentation import (
    UNCHANGED,
    Augmentation,
    Movement,
    augment,
    displacements,
    draw_movement,
    move,
)

EVERYTHING = Augmentation(gain=0.25, elastic_share=0.5)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(count=2, size=64, channels=9):
    """Smooth images, and targets that are one blob: as in CT, an interpolated outline means something."""
    random = np.random.default_rng(1)
    images = ndimage.gaussian_filter(random.random((count, channels, size, size)), (0, 0, 3, 3)).astype(np.float32)
    y, x = np.mgrid[:size, :size] / size
    targets = np.stack([(((y - 0.45) / 0.2) ** 2 + ((x - 0.4 - 0.05 * i) / 0.3) ** 2 < 1) for i in range(count)])
    return torch.from_numpy(images), torch.from_numpy(targets.astype(np.uint8))


def movement(rotation=0.0, shear=0.0, scale=0.0, right=0.0, down=0.0, flipped=False, lattice=None, spacing=32.0):
    """Of one sample."""
    return Movement(
        rotation_degrees=torch.tensor([rotation]),
        shear_degrees=torch.tensor([shear]),
        scale_percent=torch.tensor([scale]),
        shift_pixels=torch.tensor([[right, down]]),
        flipped=torch.tensor([flipped]),
        deformed=torch.arange(0 if lattice is None else 1),
        lattice=torch.zeros(0, 2, 4, 4) if lattice is None else torch.as_tensor(lattice, dtype=torch.float32)[None],
        lattice_spacing=spacing,
    )


def by_hand(rotation=0.0, shear=0.0, scale=0.0, right=0.0, down=0.0, flipped=False):
    """The (2, 2) matrix and the shift in (y, x), y down, that bring a point of the picture to its new place."""
    a, s = np.deg2rad(rotation), np.deg2rad(shear)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])  # of (y, x): what is right goes up
    push = np.array([[1, 0], [-np.tan(s), 1]])  # what is above goes right
    mirror = np.diag([1, -1 if flipped else 1])
    return (1 + scale / 100) * turn @ push @ mirror, np.array([down, right])


def scipy_affine(image, forth, shift, order=1):
    """`image` moved about its centre by ndimage, which asks for the way back."""
    back = np.linalg.inv(forth)
    centre = (np.array(image.shape) - 1) / 2
    return ndimage.affine_transform(
        image, back, centre - back @ (centre + shift), order=order, mode="grid-constant", cval=0
    )


def assert_moved_as(moved, labels, expect_image, expect_label):
    """Images to float32's precision; of the mask only pixels that lie on the half may differ."""
    np.testing.assert_allclose(moved, expect_image, atol=2e-4)
    assert not ((labels != (expect_label >= 0.5)) & (np.abs(expect_label - 0.5) > 1e-3)).any()


AFFINE = [
    {"rotation": 15.0},
    {"rotation": -9.0},
    {"shear": 10.0},
    {"scale": 12.5},
    {"scale": -12.5},
    {"right": 5.0},
    {"down": -3.5},
    {"flipped": True, "rotation": 8.0},
    {"rotation": 12.0, "shear": -7.0, "scale": -6.0, "right": 4.5, "down": -2.25, "flipped": True},
]


@pytest.mark.parametrize("how", AFFINE, ids=str)
def test_image_and_mask_move_as_scipys_affine_transform_moves_them(how):
    images, targets = batch(1)
    moved, labels = move(images, targets, movement(**how), pixels=64)
    forth, shift = by_hand(**how)
    expected = np.stack([scipy_affine(image, forth, shift) for image in images[0].numpy()])
    assert_moved_as(
        moved[0].numpy(), labels[0].numpy(), expected, scipy_affine(targets[0].numpy().astype(float), forth, shift)
    )


@pytest.mark.parametrize("pixels", [64, 100])
def test_the_elastic_field_is_a_cubic_b_spline_and_moves_as_scipys_map_coordinates(pixels):
    images, targets = batch(1)
    lattice = np.random.default_rng(0).uniform(-6, 6, (2, 8, 8))
    how = {"rotation": 10.0, "right": 3.0, "flipped": True}
    moving = movement(**how, lattice=lattice, spacing=20.0)
    field = displacements(moving, 64, pixels)[0].numpy()
    centres = np.stack(np.meshgrid(*[(np.arange(64) + 0.5) * pixels / 64] * 2, indexing="ij"))
    spline = [
        ndimage.map_coordinates(points, centres / 20 + 1, order=3, prefilter=False, mode="grid-constant")
        for points in lattice
    ]
    np.testing.assert_allclose(field, spline, atol=1e-4)

    moved, labels = move(images, targets, moving, pixels)
    forth, shift = by_hand(**how)
    from_centre = np.mgrid[:64, :64] - 31.5
    affine = np.einsum("ij,jyx->iyx", np.linalg.inv(forth), from_centre - shift[:, None, None] * 64 / pixels) + 31.5
    places = affine + field[::-1] * 64 / pixels
    there = [ndimage.map_coordinates(image, places, order=1, mode="grid-constant") for image in images[0].numpy()]
    label = ndimage.map_coordinates(targets[0].numpy().astype(float), places, order=1, mode="grid-constant")
    assert_moved_as(moved[0].numpy(), labels[0].numpy(), np.stack(there), label)


def spot(y, x):
    images = torch.zeros(1, 1, 65, 65)
    images[0, 0, y, x] = 1
    return images, (images[:, 0] > 0).to(torch.uint8)


@pytest.mark.parametrize(
    ("how", "here", "there"),
    [
        ({"rotation": 90.0}, (32, 42), (22, 32)),  # what is to the right goes up: anti-clockwise
        ({"shear": 45.0}, (22, 32), (22, 42)),  # what is above goes to the right
        ({"right": 7.0}, (30, 40), (30, 47)),
        ({"down": 7.0}, (30, 40), (37, 40)),
        ({"scale": 100.0}, (32, 42), (32, 52)),
        ({"flipped": True}, (30, 40), (30, 24)),
        ({"flipped": True, "right": 7.0}, (30, 40), (30, 31)),
    ],
    ids=str,
)
def test_signs_as_the_radiologist_sees_them(how, here, there):
    moved, labels = move(*spot(*here), movement(**how), pixels=65)
    assert divmod(int(moved[0, 0].argmax()), 65) == there
    assert labels[0][there] == 1


def test_zeros_come_in_from_beyond_the_border():
    images, targets = torch.ones(1, 2, 32, 32), torch.ones(1, 32, 32, dtype=torch.uint8)
    moved, labels = move(images, targets, movement(right=8.0), pixels=32)
    expected = torch.ones(32, 32)
    expected[:, :8] = 0
    assert torch.equal(moved, expected.expand(1, 2, 32, 32))
    assert torch.equal(labels[0], expected.to(torch.uint8))


def test_without_any_transformation_the_batch_itself_comes_back():
    images, targets = batch()
    moved, labels = augment(images, targets, UNCHANGED, seeded())
    assert torch.equal(moved, images)
    assert torch.equal(labels, targets)
    assert labels.dtype == torch.uint8
    for still in (Augmentation(0, 0, 0, 0, 0, 0, elastic_pixels=0), Augmentation(0, 0, 0, 0, 0, 0, elastic_share=0)):
        assert torch.equal(augment(images, targets, still, seeded())[0], images)


def test_what_is_given_is_not_written_to():
    images, targets = batch()
    kept = images.clone(), targets.clone()
    for given_settings in (EVERYTHING, replace(UNCHANGED, noise=0.005), replace(UNCHANGED, gain=0.25)):
        augment(images, targets, given_settings, seeded())
    assert torch.equal(images, kept[0])
    assert torch.equal(targets, kept[1])


@pytest.mark.parametrize("size", [64, 96, 55])
def test_a_flip_alone_is_exactly_a_flip(size):
    images, targets = batch(size=size)
    moved, labels = augment(images, targets, replace(UNCHANGED, flip=1), seeded())
    assert torch.equal(moved, images.flip(-1))
    assert torch.equal(labels, targets.flip(-1))


def test_half_of_the_samples_are_flipped_and_the_others_left():
    images, targets = batch(40, size=32, channels=1)
    moved, labels = augment(images, targets, replace(UNCHANGED, flip=0.5), seeded())
    flipped = torch.tensor([torch.equal(after, before.flip(-1)) for after, before in zip(moved, images, strict=True)])
    assert 10 < int(flipped.sum()) < 30
    assert torch.equal(moved[~flipped], images[~flipped])
    assert torch.equal(labels, torch.where(flipped[:, None, None], targets.flip(-1), targets))


def test_the_ranges_of_table_3_1_are_kept_and_filled():
    drawn = draw_movement(4000, Augmentation(), seeded())
    for values, reach in (
        (drawn.rotation_degrees, 15),
        (drawn.shear_degrees, 10),
        (drawn.scale_percent, 12.5),
        (drawn.shift_pixels[:, 0], 16),
        (drawn.shift_pixels[:, 1], 16),
        (drawn.lattice, 8),
    ):
        assert -reach <= float(values.min()) < -0.99 * reach
        assert 0.99 * reach < float(values.max()) <= reach
        counts = torch.histc(values, 10, -reach, reach) / values.numel()  # uniform: a tenth each
        assert float((counts - 0.1).abs().max()) < 0.02
    assert 0.47 < float(drawn.flipped.float().mean()) < 0.53
    assert 0.08 < len(drawn.deformed) / 4000 < 0.12
    together = torch.stack([drawn.rotation_degrees, drawn.shear_degrees, drawn.scale_percent, *drawn.shift_pixels.T])
    assert float((torch.corrcoef(together) - torch.eye(5)).abs().max()) < 0.06  # each is drawn for itself


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([32, 128, 200, 256]))
def test_no_elastic_field_folds_or_reaches_farther_than_it_may(seed, pixels):
    drawn = draw_movement(2, Augmentation(elastic_share=1), seeded(seed), pixels)
    assert len(drawn.deformed) == 2
    for field in displacements(drawn, pixels, pixels).double().numpy():
        assert np.abs(field).max() <= 8
        (x_by_y, x_by_x), (y_by_y, y_by_x) = (np.gradient(along) for along in field)
        assert ((1 + x_by_x) * (1 + y_by_y) - x_by_y * y_by_x).min() > 0


def test_only_the_samples_that_were_drawn_are_deformed():
    images, targets = batch(12, channels=1)
    only_elastic = Augmentation(0, 0, 0, 0, 0, 0, elastic_share=0.3)
    drawn = draw_movement(12, only_elastic, seeded(1), 64)
    moved, _ = augment(images, targets, only_elastic, seeded(1), 64)
    changed = (moved - images).abs().amax((1, 2, 3)) > 1e-3
    assert changed.nonzero()[:, 0].tolist() == drawn.deformed.tolist()
    assert 0 < len(drawn.deformed) < 12


def test_in_3d_every_slice_moves_as_it_would_alone():
    images, targets = batch(2, channels=8)
    volumes, blocks = images[:, None], torch.stack([targets.roll(shift, -1) for shift in (0, 3, 6, 9)], 1)
    still = replace(EVERYTHING, noise=0)
    moved, labels = augment(volumes, blocks, still, seeded(3))
    assert moved.shape == volumes.shape
    assert labels.shape == blocks.shape
    assert labels.dtype == torch.uint8
    for z in range(8):
        alone, label = augment(images[:, z : z + 1], blocks[:, z % 4], still, seeded(3))
        torch.testing.assert_close(moved[:, 0, z], alone[:, 0], atol=1e-6, rtol=0)
        assert torch.equal(labels[:, z % 4], label)


@pytest.mark.parametrize("spans", [64, 128])
def test_a_crop_is_moved_as_far_as_the_whole_slice(spans):
    settings = Augmentation(0, 0, 16, 0, 0, 0, elastic_share=0)
    right, down = draw_movement(1, settings, seeded(4), spans).shift_pixels[0].tolist()
    image = np.zeros((64, 64), np.float32)
    image[28:36, 28:36] = 1
    moved, _ = augment(torch.from_numpy(image)[None, None], torch.zeros(1, 64, 64), settings, seeded(4), spans)
    before, after = ndimage.center_of_mass(image), ndimage.center_of_mass(moved[0, 0].numpy())
    assert np.subtract(after, before) == pytest.approx(np.array([down, right]) * 64 / spans, abs=1e-3)


def test_the_control_points_of_a_crop_lie_as_far_apart_as_those_of_the_whole_slice():
    whole, crop = (draw_movement(1, Augmentation(elastic_share=1), seeded(), pixels) for pixels in (256, 128))
    assert whole.lattice.shape == (1, 2, 11, 11)
    assert crop.lattice.shape == (1, 2, 7, 7)
    half = replace(whole, lattice=whole.lattice[:, :, :7, :7])
    torch.testing.assert_close(displacements(half, 128, 128), displacements(whole, 256, 256)[..., :128, :128])


def test_noise_is_uniform_and_at_most_two_hu():
    images, targets = batch(2, size=128)
    moved, labels = augment(images, targets, replace(UNCHANGED, noise=0.005), seeded())
    hu = (moved - images).double() * 400
    assert 1.98 < float(hu.abs().max()) <= 2 + 1e-3
    counts = torch.histc(hu.float(), 10, -2, 2) / hu.numel()
    assert float((counts - 0.1).abs().max()) < 0.01
    assert abs(float(hu.mean())) < 0.03
    assert abs(float(torch.corrcoef(torch.stack([hu[..., 1:].flatten(), hu[..., :-1].flatten()]))[0, 1])) < 0.01
    assert torch.equal(labels, targets)


def test_gain_multiplies_each_image_by_its_own_factor():
    images, targets = batch(64, 32)
    moved, labels = augment(images, targets, replace(UNCHANGED, gain=0.25), seeded())
    factors = (moved.sum((1, 2, 3)) / images.sum((1, 2, 3))).log()
    torch.testing.assert_close(moved, images * factors.exp()[:, None, None, None], atol=1e-4, rtol=0)
    assert 0.2 < float(factors.max()) <= 0.25
    assert -0.25 <= float(factors.min()) < -0.2
    assert torch.equal(labels, targets)


def test_the_same_seed_gives_the_same_batch_and_another_another():
    images, targets = batch()
    first, _ = augment(images, targets, EVERYTHING, seeded(5))
    again, _ = augment(images, targets, EVERYTHING, seeded(5))
    other, _ = augment(images, targets, EVERYTHING, seeded(6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_what_is_drawn_does_not_depend_on_the_images():
    images, targets = batch(2)
    still = replace(EVERYTHING, noise=0)
    one, _ = augment(images, targets, still, seeded(7))
    swapped, _ = augment(images.flip(0), targets.flip(0), still, seeded(7))
    twice, _ = augment(2 * images, targets, still, seeded(7))
    torch.testing.assert_close(twice, 2 * one)
    assert not torch.allclose(swapped.flip(0), one)  # by its place in the batch, not by what it shows


def test_any_number_of_reading_workers_gives_the_same_batches():
    images, targets = batch(8, size=32)
    found = []
    for workers in (0, 2):
        loader = DataLoader(
            TensorDataset(images, targets), 4, num_workers=workers, multiprocessing_context="spawn" if workers else None
        )
        random = seeded(8)
        found.append([augment(*pair, EVERYTHING, random) for pair in loader])
    for (image, label), (same, target) in zip(*found, strict=True):
        assert torch.equal(image, same)
        assert torch.equal(label, target)


@pytest.mark.gpu
def test_on_a_gpu_it_is_the_same():
    images, targets = batch()
    here, label = augment(images, targets, EVERYTHING, seeded(9))
    there, target = augment(images.cuda(), targets.cuda(), EVERYTHING, seeded(9))
    torch.testing.assert_close(there.cpu(), here, atol=1e-4, rtol=0)
    assert float((target.cpu() != label).float().mean()) < 1e-3
