"""The network's grid: square axial slices of one size, from the CT's own grid and back (dissertation §3.1.1, §4.1.1).

A matrix that is not square is padded to one, the same on both sides, so that a body keeps its proportions; then y and x
are resized, z never is. Where they shrink, a new pixel is the mean over its area (from 512 to 256 the mean of 2 × 2);
where they grow, it is bilinear.
"""

from collections.abc import Iterator
from functools import reduce

import numpy as np

WINDOW = (-200, 200)
"""HU kept: the rest is air, metal and bone."""
SIZE = 256
Window = tuple[int, int]

_SLICES_AT_ONCE = 16
"""Resized together: enough to be fast, few enough that float32 copies of a whole CT are never made."""


def to_network_grid(volume: np.ndarray, size: int = SIZE, window: Window = WINDOW) -> np.ndarray:
    """(z, y, x) int16 HU, clamped to the window, to (z, size, size) int16; the padding has the window's lowest HU."""
    grid = np.empty((len(volume), size, size), np.int16)
    factor = _power_of_two(volume.shape, size)
    exact = factor and volume.dtype == np.int16 and factor**2 * max(map(abs, window)) < 2**15 - factor**2
    for part in _parts(len(volume), 1 if exact else _SLICES_AT_ONCE):
        clamped = np.clip(volume[part], *window)
        if exact:
            grid[part] = _mean_of_squares(clamped, factor)
        else:
            grid[part] = np.rint(_resize(_square(clamped, window[0]).astype(np.float32), size))
    return grid


def mask_to_network_grid(mask: np.ndarray, size: int = SIZE) -> np.ndarray:
    """(z, y, x) uint8 labels 0, 1, 2 to (z, size, size) uint8: each new pixel takes the label of most of its area.

    Ties go to the higher label, so that thin lesions are kept. The padding is background.
    """
    grid = np.zeros((len(mask), size, size), np.uint8)
    for part in _parts(len(mask)):
        if mask[part].any():
            square = _square(mask[part], 0)
            background, liver = (_share(square == label, size) for label in (0, 1))
            grid[part] = liver >= background
            if (square == 2).any():
                tumor = _share(square == 2, size)
                grid[part][(tumor >= liver) & (tumor >= background)] = 2
    return grid


def from_network_grid(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The way back: (z, size, size) float32, such as probabilities, to float32 of the CT's `shape` (z, y, x)."""
    found = np.empty(shape, np.float32)
    for part, slab in slabs_from_network_grid(array, shape, np.arange(len(array))):
        found[part] = slab
    return found


def slabs_from_network_grid(
    array: np.ndarray, shape: tuple[int, ...], slices: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`from_network_grid` of some slices alone, a few at a time: their indices (n,), and (n, y, x) float32 of them."""
    _, y, x = shape
    side = max(y, x)
    top, left = (side - y) // 2, (side - x) // 2
    for part in _parts(len(slices)):
        yield slices[part], _resize(array[slices[part]], side)[:, top : top + y, left : left + x]


def slices_above(array: np.ndarray, least: float) -> np.ndarray:
    """The slices (n,) of a float32 (z, size, size) that may exceed `least` on the way back: bilinear growing and the
    mean of an area exceed no value that they come from, but for their rounding."""
    return np.flatnonzero(array.max(axis=(1, 2)) > least - 1e-5)


def network_spacing(spacing_mm: tuple[float, float, float], shape: tuple[int, ...], size: int) -> tuple[float, ...]:
    """Spacing (z, y, x) in mm on the network's grid, of a CT of that spacing and `shape` (z, y, x)."""
    z, y, x = spacing_mm
    factor = max(shape[1:]) / size
    return z, y * factor, x * factor


def _parts(slices: int, at_once: int = _SLICES_AT_ONCE) -> Iterator[slice]:
    return (slice(start, start + at_once) for start in range(0, slices, at_once))


def _square(slices: np.ndarray, fill: int) -> np.ndarray:
    """(n, y, x) padded to (n, side, side); an odd pixel goes behind."""
    _, y, x = slices.shape
    side = max(y, x)
    if y == x:
        return slices
    top, left = (side - y) // 2, (side - x) // 2
    return np.pad(slices, ((0, 0), (top, side - y - top), (left, side - x - left)), constant_values=fill)


def _share(where: np.ndarray, size: int) -> np.ndarray:
    """(n, side, side) bool to (n, size, size): how much of each new pixel is True, in any unit."""
    if where.shape[1] == 2 * size:
        rows = where[:, ::2].view(np.uint8) + where[:, 1::2].view(np.uint8)
        return rows[:, :, ::2] + rows[:, :, 1::2]
    return _resize(where.astype(np.float32), size)


def _power_of_two(shape: tuple[int, ...], size: int) -> int:
    """2, 4 or 8 where a (z, y, x) of that shape shrinks so many times, else 0."""
    _, y, x = shape
    return next((factor for factor in (2, 4, 8) if y == x == factor * size), 0)


def _mean_of_squares(slices: np.ndarray, factor: int) -> np.ndarray:
    """(n, y, x) int16 to the means of factor × factor pixels, as `_resize` and `np.rint` give them, without floats."""
    rows: np.ndarray = reduce(np.add, (slices[:, start::factor] for start in range(factor)))
    total: np.ndarray = reduce(np.add, (rows[:, :, start::factor] for start in range(factor)))
    bits = 2 * factor.bit_length() - 2
    return (total + (2 ** (bits - 1) - 1) + ((total >> bits) & 1)) >> bits  # a half goes to the even neighbour


def _resize(slices: np.ndarray, size: int) -> np.ndarray:
    """(n, side, side) float32 to (n, size, size) float32."""
    side = slices.shape[1]
    if side == size:
        return slices
    if side == 2 * size:
        rows = slices[:, ::2] + slices[:, 1::2]
        return (rows[:, :, ::2] + rows[:, :, 1::2]) / 4
    if side > size:
        weights = _area_weights(side, size)
        return weights @ slices @ weights.T
    import torch
    from torch.nn import functional

    tensor = torch.from_numpy(np.ascontiguousarray(slices))[:, None]
    return functional.interpolate(tensor, size=(size, size), mode="bilinear", align_corners=False)[:, 0].numpy()


def _area_weights(side: int, size: int) -> np.ndarray:
    """(size, side) float32: the share of each new pixel that an old one covers, along one axis."""
    edges = np.linspace(0, side, size + 1)
    low, high = np.maximum(edges[:-1, None], np.arange(side)), np.minimum(edges[1:, None], np.arange(1, side + 1))
    return (np.clip(high - low, 0, None) * size / side).astype(np.float32)
