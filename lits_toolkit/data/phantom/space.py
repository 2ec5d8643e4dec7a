"""Where a voxel is: axes in millimetres, smooth random fields over them, and the parts of a volume at hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""Lowest and highest z, y, x in mm."""
Axes = tuple[np.ndarray, np.ndarray, np.ndarray]

PERIOD = 48
"""Samples after which a random field repeats itself."""
WARP_MARGIN_MM = 22.0
"""How far bends move a voxel at most: the furthest in 200 patients was 21 mm."""


def hat_basis(positions: np.ndarray, count: int) -> np.ndarray:
    """(n, count) float32 weights of linear interpolation at fractional `positions` of an array of `count` samples."""
    distance = np.abs(np.clip(positions, 0, count - 1)[:, None] - np.arange(count))
    return np.maximum(0, 1 - distance).astype(np.float32)


def spline_basis(positions: np.ndarray, count: int) -> np.ndarray:
    """(n, count) float32 weights of the cubic B-spline, which has no kinks: random lattices become smooth fields."""
    t = np.abs(positions[:, None] - np.arange(count)).astype(np.float32)
    near, far = 2 / 3 - t * t * (1 - t / 2), np.maximum(2 - t, 0)
    return np.where(t < 1, near, far * far * far / 6)


def resample(array: np.ndarray, bases: Sequence[np.ndarray | None]) -> np.ndarray:
    """Apply one basis matrix along each axis of a (z, y, x) array; None leaves an axis as it is."""
    z, y, x = bases
    if z is not None:
        array = np.tensordot(z, array, 1)
    if y is not None:
        array = y @ array
    return array if x is None else array @ x.T


@dataclass(frozen=True, eq=False)
class Field:
    """A smooth random function of the place, of zero mean and unit deviation; it repeats itself far away."""

    lattice: np.ndarray
    step_mm: float

    @classmethod
    def draw(cls, random: np.random.Generator, correlation_mm: float) -> "Field":
        """What it is at two places further apart than `correlation_mm` has little in common."""
        lattice = random.standard_normal((PERIOD, PERIOD, PERIOD), np.float32)
        # the variance of a cubic B-spline of white noise, averaged over a cell, is (151 / 315) ** dimensions
        return cls(lattice * np.float32((315 / 151) ** 1.5), correlation_mm / 1.6)

    def __call__(self, axes: Axes) -> np.ndarray:
        """Its values on a grid, (z, y, x) float32."""
        block, bases = self.lattice, []
        for number, axis in enumerate(axes):
            positions = axis / self.step_mm
            first, last = int(np.floor(positions[0])) - 1, int(np.floor(positions[-1])) + 3
            block = block.take(np.arange(first, last) % PERIOD, number)
            bases.append(spline_basis(positions - first, last - first))
        return resample(block, bases)


@dataclass(frozen=True, eq=False)
class Warp:
    """From the scanner's millimetres to the patient's: how large, how turned, how unlike the drawing a patient is."""

    shift_mm: tuple[float, float, float]
    scale: tuple[float, float, float]
    turn: float
    """About the long axis, in radians."""
    bends: tuple[tuple[Field, float], ...]
    """Three fields for z, y, x, each with its size in mm, and again three of a finer kind."""

    def __call__(self, axes: Axes) -> Axes:
        """z, y, x of each voxel in the drawing's millimetres, three (z, y, x) float32 arrays."""
        z, y, x = np.ix_(*[(axis - shift).astype(np.float32) for axis, shift in zip(axes, self.shift_mm, strict=True)])
        c, s = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        plain = [z / self.scale[0], (c * y - s * x) / self.scale[1], (s * y + c * x) / self.scale[2]]
        for number, (bend, size) in enumerate(self.bends):
            plain[number % 3] = plain[number % 3] + np.float32(size) * bend(axes)
        return plain[0], plain[1], plain[2]


def reached(axes: Axes, box: Box, warp: Warp) -> tuple[slice, slice, slice] | None:
    """Which indices of the axes a box of the drawing may reach; None where it reaches none."""
    (z, y, x), (rz, ry, rx) = (
        [value * scale for value, scale in zip(values, warp.scale, strict=True)]
        for values in zip(*[((low + high) / 2, (high - low) / 2) for low, high in box], strict=True)
    )
    c, s = float(np.cos(warp.turn)), float(np.sin(warp.turn))
    middles = (z, c * y + s * x, c * x - s * y)
    halves = (rz, abs(c) * ry + abs(s) * rx, abs(c) * rx + abs(s) * ry)
    slices = []
    for axis, middle, half, shift in zip(axes, middles, halves, warp.shift_mm, strict=True):
        ends = (middle + shift - half - WARP_MARGIN_MM, middle + shift + half + WARP_MARGIN_MM)
        low, high = np.searchsorted(axis, ends)
        if low >= high:
            return None
        slices.append(slice(int(low), int(high)))
    return slices[0], slices[1], slices[2]


@dataclass(frozen=True, eq=False)
class Part:
    """A box of the volume at hand: where its voxels are, their HU so far, and distances that several layers need."""

    axes: Axes
    """z, y, x of its voxels in the scanner's mm, one dimension each."""
    z: np.ndarray
    y: np.ndarray
    x: np.ndarray
    """Of each voxel, in the drawing's mm, (z, y, x) float32."""
    hu: np.ndarray
    """(z, y, x) float32; painting changes it."""
    edge_mm: float
    """Over which an edge is blurred by partial volume."""
    landmarks: dict[str, np.ndarray] = field(default_factory=dict)
    """Signed distances in mm by name, each of this part's shape."""

    @classmethod
    def empty(cls, axes: Axes, warp: Warp, edge_mm: float) -> "Part":
        """Nothing but air."""
        z, y, x = warp(axes)
        return cls(axes, z, y, x, np.full(z.shape, -1000, np.float32), edge_mm)

    def within(self, box: Box, warp: Warp) -> "Part | None":
        """The part of it that a box of the drawing may reach, as views; None where it reaches nothing."""
        cut = reached(self.axes, box, warp)
        if cut is None:
            return None
        axes = (self.axes[0][cut[0]], self.axes[1][cut[1]], self.axes[2][cut[2]])
        landmarks = {name: values[cut] for name, values in self.landmarks.items()}
        return Part(axes, self.z[cut], self.y[cut], self.x[cut], self.hu[cut], self.edge_mm, landmarks)
