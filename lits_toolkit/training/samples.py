"""The training samples as torch sees them."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.data.combination import combine
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.data.sampling import REACH, designated_slices, epoch_order, sample, sample_starts
from lits_toolkit.errors import InputError
from lits_toolkit.training.livers import read_liver
from lits_toolkit.training.settings import TrainSettings

Index = tuple[int, int, int]
"""Case, first slice to segment, and the seed of this sample's crop."""
Batch = tuple[Tensor, Tensor, Tensor]
"""Images (n, 9, y, x) or, in 3D, (n, 1, 8, y, x) float32; targets (n, y, x) or (n, 4, y, x) uint8 of 0 and 1; and
(n, 2) int64, the case's number and the first slice of each."""


@dataclass(frozen=True, eq=False)
class _Decoded:
    image: np.ndarray
    """(z, y, x) float32, the stage's input."""
    target: np.ndarray
    """(z, y, x) bool, the stage's object."""

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.image.nbytes + self.target.nbytes


class CaseDataset(Dataset[Batch]):
    """The samples of one stage, addressed by `Index`.

    The last cases stay decoded: the order of an epoch asks for few at a time, so that each is read once per epoch.
    With `livers`, the tumour stage sees these (from `predict_livers`, one for each case) instead of the reference's,
    and learns the tumours inside them. Raises InputError where no case has a designated slice.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        settings: TrainSettings,
        dimensions: int,
        livers: Sequence[Path] = (),
        whole: bool = False,
    ) -> None:
        self.cases = list(cases)
        self.settings = settings
        self.dimensions = dimensions
        self.livers = list(livers)
        self.crop = None if whole else settings.crop
        self.cases_in_memory = 1 if whole else settings.cases_together
        self.decoded: OrderedDict[int, _Decoded] = OrderedDict()
        wanted = settings.designation
        self.starts = [sample_starts(designated_slices(case, wanted), dimensions) for case in self.cases]
        if not any(len(starts) for starts in self.starts):
            slices, purpose = (
                "a slice" if wanted == "all" else f"a slice with {wanted}",
                "validate" if whole else "train",
            )
            raise InputError(f"none of the {len(self.cases)} cases to {purpose} on has {slices}")
        self.boxes = [_liver_box(case, settings.reduce) for case in self.cases] if self.crop else []

    def __len__(self) -> int:
        return sum(len(starts) for starts in self.starts)

    def __getitem__(self, index: Index) -> Batch:
        case, start, seed = index
        decoded = self._decode(case)
        image, target = decoded.image, decoded.target
        if self.crop:
            y, x = _corner(self.boxes[case], image.shape[1:], self.crop, np.random.default_rng(seed))
            where = np.s_[:, y : y + self.crop, x : x + self.crop]
            image, target = image[where], target[where]
        found = sample(image, target, start, self.dimensions)
        return torch.from_numpy(found.image), torch.from_numpy(found.target), torch.tensor([case, start])

    def class_counts(self) -> tuple[int, int]:
        """Pixels of background and of the stage's object in the slices of all samples, uncropped and unreduced."""
        least, slices = LIVER if self.settings.stage == "liver" else TUMOR, REACH[self.dimensions].slices
        filled = pixels = 0
        for case, starts in zip(self.cases, self.starts, strict=True):
            whole = case.mask_slices(0, case.shape[0])  # at once: an .npz is read whole whatever is asked of it
            for start in starts.tolist():
                mask = whole[start : start + slices]
                filled, pixels = filled + int(np.count_nonzero(mask >= least)), pixels + mask.size
        return pixels - filled, filled

    def _decode(self, case: int) -> _Decoded:
        """A case, reduced as `to_network_grid` does it."""
        if case in self.decoded:
            self.decoded.move_to_end(case)
            return self.decoded[case]
        self.decoded[case] = self._read(case)
        while len(self.decoded) > self.cases_in_memory:
            self.decoded.popitem(last=False)
        return self.decoded[case]

    def _read(self, case: int) -> _Decoded:
        prepared, reduce = self.cases[case], self.settings.reduce
        volume, mask = (read(0, prepared.shape[0]) for read in (prepared.volume_slices, prepared.mask_slices))
        liver, tumor = mask >= LIVER, mask == TUMOR
        seen = read_liver(self.livers[case]) if self.livers else liver
        if reduce > 1:
            volume = _means(volume, reduce)
            liver, tumor, seen = (_means(region, reduce) >= 0.5 for region in (liver, tumor, seen))
        if self.settings.stage == "liver":
            return _Decoded(volume, liver)
        return _Decoded(combine(volume, seen, self.settings.combine), tumor & seen)


class EpochSampler(Sampler[Index]):
    """The order of §3.1.2, drawn anew for each epoch from the seed and the epoch's number alone."""

    def __init__(self, starts: Sequence[np.ndarray], seed: int, cases_together: int) -> None:
        self.starts = starts
        self.seed = seed
        self.cases_together = cases_together
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(len(starts) for starts in self.starts)

    def __iter__(self) -> Iterator[Index]:
        random = np.random.default_rng([self.seed, self.epoch])
        for case, start in epoch_order(self.starts, random, self.cases_together):
            yield case, start, int(random.integers(2**31))


class EvenBatches(Sampler[list[Index]]):
    """An order in batches of at most `size`, as even as can be: no sample is left out, and a last one is not alone."""

    def __init__(self, sampler: Sampler[Index] | Sequence[Index], size: int) -> None:
        self.sampler = sampler
        """Lightning looks for it here, to set its epoch."""
        self.size = size

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.size)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[list[Index]]:
        order, batches = list(self.sampler), len(self)
        for batch in range(batches):
            yield order[len(order) * batch // batches : len(order) * (batch + 1) // batches]


def in_order(starts: Sequence[np.ndarray]) -> list[Index]:
    """Every sample once, case by case: the order of validation."""
    return [(case, int(start), 0) for case, found in enumerate(starts) for start in found]


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
