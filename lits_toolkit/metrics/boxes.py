"""Bounding boxes: nearly all of a CT is neither liver nor tumour, and nothing there need be measured."""

import numpy as np

from lits_toolkit.errors import GeometryError

Box = tuple[slice, slice, slice]


def bounding_box(*masks: np.ndarray) -> Box:
    """The smallest box that holds every voxel that is not zero in any of the masks.

    Args:
        masks: (z, y, x) arrays of one shape, of any dtype and memory order.

    Returns:
        Slices along (z, y, x); three times `slice(0, 0)` where every mask is empty.

    Raises:
        GeometryError: The masks are not three-dimensional or differ in shape.
    """
    require_one_shape(*masks)
    box = [slice(None)] * 3
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        # what the axes before have cut off need not be looked at again
        occupied = np.flatnonzero(np.any([mask[tuple(box)].any(axis=others) for mask in masks], axis=0))
        if not occupied.size:
            return slice(0, 0), slice(0, 0), slice(0, 0)
        box[axis] = slice(int(occupied[0]), int(occupied[-1]) + 1)
    return box[0], box[1], box[2]


def joint_box(*boxes: Box) -> Box:
    """The smallest box that holds all of the boxes, none of which is empty."""
    z, y, x = (slice(min(s.start for s in sides), max(s.stop for s in sides)) for sides in zip(*boxes, strict=True))
    return z, y, x


def require_one_shape(*masks: np.ndarray) -> None:
    """Raise GeometryError unless all masks are (z, y, x) arrays of one shape."""
    for mask in masks:
        if mask.ndim != 3:
            raise GeometryError(f"expected a mask with the axes (z, y, x), found the shape {mask.shape}")
        if mask.shape != masks[0].shape:
            raise GeometryError(f"expected masks of one shape, found {masks[0].shape} and {mask.shape}")
