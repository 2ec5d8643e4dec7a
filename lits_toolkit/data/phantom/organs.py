"""The organs beside the liver: spleen, kidneys, stomach, pancreas, bowel, gall bladder, the great vessels."""

import numpy as np

from lits_toolkit.data.phantom.layer import Layer, Level, around, ellipsoid, less, path, solid, union
from lits_toolkit.data.phantom.patient import Patient
from lits_toolkit.data.phantom.space import Box, Part


def spleen_layers(patient: Patient) -> list[Layer]:
    """A crescent along the wall behind the stomach; large where the liver is cirrhotic, at times."""
    large = patient.jitter(1.0, 0.15) * (1.3 if patient.random.random() < 0.15 else 1)
    centre = (patient.dome_mm[1] - 38, 34.0, 88.0)
    radii = (50 * large, 42 * large, 30 * large)
    texture = patient.field(6)
    uneven = 22 * (patient.tissues.arteries > 250)  # the early phase stripes the spleen

    def spleen(part: Part) -> np.ndarray:
        level = less(ellipsoid(part, centre, radii), ellipsoid(part, (centre[0], 4, 46), (42, 36, 30)), 8)
        level = np.maximum(level, part.landmarks["cavity"] + 2 + 0.4 * patient.gap_mm)
        return np.maximum(level, part.landmarks["dome"] + 3)

    def hu(part: Part) -> np.ndarray:
        return patient.tissues.spleen + (3 + uneven) * texture(part.axes)

    return [Layer(spleen, hu, around(centre, radii))]


def kidney_layers(patient: Patient) -> list[Layer]:
    """Cortex, marrow in pyramids, fat and pelvis in the middle; a cyst in some."""
    return [*_kidney(patient, -1), *_kidney(patient, 1)]


def _kidney(patient: Patient, side: int) -> list[Layer]:
    random, tissues = patient.random, patient.tissues
    z, y, x = centre = (-52 + 8 * side + random.uniform(-10, 10), patient.spine_y + 4, 63.0 * side)
    radii = (patient.jitter(52), patient.jitter(25), patient.jitter(27))
    pyramids = patient.field(9)

    def kidney(part: Part) -> np.ndarray:
        # the lower pole lies further out and to the front
        tilt = (part.z - z) * 0.22
        moved = Part(part.axes, part.z, part.y - 0.6 * tilt, part.x + side * tilt, part.hu, part.edge_mm)
        hilum = ellipsoid(moved, (z, y - 8, x - side * 25), (24, 13, 15))
        return less(ellipsoid(moved, centre, radii), hilum, 8)

    def hu(part: Part) -> np.ndarray:
        depth = np.clip((-kidney(part) - 5.5 - 2.5 * pyramids(part.axes)) / 3, 0, 1)
        return tissues.kidney_cortex + depth * (tissues.kidney_marrow - tissues.kidney_cortex)

    sinus = (z, y - 3, x - 9 * side)
    layers = [
        Layer(kidney, hu, around(centre, (radii[0] * 1.25, radii[1] * 1.4, radii[2] * 1.5))),
        solid(sinus, (26.0, 8.0, 10.0), tissues.fat + 25),
    ]
    if tissues.kidney_marrow > 100 and random.random() < 0.3:
        layers.append(solid(sinus, (12.0, 5.0, 6.0), 420.0))
    if random.random() < 0.25:
        size = random.uniform(6, 24)
        cyst = (z + random.uniform(-40, 40), y + random.uniform(-8, 20), x + 24 * side)
        layers.append(solid(cyst, (size, size, size), random.uniform(0, 16)))
    return layers


def stomach_layers(patient: Patient) -> list[Layer]:
    """Full or empty, of water, food or contrast medium, with a bubble of gas that lies in front."""
    random = patient.random
    level, box = _stomach(patient)
    wall = random.uniform(2.5, 6)
    contents = random.choice([random.uniform(0, 40), random.uniform(120, 450), random.uniform(30, 70)])
    crumbs = patient.field(6)
    rough = random.uniform(0, 30)
    surface = random.uniform(-62, -18)

    def inner(part: Part) -> np.ndarray:
        return level(part) + wall

    def gas(part: Part) -> np.ndarray:
        return np.maximum(inner(part), part.y - surface)

    return [
        Layer(level, patient.tissues.gut_wall, box),
        Layer(inner, lambda part: contents + rough * crumbs(part.axes), box),
        Layer(gas, -980.0, box),
    ]


def _stomach(patient: Patient) -> tuple[Level, Box]:
    full = patient.random.uniform(0.72, 1.2)
    top = patient.dome_mm[1]
    fundus = (top - 34, 6.0, 58.0), (32 * full, 34 * full, 32 * full)
    body = (top - 62, -34.0, 58.0), (44 * full, 28 * full, 34 * full)
    way_out, out_box = path([(top - 78, -42.0, 50.0), (top - 88, -45.0, 15.0), (top - 82, -25.0, -18.0)],
                            [20 * full, 16 * full, 10 * full])  # fmt: skip

    def level(part: Part) -> np.ndarray:
        stomach = union(union(ellipsoid(part, *fundus), ellipsoid(part, *body), 22), way_out(part), 12)
        stomach = np.maximum(stomach, part.landmarks["cavity"] + 4 + patient.gap_mm)
        return np.maximum(stomach, part.landmarks["dome"] + 4)

    low = min(out_box[0][0], body[0][0] - body[1][0])
    return level, ((low, top), (-80.0, 50.0), (-40.0, 105.0))


def gut_layers(patient: Patient) -> list[Layer]:
    """Pancreas, duodenum, loops of small bowel and the colon around them, in fat with fine vessels."""
    random, tissues = patient.random, patient.tissues
    fine = patient.field(6)
    front = -patient.cavity[0]

    def mesentery(part: Part) -> np.ndarray:
        return tissues.fat + 9 * fine(part.axes) + 0.6 * (tissues.portal_vein - tissues.fat) * np.clip(
            fine(part.axes) - 1.9, 0, 1
        )  # fmt: skip

    layers = [
        Layer(lambda part: part.landmarks["cavity"] + 3, mesentery, ((-420, 40), (-130, 60), (-140, 140))),
    ]
    layers += _filling(patient)
    lobules = patient.field(8)
    pancreas, box = path(
        [(-42, 8, -24), (-22, -4, -18), (-8, -14, 4), (4, -4, 36), (14, 16, 68)],
        [patient.jitter(14), patient.jitter(13), patient.jitter(10), patient.jitter(10), patient.jitter(9)],
    )
    layers.append(
        Layer(
            lambda part: pancreas(part) + 2.2 * lobules(part.axes) + 2,
            lambda part: tissues.pancreas + 4 * fine(part.axes),
            box,
        )
    )
    duodenum, box = path(
        [(-18, -18, -30), (-45, 2, -42), (-75, 10, -34), (-78, 12, 5), (-55, 0, 34)], [12, 13, 12, 11, 11]
    )
    layers += _loop(patient, duodenum, box, 3)
    for _ in range(random.integers(14, 26)):
        start = np.array([random.uniform(-185, -45), random.uniform(front + 22, 25), random.uniform(-72, 88)])
        points = [start]
        for _ in range(random.integers(2, 5)):
            step = np.array([random.normal(0, 13), random.normal(0, 16), random.normal(0, 26)])
            points.append(np.clip(points[-1] + step, (-200, front + 16, -80), (-38, 32, 95)))
        radius = random.uniform(8, 14)
        level, box = path([(float(z), float(y), float(x)) for z, y, x in points], [radius] * len(points))
        layers += _loop(patient, level, box, random.uniform(2, 4))
    for course in (
        [(-200, 12, -92), (-120, 6, -95), (-78, -14, -88), (-82, -42, -62)],  # rising, to the bend under the liver
        [(-82, -46, -62), (-92, front + 24, -15), (-84, front + 22, 40), (-40, -24, 86), (-2, 10, 100)],  # across
        [(-2, 14, 102), (-70, 30, 102), (-150, 28, 100), (-230, 20, 88)],  # falling
    ):
        radius = random.uniform(13, 25)
        moved = [
            (z + random.uniform(-8, 8), y + random.uniform(-6, 6), x + random.uniform(-6, 6)) for z, y, x in course
        ]
        level, box = path(moved, [radius * random.uniform(0.7, 1.15) for _ in moved])
        layers += _colon(patient, level, box)
    return layers


def _filling(patient: Patient) -> list[Layer]:
    """Collapsed loops that fill what fat leaves, in the lower belly and in front."""
    folds, contents = patient.field(30), patient.field(16)
    sparse = 1.4 * patient.visceral_fat - 0.5
    box = ((-420.0, -5.0), (-130.0, 40.0), (-140.0, 140.0))

    def level(part: Part) -> np.ndarray:
        found = (sparse - folds(part.axes)) * 9
        found = np.maximum(found, part.landmarks["cavity"] + 5 + patient.gap_mm)
        return np.maximum(np.maximum(found, part.z + 25 - 0.4 * part.x), part.y - 22)

    def hu(part: Part) -> np.ndarray:
        return patient.tissues.gut_wall - 22 * np.clip(contents(part.axes), 0, 1.5)

    return [Layer(level, hu, box)]


def _loop(patient: Patient, tubular: Level, box: Box, wall: float) -> list[Layer]:
    random = patient.random
    inside = random.choice([random.uniform(5, 45), random.uniform(150, 420), -850.0], p=[0.68, 0.22, 0.1])
    folds = patient.field(7)

    def level(part: Part) -> np.ndarray:
        return np.maximum(tubular(part) + 1.2 * folds(part.axes), part.landmarks["cavity"] + 5)

    return [
        Layer(level, patient.tissues.gut_wall, box),
        Layer(lambda part: level(part) + wall, float(inside), box),
    ]


def _colon(patient: Patient, tubular: Level, box: Box) -> list[Layer]:
    """Pouched, filled with gas in front and with stool that holds small bubbles."""
    random = patient.random
    pouches, crumbs = patient.field(20), patient.field(5)
    stool = random.choice([random.uniform(0, 60), random.uniform(120, 380)], p=[0.8, 0.2])
    surface = random.uniform(-75, 20)

    def level(part: Part) -> np.ndarray:
        return np.maximum(tubular(part) + 3.2 * pouches(part.axes), part.landmarks["cavity"] + 4)

    def contents(part: Part) -> np.ndarray:
        bubbles = np.clip(crumbs(part.axes) - 0.7, 0, 1)
        return stool + 18 * crumbs(part.axes) - 520 * bubbles

    def gas(part: Part) -> np.ndarray:
        return np.maximum(level(part) + 2.2, part.y - surface)

    return [
        Layer(level, patient.tissues.gut_wall, box),
        Layer(lambda part: level(part) + 2.2, contents, box),
        Layer(gas, -950.0, box),
    ]


def great_vessel_layers(patient: Patient) -> list[Layer]:
    """Aorta with its first branches, vena cava; chalk in the aorta of the old. After the liver."""
    random, tissues = patient.random, patient.tissues
    spine = patient.spine_y
    wide = random.uniform(8.5, 13)
    aorta, aorta_box = path(
        [(-420, spine - 26, 8), (-60, spine - 27, 7), (40, spine - 24, 11), (420, spine - 18, 20)],
        [0.85 * wide, wide, wide, wide],
    )
    layers = [Layer(aorta, tissues.arteries, aorta_box)]
    cava, cava_box = cava_path(patient)
    layers.append(Layer(cava, tissues.cava, cava_box))
    for points, radius in (
        ([(4, spine - 30, 7), (2, spine - 46, 4), (8, spine - 52, -14)], 3.2),  # coeliac trunk
        ([(-14, spine - 30, 7), (-28, spine - 44, 5), (-90, spine - 52, 2)], 3.4),  # upper mesenteric artery
        ([(-52, spine - 26, 6), (-54, spine - 16, 34), (-54, spine - 6, 50)], 2.8),
        ([(-56, spine - 26, 4), (-58, spine - 20, -24), (-58, spine - 6, -50)], 2.8),
    ):
        level, box = path([(float(z), float(y), float(x)) for z, y, x in points], [radius] * 3)
        layers.append(Layer(level, tissues.arteries, box))
    for side in (-1, 1):
        level, box = path([(-58, spine - 28, -18 if side < 0 else 4), (-56, spine - 12, 48.0 * side)], [4.2, 4])
        layers.append(Layer(level, tissues.cava, box))
    if random.random() < 0.35:
        chalk = patient.field(7)

        def calcified(part: Part) -> np.ndarray:
            return np.maximum(np.abs(aorta(part) + 0.6) - 1.2, 1.1 - chalk(part.axes))

        layers.append(Layer(calcified, 700.0, aorta_box))
    return layers


def cava_path(patient: Patient) -> tuple[Level, Box]:
    """The inferior vena cava, which passes through the back of the liver; its level and its box."""
    spine = patient.spine_y
    wide = patient.cavity[1] / 11
    return path(
        [(-420, spine - 25, -18), (-60, spine - 26, -20), (10, spine - 32, -22), (patient.dome_mm[0], spine - 40, -14)],
        [0.9 * wide, wide, wide, wide],
    )


def gall_bladder(patient: Patient) -> tuple[Level, Box]:
    """Under the liver's right half, in front; some have lost it."""
    random = patient.random
    full = random.uniform(0.7, 1.25)
    bottom = (-48 + random.uniform(-14, 10), -46 + random.uniform(-8, 8), -46 + random.uniform(-12, 10))
    return path([(-8, -14, -30), (-28, -28, -38), bottom], [4 * full, 10 * full, 15 * full])


def gall_bladder_layers(patient: Patient, level: Level, box: Box) -> list[Layer]:
    """Wall, bile, and the stones of some, of which some hold chalk. After the liver."""
    random = patient.random
    layers = [
        Layer(level, patient.tissues.gut_wall, box),
        Layer(lambda part: level(part) + 1.6, random.uniform(-4, 22), box),
    ]
    if random.random() < 0.15:
        stones = patient.field(8)

        def stone(part: Part) -> np.ndarray:
            return np.maximum(level(part) + 3, np.maximum(0.5 - stones(part.axes), -part.y - 40))

        layers.append(Layer(stone, random.uniform(80, 600), box))
    return layers
