"""The cascade: liver, then tumours inside it (dissertation §3.1.6 to §3.1.8)."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.data.combination import combine
from lits_toolkit.data.network_grid import (
    Window,
    mask_to_network_grid,
    slabs_from_network_grid,
    slices_above,
    to_network_grid,
)
from lits_toolkit.data.prepared import normalise
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.inference.postprocess import drop_unsure_components, largest_component
from lits_toolkit.inference.runtimes import Runner
from lits_toolkit.inference.windows import probability_volume
from lits_toolkit.models.storage import Model

BOX_MULTIPLE = 32
"""Every network halves its slices five times."""
_Z_MARGIN = 8
"""Slices kept around the liver: more than any network's block and context; a multiple of 3D's blocks of four."""


@dataclass(frozen=True)
class Thresholds:
    """Where probabilities become masks; SettingError where one is none from 0 to 1."""

    liver: float = 0.5
    tumor: float = 0.5
    tumor_component: float = 0.7
    """A tumour component is kept if its highest probability reaches this."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (isinstance(value, int | float) and 0 <= value <= 1):
                raise SettingError(f"threshold {name}: expected a number from 0 to 1, found {value!r}")


THRESHOLDS_OF = {"liver": ("liver",), "tumor": ("tumor", "tumor_component")}
"""By stage: those that a model of it may hold, as `lits tune` chooses them."""


def thresholds_of(*models: Model | None) -> Thresholds:
    """A cascade's thresholds: its models' own (`thresholds` in `model.json`), defaults where they hold none.

    InputError where a model holds a threshold that is none of its stage's, or no number from 0 to 1.
    """
    found: dict[str, Any] = {}
    for model in (model for model in models if model is not None):
        held = model.description.get("thresholds") or {}
        unknown = sorted(set(held) - set(THRESHOLDS_OF.get(model.stage, ())))
        if unknown:
            raise InputError(f"{_place(model)}: {', '.join(unknown)} is no threshold of the {model.stage} stage")
        found |= held
        try:
            Thresholds(**held)
        except SettingError as error:
            raise InputError(f"{_place(model)}: {error}") from error
    return Thresholds(**found)


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT as the networks see it, all that the cascade needs: the CT itself can be let go."""

    shape: tuple[int, ...]
    """Of the CT, (z, y, x)."""
    grids: Mapping[tuple[int, Window], np.ndarray]
    """By size and window: (z, size, size) int16, HU clamped and resized."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What the cascade found in one CT."""

    mask: np.ndarray
    """(z, y, x) uint8."""
    tumor_probability: np.ndarray
    """(z, size, size) float32 on the tumour network's grid, zero on slices without liver."""
    seconds: dict[str, float]
    """By part, in the order in which they were done."""


def resize_scan(volume: np.ndarray, *models: Model | None) -> Scan:
    """Resize a (z, y, x) int16 CT for some models, once for all that agree in size and window."""
    wanted = dict.fromkeys((model.size, model.window) for model in models if model is not None)
    return Scan(volume.shape, {(size, window): to_network_grid(volume, size, window) for size, window in wanted})


def predict_mask(
    volume: np.ndarray | Scan,
    tumor_runner: Runner,
    liver_runner: Runner | None = None,
    liver: np.ndarray | None = None,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    progress: Callable[[str, int], None] | None = None,
    box: bool = False,
) -> np.ndarray:
    """Segment one CT: (z, y, x) int16 HU to a (z, y, x) uint8 mask of the same shape; see `segment`."""
    return segment(volume, tumor_runner, liver_runner, liver, thresholds, batch_size, progress, box).mask


def segment(
    volume: np.ndarray | Scan,
    tumor_runner: Runner,
    liver_runner: Runner | None = None,
    liver: np.ndarray | None = None,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    progress: Callable[[str, int], None] | None = None,
    box: bool = False,
) -> Segmentation:
    """Segment one CT, (z, y, x) int16 HU.

    The liver comes from `liver_runner`, or, for the dissertation's local protocol (§4.1.1), from `liver`: a boolean
    (z, y, x) array such as the reference's mask ≥ 1. Thresholds are the models' own unless given. With `box` the
    tumour stage sees the liver's box alone (`tumor_probability`). `progress` is called with the stage and the slices
    just done. Raises SettingError unless exactly one of the two is given.
    """
    if (liver_runner is None) == (liver is None):
        raise SettingError("expected either a liver model or a liver mask, found both or neither")
    thresholds = thresholds or thresholds_of(tumor_runner.model, liver_runner.model if liver_runner else None)
    seconds: dict[str, float] = {}
    if not isinstance(volume, Scan):
        with timed(seconds, "resize"):
            volume = resize_scan(volume, tumor_runner.model, liver_runner.model if liver_runner else None)
    if liver is None:
        assert liver_runner is not None
        with timed(seconds, "liver network"):
            probability = liver_probability(volume, liver_runner, batch_size, _of(progress, "liver"))
        with timed(seconds, "liver mask"):
            liver = find_liver(probability, volume.shape, thresholds)
            del probability
    with timed(seconds, "tumor network"):
        probability = tumor_probability(volume, liver, tumor_runner, batch_size, _of(progress, "tumor"), box)
    with timed(seconds, "tumor mask"):
        tumor = find_tumor(probability, liver, thresholds)
        mask = liver * np.uint8(LIVER)
        mask[tumor] = TUMOR
    return Segmentation(mask, probability, seconds)


def predict_liver(
    volume: np.ndarray | Scan,
    runner: Runner,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The first stage: (z, y, x) int16 HU to the (z, y, x) bool liver, one face-connected component (§3.1.6)."""
    probability = liver_probability(volume, runner, batch_size, progress)
    return find_liver(probability, volume.shape, thresholds or thresholds_of(runner.model))


def predict_tumor(
    volume: np.ndarray | Scan,
    liver: np.ndarray,
    runner: Runner,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    progress: Callable[[int], None] | None = None,
    box: bool = False,
) -> np.ndarray:
    """The second stage: (z, y, x) int16 HU and bool liver to the (z, y, x) bool tumours inside it (§3.1.7, §3.1.8)."""
    probability = tumor_probability(volume, liver, runner, batch_size, progress, box)
    return find_tumor(probability, liver, thresholds or thresholds_of(runner.model))


def liver_probability(
    volume: np.ndarray | Scan, runner: Runner, batch_size: int = 8, progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """The first stage's network on all slices: (z, y, x) int16 HU to (z, size, size) float32 on the network's grid."""
    image = network_input(volume, runner.model)
    return probability_volume(runner, image, np.arange(len(image)), batch_size, progress)


def find_liver(probability: np.ndarray, shape: tuple[int, ...], thresholds: Thresholds) -> np.ndarray:
    """From the network's grid to the bool liver of a CT's `shape` (z, y, x), a few slices at a time."""
    found = np.zeros(shape, bool)
    for slices, slab in slabs_from_network_grid(probability, shape, slices_above(probability, thresholds.liver)):
        found[slices] = slab > thresholds.liver
    return largest_component(found)


def tumor_probability(
    volume: np.ndarray | Scan,
    liver: np.ndarray,
    runner: Runner,
    batch_size: int = 8,
    progress: Callable[[int], None] | None = None,
    box: bool = False,
) -> np.ndarray:
    """The second stage's network on the slices with liver: to (z, size, size) float32, zero on the others.

    With `box` it sees, and segments, only the rows and columns that the liver spans, grown to multiples of 32.
    """
    model = runner.model
    whole = np.zeros((len(liver), model.size, model.size), np.float32)
    slices = np.flatnonzero(liver.any(axis=(1, 2)))
    if not len(slices):
        return whole
    low = max(0, int(slices[0]) - _Z_MARGIN) // 4 * 4
    near = slice(low, int(slices[-1]) + 1 + _Z_MARGIN)
    inside = mask_to_network_grid(liver[near].view(np.uint8), model.size) > 0
    image = network_input(volume, model, near)
    image = combine(image, inside, model.combination, out=image)
    place = (slice(None), *_box(inside)) if box else (slice(None),) * 3
    probability_volume(runner, image[place], slices - low, batch_size, progress, out=whole[near][place])
    return whole


def find_tumor(probability: np.ndarray, liver: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """From the network's grid to the bool tumours inside a (z, y, x) bool liver, a few slices at a time."""
    found = np.zeros(liver.shape, bool)
    sure = [np.zeros(0, np.float32)]
    slices = slices_above(probability, thresholds.tumor)
    for part, slab in slabs_from_network_grid(probability, liver.shape, slices):
        tumor = (slab > thresholds.tumor) & liver[part]
        found[part] = tumor
        sure.append(slab[tumor])
    return drop_unsure_components(found, np.concatenate(sure), thresholds.tumor_component)


def network_input(volume: np.ndarray | Scan, model: Model, slices: slice = slice(None)) -> np.ndarray:
    """(z, y, x) int16 HU to (z, size, size) float32 in [0, 1] on a model's grid, as cases are prepared to train on."""
    scan = volume if isinstance(volume, Scan) else resize_scan(volume[slices], model)
    grid = scan.grids[model.size, model.window]
    return normalise(grid[slices] if isinstance(volume, Scan) else grid, model.window)


@contextmanager
def timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    """Note the seconds that the part of the work within takes."""
    started = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - started


def _box(inside: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of a bool (z, size, size) that is not empty, grown to multiples of 32 within the grid."""
    sides = []
    for axis in (1, 2):
        occupied = np.flatnonzero(inside.any(axis=(0, 3 - axis)))
        low, high, size = int(occupied[0]), int(occupied[-1]) + 1, inside.shape[axis]
        length = min(-(-(high - low) // BOX_MULTIPLE) * BOX_MULTIPLE, size)
        start = min(max(0, (low + high - length) // 2), size - length)
        sides.append(slice(start, start + length))
    return sides[0], sides[1]


def _place(model: Model) -> str:
    return str(model.folder / "model.json") if model.folder else model.name


def _of(progress: Callable[[str, int], None] | None, stage: str) -> Callable[[int], None] | None:
    return None if progress is None else lambda slices: progress(stage, slices)
