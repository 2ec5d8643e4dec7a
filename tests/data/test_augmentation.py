import numpy as np
import pytest
import torch
from scipy import ndimage

from lits_toolkit.data.augmentation import UNCHANGED, Augmentation, affine_matrices, augment


def batch(count=2, size=64):
    images = torch.rand(count, 9, size, size, generator=torch.Generator().manual_seed(1))
    targets = (images[:, 4] > 0.5).to(torch.uint8)
    return images, targets


def test_without_any_transformation_nothing_changes():
    images, targets = batch()
    moved, labels = augment(images, targets, UNCHANGED, torch.Generator().manual_seed(0))
    torch.testing.assert_close(moved, images, atol=1e-5, rtol=0)
    assert torch.equal(labels, targets)


def test_a_certain_flip_mirrors_left_and_right():
    images, targets = batch()
    moved, labels = augment(images, targets, Augmentation(0, 0, 0, 0, 0, 1.0), torch.Generator().manual_seed(0))
    torch.testing.assert_close(moved, images.flip(-1), atol=1e-5, rtol=0)
    assert torch.equal(labels, targets.flip(-1))


def test_the_same_seed_gives_the_same_batch_and_another_another():
    images, targets = batch()
    first, _ = augment(images, targets, Augmentation(), torch.Generator().manual_seed(5))
    again, _ = augment(images, targets, Augmentation(), torch.Generator().manual_seed(5))
    other, _ = augment(images, targets, Augmentation(), torch.Generator().manual_seed(6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("seed", range(5))
def test_image_and_mask_move_as_scipys_affine_transform_does(seed):
    size = 64
    y, x = np.mgrid[:size, :size]
    disc = (((y - 30) / 14) ** 2 + ((x - 34) / 9) ** 2 < 1).astype(np.float32)
    images = torch.from_numpy(disc).expand(1, 9, size, size).clone()
    settings = Augmentation(noise=0.0)
    moved, labels = augment(
        images, torch.from_numpy(disc)[None].to(torch.uint8), settings, torch.Generator().manual_seed(seed)
    )
    theta = affine_matrices(1, settings, torch.Generator().manual_seed(seed))[0].double().numpy()
    # from normalised (x, y) to pixels (y, x), align_corners=False
    to_unit = lambda n: (2 * np.arange(n) + 1) / n - 1  # noqa: E731
    grid_y, grid_x = np.meshgrid(to_unit(size), to_unit(size), indexing="ij")
    source = np.einsum("ij,jyx->iyx", theta, np.stack([grid_x, grid_y, np.ones_like(grid_x)]))
    pixels = ((source + 1) * size - 1) / 2
    expected = ndimage.map_coordinates(disc, [pixels[1], pixels[0]], order=1, mode="constant")
    np.testing.assert_allclose(moved[0, 4].numpy(), expected, atol=2e-3)
    assert ((labels[0].numpy() > 0) == (expected > 0.5)).mean() > 0.99


def test_ranges_of_table_3_1_are_kept():
    matrices = affine_matrices(4000, Augmentation(shear_degrees=0, flip=0), torch.Generator().manual_seed(0))
    linear = matrices[:, :, :2].double()
    scale = 1 / torch.sqrt(torch.linalg.det(linear))
    assert 0.875 - 1e-6 <= float(scale.min()) < 0.88
    assert 1.12 < float(scale.max()) <= 1.125 + 1e-6
    angle = torch.rad2deg(torch.atan2(linear[:, 1, 0], linear[:, 0, 0]))
    assert 14.5 < float(angle.abs().max()) <= 15 + 1e-4
    shift = matrices[:, :, 2].abs().max() * 128
    assert 15.5 < float(shift) <= 16 + 1e-4


def test_noise_is_at_most_two_hu():
    images, targets = batch()
    moved, _ = augment(images, targets, Augmentation(0, 0, 0, 0, flip=0), torch.Generator().manual_seed(0))
    assert 0.004 < float((moved - images).abs().max()) <= 0.005 + 1e-5


def test_gain_multiplies_each_image_by_its_own_factor():
    images, targets = batch(64, 32)
    settings = Augmentation(0, 0, 0, 0, 0, 0, gain=0.25)
    moved, labels = augment(images, targets, settings, torch.Generator().manual_seed(0))
    factors = (moved.sum((1, 2, 3)) / images.sum((1, 2, 3))).log()
    torch.testing.assert_close(moved, images * factors.exp()[:, None, None, None], atol=1e-4, rtol=0)
    assert 0.2 < float(factors.max()) <= 0.25
    assert -0.25 <= float(factors.min()) < -0.2
    assert torch.equal(labels, targets)
