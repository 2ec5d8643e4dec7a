"""The network's grid: square axial slices of one size, from the CT's own grid and back (dissertation §3.1.1, §4.1.1).

A matrix that is not square is padded to one, the same on both sides, so that a body keeps its proportions; then y and x
are resized, z never is. Where they shrink, a new pixel is the mean over its area (from 512 to 256 the mean of 2 × 2);
where they grow, it is bilinear.
"""

from collections.abc import Iterator

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
    for part in _parts(len(volume)):
        clamped = np.clip(volume[part], *window)
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
            shares = np.stack([_resize((square == label).astype(np.float32), size) for label in (2, 1, 0)])
            grid[part] = 2 - shares.argmax(axis=0)
    return grid


def from_network_grid(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The way back: (z, size, size) float32, such as probabilities, to float32 of the CT's `shape` (z, y, x)."""
    _, y, x = shape
    side = max(y, x)
    top, left = (side - y) // 2, (side - x) // 2
    found = np.empty(shape, np.float32)
    for part in _parts(len(array)):
        found[part] = _resize(array[part], side)[:, top : top + y, left : left + x]
    return found


def network_spacing(spacing_mm: tuple[float, float, float], shape: tuple[int, ...], size: int) -> tuple[float, ...]:
    """Spacing (z, y, x) in mm on the network's grid, of a CT of that spacing and `shape` (z, y, x)."""
    z, y, x = spacing_mm
    factor = max(shape[1:]) / size
    return z, y * factor, x * factor


def _parts(slices: int) -> Iterator[slice]:
    return (slice(start, start + _SLICES_AT_ONCE) for start in range(0, slices, _SLICES_AT_ONCE))


def _square(slices: np.ndarray, fill: int) -> np.ndarray:
    """(n, y, x) padded to (n, side, side); an odd pixel goes behind."""
    _, y, x = slices.shape
    side = max(y, x)
    if y == x:
        return slices
    top, left = (side - y) // 2, (side - x) // 2
    return np.pad(slices, ((0, 0), (top, side - y - top), (left, side - x - left)), constant_values=fill)


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
