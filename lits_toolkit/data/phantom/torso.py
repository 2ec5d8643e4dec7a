"""The body's frame: skin, fat, muscle, bone, lungs, heart, arms, pelvis, and the table under it."""

from collections.abc import Callable

import numpy as np

from lits_toolkit.data.phantom.layer import Layer, around, ellipsoid, less, path, solid, tube, union
from lits_toolkit.data.phantom.patient import Patient
from lits_toolkit.data.phantom.space import Part

RIB_STEP_MM = 27.0
VERTEBRA_STEP_MM = 33.0


def mark_torso(part: Part, patient: Patient) -> None:
    """Add the distances that the torso's layers share: "cavity", "body" (negative inside), "dome" (above it: lung)."""
    depth, width = patient.cavity
    z, y, x = part.z, part.y, part.x
    # the chest narrows upwards, the waist a little downwards
    narrow = np.float32(1) - np.clip(z - 60, 0, 200) / 700 - np.clip(-z - 60, 0, 120) / 1400
    from_middle = np.sqrt(y * y + x * x)
    deep, wide = (y / (depth * narrow)) ** 2, (x / (width * narrow)) ** 2
    relative = np.maximum(0.75 * np.sqrt(deep + wide) + 0.25 * np.sqrt(np.sqrt(deep * deep + wide * wide)), 1e-3)
    cavity = from_middle * (1 - 1 / relative)
    back = y / np.maximum(from_middle, 1)
    side = np.abs(x) / np.maximum(from_middle, 1)
    # the broad muscle of the back at the flank behind, the straight ones of the belly beside the middle in front
    thin = 1 - 0.35 * np.clip(-z - 40, 0, 40) / 40 - 0.9 * np.clip(-back - 0.4, 0, 0.4)
    swell = 9 * np.exp(-(((back - 0.52) / 0.24) ** 2)) * side
    swell = swell + 5 * np.exp(-(((side - 0.25) / 0.14) ** 2)) * (back < 0)
    muscle = patient.wall_mm * thin + swell
    fat = patient.fat_mm * (1 - patient.belly * back + 0.35 * patient.belly * (back * back))
    fat = fat * (1 + np.clip(-z - 20, -60, 120) / 320) - 0.7 * swell  # the skin shows little of them
    part.landmarks["muscle"] = cavity - muscle
    # lying on a table flattens the back
    flat = y - (depth + patient.wall_mm + 12 + 0.45 * patient.fat_mm)
    part.landmarks["body"] = -union(-(cavity - muscle - np.maximum(fat, 2.5)), -flat, 14)
    # spine and the muscles beside it stand into the cavity from behind
    spine = tube(part, depth + 10, 0, 52, 44)
    part.landmarks["cavity"] = cavity = less(cavity, spine, 18)
    part.landmarks["dome"] = (z - _dome(part, patient, cavity)) * 0.72


def torso_layers(patient: Patient) -> list[Layer]:
    """From the skin to the fat inside the cavity, with the bones of the wall."""
    fat, muscle = patient.tissues.fat, patient.tissues.muscle
    strands, fibres = patient.field(7), patient.field(5)
    skin = patient.random.uniform(1.2, 2.6)
    marbled = patient.random.uniform(0, 0.5)  # fat between the fibres of the old and unfit

    def fatty(part: Part) -> np.ndarray:
        return fat + 7 * strands(part.axes) + 45 * np.clip(np.abs(strands(part.axes)) - 2.1, 0, 1)

    def muscular(part: Part) -> np.ndarray:
        texture = fibres(part.axes)
        return muscle + 4 * texture - 110 * marbled * np.clip(texture - 1.1, 0, 1)

    def erector(part: Part) -> np.ndarray:
        depth = patient.cavity[0]
        back = [tube(part, depth + 2, side * 32, 29, 28, 0.3) for side in (-1, 1)]
        return np.maximum(np.minimum(*back), part.landmarks["body"] + 3 + 0.3 * patient.fat_mm)

    return [
        *_table(patient),
        *_arms(patient),
        Layer(lambda part: part.landmarks["body"], patient.random.uniform(0, 60)),
        Layer(lambda part: part.landmarks["body"] + skin, fatty),
        Layer(lambda part: part.landmarks["muscle"], muscular),
        Layer(lambda part: part.landmarks["cavity"] - 2.5 * (part.z < -40), fatty),
        Layer(erector, muscular, ((-420, 420), (50, 140), (-70, 70))),
        *_pelvis(patient, muscular),
    ]


def skeleton_layers(patient: Patient) -> list[Layer]:
    """Spine with the muscles beside it, ribs and breastbone; after what fills the cavity."""
    muscle = patient.tissues.muscle

    def psoas(part: Part) -> np.ndarray:
        size = np.clip((-part.z - 5) / 4.5, 0, 24)
        dy, dx = part.y - patient.spine_y, np.abs(part.x) - 22 - 0.75 * size
        return np.sqrt(dy * dy + dx * dx) - size + 2

    def crus(part: Part) -> np.ndarray:
        return np.maximum(tube(part, patient.spine_y - 4, 0, 22, 27), part.z - patient.dome_mm[1])

    return [
        Layer(crus, muscle, ((-60, 100), (0, 90), (-40, 40))),
        Layer(psoas, muscle, ((-420, 10), (20, 90), (-80, 80))),
        *_bones(patient),
    ]


def chest_layers(patient: Patient) -> list[Layer]:
    """Lungs, diaphragm and heart; after the torso's."""
    vessels, haze = patient.field(5.5), patient.field(30)
    air = patient.random.uniform(-900, -800)
    heart_z = patient.dome_mm[1] + 38
    heart = (heart_z, -32.0, 27.0), (48.0, 46.0, 56.0)
    blood = patient.tissues.arteries

    def lung(part: Part) -> np.ndarray:
        inside = np.maximum(-part.landmarks["dome"], part.landmarks["cavity"] + 2.5)
        middle = tube(part, 26, 4, 42, 30)
        kept = less(inside, middle, 4)
        return less(kept, ellipsoid(part, *heart) - 4, 4)

    def lung_hu(part: Part) -> np.ndarray:
        bright = np.clip(vessels(part.axes) - 1.4, 0, 1.2)
        return air + 0.5 * part.y + 22 * haze(part.axes) + 620 * bright

    def diaphragm(part: Part) -> np.ndarray:
        return np.maximum(np.abs(part.landmarks["dome"] + 1.2) - 1.4, part.landmarks["cavity"])

    layers = [
        Layer(diaphragm, patient.tissues.muscle),
        Layer(lung, lung_hu),
        solid(*heart, 0.35 * blood + 55),
    ]
    layers.append(solid((heart_z + 8, -22.0, 45.0), (32.0, 25.0, 27.0), 0.8 * blood + 10))
    layers.append(solid((heart_z + 2, -42.0, 5.0), (34.0, 22.0, 28.0), 0.8 * blood + 10))
    if patient.random.random() < 0.12:  # water beside the lung
        side = patient.random.choice([-1, 1])
        depth = patient.random.uniform(8, 28)

        def effusion(part: Part) -> np.ndarray:
            level = np.maximum(lung(part), patient.cavity[0] - 25 - depth - part.y)
            return np.maximum(level, -side * part.x + 20)

        layers.append(Layer(effusion, patient.random.uniform(2, 22)))
    return layers


def _dome(part: Part, patient: Patient, cavity: np.ndarray) -> np.ndarray:
    """z of the diaphragm above each place: high over liver and stomach, deep along the wall, deepest behind."""
    right, left = patient.dome_mm
    leftness = 1 / (1 + np.exp(-part.x / 16))
    top = right + (left - right) * leftness - 7 * np.exp(-((part.x / 24) ** 2))
    top = top - 0.0016 * (np.abs(part.x) - 58) ** 2 - 0.0022 * (part.y + 8) ** 2
    recess = np.where(part.y > 0, -12 - 0.52 * part.y, -12 - 0.5 * part.y)
    inside = np.maximum(-cavity - 2.5, 0)
    return recess + (top - recess) * (1 - np.exp(-inside / 21))


def _bones(patient: Patient) -> list[Layer]:
    random = patient.random
    cortex, marrow = random.uniform(330, 620), random.uniform(90, 230)
    spongy = patient.field(4)
    phase_rib, phase_spine = random.uniform(0, RIB_STEP_MM), random.uniform(0, VERTEBRA_STEP_MM)
    middle = patient.wall_mm * 0.48

    def marrow_hu(part: Part) -> np.ndarray:
        return marrow + 38 * spongy(part.axes)

    def rib(part: Part, shrink: float = 0.0) -> np.ndarray:
        # ribs slope downwards to the front, so that an axial slice cuts several of them
        slope = part.z - 0.46 * part.y + phase_rib
        along = np.abs((slope + 40 * RIB_STEP_MM) % RIB_STEP_MM - RIB_STEP_MM / 2)
        across = np.abs(part.landmarks["cavity"] - middle)
        level = np.sqrt(np.maximum(along - 2.5, 0) ** 2 + np.maximum(across - 0.6, 0) ** 2) - 3.6 + shrink
        margin = -78 + 112 * np.clip((-part.y - 8) / 85, 0, 1)
        return np.maximum(np.maximum(level, margin - part.z), 17 - np.abs(part.x))

    def bony_rib(part: Part) -> np.ndarray:
        return np.maximum(rib(part), -part.y - 0.72 * patient.cavity[0])

    def vertebra(part: Part, shrink: float = 0.0) -> np.ndarray:
        phase = (part.z + phase_spine + 40 * VERTEBRA_STEP_MM) % VERTEBRA_STEP_MM
        from_disc = np.minimum(phase, VERTEBRA_STEP_MM - phase)
        waist = 2.2 * np.clip((from_disc - 4) / 9, 0, 1)
        body = tube(part, patient.spine_y, 0, 16.5, 22, 0.35) + waist + shrink
        return np.maximum(body, 4 - from_disc + shrink)

    def arch(part: Part) -> np.ndarray:
        phase = (part.z + phase_spine + 40 * VERTEBRA_STEP_MM) % VERTEBRA_STEP_MM
        high = np.abs(phase - 0.6 * VERTEBRA_STEP_MM)
        ring = np.abs(tube(part, patient.spine_y + 26, 0, 11, 13)) - 3.2 + np.clip(high - 9, 0, 6) * 0.5
        side = np.maximum(np.abs(part.y - patient.spine_y - 24) - 3.6, np.abs(part.x) - 36)
        side = np.maximum(side, high - 5)
        tip = np.maximum(np.abs(part.x) - 2.8, np.abs(part.y - patient.spine_y - 47) - 13)
        tip = np.maximum(tip, np.abs(phase - 0.45 * VERTEBRA_STEP_MM) - 9)
        return np.minimum(union(ring, side, 4), tip)

    def sternum(part: Part) -> np.ndarray:
        plate = np.maximum(np.abs(part.landmarks["cavity"] - middle) - 4.5, np.abs(part.x) - 15)
        return np.maximum(np.maximum(plate, 48 - part.z), part.y)

    spine = ((-420, 420), (20, 130), (-45, 45))
    wall = ((-90, 420), (-170, 170), (-190, 190))
    return [
        Layer(rib, random.uniform(75, 150), wall),  # gristle, in front
        Layer(bony_rib, cortex, wall),
        Layer(lambda part: bony_rib(part) + 2.0, marrow_hu, wall),
        Layer(sternum, 0.7 * cortex, ((40, 420), (-150, 0), (-25, 25))),
        Layer(lambda part: sternum(part) + 2.2, marrow_hu, ((40, 420), (-150, 0), (-25, 25))),
        Layer(lambda part: tube(part, patient.spine_y, 0, 16, 21.5, 0.35), random.uniform(65, 105), spine),  # discs
        Layer(lambda part: tube(part, patient.spine_y + 26, 0, 9, 11), random.uniform(10, 40), spine),  # the canal
        Layer(arch, 0.9 * cortex, spine),
        Layer(lambda part: arch(part) + 2.4, marrow_hu, spine),
        Layer(vertebra, cortex, spine),
        Layer(lambda part: vertebra(part, 1.9), marrow_hu, spine),
    ]


def _pelvis(patient: Patient, muscular: Callable[[Part], np.ndarray]) -> list[Layer]:
    """Hip bones, sacrum, hips and bladder: where the liver is not, and a network has to learn that too."""
    cortex, marrow = patient.random.uniform(350, 600), patient.random.uniform(60, 180)
    full = patient.random.uniform(0.6, 1.2)
    low = ((-420, -100), (-170, 170), (-200, 200))

    def hip(part: Part) -> np.ndarray:
        side = np.abs(part.x)
        wing = np.abs(side - 92 + 0.35 * (part.y - 20) + 0.18 * (part.z + 200)) - 5
        wing = np.maximum(wing, np.abs(part.y - 25) - 62)
        return np.maximum(np.maximum(wing, part.z + 138 - 0.25 * part.y), -290 - part.z)

    def buttock(part: Part) -> np.ndarray:
        dy, dx, dz = (part.y - 78) / 42, (np.abs(part.x) - 72) / 62, (part.z + 235) / 100
        return 40 * (np.sqrt(dy * dy + dx * dx + dz * dz) - 1)

    def thigh(part: Part) -> np.ndarray:
        dy, dx = part.y / 70, (np.abs(part.x) - 92) / 62
        return np.maximum(60 * (np.sqrt(dy * dy + dx * dx) - 1), part.z + 262)

    def head(part: Part) -> np.ndarray:
        dy, dx, dz = part.y - 8, np.abs(part.x) - 92, part.z + 275
        return np.sqrt(dy * dy + dx * dx + dz * dz) - 24

    sacrum = (-205.0, 72.0, 0.0), (55.0, 16.0, 46.0)
    bladder = (-270.0, -30.0, 0.0), (32.0 * full, 34.0 * full, 42.0 * full)

    def masked(level: np.ndarray, part: Part) -> np.ndarray:
        return np.maximum(level, part.landmarks["body"] + 6)

    return [
        Layer(lambda part: masked(buttock(part), part), muscular, low),
        Layer(lambda part: masked(thigh(part), part), muscular, low),
        Layer(lambda part: masked(hip(part), part), cortex, low),
        Layer(lambda part: masked(hip(part), part) + 2.2, marrow, low),
        Layer(lambda part: ellipsoid(part, *sacrum, 0.2), cortex, around(*sacrum)),
        Layer(lambda part: ellipsoid(part, *sacrum, 0.2) + 2.5, marrow, around(*sacrum)),
        Layer(head, cortex, low),
        Layer(lambda part: head(part) + 2.5, marrow + 90, low),
        solid(*bladder, 60),
        Layer(lambda part: ellipsoid(part, *bladder) + 3, patient.random.uniform(-2, 18), around(*bladder)),
    ]


def _arms(patient: Patient) -> list[Layer]:
    """Beside the body, of the patients who cannot lift them."""
    if patient.random.random() > 0.15:
        return []
    layers = []
    depth, width = patient.cavity
    for side in (-1, 1):
        x = side * (width + patient.wall_mm + patient.fat_mm * 1.1 + patient.random.uniform(38, 60))
        y = patient.random.uniform(-10, 0.6 * depth)
        points = [(300.0, y, x), (-80.0, y - 5, x * 1.03), (-300.0, y - 40, x * 0.95)]
        for radii, hu in (((46, 40, 30), patient.tissues.fat), ((39, 34, 25), patient.tissues.muscle),
                          ((11, 10, 9), 480.0), ((7, 6, 5), 90.0)):  # fmt: skip
            level, box = path(points, radii)
            layers.append(Layer(level, hu, box))
    return layers


def _table(patient: Patient) -> list[Layer]:
    """One or two curved shells under the back, with foam inside: straight in the scanner, however the patient lies."""
    random = patient.random
    _, shift_y, shift_x = patient.warp.shift_mm
    back = patient.cavity[0] + patient.wall_mm + 14 + 0.45 * patient.fat_mm
    top = shift_y + patient.warp.scale[1] * back
    curve = random.uniform(0.0006, 0.0018) * random.choice([1, 1, 0])
    half = random.uniform(185, 260)
    shells = [(top + random.uniform(2, 12), random.uniform(1.2, 2.6), random.uniform(-150, 350))]
    shells.append((shells[0][0] + random.uniform(14, 55), random.uniform(1.2, 2.6), random.uniform(-150, 350)))
    foam = random.uniform(-990, -930)

    def sheet(y: float, thick: float, hu: float) -> Layer:
        def level(part: Part) -> np.ndarray:
            across = (part.axes[2] - shift_x).astype(np.float32)
            arc = (part.axes[1] - y).astype(np.float32)[:, None] + np.float32(curve) * across * across
            return np.maximum(np.abs(arc) - thick, np.abs(across) - half)[None]

        return Layer(level, hu)

    first, second = shells[0][0], shells[1][0]
    between = sheet((first + second) / 2, (second - first) / 2, foam)
    return [between, *(sheet(*shell) for shell in shells[: random.integers(1, 3)])]
