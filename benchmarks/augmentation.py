"""Milliseconds per sample of reading and augmenting batches, beside SciPy and MONAI, in one run.

Ours: samples of 9 × 256 × 256 with their mask from prepared phantom cases, as training reads them, then all of
Table 3.1 with noise and elastic fields. SciPy and MONAI get the same arrays and ranges and do less: no noise, and
SciPy and RandAffine no elastic field.
"""

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers import MissingPeerError, require
from scipy import ndimage
from smoke import parse_arguments
from torch import Tensor
from torch.utils.data import DataLoader

from lits_toolkit.data.augmentation import Augmentation, augment
from lits_toolkit.data.phantom import make_phantom
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.models.memory import keep_large_allocations
from lits_toolkit.training.samples import CaseDataset, EpochSampler
from lits_toolkit.training.settings import TrainSettings

Batch = tuple[Tensor, Tensor]
TABLE = Augmentation()


def main() -> None:
    """Print one line each: wall clock and CPU time, and what share of it ours takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--slices", type=int, default=48, help="of each phantom")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3, help="epochs of ours; the others run on a batch of the first")
    arguments = parse_arguments(parser, batch=2, cases=1, slices=16, threads=1, repeat=1)
    torch.set_num_threads(arguments.threads)
    keep_large_allocations()  # as training does
    with tempfile.TemporaryDirectory() as name:
        cases = [write_case(Path(name), seed, arguments.slices) for seed in range(arguments.cases)]
        sampling, ours, batch = read_and_augment(cases, arguments.batch, arguments.repeat)
    print(f"{arguments.threads} threads, batch {arguments.batch} of {'×'.join(map(str, batch[0].shape[1:]))}, "
          f"torch {torch.__version__}; ms per sample")  # fmt: skip
    print(f"{'':36}{'wall':>8}{'CPU':>8}{'ours / it, wall':>18}{'CPU':>8}")
    line("sampling from prepared cases", sampling)
    line("augmentation", ours)
    line("both", np.add(sampling, ours))
    line("SciPy, affine_transform", per_sample(lambda: scipy_affine(batch), batch, 1), ours)
    for name, peer in monai_peers().items():
        line(f"MONAI, {name}", per_sample(lambda: peer(batch), batch, 5 * arguments.repeat), ours)  # noqa: B023


def write_case(folder: Path, seed: int, slices: int) -> PreparedCase:
    """A phantom, prepared."""
    path = folder / f"volume-{seed}.b2nd"
    write_prepared(make_phantom(seed, slices=slices), path)
    return PreparedCase(path)


def read_and_augment(cases: list[PreparedCase], size: int, epochs: int) -> tuple[np.ndarray, np.ndarray, Batch]:
    """(wall, CPU) ms per sample of reading and of augmenting, medians over epochs, and the last batch as read."""
    samples = CaseDataset(cases, TrainSettings(), dimensions=2)
    sampler = EpochSampler(samples.starts, seed=0, cases_together=1)
    loader = DataLoader(samples, size, sampler=sampler, drop_last=True)
    random = torch.Generator().manual_seed(0)
    reading, augmenting = [], []
    for epoch in range(epochs + 1):
        sampler.set_epoch(epoch)
        spent, count, last = np.zeros((2, 2)), 0, clocks()
        for images, targets, _ in loader:
            read = clocks()
            augment(images, targets, TABLE, random)
            done = clocks()
            spent += [read - last, done - read]
            count, last = count + len(images), clocks()
        if epoch:  # the first is to warm up
            reading.append(1000 * spent[0] / count)
            augmenting.append(1000 * spent[1] / count)
    return np.median(reading, axis=0), np.median(augmenting, axis=0), (images, targets)


def clocks() -> np.ndarray:
    """Seconds of the wall clock, and of all the process's threads."""
    return np.array([time.perf_counter(), time.process_time()])


def per_sample(run: Callable[[], object], batch: Batch, repeat: int) -> np.ndarray:
    """(wall, CPU) ms per sample, medians after one run to warm up."""
    times = []
    for _ in range(repeat + 1):
        started = clocks()
        run()
        times.append(1000 * (clocks() - started) / len(batch[0]))
    return np.array([statistics.median(clock) for clock in zip(*times[1:], strict=True)])


def scipy_affine(batch: Batch) -> Batch:
    """Each slice and mask by itself, one matrix per sample, order 1 and, for the mask, 0."""
    random = np.random.default_rng(0)
    images, targets = (part.numpy() for part in batch)
    moved, labels = np.empty_like(images), np.empty_like(targets)
    for i in range(len(images)):
        angle, shear = np.deg2rad(random.uniform(-1, 1, 2) * (TABLE.rotation_degrees, TABLE.shear_degrees))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ [[1, 0], [np.tan(shear), 1]] / (1 + random.uniform(-1, 1) * TABLE.scale_percent / 100)
        centre = (np.array(targets.shape[1:]) - 1) / 2
        offset = centre - matrix @ (centre + random.uniform(-1, 1, 2) * TABLE.translation_pixels)
        for channel in range(images.shape[1]):
            ndimage.affine_transform(images[i, channel], matrix, offset, output=moved[i, channel], order=1)
        ndimage.affine_transform(targets[i], matrix, offset, output=labels[i], order=0)
    return torch.from_numpy(moved), torch.from_numpy(labels)


def monai_peers() -> dict[str, Callable[[Batch], Batch]]:
    """Its two transforms on image and mask with the table's ranges, sample by sample, as its datasets apply them."""
    try:
        monai = require("monai.transforms")
    except MissingPeerError as missing:
        print(f"MONAI is left out: {missing}")
        return {}
    keys = ["image", "mask"]
    ranges: dict[str, Any] = {
        "prob": 1.0,
        "rotate_range": math.radians(TABLE.rotation_degrees),
        "shear_range": math.tan(math.radians(TABLE.shear_degrees)),
        "translate_range": TABLE.translation_pixels,
        "scale_range": TABLE.scale_percent / 100,
        "mode": ["bilinear", "nearest"],
        "padding_mode": "zeros",
    }
    spacing, reach = (TABLE.elastic_spacing,) * 2, (0, TABLE.elastic_pixels)
    transforms = {
        "RandAffined": monai.RandAffined(keys, **ranges),
        "Rand2DElasticd": monai.Rand2DElasticd(keys, spacing=spacing, magnitude_range=reach, **ranges),
    }

    def applied(transform: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Callable[[Batch], Batch]:
        def run(batch: Batch) -> Batch:
            pairs = [transform({"image": image, "mask": target[None]}) for image, target in zip(*batch, strict=True)]
            return torch.stack([pair["image"] for pair in pairs]), torch.stack([pair["mask"][0] for pair in pairs])

        return run

    return {name: applied(transform) for name, transform in transforms.items()}


def line(name: str, times: np.ndarray, ours: np.ndarray | None = None) -> None:
    """One line, with the share that ours takes of it."""
    shares = "" if ours is None else "{:18.2f}{:8.2f}".format(*(ours / times))
    print(f"{name:36}{times[0]:8.2f}{times[1]:8.2f}{shares}")


if __name__ == "__main__":
    main()
