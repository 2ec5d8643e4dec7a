"""One phantom case: from a plan to a volume with its reference mask."""

from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np
from scipy import fft

from lits_toolkit.data.case import BACKGROUND, LIVER, TUMOR, Case, Grid
from lits_toolkit.data.phantom.layer import Layer, paint
from lits_toolkit.data.phantom.liver import LIVER_BOX, Liver, draw_liver, liver_layer
from lits_toolkit.data.phantom.organs import (
    gall_bladder_layers,
    great_vessel_layers,
    gut_layers,
    kidney_layers,
    spleen_layers,
    stomach_layers,
)
from lits_toolkit.data.phantom.patient import Patient, draw_patient
from lits_toolkit.data.phantom.scanner import Scanner, add_streaks, draw_scanner, noise_filter, scan_slice
from lits_toolkit.data.phantom.space import Axes, Part, hat_basis, resample
from lits_toolkit.data.phantom.torso import chest_layers, mark_torso, skeleton_layers, torso_layers
from lits_toolkit.data.phantom.tumors import benign_layers, grow_tumors, scout, tumor_layers
from lits_toolkit.data.phantom.vessels import draw_vessels, vessel_layers
from lits_toolkit.errors import SettingError

FIELD_OF_VIEW_MM = (300.0, 450.0)
COVERAGE_MM = (205.0, 245.0)
SLICE_MM = (0.7, 5.0)
DRAWN_PIXEL_MM = 1.4
"""A finer image is drawn with pixels of this size and then enlarged: no scanner resolves more of soft tissue."""
ATTEMPTS = 6
"""Patients that are tried before a plan is given up."""
SLAB = 6
"""Slices drawn at a time."""
LESION_VOXELS = {"small": (220, 850), "medium": (1300, 4500), "large": (10600, 16000)}
"""Sizes of a random plan's tumours, in the case's own voxels, well inside the size groups' limits."""


@dataclass(frozen=True)
class Plan:
    """What a phantom case is to be; the same plan gives the same numbers."""

    name: str
    seed: tuple[int, ...]
    size: int = 256
    """Matrix in y and x."""
    slices: int | None = 48
    """None: as many as the patient takes with slices of 0.7 to 5 mm."""
    tumors: tuple[int, ...] | None = None
    """Voxels of each tumour; None: some of each size group, by chance."""
    pixel_mm: float | None = None
    slice_mm: float | None = None
    """None: by the patient's size and by chance."""

    @property
    def expected_slices(self) -> int:
        """How many slices it will have, about."""
        return self.slices or round(225 / (self.slice_mm or 2.6))


def make_phantom(index: int, seed: int = 0, size: int = 256, slices: int | None = 48) -> Case:
    """The phantom case `index` of the cohort `seed`, "volume-INDEX": the same numbers on every call.

    `size` is the matrix in y and x. The volume is (slices, size, size) int16 in HU, with a reference mask.
    """
    return draw_case(Plan(f"volume-{index}", (seed, index), size, slices))


def draw_case(plan: Plan) -> Case:
    """Draw a planned case: anatomy first, then tumours grown to the voxel, then the scan.

    Raises SettingError where no liver of several has room for the planned tumours.
    """
    for attempt in range(ATTEMPTS):
        case = _draw(plan, np.random.default_rng((*plan.seed, attempt) if attempt else plan.seed))
        if case is not None:
            return case
    raise SettingError(f"{plan.name}: {plan.tumors} tumour voxels find no room in a liver; plan fewer, or finer voxels")


def _draw(plan: Plan, random: np.random.Generator) -> Case | None:
    """One patient of the plan; None where its liver has no room for the planned tumours."""
    patient = draw_patient(random)
    axes, patient = frame(plan, patient)
    spacing = tuple(float(axis[1] - axis[0]) for axis in axes)
    stomach = stomach_layers(patient)
    liver = draw_liver(patient, stomach[0].level)
    room = scout(patient, liver, axes)
    sizes = _random_sizes(random) if plan.tumors is None else plan.tumors
    tumors, tumor = grow_tumors(patient, liver, room, axes, sizes, exact=plan.tumors is not None)
    if plan.tumors is not None and len(tumors) < len(plan.tumors):
        return None
    layers = [
        *torso_layers(patient),
        *gut_layers(patient),
        *skeleton_layers(patient),
        *kidney_layers(patient),
        *spleen_layers(patient),
        *stomach,
        *chest_layers(patient),
        liver_layer(liver),
        *vessel_layers(patient, draw_vessels(patient, room.places)),
        *benign_layers(patient, room, tumors),
        *tumor_layers(patient, liver, tumors),
        *great_vessel_layers(patient),
        *(gall_bladder_layers(patient, *liver.gall_bladder) if liver.gall_bladder else []),
    ]
    scanner = draw_scanner(random, (spacing[0], spacing[1], spacing[2]))
    volume, mask = _scan(patient, liver, layers, scanner, axes, random)
    mask[tumor] = TUMOR
    return Case(plan.name, volume, _grid(random, axes), mask)


def frame(plan: Plan, patient: Patient) -> tuple[Axes, Patient]:
    """The voxels' places in mm, and the patient laid so that the liver is among them."""
    random = patient.random
    scale = patient.warp.scale
    body_mm = 2 * scale[2] * (patient.cavity[1] + patient.wall_mm + 8 + 1.05 * patient.fat_mm)
    low, high = FIELD_OF_VIEW_MM
    field_mm = float(np.clip(body_mm * random.uniform(1.0, 1.25), low, high))
    coverage_mm = random.uniform(*COVERAGE_MM) * scale[0]
    above_mm = random.uniform(8, 40)
    kind = random.choice(["abdomen", "pelvis", "cut"], p=[0.74, 0.16, 0.1])
    if kind == "pelvis" and plan.tumors is None:
        coverage_mm = random.uniform(330, 440)
    elif kind == "cut" and plan.tumors is None:  # the scan ends within the liver
        above_mm = random.uniform(-60, -5)
    slice_mm = random.uniform(*SLICE_MM)
    field_mm = plan.pixel_mm * plan.size if plan.pixel_mm else field_mm
    slice_mm = plan.slice_mm or slice_mm
    slices = plan.slices or max(8, round(coverage_mm / slice_mm))
    slice_mm = coverage_mm / slices if plan.slices else slice_mm
    top = slice_mm * (slices - 1) / 2
    shift = (
        top - above_mm - scale[0] * patient.dome_mm[0],
        random.uniform(-16, 2) - 0.1 * patient.fat_mm,
        random.uniform(-9, 9),
    )
    steps = (slice_mm, field_mm / plan.size, field_mm / plan.size)
    counts = (slices, plan.size, plan.size)
    z, y, x = ((np.arange(n) - (n - 1) / 2) * step for n, step in zip(counts, steps, strict=True))
    return (z, y, x), replace(patient, warp=replace(patient.warp, shift_mm=shift))


def _random_sizes(random: np.random.Generator) -> list[int]:
    counts = {"large": random.integers(0, 2), "medium": random.integers(0, 3), "small": random.integers(2, 8)}
    return [
        round(float(np.exp(random.uniform(*np.log(LESION_VOXELS[group])))))
        for group, count in counts.items()
        for _ in range(count)
    ]


def _scan(
    patient: Patient,
    liver: Liver,
    layers: list[Layer],
    scanner: Scanner,
    axes: Axes,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Volume (int16 HU) and mask (uint8, without tumours), slab by slab, so that memory stays that of the result."""
    z_axis, y_axis, x_axis = axes
    pixel = float(x_axis[1] - x_axis[0])
    drawn = max(pixel, DRAWN_PIXEL_MM)
    y_drawn, x_drawn = (_coarser(axis, drawn) for axis in (y_axis, x_axis))
    bases = [None if len(c) == len(f) else hat_basis((f - c[0]) / (c[1] - c[0]), len(c))
             for f, c in ((y_axis, y_drawn), (x_axis, x_drawn))]  # fmt: skip
    shape = (len(z_axis), len(y_axis), len(x_axis))
    volume, mask = np.empty(shape, np.int16), np.full(shape, BACKGROUND, np.uint8)
    passed = noise_filter(scanner, shape[1:], pixel)
    radius = np.hypot(*np.ix_(y_axis, x_axis))
    outside = radius > x_axis[-1] if scanner.round_field else None
    # the middle of the body sees the fewest photons
    strength = (scanner.sigma_hu * (0.45 + 0.55 * np.exp(-((radius / 130) ** 2)))).astype(np.float32)
    keep, share = np.sqrt(1 - scanner.between_slices**2), scanner.between_slices
    noise = _noise(random, passed, shape[1:])
    edge_mm = float(np.hypot(drawn, scanner.blur_mm))
    for start in range(0, len(z_axis), SLAB):
        part = Part.empty((z_axis[start : start + SLAB], y_drawn, x_drawn), patient.warp, edge_mm)
        mark_torso(part, patient)
        part.landmarks["liver"] = _liver_level(part, patient, liver)
        paint(layers, part, patient.warp)
        add_streaks(part, scanner)
        for offset in range(len(part.axes[0])):
            index = start + offset
            noise = share * noise + keep * _noise(random, passed, shape[1:])
            mask[index][_enlarged(part.landmarks["liver"][offset], bases) < 0] = LIVER
            volume[index] = scan_slice(_enlarged(part.hu[offset], bases), noise, scanner, strength, outside)
    return volume, mask


def _liver_level(part: Part, patient: Patient, liver: Liver) -> np.ndarray:
    found = np.full(part.z.shape, 50, np.float32)
    near = replace(part, hu=found).within(LIVER_BOX, patient.warp)
    if near is not None:
        near.hu[:] = liver.level(near)
    return found


def _coarser(axis: np.ndarray, step: float) -> np.ndarray:
    """The same stretch in steps of at least about `step`; the axis itself where it is not finer."""
    length = axis[-1] - axis[0]
    count = int(np.ceil(length / step)) + 1
    return axis if count >= len(axis) else np.linspace(axis[0], axis[-1], count)


def _enlarged(image: np.ndarray, bases: list[np.ndarray | None]) -> np.ndarray:
    return resample(image[None], [None, *bases])[0]


def _noise(random: np.random.Generator, passed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    white = random.standard_normal(shape, np.float32)
    return fft.irfft2(fft.rfft2(white) * passed, shape)


def _grid(random: np.random.Generator, axes: Axes) -> Grid:
    """Stored as scanners and LiTS do it: x and y may run either way, and so may the slices."""
    z, y, x = (float(axis[1] - axis[0]) for axis in axes)
    affine = np.diag([-x, -y, z, 1.0])
    affine[:3, 3] = [-axes[2][0], -axes[1][0], axes[0][0] + random.uniform(-900, 300)]
    shape = (len(axes[2]), len(axes[1]), len(axes[0]))
    orientation = str(random.choice(["LPS", "LAS", "RAS", "RPS", "LPI"], p=[0.4, 0.2, 0.25, 0.1, 0.05]))
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(affine), nib.orientations.axcodes2ornt(tuple(orientation))
    )
    return Grid(shape, affine @ nib.orientations.inv_ornt_aff(turn, shape))
