"""Augmentation of a batch (dissertation §3.1.3, Table 3.1): one grid per sample moves all its slices and its mask.

Signs, as the radiologist sees a slice: a positive rotation turns it anti-clockwise, a positive shear pushes its upper
part to the right, a positive shift moves it to the right or down, a positive scale makes it larger, all about the
centre. A sample is flipped, sheared, scaled, turned and then shifted; an elastic deformation is laid over that.
"""

import math
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
    """Pixels of the 256 × 256 input, along x and y each."""
    scale_percent: float = 12.5
    """Of the side's length."""
    noise: float = 0.005
    """Of the normalised intensity: at most 2 HU (the table's ±0.5 is percent of the range)."""
    flip: float = 0.5
    """Probability of a left-right flip."""
    gain: float = 0.0
    """Natural logarithm of the factor by which intensities are multiplied; not in the table."""
    elastic_share: float = 0.1
    """Share of the samples that are deformed."""
    elastic_pixels: float = 8.0
    """Largest displacement, pixels of the 256 × 256 input, along x and y each; about 12 mm, the half of what a shift
    may do. A quarter of the spacing: below 0.48 of it no such field folds (Choi and Lee 2000), so organs stay whole."""
    elastic_spacing: float = 32.0
    """Distance of the control points, pixels of the 256 × 256 input: the liver's outline bends, and a tumour, which is
    smaller, is moved more than it is deformed."""

    @property
    def resamples(self) -> bool:
        """Whether slices are interpolated; a flip alone is none."""
        affine = (self.rotation_degrees, self.shear_degrees, self.translation_pixels, self.scale_percent)
        return any(affine) or bool(self.elastic_share and self.elastic_pixels)


UNCHANGED = Augmentation(0, 0, 0, 0, 0, 0, elastic_share=0)
"""Nothing is transformed."""


@dataclass(frozen=True, eq=False)
class Movement:
    """Where n samples go, on the CPU; what `draw_movement` draws."""

    rotation_degrees: Tensor
    """(n,) float32, as are the other three."""
    shear_degrees: Tensor
    scale_percent: Tensor
    shift_pixels: Tensor
    """(n, 2) float32: to the right, down; pixels of the 256 × 256 input."""
    flipped: Tensor
    """(n,) bool."""
    deformed: Tensor
    """(m,) int64: which of the samples are deformed."""
    lattice: Tensor
    """(m, 2, k, k) float32: displacements along x and y at the control points, pixels of the 256 × 256 input."""
    lattice_spacing: float
    """Their distance, in the same pixels."""


@torch.no_grad()
def augment(
    images: Tensor, targets: Tensor, settings: Augmentation, generator: torch.Generator, pixels: float = 256
) -> tuple[Tensor, Tensor]:
    """Images (n, channels, y, x) float32 and targets (n, y, x) of 0 and 1, moved alike; gain and noise on images alone.

    In 3D images are (n, 1, z, y, x) and targets (n, slices, y, x). Slices are square, and their side spans `pixels`
    of the 256 × 256 input, so that a crop is moved as far as the whole slice would be. Everything is drawn from
    `generator`, on the CPU, whatever device the batch is on; the same seed gives the same transformations. What is
    given is never written to; without any transformation it is what is returned.
    """
    movement = draw_movement(len(images), settings, generator, pixels)
    gains = (2 * torch.rand(len(images), generator=generator) - 1) * settings.gain
    if settings.resamples:
        images, targets = move(images, targets, movement, pixels)
    elif settings.flip:
        images, targets = (
            torch.where(_per_sample(movement.flipped, batch), batch.flip(-1), batch) for batch in (images, targets)
        )
    if settings.gain:
        images = images * _per_sample(gains.exp(), images)
    if settings.noise:
        noise = _bytes(images.shape, generator).to(images.device).float()
        images = torch.add(images, noise, alpha=settings.noise / 128, out=noise)
    return images, targets


def draw_movement(count: int, settings: Augmentation, generator: torch.Generator, pixels: float = 256) -> Movement:
    """Draw `count` samples' movements; as many numbers whatever the settings, the lattices excepted."""
    drawn = torch.rand(count, 7, generator=generator)
    rotation, shear, scale, right, down = (2 * drawn[:, :5] - 1).unbind(1)
    deformed = torch.nonzero(drawn[:, 5] < settings.elastic_share)[:, 0]
    points = math.ceil(pixels / settings.elastic_spacing) + 3
    lattice = 2 * torch.rand(len(deformed), 2, points, points, generator=generator) - 1
    return Movement(
        rotation_degrees=rotation * settings.rotation_degrees,
        shear_degrees=shear * settings.shear_degrees,
        scale_percent=scale * settings.scale_percent,
        shift_pixels=torch.stack([right, down], 1) * settings.translation_pixels,
        flipped=drawn[:, 6] < settings.flip,
        deformed=deformed,
        lattice=lattice * settings.elastic_pixels,
        lattice_spacing=settings.elastic_spacing,
    )


def move(images: Tensor, targets: Tensor, movement: Movement, pixels: float = 256) -> tuple[Tensor, Tensor]:
    """Batches as `augment` takes them, interpolated once where the movement brings each pixel from.

    Bilinear. The target goes along as further channels and is cut at a half, which is the outline of a binary mask
    between its pixels; nearest neighbours would fray it. Beyond the border is zero: air, background.
    """
    slices = images.flatten(1, -3)
    masks = targets.reshape(len(targets), -1, *targets.shape[-2:])
    grid = sources(movement, images.shape[-1], pixels, images.device).permute(0, 2, 3, 1)
    moved = functional.grid_sample(torch.cat([slices, masks.to(slices.dtype)], 1), grid, align_corners=False)
    here, there = moved.split([slices.shape[1], masks.shape[1]], 1)
    return here.reshape(images.shape), (there >= 0.5).to(targets.dtype).reshape(targets.shape)


def sources(movement: Movement, size: int, pixels: float = 256, device: torch.device | str = "cpu") -> Tensor:
    """(n, 2, size, size) float32: the x and y from which each pixel is taken, -1 and 1 at the slice's borders.

    Kept as two planes: made, and read by grid_sample, several times faster than pairs.
    """
    angle, shear = torch.deg2rad(movement.rotation_degrees), torch.deg2rad(movement.shear_degrees)
    cosine, sine, zero, one = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle), torch.ones_like(angle)
    # the inverse of each step, the last step first; x to the right, y down
    rotated = _matrices(cosine, -sine, sine, cosine) / (1 + movement.scale_percent / 100)[:, None, None]
    sheared = _matrices(one, torch.tan(shear), zero, one)
    flipped = _matrices(torch.where(movement.flipped, -one, one), zero, zero, one)
    linear = flipped @ sheared @ rotated
    offset = (linear @ movement.shift_pixels[:, :, None] * (2 / pixels)).to(device)
    linear = linear.to(device)
    centres = (2 * torch.arange(size, device=device) + 1) / size - 1
    grid = linear[:, :, :1, None] * centres + (linear[:, :, 1:] * centres - offset)[..., None]
    if len(movement.deformed):
        grid[movement.deformed.to(device)] += displacements(movement, size, pixels, device) * (2 / pixels)
    return grid


def displacements(movement: Movement, size: int, pixels: float = 256, device: torch.device | str = "cpu") -> Tensor:
    """(m, 2, size, size) float32: the deformed samples' elastic field, pixels of the 256 × 256 input along x and y.

    A uniform cubic B-spline of the lattice, whose first control point lies one spacing before the slice's border.
    """
    place = (torch.arange(size) + 0.5) * (pixels / size / movement.lattice_spacing)
    away = (place[:, None] - torch.arange(-1, movement.lattice.shape[-1] - 1)).abs()
    weights = torch.where(away < 1, 4 - 6 * away**2 + 3 * away**3, (2 - away).clamp(min=0) ** 3) / 6
    weights = weights.to(device)
    return weights @ movement.lattice.to(device) @ weights.T


def _matrices(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """(n, 2, 2) from the entries, row by row."""
    return torch.stack([a, b, c, d], 1).view(-1, 2, 2)


def _per_sample(values: Tensor, batch: Tensor) -> Tensor:
    """(n,) values on the batch's device, shaped so that they meet its first axis."""
    return values.to(batch.device).view(-1, *[1] * (batch.ndim - 1))


def _bytes(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Uniform int8 of all 256 values: eight from each number drawn, several times faster than as many floats.

    As noise of ±2 HU their steps are of a sixtieth HU.
    """
    count = math.prod(shape)
    numbers = torch.empty(-(-count // 8), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    return numbers.view(torch.int8)[:count].view(shape)
