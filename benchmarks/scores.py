"""Seconds of one core to score a case with every measure, beside ASSD of the liver alone by SciPy, in the same run.

The reference is a liver of the given matrix with the given number of tumours, all ellipsoids; the prediction is the
same, moved by a voxel and with every tenth tumour missing. Prints the memory that scoring takes beyond the two masks.
"""

import argparse
import resource
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage
from timing import seconds

from lits_toolkit.data.case import Grid
from lits_toolkit.metrics.boxes import bounding_box
from lits_toolkit.study.case_scores import score_on_grid

SPACING_MM = (1.0, 0.75, 0.75)


def main() -> None:
    """Print one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--lesions", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    reference = draw(arguments.slices, arguments.size, arguments.lesions, missing=())
    prediction = np.roll(
        draw(arguments.slices, arguments.size, arguments.lesions, range(0, 99, 10)), (1, 2, 1), (0, 1, 2)
    )
    z, y, x = SPACING_MM
    grid = Grid(reference.shape[::-1], np.diag([-x, -y, z, 1.0]))
    row, lesions, _ = score_on_grid("a", reference, prediction, grid)
    voxels = [lesion["voxels"] for lesion in lesions]
    print(f"{reference.shape}, {row['liver_reference_voxels'] / 1e6:.1f} million liver voxels, "
          f"{row['lesions']} lesions of {min(voxels)} to {max(voxels)} voxels")  # fmt: skip
    ours = seconds(lambda: score_on_grid("a", reference, prediction, grid), arguments.repeat, clock=time.process_time)
    print(f"every measure of liver, tumour and lesions, and the official score: {ours:.2f} s")
    naive = seconds(lambda: scipy_assd(reference >= 1, prediction >= 1, SPACING_MM), 1, clock=time.process_time)
    print(f"SciPy, ASSD of the liver alone: {naive:.2f} s")
    print(f"ASSD of the liver: {row['liver_assd_mm']:.4f} mm here, "
          f"{scipy_assd(reference >= 1, prediction >= 1, SPACING_MM):.4f} mm there")  # fmt: skip
    taken = extra_memory(lambda: score_on_grid("a", reference, prediction, grid))
    print(f"memory beyond the two masks of {reference.nbytes / 1e6:.0f} MB each: {taken / 1e6:.0f} MB")


def draw(slices: int, size: int, lesions: int, missing: Sequence[int]) -> np.ndarray:
    """(slices, size, size) uint8: a liver that fills a third of each axis' length, with tumours of many sizes."""
    mask, taken = np.zeros((slices, size, size), np.uint8), np.zeros((slices, size, size), bool)
    radii = np.array([slices * 0.27, size * 0.17, size * 0.19])
    center = np.array([slices * 0.5, size * 0.5, size * 0.4])
    paint(mask, center, radii, 1)
    random = np.random.default_rng(0)
    for number, radius in enumerate(np.geomspace(0.2 * radii.min(), 2, lesions)):
        own = np.array([radius, radius / 0.75, radius / 0.75])
        while True:  # until it touches no other
            direction = random.normal(size=3)
            place = center + (radii - own) * direction / np.linalg.norm(direction) * random.random() ** (1 / 3)
            low, high = (place - own - 2).astype(int), (place + own + 3).astype(int)
            around = taken[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
            if not around.any():
                break
        around[...] = True
        if number not in missing:
            paint(mask, place, own, 2)
    return mask


def paint(mask: np.ndarray, center: np.ndarray, radii: np.ndarray, label: int) -> None:
    """Fill an ellipsoid."""
    first, last = np.floor(center - radii).astype(int), np.ceil(center + radii).astype(int) + 1
    axes = np.ogrid[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    far = sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, center, radii, strict=True))
    mask[tuple(slice(a, b) for a, b in zip(first, last, strict=True))][far <= 1] = label


def scipy_assd(reference: np.ndarray, prediction: np.ndarray, spacing_mm: tuple[float, float, float]) -> float:
    """As one would write it: borders by erosion, distance transforms of the box, both directions pooled."""
    box = bounding_box(reference, prediction)
    eighteen = ndimage.generate_binary_structure(3, 2)
    borders = [mask & ~ndimage.binary_erosion(mask, eighteen) for mask in (reference[box], prediction[box])]
    to_reference, to_prediction = (ndimage.distance_transform_edt(~border, spacing_mm) for border in borders)
    return float(np.concatenate([to_prediction[borders[0]], to_reference[borders[1]]]).mean())


def extra_memory(run) -> int:
    """Bytes by which the process grows at most while `run` runs, looked at every five milliseconds."""
    peak, done = 0, threading.Event()
    before = resident()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, resident())
            time.sleep(0.005)

    watching = threading.Thread(target=watch)
    watching.start()
    run()
    done.set()
    watching.join()
    return peak - before


def resident() -> int:
    """Bytes of memory that the process has now; Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
