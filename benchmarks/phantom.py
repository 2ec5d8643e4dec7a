"""The phantom: what drawing it takes, and how far it looks like real CT.

Without arguments, time and peak memory of one case on one core. With `--real DIR`, HU, noise and edges of phantoms
beside those of the CT in a folder in the LiTS layout. Where a CT has no mask, or one without the organ, the regions are
the boxes below, which were placed by looking. With `--dissertation`, the tumours of all 131 cases of Tables A.1 and A.2
are counted in what is drawn for them.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from scipy import fft, ndimage
from smoke import parse_arguments

from lits_toolkit.data.case import TUMOR, Case
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.phantom import Plan, draw_case, plan_dissertation
from lits_toolkit.data.phantom.case import frame
from lits_toolkit.data.phantom.layer import Layer
from lits_toolkit.data.phantom.organs import great_vessel_layers, spleen_layers
from lits_toolkit.data.phantom.patient import Patient, draw_patient
from lits_toolkit.data.phantom.space import Part
from lits_toolkit.data.phantom.torso import mark_torso
from lits_toolkit.data.reading import read_case
from lits_toolkit.metrics.lesions import find_lesions

BOXES = {
    "volume-0": {
        "spleen": (104, 110, 61, 70, 92, 101),
        "aorta": (98, 104, 50, 54, 64, 67),
        "muscle": (61, 66, 72, 80, 43, 49),
        "fat": (61, 66, 78, 84, 27, 35),
    },
    "volume-1": {
        "spleen": (6, 12, 310, 350, 355, 380),
        "aorta": (6, 12, 293, 304, 260, 269),
        "muscle": (7, 11, 384, 392, 196, 212),
        "fat": (7, 11, 401, 403, 207, 235),
    },
    "volume-148": {
        "liver": (48, 54, 240, 290, 85, 130),
        "spleen": (60, 66, 240, 300, 405, 430),
        "aorta": (60, 66, 266, 284, 275, 292),
        "muscle": (13, 18, 350, 375, 178, 205),
        "fat": (13, 18, 371, 379, 145, 157),
    },
}
"""First and last z, y, x of a box within one tissue, the last one excluded, in axial voxels."""
TISSUES = ("liver", "spleen", "aorta", "muscle", "fat")
PATCH_MM = 24.0
"""Side of the squares whose spectra are averaged."""
EVERY = 3
"""Slices from one that is measured to the next."""


def main() -> None:
    """Print what drawing takes, or the table of realism."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help="a folder of CT in the LiTS layout")
    parser.add_argument("--phantoms", type=int, default=12, help="how many are measured beside it")
    parser.add_argument("--size", type=int, default=512, help="of these, in pixels")
    parser.add_argument("--dissertation", action="store_true", help="count the tumours of the 131 cases; takes long")
    parser.add_argument("--draw", type=int, nargs=2, metavar=("SIZE", "SLICES"), help=argparse.SUPPRESS)
    arguments = parse_arguments(parser, phantoms=1, size=64)
    if arguments.draw:
        draw(*arguments.draw)
    elif arguments.dissertation:
        plans = plan_dissertation()
        count_tumors([min(plans, key=lambda plan: plan.expected_slices)] if arguments.smoke else plans)
    elif arguments.real:
        print_table(arguments.real, arguments.phantoms, arguments.size)
    else:
        for size, slices in ((64, 16),) if arguments.smoke else ((512, 100), (256, 48)):
            subprocess.run(
                [sys.executable, __file__, "--draw", str(size), str(slices)],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                check=True,
            )


def draw(size: int, slices: int) -> None:
    """One case in this process: seconds and the peak of its memory."""
    started = time.perf_counter()
    draw_case(Plan("volume-0", (0, 0), size, slices))
    taken = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = size**2 * slices * 3 / 2**20  # int16 HU and a uint8 mask
    print(f"{size}×{size}×{slices}: {taken:.1f} s, peak {peak:.0f} MiB, of which the case itself is {result:.0f} MiB")


def count_tumors(plans: Sequence[Plan]) -> None:
    """Of each case of the dissertation's cohort: tumours and tumour voxels as planned and as drawn."""
    drawn = Parallel(-1, return_as="generator")(delayed(drawn_tumors)(plan) for plan in plans)
    furthest = 0.0
    for plan, (tumors, voxels) in zip(plans, drawn, strict=True):
        wanted = plan.tumors or ()
        off = voxels / sum(wanted) - 1 if wanted else 0.0
        furthest = max(furthest, abs(off))
        if tumors != len(wanted) or abs(off) > 0.1:
            print(f"{plan.name}: {tumors} of {len(wanted)} tumours, {off:+.1%} voxels")
    print(f"{len(plans)} cases: tumour voxels within {furthest:.2%} of the tables")


def drawn_tumors(plan: Plan) -> tuple[int, int]:
    """Number and voxels of the tumours in a case that is drawn."""
    reference = draw_case(plan).reference
    assert reference is not None
    tumor = reference == TUMOR
    return len(find_lesions(tumor)), int(np.count_nonzero(tumor))


def print_table(folder: Path, phantoms: int, size: int) -> None:
    """Median and 10 to 90 % of the phantoms, and each real CT, as Markdown."""
    drawn = []
    for index in range(phantoms):
        plan = Plan(f"volume-{index}", (0, index), size, None)
        case = draw_case(plan)
        drawn.append(measure(case, phantom_regions(plan, case)))
    real = {}
    for files in find_cases(folder):
        case = read_case(files)
        real[case.name] = measure(case, boxed_regions(case))
    print(f"| | phantom, median of {phantoms} | 10–90 % |", " | ".join(f"`{name}`" for name in real), "|")
    print("|---|" + "---|" * (2 + len(real)))
    for row in drawn[0]:
        values = np.array([found[row] for found in drawn])
        low, middle, high = np.nanpercentile(values, (10, 50, 90)) if np.isfinite(values).any() else (np.nan,) * 3
        print(f"| {row} | {text(middle)} | {text(low)} to {text(high)} |",
              " | ".join(text(found[row]) for found in real.values()), "|")  # fmt: skip


def text(value: float) -> str:
    """Three digits at most; a dash for what there is none of."""
    return "–" if not np.isfinite(value) else f"{value:.2f}" if abs(value) < 2 else f"{value:.0f}"


def measure(case: Case, regions: dict[str, np.ndarray]) -> dict[str, float]:
    """Every row of the table: HU and its spread by tissue, the noise's frequency, the steepness of the liver's edge."""
    found = {}
    for name in TISSUES:
        hu = case.volume[regions[name]]
        quarter, middle, three = np.percentile(hu, (25, 50, 75)) if len(hu) > 50 else (np.nan,) * 3
        found[f"{name}, HU"] = float(middle)
        found[f"{name}, spread in HU"] = float(three - quarter) / 1.349  # of a normal distribution
    found["noise in the liver, mean cycles/mm"] = mean_frequency(case, regions["liver"])
    for name, limits in (("lung", (-2000, -500)), ("fat", (-170, -40))):
        found[f"edge of liver and {name}, HU/mm"] = edge_slope(case, *limits)
    return found


def mean_frequency(case: Case, region: np.ndarray) -> float:
    """Of the power in squares of PATCH_MM within the region: of the half that varies least, with the fewest vessels."""
    pixel = case.spacing_mm[1]
    side = round(PATCH_MM / pixel)
    squares = sorted(detrended(case.volume, region, side), key=np.std)
    if not squares:
        return float("nan")
    window = np.outer(np.hanning(side), np.hanning(side))
    power = np.mean([np.abs(fft.fft2(square * window)) ** 2 for square in squares[: len(squares) // 2 + 1]], 0)
    frequency = np.hypot(*np.meshgrid(*[fft.fftfreq(side, pixel)] * 2))
    return float((frequency * power).sum() / power.sum())


def detrended(volume: np.ndarray, region: np.ndarray, side: int) -> Iterator[np.ndarray]:
    """Squares within the region, (side, side) float64, each without its best quadratic surface."""
    y, x = (grid.ravel() / side for grid in np.mgrid[:side, :side])
    surface = np.stack([np.ones(side**2), y, x, y * y, x * x, y * x], 1)
    top_left = np.argwhere(region)[:, 1:].min(0) if region.any() else (0, 0)
    for plane, inside in zip(volume, region, strict=True):
        for top in range(top_left[0], plane.shape[0] - side + 1, side):
            for left in range(top_left[1], plane.shape[1] - side + 1, side):
                square = slice(top, top + side), slice(left, left + side)
                if inside[square].all():
                    hu = plane[square].astype(float).ravel()
                    yield (hu - surface @ np.linalg.lstsq(surface, hu, rcond=None)[0]).reshape(side, side)


def edge_slope(case: Case, lowest: float, highest: float) -> float:
    """Median of the steepest in-plane slope at the liver's outline, where HU in those limits lie 3 mm outside it."""
    if case.reference is None:
        return float("nan")
    pixel = case.spacing_mm[1]
    slopes: list[np.ndarray] = []
    for plane, mask in zip(case.volume[::EVERY], case.reference[::EVERY], strict=True):
        liver = mask >= 1
        if not liver.any():
            continue
        inward, outward = (ndimage.distance_transform_edt(side, pixel) for side in (liver, ~liver))
        blur = max(0.8 / pixel, 0.7)  # pixels; less makes no derivative
        hu = plane.astype(float)
        smooth = ndimage.gaussian_filter(hu, blur)
        beside = (outward > 3) & (outward < 3 + 1.5 * pixel) & (smooth > lowest) & (smooth < highest)
        slope = ndimage.gaussian_gradient_magnitude(hu, blur) / pixel
        near = np.where((inward < 2 + pixel) & (outward < 2 + pixel), slope, 0)
        steepest = ndimage.maximum_filter(near, 2 * int(np.ceil(5 / pixel)) + 1)
        slopes.append(steepest[beside])
    values = np.concatenate(slopes) if slopes else np.empty(0)
    return float(np.median(values)) if len(values) > 100 else float("nan")


def boxed_regions(case: Case) -> dict[str, np.ndarray]:
    """Of a real CT: the mask's liver where there is one, boxes for what it has none of."""
    regions = {}
    for name in TISSUES:
        region = np.zeros(case.volume.shape, bool)
        if name in (boxes := BOXES.get(case.name, {})):
            z0, z1, y0, y1, x0, x1 = boxes[name]
            region[z0:z1, y0:y1, x0:x1] = True
        elif name == "liver" and case.reference is not None:
            region = eroded(case.reference == 1, case.spacing_mm)
        regions[name] = region
    return regions


def phantom_regions(plan: Plan, case: Case) -> dict[str, np.ndarray]:
    """Of a phantom, (z, y, x) bool each, in every EVERY-th slice: well within what its own shapes mark."""
    patient = draw_patient(np.random.default_rng(plan.seed))
    axes, patient = frame(plan, patient)
    part = Part.empty((axes[0][::EVERY], axes[1], axes[2]), patient.warp, 1.0)
    mark_torso(part, patient)
    marks = part.landmarks
    assert case.reference is not None
    shapes = {
        "liver": eroded(case.reference == 1, case.spacing_mm)[::EVERY],
        "spleen": whatever_is_drawn(part, patient, spleen_layers) < -3,
        "aorta": whatever_is_drawn(part, patient, great_vessel_layers) < -2.5,
        "muscle": (marks["muscle"] < -2.5)
        & (marks["cavity"] > 5)
        & (np.abs(part.z + 105) < 20)
        & (np.abs(part.x) > 60),
        "fat": (marks["body"] < -5) & (marks["muscle"] > 3),
    }
    regions = {}
    for name, shape in shapes.items():
        regions[name] = np.zeros(case.volume.shape, bool)
        regions[name][::EVERY] = shape
    return regions


def whatever_is_drawn(part: Part, patient: Patient, layers: Callable[[Patient], list[Layer]]) -> np.ndarray:
    """The level of what is inside the first of an organ's layers however chance draws it in this patient."""
    drawn = [layers(replace(patient, random=np.random.default_rng(seed)))[0] for seed in range(5)]
    return np.max([layer.level(part) for layer in drawn], 0)


def eroded(region: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """What lies more than 5 mm from the region's outline, within each slice."""
    distance = np.stack([ndimage.distance_transform_edt(plane, spacing_mm[1:]) for plane in region])
    return distance > 5


if __name__ == "__main__":
    main()
