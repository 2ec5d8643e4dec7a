"""Processor seconds and memory to score a pair of masks with every measure, beside what other tools take for less.

The reference is a liver of the given matrix with the given number of tumours, all ellipsoids; the prediction is the
same, moved by a voxel and with every tenth tumour missing. Each tool has a process of its own (`score_tools.py` says
what it computes) and its default settings. Seconds are the processor's, of all threads together, which other work on
the machine lengthens less than the clock's; memory is the peak beyond the two masks.

Tools that are missing are named and left out; panoptica pins old versions, and has an environment of its own:

    python benchmarks/scores.py --panoptica panoptica/bin/python
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from score_tools import SPACING_MM
from smoke import parse_arguments

from lits_toolkit.metrics.boxes import joint_box
from lits_toolkit.metrics.lesions import find_lesions, give_prediction

PEERS = ("deepmind", "panoptica", "monai", "medpy")
TOOLS = {
    "ours": "ours: every measure and the official score",
    "our_distances": "ours: the distances of liver, tumour, lesions",
    "deepmind": "DeepMind surface-distance: the same distances",
    "panoptica": "panoptica: Dice, IoU, ASSD, RVD of liver, lesions",
    "monai": "MONAI: Dice, ASSD, Hausdorff of liver, tumour",
    "medpy": "medpy: ASSD of the liver alone",
    "scipy": "SciPy: ASSD of the liver alone",
}


def main() -> None:
    """Print a table for each number of slices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--slices", type=int, nargs="+", default=[300, 800])
    parser.add_argument("--lesions", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=7, help="of ours, of which the median is taken")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--panoptica", default=sys.executable, help="the Python of panoptica's environment")
    arguments = parse_arguments(parser, size=96, slices=[40], lesions=3, repeat=1)
    for slices in arguments.slices:
        with TemporaryDirectory() as folder:
            write_pair(Path(folder), slices, arguments.size, arguments.lesions)
            took = {}
            for tool in arguments.tools:
                python = arguments.panoptica if tool == "panoptica" else sys.executable
                took[tool] = run(python, tool, folder, arguments.repeat if tool.startswith("our") else 1)
                print(line(tool, took[tool], took.get("ours")), flush=True)
            print_goals(took)


def write_pair(folder: Path, slices: int, size: int, lesions: int) -> None:
    """Write both masks, and each reference lesion that is found with the prediction given to it, cut to their box."""
    reference = draw(slices, size, lesions, missing=())
    prediction = np.roll(draw(slices, size, lesions, range(0, lesions, 10)), (1, 2, 1), (0, 1, 2))
    np.save(folder / "reference.npy", reference)
    np.save(folder / "prediction.npy", prediction)
    expected, found = find_lesions(reference == 2), find_lesions(prediction == 2)
    given = give_prediction(expected, found, SPACING_MM)
    pairs = []
    for number, box in enumerate(expected.boxes, start=1):
        around = joint_box(box, *(other for other in found.boxes if (given[other] == number).any()))
        pairs.append((expected.labels[around] == number, given[around] == number))
    pairs = [pair for pair in pairs if pair[1].any()]
    np.savez(
        folder / "lesions.npz",
        **{f"reference_{n}": own for n, (own, _) in enumerate(pairs)},
        **{f"prediction_{n}": given_to_it for n, (_, given_to_it) in enumerate(pairs)},
    )
    print(
        f"{reference.shape}, masks of {reference.nbytes / 1e6:.0f} MB, {np.count_nonzero(reference) / 1e6:.1f} million "
        f"liver voxels, {len(expected)} lesions of {expected.voxels.min()} to {expected.voxels.max()} voxels"
    )


def run(python: str, tool: str, folder: str, repeat: int) -> dict[str, Any] | None:
    """What a tool's process prints; None where the tool is not installed."""
    if shutil.which(python) is None:
        return None
    command = [python, str(Path(__file__).with_name("score_tools.py")), tool, folder, str(repeat)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "ModuleNotFoundError" in done.stderr and tool in PEERS:
        return None
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))  # panoptica asks for citations before


def line(tool: str, took: dict[str, Any] | None, ours: dict[str, Any] | None) -> str:
    """A row of the table."""
    if took is None:
        return f"{TOOLS[tool]:<52} is not installed; docs/measurements.md says how"
    ratio = f"{took['seconds'] / ours['seconds']:5.1f} ×" if ours else ""
    assd = " and ".join(f"{value:.4f}" for value in np.atleast_1d(took["assd_mm"]))
    return f"{TOOLS[tool]:<52}{took['seconds']:7.2f} s {ratio} {took['bytes'] / 1e6:6.0f} MB   liver {assd} mm"


def print_goals(took: dict[str, dict[str, Any] | None]) -> None:
    """Ours against the goals: 4 times as fast as the faster of two, and 20 times as fast as MONAI."""
    seconds = {tool: figures["seconds"] for tool, figures in took.items() if figures}
    peers = [seconds[tool] for tool in ("deepmind", "panoptica") if tool in seconds]
    if "ours" in seconds and peers:
        print(f"the faster of DeepMind and panoptica takes {min(peers) / seconds['ours']:.1f} times as long (goal: 4)")
    if "our_distances" in seconds and peers:
        print(f"… and {min(peers) / seconds['our_distances']:.1f} times as long as our distances alone")
    if "ours" in seconds and "monai" in seconds:
        print(f"MONAI takes {seconds['monai'] / seconds['ours']:.1f} times as long (goal: 20)")
    print()


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


if __name__ == "__main__":
    main()
