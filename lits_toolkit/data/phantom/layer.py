"""Layers: a signed distance and what it is filled with. Shapes are functions of a part, in the drawing's mm."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lits_toolkit.data.phantom.space import Box, Part, Warp

Level = Callable[[Part], np.ndarray]
"""A signed distance in mm, about: below 0 inside."""
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Layer:
    """What is painted over all that was painted before it."""

    level: Level
    hu: float | Callable[[Part], np.ndarray]
    box: Box | None = None
    """Outside which there is none of it; None: it may be anywhere."""


def paint(layers: Sequence[Layer], part: Part, warp: Warp) -> None:
    """Paint the layers in their order into the part's HU; an edge is blended over the part's `edge_mm`."""
    for layer in layers:
        reached = part if layer.box is None else part.within(layer.box, warp)
        if reached is None:
            continue
        share = np.clip(0.5 - layer.level(reached) / reached.edge_mm, 0, 1)
        if not share.any():
            continue
        hu = layer.hu(reached) if callable(layer.hu) else layer.hu
        reached.hu[:] += share * (hu - reached.hu)


def ellipsoid(part: Part, centre: Point, radii: Point, square: float = 0.0) -> np.ndarray:
    """Signed distance from an ellipsoid along the ray from its centre; `square` 1 makes it nearly a box."""
    z, y, x = ((axis - c) for axis, c in zip((part.z, part.y, part.x), centre, strict=True))
    squares = [(axis / np.float32(r)) ** 2 for axis, r in zip((z, y, x), radii, strict=True)]
    return _along_ray(z * z + y * y + x * x, squares, square)


def tube(part: Part, y: float, x: float, radius_y: float, radius_x: float, square: float = 0.0) -> np.ndarray:
    """Signed distance from an elliptic cylinder along z."""
    dy, dx = part.y - np.float32(y), part.x - np.float32(x)
    return _along_ray(dy * dy + dx * dx, [(dy / np.float32(radius_y)) ** 2, (dx / np.float32(radius_x)) ** 2], square)


def capsule(part: Part, start: np.ndarray, end: np.ndarray, start_radius: float, end_radius: float) -> np.ndarray:
    """Signed distance from a cone with round ends between two points (z, y, x)."""
    way = (end - start).astype(np.float32)
    z, y, x = part.z - np.float32(start[0]), part.y - np.float32(start[1]), part.x - np.float32(start[2])
    along = np.clip((z * way[0] + y * way[1] + x * way[2]) / max(float(way @ way), 1e-6), 0, 1)
    z, y, x = z - along * way[0], y - along * way[1], x - along * way[2]
    return np.sqrt(z * z + y * y + x * x) - (start_radius + along * np.float32(end_radius - start_radius))


def union(first: np.ndarray, second: np.ndarray, smooth_mm: float) -> np.ndarray:
    """Of two shapes, with a fillet of about `smooth_mm` (Quilez's polynomial smooth minimum)."""
    blend = np.maximum(smooth_mm - np.abs(first - second), 0) / smooth_mm
    return np.minimum(first, second) - blend * blend * np.float32(smooth_mm / 4)


def less(shape: np.ndarray, hole: np.ndarray, smooth_mm: float = 1.0) -> np.ndarray:
    """A shape without another one."""
    return -union(-shape, hole, smooth_mm)


def solid(centre: Point, radii: Point, hu: float) -> Layer:
    """An ellipsoid of one HU."""
    return Layer(lambda part: ellipsoid(part, centre, radii), hu, around(centre, radii))


def around(centre: Point, reach: Point | float) -> Box:
    """The box about a centre."""
    reaches = (reach, reach, reach) if isinstance(reach, int | float) else reach
    box = tuple((c - r, c + r) for c, r in zip(centre, reaches, strict=True))
    return box[0], box[1], box[2]


def path(points: Sequence[Point], radii: Sequence[float]) -> tuple[Level, Box]:
    """A bent tube through points, with a radius at each; its level and its box."""
    places = [np.array(point, np.float32) for point in points]
    low, high = np.min(places, 0) - max(radii), np.max(places, 0) + max(radii)

    def level(part: Part) -> np.ndarray:
        pieces = zip(places[:-1], places[1:], radii[:-1], radii[1:], strict=True)
        found: np.ndarray | None = None
        for start, end, first, second in pieces:
            piece = capsule(part, start, end, first, second)
            found = piece if found is None else union(found, piece, min(radii) / 2)
        assert found is not None
        return found

    return level, ((low[0], high[0]), (low[1], high[1]), (low[2], high[2]))


def _along_ray(distance_squared: np.ndarray, squares: Sequence[np.ndarray], square: float) -> np.ndarray:
    total = squares[0] + squares[1] if len(squares) == 2 else squares[0] + squares[1] + squares[2]
    relative = np.sqrt(total)
    if square:
        fourth = np.sqrt(np.sqrt(sum(part * part for part in squares)))
        relative = (1 - np.float32(square)) * relative + np.float32(square) * fourth
    return np.sqrt(distance_squared) * (1 - 1 / np.maximum(relative, 1e-3))
