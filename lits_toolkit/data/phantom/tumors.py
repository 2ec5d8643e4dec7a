"""Tumours: where they are, of which form and kind, grown to a given number of voxels; and the cysts beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cc3d
import edt
import numpy as np
from scipy import ndimage

from lits_toolkit.data.phantom.layer import Layer, around, ellipsoid
from lits_toolkit.data.phantom.liver import Liver
from lits_toolkit.data.phantom.patient import Patient
from lits_toolkit.data.phantom.space import Axes, Part, reached
from lits_toolkit.data.phantom.torso import mark_torso

DARK = {"hypodense": 0.62, "rim": 0.1, "necrotic": 0.16, "calcified": 0.06, "faint": 0.06}
BRIGHT = {"hyperdense": 0.78, "rim": 0.1, "calcified": 0.06, "faint": 0.06}
"""What tumours darker and brighter than the liver look like, with the share of each. A liver has both in turn: with one
alone a single threshold finds most of them."""
CONTRAST_HU = (30.0, 52.0)
ATTEMPTS = 40
REACHED_RADII = 2.2
"""How far out a blob's lumps are reckoned, in its radii: none that is kept grows further."""
SCOUT_MM = 4.0
"""Between the places that a look at the liver notes."""


@dataclass(frozen=True, eq=False)
class Blob:
    """A lumpy ellipsoid; in the drawing's mm."""

    centre: np.ndarray
    radius: float
    stretch: np.ndarray
    waves: np.ndarray
    """(n, 3) by which its surface goes up and down over the directions."""
    phases: np.ndarray
    heights: np.ndarray

    def __call__(self, part: Part) -> np.ndarray:
        """Signed distance in mm, (z, y, x) float32."""
        z, y, x = (
            (axis - np.float32(c)) / np.float32(s)
            for axis, c, s in zip((part.z, part.y, part.x), self.centre, self.stretch, strict=True)
        )
        distance = np.sqrt(z * z + y * y + x * x)
        level = distance - np.float32(self.radius)
        near = distance < REACHED_RADII * self.radius
        z, y, x = (axis[near] / np.maximum(distance[near], 0.1) for axis in (z, y, x))
        lumps = np.zeros_like(z)
        for (wz, wy, wx), phase, height in zip(self.waves, self.phases, self.heights, strict=True):
            lumps += np.float32(height) * np.cos(wz * z + wy * y + wx * x + np.float32(phase))
        level[near] -= np.float32(self.radius) * lumps
        return level


@dataclass(frozen=True, eq=False)
class Tumor:
    """One lesion, as a level below 0 inside."""

    blobs: tuple[Blob, ...]
    """Several, where tumours have flowed together."""
    kind: str
    outgrown: bool
    """Whether it leaves the liver, as an appendix does (the dissertation's Figure 4.3)."""
    contrast: float
    softness: float
    """How many times wider than a sharp edge its border is."""
    growth_mm: float = 0.0
    """By how much the blobs are grown so that it has the voxels that are wanted."""

    def level(self, part: Part) -> np.ndarray:
        """Signed distance in mm, within the liver and beyond it."""
        found = self.blobs[0](part)
        for blob in self.blobs[1:]:
            found = np.minimum(found, blob(part))
        return found - np.float32(self.growth_mm)

    @property
    def reach_mm(self) -> float:
        """From the first blob's centre to the furthest place."""
        first = self.blobs[0].centre
        return max(
            float(np.linalg.norm(blob.centre - first)) + 1.5 * float(blob.stretch.max()) * blob.radius
            for blob in self.blobs
        ) + max(self.growth_mm, 0)


@dataclass(frozen=True, eq=False)
class Room:
    """A coarse look at the liver: places in it, and how deep they lie."""

    places: np.ndarray
    """(n, 3) z, y, x in the drawing's mm."""
    depth_mm: np.ndarray
    """(n,) from the liver's surface, in the scanner's mm."""


def scout(patient: Patient, liver: Liver, axes: Axes) -> Room:
    """Where there is liver within the volume."""
    coarse = tuple(np.arange(axis[0], axis[-1], SCOUT_MM) for axis in axes)
    part = Part.empty((coarse[0], coarse[1], coarse[2]), patient.warp, SCOUT_MM)
    mark_torso(part, patient)
    inside = np.ascontiguousarray(liver.level(part) < 0)
    if inside.any():
        inside = cc3d.largest_k(inside, k=1, connectivity=6).astype(bool)
    depth = edt.edt(inside, anisotropy=(SCOUT_MM,) * 3)
    return Room(np.stack([part.z[inside], part.y[inside], part.x[inside]], 1), depth[inside])


def grow_tumors(
    patient: Patient, liver: Liver, room: Room, axes: Axes, sizes: Sequence[int], exact: bool
) -> tuple[list[Tumor], np.ndarray]:
    """One tumour per size in voxels, none touching another; the tumours and the (z, y, x) bool array of their voxels.

    With `exact`, each size is kept to the voxel wherever there is room; where there is none it is tried with ever
    less regard to form, and at last left out. Without, what finds no room is left out at once, and so is what would be
    more than half of the liver, as many voxels are where they are coarse.
    """
    spacing = [float(axis[1] - axis[0]) for axis in axes]
    scale = float(np.prod(patient.warp.scale)) ** (1 / 3)
    taken = np.zeros([len(axis) for axis in axes], bool)
    tumors: list[Tumor] = []
    liver_voxels = len(room.places) * SCOUT_MM**3 / float(np.prod(spacing))
    for voxels in sorted(sizes, reverse=True):
        if not exact and voxels > liver_voxels / 2:
            continue
        radius = (3 * voxels * float(np.prod(spacing)) / (4 * np.pi)) ** (1 / 3) / scale
        for attempt in range(ATTEMPTS if exact else 6):
            draft = _draft(patient.random, room, radius, tumors, ease=attempt / ATTEMPTS if exact else 0)
            grown = draft and _grow(draft, patient, liver, axes, taken, voxels)
            if grown:
                tumors.append(grown)
                break
    return tumors, taken


def tumor_layers(patient: Patient, liver: Liver, tumors: Sequence[Tumor]) -> list[Layer]:
    """Each tumour over the liver's tissue and vessels."""
    return [_tumor_layer(patient, liver, tumor) for tumor in tumors]


def benign_layers(patient: Patient, room: Room, tumors: Sequence[Tumor]) -> list[Layer]:
    """Cysts, and old deposits of chalk or iodised oil: darker and brighter than tumours, and none."""
    random = patient.random
    layers = []
    for mean_count, largest_mm, lowest_hu, highest_hu in ((3.5, 20, -4, 22), (1.5, 13, 210, 400)):
        for _ in range(random.poisson(mean_count)):
            radius = random.uniform(4, largest_mm)
            places = room.places[(room.depth_mm > 0.6 * radius) & _free(room.places, radius + 4, tumors)]
            if len(places):
                place = places[random.integers(len(places))]
                layers.append(_benign_layer(random, place, radius, random.uniform(lowest_hu, highest_hu)))
    return layers


def _tumor_layer(patient: Patient, liver: Liver, tumor: Tumor) -> Layer:
    texture = patient.field(5.5)
    uneven = patient.random.uniform(2, 5)
    inner = patient.random.uniform(0.25, 0.5)
    drop = patient.random.uniform(12, 32)
    chalk = patient.random.uniform(90, 420)

    def level(part: Part) -> np.ndarray:
        found = tumor.level(part) / np.float32(tumor.softness)
        if tumor.outgrown:  # pushed aside is what lies beside the liver, but neither ribs nor lung
            return np.maximum(found, np.maximum(part.landmarks["cavity"], part.landmarks["dome"]))
        return np.maximum(found, part.landmarks["liver"] - 0.3)

    def hu(part: Part) -> np.ndarray:
        grain = texture(part.axes)
        found = liver.tissue(part) + tumor.contrast + uneven * grain
        deep = -tumor.level(part) / np.float32(tumor.blobs[0].radius)
        if tumor.kind == "rim":
            return found - 2 * tumor.contrast * np.clip((deep - 0.22) * 12, 0, 1)
        if tumor.kind == "necrotic":
            return found - drop * np.clip((deep + 0.12 * grain - inner) * 8, 0, 1)
        if tumor.kind == "calcified":
            return found + chalk * np.clip(grain - 1.0, 0, 1) * (deep > 0.15)
        return found

    z, y, x = tumor.blobs[0].centre
    return Layer(level, hu, around((z, y, x), tumor.reach_mm + 3))


def _benign_layer(random: np.random.Generator, place: np.ndarray, radius: float, hu: float) -> Layer:
    z, y, x = place
    centre = float(z), float(y), float(x)
    rz, ry, rx = (radius * random.uniform(0.85, 1.18) for _ in range(3))

    def level(part: Part) -> np.ndarray:
        return np.maximum(ellipsoid(part, centre, (rz, ry, rx)), part.landmarks["liver"])

    return Layer(level, hu, around(centre, 1.2 * radius))


def _draft(
    random: np.random.Generator, room: Room, radius: float, tumors: Sequence[Tumor], ease: float
) -> Tumor | None:
    """A tumour of about that radius at a place with room for it; None where there is none. `ease` 1 takes any."""
    form = random.choice(["inside", "capsule", "outgrown", "confluent"], p=[0.66, 0.16, 0.06, 0.12])
    if radius < 3.5 and form == "confluent":
        form = "inside"
    low, high = {"inside": (0.7, 99.0), "capsule": (0.1, 0.75), "outgrown": (0.0, 0.4), "confluent": (0.7, 99.0)}[
        str(form)
    ]
    spread = 1.3 if form == "confluent" else 1.1
    at_depth = (room.depth_mm >= low * radius * (1 - ease)) & (room.depth_mm <= max(high * radius * (1 + ease), 5))
    places = room.places[at_depth & _free(room.places, (spread * radius + 2.5) * (1 - 0.75 * ease), tumors)]
    if len(places) == 0:
        return None
    centre = places[random.integers(len(places))]
    if form == "confluent":
        parts = int(random.integers(2, 4))
        small = radius / parts ** (1 / 3)
        centres = [centre]
        for _ in range(parts - 1):
            way = random.normal(0, 1, 3)
            centres.append(centres[-1] + way / np.linalg.norm(way) * small * random.uniform(0.9, 1.35))
        blobs = tuple(_blob(random, place, small * random.uniform(0.85, 1.15)) for place in centres)
    else:
        blobs = (_blob(random, centre, radius),)
    darker = tumors[-1].contrast > 0 if tumors else random.random() < 0.5
    kinds = DARK if darker else BRIGHT
    kind = str(random.choice(list(kinds), p=list(kinds.values())))
    if kind in ("rim", "necrotic", "calcified") and radius < 7:
        kind = next(iter(kinds))
    contrast = {"faint": random.uniform(9, 16), "rim": random.uniform(20, 34)}.get(kind, random.uniform(*CONTRAST_HU))
    contrast = -contrast if darker else contrast
    return Tumor(blobs, kind, form == "outgrown", contrast, float(random.choice([1, 1.6, 2.6], p=[0.5, 0.35, 0.15])))


def _blob(random: np.random.Generator, centre: np.ndarray, radius: float) -> Blob:
    stretch = np.exp(random.normal(0, 0.13, 3))
    waves = random.normal(0, 1, (6, 3))
    waves *= (random.uniform(1.5, 6.5, 6) / np.linalg.norm(waves, axis=1))[:, None]
    heights = random.uniform(0.2, 1, 6)
    heights *= random.uniform(0.06, 0.28) / np.sqrt((heights**2).sum())
    return Blob(centre, radius, stretch / np.prod(stretch) ** (1 / 3), waves, random.uniform(0, 2 * np.pi, 6), heights)


def _free(places: np.ndarray, reach_mm: float, tumors: Sequence[Tumor]) -> np.ndarray:
    """Which places are further than `reach_mm` from every tumour."""
    free = np.ones(len(places), bool)
    for tumor in tumors:
        for blob in tumor.blobs:
            free &= np.linalg.norm(places - blob.centre, axis=1) > reach_mm + 1.15 * blob.radius
    return free


def _grow(draft: Tumor, patient: Patient, liver: Liver, axes: Axes, taken: np.ndarray, voxels: int) -> Tumor | None:
    """The draft grown to that many connected voxels, marked in `taken`; None where there is not enough room."""
    z, y, x = (float(value) for value in draft.blobs[0].centre)
    box = reached(axes, around((z, y, x), 1.25 * draft.reach_mm), patient.warp)
    if box is None:
        return None
    part = Part.empty((axes[0][box[0]], axes[1][box[1]], axes[2][box[2]]), patient.warp, 1.0)
    mark_torso(part, patient)
    allowed = ~ndimage.binary_dilation(taken[box], np.ones((3, 3, 3)))
    if draft.outgrown:
        allowed &= (part.landmarks["cavity"] < -1.5) & (part.landmarks["dome"] < -2)
    else:
        allowed &= liver.level(part) < 0
    if np.count_nonzero(allowed) < 1.05 * voxels:
        return None
    level = np.where(allowed, draft.level(part), np.inf)
    ordered = np.sort(level[allowed])
    wanted = voxels
    for _ in range(12):
        growth = float(ordered[wanted - 1])
        # what is cut off from the rest by the liver's edge or another tumour is no part of it
        lesion = cc3d.largest_k(np.ascontiguousarray(level <= growth), k=1, connectivity=6).astype(bool)
        missing = voxels - int(np.count_nonzero(lesion))
        if abs(missing) <= 0.02 * voxels:
            break
        wanted = int(np.clip(wanted + missing, 1, len(ordered)))
    else:
        return None
    if growth > 0.5 * draft.blobs[0].radius + 1.5 * max(float(axis[1] - axis[0]) for axis in axes):
        return None
    taken[box] |= lesion
    return replace(draft, growth_mm=growth)
