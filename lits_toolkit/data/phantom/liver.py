"""The liver: its shape under the diaphragm, between its neighbours, and its tissue without vessels and tumours."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lits_toolkit.data.phantom.layer import Layer, Level, ellipsoid, less, tube, union
from lits_toolkit.data.phantom.organs import cava_path, gall_bladder
from lits_toolkit.data.phantom.patient import Patient
from lits_toolkit.data.phantom.space import Box, Part

LIVER_BOX: Box = ((-125.0, 100.0), (-110.0, 90.0), (-135.0, 100.0))


@dataclass(frozen=True)
class Liver:
    """Where the liver is, and the HU of its tissue."""

    level: Level
    tissue: Callable[[Part], np.ndarray]
    gall_bladder: tuple[Level, Box] | None


def draw_liver(patient: Patient, stomach: Level) -> Liver:
    """A right and a left lobe, caudate lobe, fissures, the gall bladder's bed; cut out by what lies against it."""
    random, jitter = patient.random, patient.jitter
    dome = patient.dome_mm[0]
    cirrhotic = random.random() < 0.2
    shrunk = 0.86 if cirrhotic else 1.0  # of the right lobe; the left and the caudate grow
    size = random.uniform(0.86, 1.1)
    right = (dome - 74, 2.0, -62.0), (jitter(92, 0.12) * size * shrunk, jitter(80) * size, jitter(70) * size)
    middle = (dome - 52, -22.0, -28.0), (jitter(48) * size, 46 * size, 50 * size)
    left = (dome - 44, -44.0, 8.0), (jitter(38, 0.2) * size, 36 * size, jitter(70, 0.3) * size / shrunk)
    caudate = (dome - 52, patient.spine_y - 46, -4.0), (28 / shrunk, 13 / shrunk, 17 / shrunk)
    hollow = (dome - 142, -6.0, 26.0), (78.0, 74.0, jitter(72))
    kidney = (-58.0, patient.spine_y + 4, -63.0), (50.0, 27.0, 28.0)
    hilum = (dome - 76, -4.0, -26.0), (10.0, 9.0, 18.0)
    fissure_x, fissure_mm = random.uniform(-6, 10), random.uniform(0.2, 1.8)
    lumps, nodules = patient.field(34), patient.field(9)
    lumpy, nodular = random.uniform(1.5, 3.5), random.uniform(1.4, 2.6) if cirrhotic else random.uniform(0, 0.4)
    bladder = gall_bladder(patient) if random.random() < 0.85 else None
    cava, _ = cava_path(patient)
    gap = patient.gap_mm

    def level(part: Part) -> np.ndarray:
        shape = union(union(ellipsoid(part, *right, 0.3), ellipsoid(part, *middle), 18), ellipsoid(part, *left), 16)
        shape = shape + lumpy * lumps(part.axes) + nodular * nodules(part.axes)
        shape = less(shape, ellipsoid(part, *hollow), 14)
        shape = less(shape, ellipsoid(part, *kidney) - gap, 6)
        shape = union(shape, ellipsoid(part, *caudate), 5)
        shape = less(shape, stomach(part) - gap, 6)
        shape = less(shape, tube(part, patient.spine_y, 0, 25, 32, 0.2), 4)
        shape = less(shape, tube(part, patient.spine_y - 25, 9, 16, 16), 3)  # the aorta
        shape = less(shape, ellipsoid(part, *hilum), 5)
        # the falciform ligament's cleft, and the one between caudate and left lobe
        cleft = np.maximum(np.abs(part.x - fissure_x - 0.12 * (part.y + 40)) - fissure_mm, part.y + 26)
        cleft = np.maximum(cleft, part.z - (dome - 50))
        behind = np.abs(part.y - (patient.spine_y - 62) - 0.35 * part.x) - 1.1
        behind = np.maximum(np.maximum(behind, -8 - part.x), np.abs(part.z - (dome - 52)) - 32)
        shape = less(less(shape, cleft, 3), behind, 2)
        if bladder is not None:
            shape = less(shape, bladder[0](part) - 0.8, 3)
        shape = less(shape, cava(part) - 0.5, 1.5)
        shape = np.maximum(shape, part.landmarks["cavity"] + 1.5 + 0.5 * gap)
        return np.maximum(shape, part.landmarks["dome"] + 3.2)

    perfusion, grain, steatosis = patient.field(60), patient.field(6), patient.field(38)
    uneven, grainy = random.uniform(3, 12), random.uniform(1.5, 4) + 2 * cirrhotic
    spared = random.uniform(8, 22) if random.random() < 0.2 else 0  # patchy fat

    def tissue(part: Part) -> np.ndarray:
        hu = patient.tissues.liver + uneven * perfusion(part.axes) + grainy * grain(part.axes)
        return hu - spared * np.clip(steatosis(part.axes), 0, 1.5) if spared else hu

    return Liver(level, tissue, bladder)


def liver_layer(liver: Liver) -> Layer:
    """The liver's own layer: the part's landmark "liver" has to be there."""
    return Layer(lambda part: part.landmarks["liver"], liver.tissue, LIVER_BOX)
