"""Who lies in the scanner: size, shape, fat, and what the contrast medium does at the moment of the scan."""

from dataclasses import dataclass

import numpy as np

from lits_toolkit.data.phantom.space import Field, Warp


@dataclass(frozen=True)
class Tissues:
    """HU of what the contrast medium changes, at one moment after its injection."""

    arteries: float
    portal_vein: float
    hepatic_veins: float
    cava: float
    liver: float
    spleen: float
    kidney_cortex: float
    kidney_marrow: float
    pancreas: float
    gut_wall: float
    muscle: float
    fat: float


@dataclass(frozen=True, eq=False)
class Patient:
    """The frame that everything else is drawn into. Lengths in mm of the drawing, of a patient of middling size."""

    random: np.random.Generator
    """Draws whatever the parts of the body leave to chance, in the order in which they are drawn."""
    warp: Warp
    tissues: Tissues
    cavity: tuple[float, float]
    """Half depth and half width inside the ribs."""
    wall_mm: float
    """Ribs and muscles around the cavity."""
    fat_mm: float
    """Under the skin, at the flank."""
    belly: float
    """How much more of it there is in front, as a share."""
    visceral_fat: float
    """0 where organs touch each other and the wall, 1 where fat keeps them apart."""
    dome_mm: tuple[float, float]
    """z of the diaphragm's top on the right and left: how deep the breath is."""

    @property
    def gap_mm(self) -> float:
        """Between the liver and what is beside it."""
        return 0.3 + 5.5 * self.visceral_fat

    @property
    def spine_y(self) -> float:
        """y of the middle of the vertebrae."""
        return self.cavity[0] - 46

    def field(self, correlation_mm: float) -> Field:
        """A random field of its own."""
        return Field.draw(self.random, correlation_mm)

    def jitter(self, value: float, share: float = 0.1) -> float:
        """A value that differs from patient to patient, by up to a share of itself."""
        return float(value * self.random.uniform(1 - share, 1 + share))


def draw_patient(random: np.random.Generator) -> Patient:
    """Any patient: thin or fat, small or large, in any phase of contrast, far more widely than patients differ."""
    size = random.uniform(0.88, 1.14)
    scale = (size * random.uniform(0.92, 1.1), size * random.uniform(0.9, 1.1), size * random.uniform(0.92, 1.1))
    bends = [
        (Field.draw(random, correlation), amplitude)
        for correlation, amplitude in ((120, 4.0), (26, 0.9))
        for _ in range(3)
    ]
    fat = random.beta(1.4, 2.2)
    return Patient(
        random,
        Warp((0, 0, 0), scale, random.normal(0, 0.05), tuple(bends)),
        draw_tissues(random),
        cavity=(random.uniform(78, 96), random.uniform(108, 126)),
        wall_mm=random.uniform(11, 17),
        fat_mm=2.5 + 34 * fat,
        belly=random.uniform(-0.35, 0.8),
        visceral_fat=float(np.clip(0.75 * fat + random.uniform(-0.1, 0.35), 0, 1)),
        dome_mm=(random.uniform(62, 92), random.uniform(52, 82)),
    )


def draw_tissues(random: np.random.Generator) -> Tissues:
    """A phase (portal-venous in most, arterial, late, or without contrast) with what it brightens."""
    phase = random.choice(["portal", "arterial", "late", "none"], p=[0.52, 0.2, 0.14, 0.14])
    plain_liver = random.normal(57, 4) - (random.uniform(10, 55) if random.random() < 0.28 else 0)  # the fatty liver
    blood = random.normal(42, 3)
    # the dose, and a tube's low voltage, spread the liver's HU far more widely than in patients: none is its own
    dose = random.uniform(0.25, 1.5) if phase == "portal" else random.uniform(0.6, 1.5)
    rise = {
        # arteries, portal vein, hepatic veins, cava, liver, spleen, cortex, marrow, pancreas, wall of the gut
        "portal": (random.uniform(90, 150), random.uniform(80, 120), random.uniform(66, 110), random.uniform(60, 120),
                   52, random.uniform(55, 85), 140, 110, random.uniform(35, 55), 45),
        "arterial": (random.uniform(180, 300), random.uniform(10, 80), random.uniform(0, 15), random.uniform(5, 60),
                     random.uniform(4, 20), random.uniform(50, 95), 150, 35, random.uniform(50, 75), 50),
        "late": (random.uniform(50, 85), random.uniform(50, 80), random.uniform(48, 75), random.uniform(45, 80),
                 random.uniform(28, 48), random.uniform(35, 55), 110, 120, random.uniform(25, 40), 35),
        "none": (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    }[str(phase)]  # fmt: skip
    arteries, portal, veins, cava, liver, spleen, cortex, marrow, pancreas, gut = (dose * value for value in rise)
    return Tissues(
        blood + arteries,
        blood + portal,
        blood + veins,
        blood + cava,
        plain_liver + liver,
        48 + spleen,
        33 + cortex,
        30 + marrow,
        random.uniform(25, 42) + pancreas,
        random.uniform(30, 42) + gut,
        random.uniform(24, 62) + 6 * (liver > 10),
        random.uniform(-116, -92),
    )
