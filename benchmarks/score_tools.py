"""One tool scores one pair of masks in a process of its own: `python score_tools.py TOOL FOLDER REPEAT` prints JSON.

The folder is what `scores.py` writes. Nothing is imported here but NumPy and the tool, so that a tool which pins other
versions can run in an environment of its own.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

SPACING_MM = (1.0, 0.75, 0.75)
Regions = tuple[np.ndarray, np.ndarray]


class Pair:
    """Two masks, and their lesions as pairs of small boolean arrays: cutting them out is not the tools' work."""

    def __init__(self, folder: Path) -> None:
        self.reference, self.prediction = (np.load(folder / f"{name}.npy") for name in ("reference", "prediction"))
        lesions = np.load(folder / "lesions.npz")
        self.lesions = [(lesions[f"reference_{n}"], lesions[f"prediction_{n}"]) for n in range(len(lesions) // 2)]

    def regions(self) -> list[Regions]:
        """Of both masks, the liver and the tumour."""
        return [(self.reference >= 1, self.prediction >= 1), (self.reference == 2, self.prediction == 2)]


Score = Callable[[Pair], float | tuple[float, float]]
"""Gives the liver's ASSD, or the mean distances of both directions."""


def ours() -> Score:
    """Every measure of liver, tumour and lesions, and the official score."""
    from lits_toolkit.data.case import Grid
    from lits_toolkit.study.case_scores import score_on_grid

    z, y, x = SPACING_MM

    def score(pair: Pair) -> float:
        grid = Grid(pair.reference.shape[::-1], np.diag([-x, -y, z, 1.0]))
        return score_on_grid("a", pair.reference, pair.prediction, grid)[0]["liver_assd_mm"]

    return score


def our_distances() -> Score:
    """ASSD, RMSD and MSSD of liver, tumour and lesions: what DeepMind's and panoptica's distances are held against."""
    from lits_toolkit.metrics.surface import surface_distances

    def score(pair: Pair) -> float:
        found = [surface_distances(one, other, SPACING_MM) for one, other in pair.regions() + pair.lesions]
        figures = [(distances.assd_mm, distances.rmsd_mm, distances.mssd_mm) for distances in found]
        return figures[0][0]

    return score


def deepmind() -> Score:
    """Average and largest surface distance of liver, tumour and lesions."""
    # it was written for NumPy 1 and an older SciPy: give it the names that have gone
    from scipy import ndimage

    for module, name, value in ((np, "Inf", np.inf), (ndimage, "filters", ndimage), (ndimage, "morphology", ndimage)):
        setattr(module, name, value)
    import surface_distance

    def score(pair: Pair) -> tuple[float, float]:
        averages = []
        for regions in pair.regions() + pair.lesions:
            distances = surface_distance.compute_surface_distances(*regions, SPACING_MM)
            averages.append(surface_distance.compute_average_surface_distance(distances))
            surface_distance.compute_robust_hausdorff(distances, 100)
        return averages[0]

    return score


def panoptica() -> Score:
    """Its default measures (Dice, IoU, ASSD, RVD) of the liver and of each matched lesion."""
    from panoptica import (
        ConnectedComponentsInstanceApproximator,
        InputType,
        NaiveThresholdMatching,
        Panoptica_Evaluator,
    )
    from panoptica.utils.label_group import LabelGroup, LabelMergeGroup
    from panoptica.utils.segmentation_class import SegmentationClassGroups

    evaluator = Panoptica_Evaluator(
        expected_input=InputType.SEMANTIC,
        instance_approximator=ConnectedComponentsInstanceApproximator(),
        instance_matcher=NaiveThresholdMatching(),
        segmentation_class_groups=SegmentationClassGroups({"liver": LabelMergeGroup([1, 2]), "tumor": LabelGroup(2)}),
    )

    def score(pair: Pair) -> float:
        return evaluator.evaluate(pair.prediction, pair.reference, voxelspacing=SPACING_MM)["liver"].sq_assd

    return score


def monai() -> Score:
    """Dice, average symmetric surface distance and Hausdorff distance of liver and tumour."""
    import torch
    from monai.metrics import DiceMetric, compute_average_surface_distance, compute_hausdorff_distance

    def score(pair: Pair) -> float:
        masks = [torch.from_numpy(np.stack(regions))[None] for regions in zip(*pair.regions(), strict=True)]
        reference, prediction = masks
        options: dict[str, Any] = {"include_background": True, "spacing": SPACING_MM}
        DiceMetric(include_background=True)(prediction, reference)
        compute_hausdorff_distance(prediction, reference, **options)
        return float(compute_average_surface_distance(prediction, reference, symmetric=True, **options)[0, 0])

    return score


def medpy() -> Score:
    """ASSD of the liver alone."""
    from medpy.metric import binary

    return lambda pair: binary.assd(pair.prediction >= 1, pair.reference >= 1, SPACING_MM)


def scipy() -> Score:
    """ASSD of the liver alone as one would write it: borders of 18 neighbours, distance transforms of the box."""
    from scipy import ndimage

    def score(pair: Pair) -> float:
        reference, prediction = pair.regions()[0]
        box = ndimage.find_objects((reference | prediction).view(np.uint8))[0]
        eighteen = ndimage.generate_binary_structure(3, 2)
        borders = [mask & ~ndimage.binary_erosion(mask, eighteen) for mask in (reference[box], prediction[box])]
        to_reference, to_prediction = (ndimage.distance_transform_edt(~border, SPACING_MM) for border in borders)
        return np.concatenate([to_prediction[borders[0]], to_reference[borders[1]]]).mean()

    return score


def main() -> None:
    """Print seconds of processor time (the median), bytes beyond the two masks at the peak, and ASSD of the liver."""
    tool, folder, repeat = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    score = {made.__name__: made for made in (ours, our_distances, deepmind, panoptica, monai, medpy, scipy)}[tool]()
    pair = Pair(folder)
    before = forget_peak()
    times = []
    for _ in range(repeat):
        started = time.process_time()
        assd_mm = score(pair)
        times.append(time.process_time() - started)
    print(json.dumps({"seconds": median(times), "bytes": memory("VmHWM") - before, "assd_mm": assd_mm}))


def forget_peak() -> int:
    """Begin anew to record the peak of the memory, and give the bytes that are taken now; Linux."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def memory(kind: str) -> int:
    """VmRSS or VmHWM, in bytes."""
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").open() if line.startswith(kind))


if __name__ == "__main__":
    main()
