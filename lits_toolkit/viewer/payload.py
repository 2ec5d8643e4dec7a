"""What travels to the web browser: slices as raw int16, and masks with four voxels to a byte."""

from collections.abc import Sequence

import numpy as np


def pack_labels(mask: np.ndarray) -> bytes:
    """Pack labels 0…3 into two bits each, the first voxel in the lowest bits; empty where all are 0.

    `mask` is uint8 of any shape, read in C order. Most slices of a body have no liver, hence the empty form.
    """
    flat = np.ascontiguousarray(mask).reshape(-1)
    if not flat.any():
        return b""
    four = np.pad(flat, (0, -flat.size % 4)).reshape(-1, 4)
    return (four[:, 0] | four[:, 1] << 2 | four[:, 2] << 4 | four[:, 3] << 6).tobytes()


def unpack_labels(packed: bytes, size: int) -> np.ndarray:
    """The inverse of `pack_labels`: (size,) uint8."""
    if not packed:
        return np.zeros(size, np.uint8)
    four = np.frombuffer(packed, np.uint8)[:, None] >> np.array([0, 2, 4, 6], np.uint8)
    return (four & 3).reshape(-1)[:size]


def slice_buffers(volume: np.ndarray, masks: Sequence[np.ndarray], index: int) -> list[bytes]:
    """The buffers of one axial slice: its HU as little-endian int16, then each mask packed.

    `volume` is (z, y, x) int16, `masks` are (z, y, x) uint8.
    """
    return [volume[index].astype("<i2").tobytes(), *(pack_labels(mask[index]) for mask in masks)]


def interesting_slice(masks: Sequence[np.ndarray], slices: int) -> int:
    """Where to open: the slice with the largest tumour in any mask, else the largest liver, else the middle one."""
    for least_label in (2, 1):
        areas = np.zeros(slices, np.int64)
        for mask in masks:
            np.maximum(areas, [np.count_nonzero(plane >= least_label) for plane in mask], out=areas)
        if areas.any():
            return int(areas.argmax())
    return slices // 2
