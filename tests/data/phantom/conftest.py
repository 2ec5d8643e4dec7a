from dataclasses import dataclass

import numpy as np
import pytest

from lits_toolkit.data.phantom import Plan, draw_case, make_phantom
from lits_toolkit.data.phantom.layer import Level, paint
from lits_toolkit.data.phantom.liver import Liver, draw_liver
from lits_toolkit.data.phantom.organs import stomach_layers
from lits_toolkit.data.phantom.patient import Patient, draw_patient
from lits_toolkit.data.phantom.space import PERIOD, Field, Part, Warp
from lits_toolkit.data.phantom.torso import mark_torso

STEP_MM = 5.0
TUMORS = (300, 60, 15)
"""Voxels of the tumours that the small planned cases have: 40 ml, 8 ml and 2 ml at their 130 mm³ a voxel."""


@dataclass(frozen=True, eq=False)
class Abdomen:
    """A patient with liver and stomach, and the coarse grid around them: the parts that other parts are drawn by."""

    patient: Patient
    liver: Liver
    stomach: Level
    part: Part

    def empty(self) -> Part:
        """The same grid with air alone."""
        part = self.part
        return Part(
            part.axes, part.z, part.y, part.x, np.full(part.z.shape, -1000, np.float32), STEP_MM, dict(part.landmarks)
        )

    def painted(self, layers) -> np.ndarray:
        """HU of those layers alone."""
        part = self.empty()
        paint(layers, part, self.patient.warp)
        return part.hu


def draw_abdomen(seed: int) -> Abdomen:
    patient = draw_patient(np.random.default_rng(seed))
    stomach = stomach_layers(patient)[0].level
    liver = draw_liver(patient, stomach)
    axes = tuple(np.arange(low, high, STEP_MM) for low, high in ((-190, 150), (-165, 215), (-215, 215)))
    part = Part.empty(axes, patient.warp, STEP_MM)
    mark_torso(part, patient)
    part.landmarks["liver"] = liver.level(part)
    return Abdomen(patient, liver, stomach, part)


@pytest.fixture(scope="module")  # layers go on drawing from a patient's generator: other modules would change them
def abdomens():
    return [draw_abdomen(seed) for seed in range(4)]


@pytest.fixture
def abdomen(abdomens):
    return abdomens[0]


@pytest.fixture(scope="session")
def planned():
    """Small cases with a whole liver and known tumours."""
    return [draw_case(Plan(f"volume-{index}", (0, index), 96, 24, TUMORS)) for index in range(6)]


@pytest.fixture(scope="session")
def case():
    return make_phantom(3, size=96, slices=24)


@pytest.fixture(scope="session")
def straight():
    """A warp that leaves everything where it is."""
    flat = Field(np.zeros((PERIOD, PERIOD, PERIOD), np.float32), 10)
    return Warp((0, 0, 0), (1, 1, 1), 0, ((flat, 0.0),) * 3)


@pytest.fixture
def cube(straight):
    """A part of 2 mm voxels around the origin, full of air."""
    axis = np.arange(-30, 31, 2.0)
    return Part.empty((axis, axis, axis), straight, 2.0)
