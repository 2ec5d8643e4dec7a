"""What travels to the web browser: slices as raw int16, masks with four voxels to a byte, and the facts about them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.metrics.lesions import find_lesions
from lits_toolkit.metrics.slices import slice_areas, slice_dice
from lits_toolkit.metrics.surface import Spacing
from lits_toolkit.viewer.facts import LesionRow, Voxel, lesion_rows


def plane_view(array: np.ndarray, plane: int) -> np.ndarray:
    """A (z, y, x) array as (slices, rows, columns), as a radiologist looks at it; a view, no copy.

    `plane` is the axis of the array along which the slices lie: 0 axial, 1 coronal, 2 sagittal.
    Coronal and sagittal slices have the head on top. The patient's right is on the left of an axial and a coronal
    slice, the front on the left of a sagittal one.
    """
    if plane == 0:
        return array
    return array.transpose((1, 0, 2) if plane == 1 else (2, 0, 1))[:, ::-1]


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


def slice_buffers(
    volume: np.ndarray, masks: Sequence[np.ndarray], probabilities: Sequence[np.ndarray], plane: int, index: int
) -> list[bytes]:
    """The buffers of one slice: its HU as little-endian int16, each mask packed, each probability as bytes.

    `volume` is (z, y, x) int16, `masks` and `probabilities` are (z, y, x) uint8; the buffer of a probability is empty
    where all of it is 0.
    """
    hu = plane_view(volume, plane)[index].astype("<i2").tobytes()
    packed = [pack_labels(plane_view(mask, plane)[index]) for mask in masks]
    heat = [plane_view(probability, plane)[index] for probability in probabilities]
    return [hu, *packed, *(piece.tobytes() if piece.any() else b"" for piece in heat)]


def facts_message(
    reference: np.ndarray | None, predictions: Sequence[np.ndarray], spacing_mm: Spacing
) -> tuple[dict[str, Any], list[bytes]]:
    """Content and buffers of what is known about the masks: lesions, and areas and Dice of the slices of each plane.

    The content's "tables" has the rows of `lesion_rows` for each prediction, or for the reference alone. The buffers
    are, plane by plane, little-endian: float32 `slice_areas` of each mask, the reference's first; float32 `slice_dice`
    of each prediction, if there is a reference; and int16 `lesion_corners` of all rows of each table, one after the
    other.
    """
    masks = [mask for mask in (reference, *predictions) if mask is not None]
    found: Sequence[np.ndarray | None] = list(predictions) or [None]
    pairs = [(reference, prediction) for prediction in found] if masks else []
    tables = [lesion_rows(*pair, spacing_mm) for pair in pairs]
    corners = [lesion_corners(rows, *pair) for rows, pair in zip(tables, pairs, strict=True)]
    buffers = []
    for plane in range(3):
        buffers += [slice_areas(mask, plane, spacing_mm) for mask in masks]
        if reference is not None:
            buffers += [slice_dice(reference, prediction, plane) for prediction in predictions]
        buffers += [np.concatenate([np.zeros((0, 2), np.int16), *places[plane]]) for places in corners]
    content = {"kind": "facts", "tables": [[asdict(row) for row in rows] for rows in tables]}
    return content, [part.astype(part.dtype.newbyteorder("<")).tobytes() for part in buffers]


def lesion_corners(
    rows: Sequence[LesionRow], reference: np.ndarray | None, prediction: np.ndarray | None
) -> list[list[np.ndarray]]:
    """Where a lesion's number is written: per plane and row, the right end of the lesion's first line in each slice.

    Each is (slices of the row's box, 2) int16, (row, last column + 1) in the slice as it is shown; −1 where the lesion
    is not in a slice.
    """
    labels = [None if mask is None else find_lesions(mask == TUMOR).labels for mask in (reference, prediction)]
    corners: list[list[np.ndarray]] = [[], [], []]
    for row in rows:
        own = labels[1] if labels[0] is None or row.fate == "false alarm" else labels[0]
        assert own is not None
        box = tuple(slice(*ends) for ends in row.box)
        lesion = own[box] == own[row.voxel]
        for plane, (down, across) in enumerate(((1, 2), (0, 2), (0, 1))):
            inside = plane_view(lesion, plane)
            first_row = row.box[down][0] if plane == 0 else own.shape[0] - row.box[down][1]
            lines = np.logical_or.reduce(inside, axis=2)
            top = lines.argmax(axis=1)
            line = inside[np.arange(len(top)), top]
            right = line.shape[1] - np.flip(line, 1).argmax(axis=1)
            place = np.stack([top + first_row, right + row.box[across][0]], 1)
            corners[plane].append(
                np.where(np.logical_or.reduce(line, axis=1)[:, np.newaxis], place, -1).astype(np.int16)
            )
    return corners


def interesting_slice(masks: Sequence[np.ndarray], slices: int) -> int:
    """Where to open: the slice with the largest tumour in any mask, else the largest liver, else the middle one."""
    for least_label in (TUMOR, LIVER):
        areas = np.zeros(slices, np.int64)
        for mask in masks:
            np.maximum(areas, [np.count_nonzero(plane >= least_label) for plane in mask], out=areas)
        if areas.any():
            return int(areas.argmax())
    return slices // 2


def interesting_voxel(masks: Sequence[np.ndarray], shape: tuple[int, int, int]) -> Voxel:
    """Where the planes cross at first: in the middle of the tumour, or the liver, of the `interesting_slice`."""
    z = interesting_slice(masks, shape[0])
    for least_label in (TUMOR, LIVER):
        regions = [mask[z] >= least_label for mask in masks]
        y, x = np.nonzero(max(regions, key=np.count_nonzero)) if regions else ((), ())
        if len(y):
            return z, round(float(np.mean(y))), round(float(np.mean(x)))
    return z, shape[1] // 2, shape[2] // 2
