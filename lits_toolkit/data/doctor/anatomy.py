"""Anatomy against geometry: sizes that a patient can have, the spine behind, the lungs above, the liver on the right.

Judged by the HU, in the orientation that the file claims. Every limit leaves room for the largest and the smallest
adult; what cannot be seen in a scan (lungs in a slab, sizes cut by the field of view) is not judged.
"""

from dataclasses import dataclass

import cc3d
import edt
import numpy as np
from scipy import ndimage

from lits_toolkit.data.case import Note
from lits_toolkit.data.doctor.coarse import Coarse

BODY_HU = -300
BONE_HU = 250
"""Above enhanced vessels and kidneys."""
LUNG_HU = -400

POSSIBLE_MM = {"body's width": (140, 700), "body's depth": (90, 520), "liver's height": (50, 400)}
"""From a child to what fits into a scanner's bore."""
USUAL_MM = {"body's width": (230, 520), "body's depth": (150, 400), "liver's height": (85, 280)}
"""An adult's; what a spacing of exactly 1 × 1 × 1 mm has to agree with, since it may stand for none at all."""


@dataclass(frozen=True)
class Anatomy:
    """Lengths in mm along the axes that the file claims; None for what cannot be seen."""

    width: float | None
    depth: float | None
    liver_height: float | None
    spine_behind: float | None
    """How far the bones of the middle third lie behind the body's middle."""
    lungs_above: float | None
    """How far the lungs lie above the liver, or without a mask above the middle of the scan."""
    liver_left: float | None
    """How far the liver lies to the patient's left of the body's middle."""


def look(coarse: Coarse) -> Anatomy | None:
    """Measure what can be seen; None where there is no body."""
    body = find_body(coarse)
    if body is None:
        return None
    area = body.sum(axis=(1, 2))
    trunk = area > 0.5 * area.max()
    middle = ndimage.center_of_mass(body)
    liver = coarse.liver if coarse.liver is not None and coarse.liver.any() else None
    return Anatomy(
        width=_extent(body[trunk], 2, coarse),
        depth=_extent(body[trunk], 1, coarse),
        liver_height=None if liver is None or liver[0].any() or liver[-1].any() else _height(liver, coarse),
        spine_behind=_spine_behind(coarse, body, middle),
        lungs_above=_lungs_above(coarse, body, liver),
        liver_left=_liver_left(coarse, body, liver, middle),
    )


def check_sizes(anatomy: Anatomy, placeholder: bool) -> list[Note]:
    """A note where the spacing gives the patient a size that none has; stricter for a placeholder of 1 × 1 × 1 mm."""
    limits = USUAL_MM if placeholder else POSSIBLE_MM
    found = dict(zip(limits, (anatomy.width, anatomy.depth, anatomy.liver_height), strict=True))
    wrong = [
        f"the {name} would be {size:.0f} mm, expected {limits[name][0]} to {limits[name][1]}"
        for name, size in found.items()
        if size is not None and not limits[name][0] <= size <= limits[name][1]
    ]
    spacing = "a spacing of exactly 1 × 1 × 1 mm" if placeholder else "this spacing"
    return [Note("spacing-implausible", f"with {spacing} {'; '.join(wrong)}")] if wrong else []


def check_sides(anatomy: Anatomy) -> list[Note]:
    """Notes where an organ lies on the wrong side."""
    notes = []
    if anatomy.liver_left is not None and anatomy.liver_left > 20:
        notes.append(Note("liver-left", f"the liver lies {anatomy.liver_left:.0f} mm to the left of the body's middle"))
    if anatomy.spine_behind is not None and anatomy.spine_behind < -20:
        notes.append(Note("back-to-front", f"the spine lies {-anatomy.spine_behind:.0f} mm in front of the middle"))
    if anatomy.lungs_above is not None and anatomy.lungs_above < -30:
        notes.append(Note("upside-down", f"the lungs lie {-anatomy.lungs_above:.0f} mm below where they should"))
    return notes


def find_body(coarse: Coarse) -> np.ndarray | None:
    """The patient with all that is inside, as (z, y, x) bool; None where nothing looks like one."""
    solid = ndimage.binary_opening(coarse.hu > BODY_HU, np.ones((1, 3, 3)))  # less the table and its sheets
    body = cc3d.largest_k(solid, k=1, connectivity=6).astype(bool) if solid.any() else solid
    soft = body & (coarse.hu > -200) & (coarse.hu < BONE_HU)
    if np.count_nonzero(body) < 1000 or soft.sum() < 0.5 * body.sum():
        return None
    return np.stack([ndimage.binary_fill_holes(plane) for plane in body])


def _extent(body: np.ndarray, axis: int, coarse: Coarse) -> float | None:
    """Median over the slices of the body's size along y or x; None where the field of view cuts it."""
    seen = np.asarray(body.any(axis=3 - axis))
    if seen[:, [0, -1]].any():
        return None
    sizes = [np.flatnonzero(line)[-1] - np.flatnonzero(line)[0] + 1 for line in seen]
    return float(np.median(sizes)) * coarse.spacing_mm[axis]


def _height(liver: np.ndarray, coarse: Coarse) -> float:
    slices = np.flatnonzero(liver.any(axis=(1, 2)))
    return float(slices[-1] - slices[0] + 1) * coarse.spacing_mm[0]


def _spine_behind(coarse: Coarse, body: np.ndarray, middle: tuple[float, ...]) -> float | None:
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    third = len(columns) // 3
    inside = slice(columns[third], columns[-third - 1] + 1)  # without arms and most of the ribs
    bone = np.argwhere((coarse.hu > BONE_HU)[:, :, inside] & body[:, :, inside])
    if len(bone) < 50:
        return None
    return float(bone[:, 1].mean() - middle[1]) * coarse.spacing_mm[1]


def _lungs_above(coarse: Coarse, body: np.ndarray, liver: np.ndarray | None) -> float | None:
    """By gas in pieces of 300 ml and more that the scan's ends cut, as they cut lungs and hardly ever bowel."""
    pieces = cc3d.connected_components(body & (coarse.hu < LUNG_HU), connectivity=6)
    sizes = np.bincount(pieces.ravel()) * np.prod(coarse.spacing_mm) / 1000
    cut = np.union1d(pieces[0], pieces[-1])
    lungs = [number for number in cut if number and sizes[number] >= 300]
    if not lungs:
        return None
    z = np.argwhere(np.isin(pieces, lungs))[:, 0].mean()
    beside = (len(coarse.hu) - 1) / 2 if liver is None else np.argwhere(liver)[:, 0].mean()
    return float(z - beside) * coarse.spacing_mm[0]


def _liver_left(coarse: Coarse, body: np.ndarray, liver: np.ndarray | None, middle: tuple[float, ...]) -> float | None:
    if liver is not None:
        return float(np.argwhere(liver)[:, 2].mean() - middle[2]) * coarse.spacing_mm[2]
    # without a mask: of the soft tissue that is even and far from all else, most is liver
    mean = ndimage.uniform_filter(coarse.hu, 3)
    deviation = np.sqrt(np.maximum(ndimage.uniform_filter(coarse.hu**2, 3) - mean**2, 0))
    even = body & (mean > 20) & (mean < BONE_HU) & (deviation < 25)
    depth = edt.edt(np.ascontiguousarray(even), anisotropy=coarse.spacing_mm)
    deep = np.argwhere(depth > 10)[:, 2]
    core = cc3d.largest_k(np.ascontiguousarray(depth > 14), k=1, connectivity=26).astype(bool)
    if len(deep) < 200 or not core.any():
        return None
    left = float(np.argwhere(core)[:, 2].mean() - middle[2]) * coarse.spacing_mm[2]
    share_on_its_side = (deep > middle[2]).mean() if left > 0 else (deep < middle[2]).mean()
    return left if abs(left) > 40 and share_on_its_side > 0.65 else None
