"""A case on a coarse grid of about 4 mm, on which anatomy is judged: small, and with little noise."""

from dataclasses import dataclass

import numpy as np

STEP_MM = 4.0


@dataclass(frozen=True, eq=False)
class Coarse:
    """A CT and where its liver is said to be."""

    hu: np.ndarray
    """(z, y, x) float32."""
    liver: np.ndarray | None
    """(z, y, x) bool, liver and tumours; None where there is no mask."""
    spacing_mm: tuple[float, float, float]


def coarsen(hu: np.ndarray, mask: np.ndarray | None, spacing_mm: tuple[float, float, float]) -> Coarse:
    """Every n-th axial slice, averaged in-plane over n × n pixels; (z, y, x) int16 HU and uint8 mask."""
    z, y, x = (max(1, round(STEP_MM / step)) for step in spacing_mm)
    liver = None if mask is None else _means(mask, z, y, x, of_liver=True) >= 0.5
    return Coarse(_means(hu, z, y, x), liver, (z * spacing_mm[0], y * spacing_mm[1], x * spacing_mm[2]))


def _means(volume: np.ndarray, every: int, rows: int, columns: int, of_liver: bool = False) -> np.ndarray:
    """Slice by slice, so that no large copy is made; what is left over at the ends is dropped."""
    high, wide = volume.shape[1] // rows, volume.shape[2] // columns
    means = []
    for plane in volume[every // 2 :: every] if len(volume) > every // 2 else volume[:1]:
        tiles = (plane > 0 if of_liver else plane)[: high * rows, : wide * columns]
        means.append(tiles.reshape(high, rows, wide, columns).mean(axis=(1, 3), dtype=np.float32))
    return np.stack(means)
