"""The cascade: liver, then tumours inside it (dissertation §3.1.6 to §3.1.8)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lits_toolkit.data.case import BACKGROUND, LIVER, TUMOR
from lits_toolkit.data.combination import combine
from lits_toolkit.data.network_grid import from_network_grid, mask_to_network_grid, to_network_grid
from lits_toolkit.data.prepared import normalise
from lits_toolkit.errors import SettingError
from lits_toolkit.inference.postprocess import drop_unsure_components, largest_component
from lits_toolkit.inference.runtimes import Runner
from lits_toolkit.inference.windows import probability_volume
from lits_toolkit.models.storage import Model


@dataclass(frozen=True)
class Thresholds:
    """Where probabilities become masks."""

    liver: float = 0.5
    tumor: float = 0.5
    tumor_component: float = 0.7
    """A tumour component is kept if its highest probability reaches this."""


def predict_mask(
    volume: np.ndarray,
    tumor_runner: Runner,
    liver_runner: Runner | None = None,
    liver: np.ndarray | None = None,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    progress: Callable[[str, int], None] | None = None,
) -> np.ndarray:
    """Segment one CT: (z, y, x) int16 HU to a (z, y, x) uint8 mask of the same shape.

    The liver comes from `liver_runner`, or, for the dissertation's local protocol (§4.1.1), from `liver`: a boolean
    (z, y, x) array such as the reference's mask ≥ 1. `progress` is called with the stage and the slices just done.
    Raises SettingError unless exactly one of the two is given.
    """
    if (liver_runner is None) == (liver is None):
        raise SettingError("expected either a liver model or a liver mask, found both or neither")
    thresholds = thresholds or Thresholds()
    if liver is None:
        assert liver_runner is not None
        liver = predict_liver(volume, liver_runner, thresholds, batch_size, _of(progress, "liver"))
    mask = np.full(volume.shape, BACKGROUND, np.uint8)
    mask[liver] = LIVER
    mask[predict_tumor(volume, liver, tumor_runner, thresholds, batch_size, _of(progress, "tumor"))] = TUMOR
    return mask


def predict_liver(
    volume: np.ndarray,
    runner: Runner,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The first stage: (z, y, x) int16 HU to the (z, y, x) bool liver, one face-connected component (§3.1.6)."""
    probability = liver_probability(volume, runner, batch_size, progress)
    return find_liver(probability, volume.shape, thresholds or Thresholds())


def predict_tumor(
    volume: np.ndarray,
    liver: np.ndarray,
    runner: Runner,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The second stage: (z, y, x) int16 HU and bool liver to the (z, y, x) bool tumours inside it (§3.1.7, §3.1.8)."""
    probability = tumor_probability(volume, liver, runner, batch_size, progress)
    return find_tumor(probability, liver, thresholds or Thresholds())


def liver_probability(
    volume: np.ndarray, runner: Runner, batch_size: int = 8, progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """The first stage's network on all slices: (z, y, x) int16 HU to (z, size, size) float32 on the network's grid."""
    return probability_volume(runner, network_input(volume, runner.model), np.arange(len(volume)), batch_size, progress)


def find_liver(probability: np.ndarray, shape: tuple[int, ...], thresholds: Thresholds) -> np.ndarray:
    """From the network's grid to the bool liver of a CT's `shape` (z, y, x)."""
    return largest_component(from_network_grid(probability, shape) > thresholds.liver)


def tumor_probability(
    volume: np.ndarray,
    liver: np.ndarray,
    runner: Runner,
    batch_size: int = 8,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The second stage's network on the slices with liver: to (z, size, size) float32, zero on the others."""
    model = runner.model
    inside = mask_to_network_grid(liver.astype(np.uint8), model.size) > 0
    image = combine(network_input(volume, model), inside, model.combination)
    return probability_volume(runner, image, np.flatnonzero(liver.any(axis=(1, 2))), batch_size, progress)


def find_tumor(probability: np.ndarray, liver: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """From the network's grid to the bool tumours inside a (z, y, x) bool liver."""
    probability = from_network_grid(probability, liver.shape)
    found = (probability > thresholds.tumor) & liver
    return drop_unsure_components(found, probability, thresholds.tumor_component)


def network_input(volume: np.ndarray, model: Model) -> np.ndarray:
    """(z, y, x) int16 HU to (z, size, size) float32 in [0, 1] on a model's grid, as cases are prepared to train on."""
    return normalise(to_network_grid(volume, model.size, model.window), model.window)


def _of(progress: Callable[[str, int], None] | None, stage: str) -> Callable[[int], None] | None:
    return None if progress is None else lambda slices: progress(stage, slices)
