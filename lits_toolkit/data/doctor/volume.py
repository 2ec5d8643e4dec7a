"""What a CT's values say by themselves: finite numbers, HU, padding, saturation, slices missing or repeated."""

import numpy as np

from lits_toolkit.data.case import Grid, Note

AIR = -1024
"""The lowest HU of a scanner's own: what padding is set to."""
PADDING_SHARE = 1e-3
SATURATED_HU = 1500
SATURATED_VOXELS = 10
"""Noise makes the highest value a rare one; as many voxels share it only where it is a ceiling."""
THICKEST_MM = 5.0
"""Thicker slices differ so much from each other that a gap cannot be told."""


def check_values(voxels: np.ndarray) -> list[Note]:
    """Notes on a CT's values; `voxels` is in HU, of any shape and real type."""
    notes = []
    finite = voxels
    if voxels.dtype.kind == "f" and not (known := np.isfinite(voxels)).all():
        bad = known.size - np.count_nonzero(known)
        notes.append(Note("not-finite", f"{bad} voxels are NaN or infinite"))
        finite = voxels[known]
    if not finite.size:
        return notes
    low, high = float(finite.min()), float(finite.max())
    lowest, highest = (np.count_nonzero(finite == value) for value in (low, high))
    if low < AIR and lowest > PADDING_SHARE * finite.size:
        notes.append(Note("padding", f"{lowest / finite.size:.1%} of the voxels are {low:g}"))
    if low > -250 and lowest > 0.05 * finite.size:
        text = f"values run from {low:g} to {high:g}, and {lowest / finite.size:.0%} are the lowest: no air at -1000 HU"
        notes.append(Note("not-hu", text))
    if high >= SATURATED_HU and highest >= SATURATED_VOXELS:
        notes.append(Note("saturated", f"{highest} voxels are {high:g}, the highest value"))
    return notes


def to_hu(voxels: np.ndarray, grid: Grid) -> np.ndarray:
    """Stored voxels as an axial (z, y, x) int16 volume in HU; what is not finite becomes air."""
    info = np.iinfo(np.int16)
    if voxels.dtype.kind == "f":
        voxels = np.rint(np.nan_to_num(voxels, nan=AIR, posinf=AIR, neginf=AIR))
    return grid.to_axial(np.clip(voxels, info.min, info.max).astype(np.int16))


def check_slices(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> list[Note]:
    """Notes on slices repeated or missing, from (z, y, x) HU alone.

    Where n slices are missing, the two that became neighbours differ like slices n + 1 apart. A gap is reported
    where two neighbours differ more than slices three apart do nearby, and clearly more than other neighbours do;
    so one or two missing slices go unnoticed, and no edge of an organ is taken for a gap.
    """
    stride = max(1, round(2 / spacing_mm[1]))
    window = [np.clip(plane[::stride, ::stride], -200, 250).astype(np.float32) for plane in hu]
    next_apart = _mean_difference(window, 1)
    repeated = [i for i, apart in enumerate(next_apart) if apart == 0 and np.ptp(hu[i]) and (hu[i] == hu[i + 1]).all()]
    notes = []
    if repeated:
        notes.append(Note("slices-repeated", f"{_slices(repeated)} came twice in a row"))
    if spacing_mm[0] > THICKEST_MM:
        return notes
    three_apart = _mean_difference(window, 3)
    gaps = [i for i in range(len(next_apart)) if _is_gap(i, next_apart, three_apart)]
    if gaps:
        notes.append(Note("slices-missing", f"slices seem to be missing after {_slices(gaps)}, counted from the feet"))
    return notes


def _is_gap(i: int, next_apart: np.ndarray, three_apart: np.ndarray) -> bool:
    nearby = [three_apart[j] for j in range(max(0, i - 8), min(len(three_apart), i + 9)) if not j <= i < j + 3]
    neighbours = [next_apart[j] for j in range(max(0, i - 5), min(len(next_apart), i + 6)) if j != i]
    if len(nearby) < 6 or not max(nearby):
        return False
    return bool(next_apart[i] > 0.95 * max(nearby) and next_apart[i] > 1.4 * max(neighbours))


def _mean_difference(slices: list[np.ndarray], apart: int) -> np.ndarray:
    pairs = zip(slices, slices[apart:], strict=False)
    return np.array([np.abs(one - other).mean() for one, other in pairs])


def _slices(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
    return f"slice {shown}" if len(numbers) == 1 else f"slices {shown}"
