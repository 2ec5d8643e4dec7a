"""A model on disk: a folder with `model.json` and `weights.safetensors`."""

from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from lits_toolkit.data.combination import Combination
from lits_toolkit.errors import InputError
from lits_toolkit.files import content_hash, output_folder, read_json, replacing, write_json
from lits_toolkit.models.catalogue import build_model

if TYPE_CHECKING:
    from lits_toolkit.models.network import Network

DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"
TUNED = ("thresholds", "tuning")
"""What `lits tune` adds to a description: true of the very weights, so that training further drops it."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network and what is known of it."""

    network: "Network"
    """In evaluation mode."""
    description: dict[str, Any]
    """`model.json`: name, stage, settings, versions, the cohort, the scores."""
    folder: Path | None = None
    """Where it lies; None for one made in memory."""

    @property
    def name(self) -> str:
        """The name of its network in the catalogue."""
        return str(self.description["name"])

    @property
    def stage(self) -> str:
        """`liver` or `tumor`."""
        return str(self.description["stage"])

    @property
    def window(self) -> tuple[int, int]:
        """The HU window that the network saw in training."""
        low, high = self.description["window"]
        return int(low), int(high)

    @property
    def size(self) -> int:
        """The y and x of the network's input, in pixels."""
        return int(self.description["size"])

    @property
    def combination(self) -> Combination:
        """How the liver enters its input, where it is of the tumour stage; `mask` for models older than the setting."""
        combination: Combination = self.description.get("settings", {}).get("combine", "mask")
        return combination


def save_model(folder: str | Path, network: "Network", description: dict[str, Any]) -> None:
    """Write weights and description; a model of an earlier epoch in the same folder is replaced."""
    from safetensors.torch import save

    folder = output_folder(folder)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with replacing(folder / WEIGHTS) as partial:
        partial.write_bytes(save(weights))
    write_json(folder / DESCRIPTION, description)


def weights_fingerprint(folder: str | Path) -> str:
    """A hash of a model's weights, by which what was made with them is told from what other ones made.

    InputError where the folder holds none.
    """
    try:
        return content_hash((Path(folder) / WEIGHTS).read_bytes())
    except OSError as error:
        raise InputError(f"{folder} is no model folder: it has no {WEIGHTS}; `lits train` makes one") from error


def load_model(folder: str | Path) -> Model:
    """Read a model folder; InputError where it is not one or its weights do not fit its description."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    if not (folder / DESCRIPTION).is_file():
        raise InputError(f"{folder} is no model folder: it has no {DESCRIPTION}; `lits train` makes one")
    description = read_json(folder / DESCRIPTION)
    missing = [key for key in ("name", "stage", "window", "size") if key not in description]
    if missing:
        raise InputError(f"{folder / DESCRIPTION} lacks {', '.join(missing)}: it was not written by this toolkit")
    network = build_model(description["name"])
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = shorten(str(error).splitlines()[:2][-1], 120)  # torch's second line says what does not fit
        raise InputError(
            f"{folder / WEIGHTS} does not hold the weights of {description['name']}: {reason}; "
            "copy the whole folder again, or train the model anew"
        ) from error
    return Model(network.eval(), description, folder)
