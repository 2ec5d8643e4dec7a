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
    tumor_model: Model,
    liver_model: Model | None = None,
    liver: np.ndarray | None = None,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    progress: Callable[[str, int], None] | None = None,
) -> np.ndarray:
    """Segment one CT: (z, y, x) int16 HU to a (z, y, x) uint8 mask of the same shape.

    The liver comes from `liver_model`, or, for the dissertation's local protocol (§4.1.1), from `liver`: a boolean
    (z, y, x) array such as the reference's mask ≥ 1. `progress` is called with the stage and the slices just done.
    Raises SettingError unless exactly one of the two is given.
    """
    if (liver_model is None) == (liver is None):
        raise SettingError("expected either a liver model or a liver mask, found both or neither")
    thresholds = thresholds or Thresholds()
    if liver is None:
        assert liver_model is not None
        liver = predict_liver(volume, liver_model, thresholds, batch_size, _of(progress, "liver"))
    mask = np.full(volume.shape, BACKGROUND, np.uint8)
    mask[liver] = LIVER
    mask[predict_tumor(volume, liver, tumor_model, thresholds, batch_size, _of(progress, "tumor"))] = TUMOR
    return mask


def predict_liver(
    volume: np.ndarray,
    model: Model,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The first stage: (z, y, x) int16 HU to the (z, y, x) bool liver, one face-connected component (§3.1.6)."""
    image = network_input(volume, model)
    probability = probability_volume(model.network, image, np.arange(len(image)), batch_size, progress)
    thresholds = thresholds or Thresholds()
    return largest_component(from_network_grid(probability, volume.shape) > thresholds.liver)


def predict_tumor(
    volume: np.ndarray,
    liver: np.ndarray,
    model: Model,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The second stage: (z, y, x) int16 HU and bool liver to the (z, y, x) bool tumours inside it (§3.1.7, §3.1.8)."""
    thresholds = thresholds or Thresholds()
    slices = np.flatnonzero(liver.any(axis=(1, 2)))
    if not len(slices):
        return np.zeros(volume.shape, bool)
    inside = mask_to_network_grid(liver.astype(np.uint8), model.size) > 0
    image = combine(network_input(volume, model), inside, model.combination)
    probability = probability_volume(model.network, image, slices, batch_size, progress)
    probability = from_network_grid(probability, volume.shape)
    found = (probability > thresholds.tumor) & liver
    return drop_unsure_components(found, probability, thresholds.tumor_component)


def network_input(volume: np.ndarray, model: Model) -> np.ndarray:
    """(z, y, x) int16 HU to (z, size, size) float32 in [0, 1] on a model's grid, as cases are prepared to train on."""
    return normalise(to_network_grid(volume, model.size, model.window), model.window)


def _of(progress: Callable[[str, int], None] | None, stage: str) -> Callable[[int], None] | None:
    return None if progress is None else lambda slices: progress(stage, slices)
