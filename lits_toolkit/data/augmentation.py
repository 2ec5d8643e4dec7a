"""Augmentation of a batch: one affine grid for the geometry, one interpolation for all channels (Table 3.1)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """The ranges of Table 3.1; each transformation is drawn uniformly from ± its range."""

    rotation_degrees: float = 15.0
    shear_degrees: float = 10.0
    translation_pixels: float = 16.0
    """Pixels of the 256 × 256 input."""
    scale_percent: float = 12.5
    noise: float = 0.005
    """Of the normalised intensity: at most 2 HU (the table's ±0.5 is percent of the range)."""
    flip: float = 0.5
    """Probability of a left-right flip."""
    gain: float = 0.0
    """Natural logarithm of the factor by which intensities are multiplied; not in the table."""


UNCHANGED = Augmentation(0, 0, 0, 0, 0, 0)
"""Nothing is transformed."""


def augment(
    images: Tensor, targets: Tensor, settings: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Images (n, channels, y, x) float32 and targets (n, y, x) integer, moved alike; noise and gain on images alone.

    Bilinear for images, nearest for targets; zero (air, background) comes in from beyond the border.
    """
    matrices = affine_matrices(len(images), settings, generator)
    grid = functional.affine_grid(matrices, [len(images), 1, *images.shape[-2:]], align_corners=False)
    moved = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    labels = functional.grid_sample(targets[:, None].float(), grid, mode="nearest", align_corners=False)
    if settings.noise:
        moved += torch.empty_like(moved).uniform_(-settings.noise, settings.noise, generator=generator)
    if settings.gain:
        factor = torch.empty(len(moved), 1, 1, 1).uniform_(-settings.gain, settings.gain, generator=generator).exp_()
        moved *= factor.to(moved.device)
    return moved, labels[:, 0].to(targets.dtype)


def affine_matrices(count: int, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """(count, 2, 3) float32 matrices in the coordinates of `affine_grid`, from output to input."""

    def uniform(reach: float) -> Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * reach

    angle = torch.deg2rad(uniform(settings.rotation_degrees))
    shear = torch.tan(torch.deg2rad(uniform(settings.shear_degrees)))
    scale = 1 / (1 + uniform(settings.scale_percent / 100))
    mirror = torch.where(torch.rand(count, generator=generator) < settings.flip, -1.0, 1.0)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    rotation = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
    shearing = torch.eye(2).repeat(count, 1, 1)
    shearing[:, 0, 1] = shear
    linear = rotation @ shearing * scale[:, None, None]
    linear[:, :, 0] *= mirror[:, None]
    # the grid's coordinates run from -1 to 1, so a shift by p of 256 pixels is 2p / 256
    shift = torch.stack([uniform(settings.translation_pixels), uniform(settings.translation_pixels)], -1) / 128
    return torch.cat([linear, shift[:, :, None]], dim=-1)
