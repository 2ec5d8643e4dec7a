"""Where a run begins: fresh weights, another run's, or another network's encoder (dissertation §2.2.3)."""

from pathlib import Path

from torch import Tensor, nn

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.models.storage import DESCRIPTION, load_model
from lits_toolkit.training.settings import TrainSettings

ENCODER = ("stem.", "encoder.")


def begin_with(network: nn.Module, settings: TrainSettings, folder: Path) -> None:
    """Give a fresh network the weights that `settings.start_from` names.

    That is a model folder, or STAGE/NAME beside `folder`, which is …/STAGE/NAME itself. Of the same network all weights
    are taken; of another, those of stem and encoder whose place and shape are the same. Raises SettingError where that
    is less than half of the encoder's, InputError where there is no model.
    """
    assert settings.start_from is not None
    beside = folder.parent.parent / settings.start_from
    places = (beside, Path(settings.start_from))
    place = next((place for place in places if (place / DESCRIPTION).is_file()), None)
    if place is None:
        raise InputError(f"start_from: expected a model folder, found none in {places[0]} nor in {places[1].resolve()}")
    model = load_model(place)
    found, own = model.network.state_dict(), network.state_dict()
    if model.name == settings.model:
        network.load_state_dict(found)
        return
    needed = {name: weights for name, weights in own.items() if name.startswith(ENCODER)}
    taken = {name: found[name] for name, own in needed.items() if name in found and found[name].shape == own.shape}
    if 2 * _numbers(taken) < max(_numbers(needed), 1):
        raise SettingError(
            f"start_from: expected a model of {settings.model}, or one with much the same encoder, "
            f"found {model.name} in {place}"
        )
    network.load_state_dict(own | taken)


def _numbers(weights: dict[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in weights.values())
