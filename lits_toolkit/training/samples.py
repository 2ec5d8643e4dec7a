"""The training samples as torch sees them."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.data.combination import Combination, combine
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.data.sampling import designated_slices, epoch_order, sample
from lits_toolkit.errors import InputError

Index = tuple[int, int, int]
"""Case, slice, and the seed of this sample's crop."""


class SliceDataset(Dataset[tuple[Tensor, Tensor]]):
    """Images (9, y, x) float32 and targets (y, x) uint8 of one stage, addressed by `Index`.

    The last `cases_in_memory` cases stay decoded: the order of an epoch asks for few at a time, so that each is read
    once per epoch.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        stage: str,
        designation: str,
        crop: int | None = None,
        reduce: int = 1,
        cases_in_memory: int = 1,
        combination: Combination = "mask",
    ) -> None:
        self.cases = list(cases)
        self.stage = stage
        self.crop = crop
        self.reduce = reduce
        self.cases_in_memory = cases_in_memory
        self.combination = combination
        self.decoded: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()
        self.slices = [designated_slices(case, designation) for case in self.cases]
        if not any(len(slices) for slices in self.slices):
            raise InputError(f"none of the {len(self.cases)} cases has a slice with {designation}: nothing to train on")
        self.boxes = [_liver_box(case, reduce) for case in self.cases] if crop else []

    def __len__(self) -> int:
        return sum(len(slices) for slices in self.slices)

    def __getitem__(self, index: Index) -> tuple[Tensor, Tensor]:
        case, middle, seed = index
        image, mask = self._decode(case)
        if self.crop:
            y, x = _corner(self.boxes[case], mask.shape[1:], self.crop, np.random.default_rng(seed))
            where = np.s_[:, y : y + self.crop, x : x + self.crop]
            image, mask = image[where], mask[where]
        found = sample(image, mask, middle, self.stage)
        return torch.from_numpy(found.image), torch.from_numpy(found.target)

    def _decode(self, case: int) -> tuple[np.ndarray, np.ndarray]:
        """(z, y, x) float32 input of the stage and uint8 mask of a case, reduced as `to_network_grid` does it."""
        if case in self.decoded:
            self.decoded.move_to_end(case)
            return self.decoded[case]
        prepared = self.cases[case]
        volume, mask = (read(0, prepared.shape[0]) for read in (prepared.volume_slices, prepared.mask_slices))
        if self.reduce > 1:
            liver, tumor = (_means(mask >= label, self.reduce) >= 0.5 for label in (LIVER, TUMOR))
            volume, mask = _means(volume, self.reduce), liver.astype(np.uint8) + tumor
        if self.stage == "tumor":
            volume = combine(volume, mask >= LIVER, self.combination)
        self.decoded[case] = volume, mask
        while len(self.decoded) > self.cases_in_memory:
            self.decoded.popitem(last=False)
        return volume, mask


class EpochSampler(Sampler[Index]):
    """The order of §3.1.2, drawn anew for each epoch from the seed and the epoch's number alone."""

    def __init__(self, slices: Sequence[np.ndarray], seed: int, cases_together: int) -> None:
        self.slices = slices
        self.seed = seed
        self.cases_together = cases_together
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(len(slices) for slices in self.slices)

    def __iter__(self) -> Iterator[Index]:
        random = np.random.default_rng([self.seed, self.epoch])
        for case, middle in epoch_order(self.slices, random, self.cases_together):
            yield case, middle, int(random.integers(2**31))


def in_order(slices: Sequence[np.ndarray]) -> list[Index]:
    """Every designated slice once, case by case: the order of validation."""
    return [(case, int(middle), 0) for case, found in enumerate(slices) for middle in found]


def _means(array: np.ndarray, factor: int) -> np.ndarray:
    """(..., y, x) to float32 (..., y / factor, x / factor)."""
    *rest, y, x = array.shape
    return array.reshape(*rest, y // factor, factor, x // factor, factor).mean(axis=(-3, -1), dtype=np.float32)


def _liver_box(case: PreparedCase, reduce: int) -> tuple[int, int, int, int]:
    """First and last row and column of the liver over all slices, in reduced pixels."""
    flat = _means(case.mask_slices(0, case.shape[0]).max(axis=0) > 0, reduce) > 0
    rows, columns = np.flatnonzero(flat.any(1)), np.flatnonzero(flat.any(0))
    if not len(rows):
        return 0, flat.shape[0] - 1, 0, flat.shape[1] - 1
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def _corner(
    box: tuple[int, int, int, int], shape: tuple[int, ...], crop: int, random: np.random.Generator
) -> tuple[int, int]:
    """A random corner (y, x) of a crop that lies on the liver's box, or holds it where it is larger."""
    corner = []
    for low, high, size in ((box[0], box[1], shape[0]), (box[2], box[3], shape[1])):
        ends = sorted((low, high - crop + 1))
        corner.append(int(np.clip(random.integers(ends[0] - 8, ends[1] + 9), 0, size - crop)))
    return corner[0], corner[1]
