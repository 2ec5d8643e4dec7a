"""The catalogue: every network by its name."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from lits_toolkit.errors import SettingError
from lits_toolkit.models.encoders import ENCODERS

if TYPE_CHECKING:
    from lits_toolkit.models.network import Network

PUBLISHED_PARAMETERS_MILLIONS = {
    # Tables 4.2 and 4.3; the rows `top` and `default` of the 2D networks are swapped in print
    "2d-mobilenet_v2-top": 3.76,
    "2d-mobilenet_v2-default": 4.64,
    "2d-mobilenet_v2-bottom": 6.37,
    "3d-mobilenet_v2-top": 1.26,
    "3d-mobilenet_v2-default": 1.59,
    "3d-mobilenet_v2-bottom": 2.93,
}


@dataclass(frozen=True)
class ModelEntry:
    """One network of the catalogue and what it costs."""

    name: str
    dimensions: int
    block: str
    layout: str
    parameters: int
    published_parameters_millions: float | None
    """As the dissertation prints it."""


def model_names() -> list[str]:
    """Every name that `build_model` knows."""
    return list(ENCODERS)


def build_model(name: str) -> "Network":
    """The network `name`, with fresh weights; SettingError names the nearest where there is none of that name."""
    from lits_toolkit.models.network import build_network

    dimensions, block, _ = _parts(name)
    return build_network(dimensions, block, ENCODERS[name])


def describe_models() -> list[ModelEntry]:
    """The catalogue, each network built once to count its parameters."""
    entries = []
    for name in model_names():
        dimensions, block, layout = _parts(name)
        parameters = sum(parameter.numel() for parameter in build_model(name).parameters())
        published = PUBLISHED_PARAMETERS_MILLIONS.get(name)
        entries.append(ModelEntry(name, dimensions, block, layout, parameters, published))
    return entries


def _parts(name: str) -> tuple[int, str, str]:
    if name not in ENCODERS:
        nearest = get_close_matches(name, ENCODERS, n=1, cutoff=0)
        raise SettingError(f"no model is called {name!r}; the nearest is {nearest[0]!r}, `lits models` lists all")
    dimensions, block, layout = name.split("-")
    return int(dimensions[0]), block, layout
