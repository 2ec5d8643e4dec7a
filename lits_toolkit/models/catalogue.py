"""The catalogue: every network by its name, and what it costs beside what the dissertation prints."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from lits_toolkit.errors import SettingError, nearest
from lits_toolkit.models.encoders import Encoder, encoders

if TYPE_CHECKING:
    from lits_toolkit.models.cost import Cost
    from lits_toolkit.models.network import Network

PRINTED = "-printed"
"""After a name: the configuration as the appendix prints it, contradictions included."""
AGREES = 0.01
"""Share by which a published count may differ from ours without a word."""


@dataclass(frozen=True)
class ModelEntry:
    """One network of the catalogue and what it costs, for one input of 256 × 256."""

    name: str
    dimensions: int
    block: str
    layout: str
    parameters: int
    macs: int
    """True multiply-accumulates."""
    published_parameters_millions: float | None
    published_flops_millions: float | None
    """What an old counter gave, which left most convolutions out: no measure of the work."""
    note: str
    """Where it and its published figures stand in print, and why ours differ by over 1 %; parted by "; "."""


@dataclass(frozen=True)
class PublishedCost:
    """A row of Table 4.2 or 4.3, under the name that it belongs to."""

    table: str
    printed_row: str
    parameters_millions: float
    flops_millions: float


def model_names() -> list[str]:
    """Every name of the catalogue: the dissertation's 21 configurations, then the comparators."""
    return [*encoders(), *_COMPARATORS]


def build_model(name: str) -> "Network":
    """The network `name`, with fresh weights; SettingError names the nearest where there is none of that name.

    With "-printed" after it, a configuration of the dissertation is built with the appendix's values as printed.
    """
    if name in _COMPARATORS:
        return _COMPARATORS[name].build()
    from lits_toolkit.models.network import EfficientUNet

    return EfficientUNet(_encoder(name))


def describe_models(printed: bool = False) -> list[ModelEntry]:
    """The catalogue, each network counted once; with `printed`, the dissertation's with the values as printed."""
    names = [name + PRINTED for name in encoders()] if printed else model_names()
    return [describe_model(name) for name in names]


def describe_model(name: str) -> ModelEntry:
    """One network of the catalogue; SettingError as `build_model`."""
    dimensions, cost = _count(name)
    if name in _COMPARATORS:
        other = _COMPARATORS[name]
        published_millions = other.published_parameters_millions
        return ModelEntry(name, dimensions, "", "", cost.parameters, cost.macs, published_millions, None, other.note)
    encoder = _encoder(name)
    published = published_costs().get(name.removesuffix(PRINTED))  # a configuration of your own has none
    return ModelEntry(
        name,
        dimensions,
        encoder.block,
        encoder.layout,
        cost.parameters,
        cost.macs,
        published.parameters_millions if published else None,
        published.flops_millions if published else None,
        _note(name, encoder, cost.parameters, published) if published else encoder.table,
    )


@cache
def _count(name: str) -> "tuple[int, Cost]":
    """The network's dimensions, and what it costs; once for a name, since tables and figures ask again."""
    import torch

    from lits_toolkit.models.cost import count, input_shape

    with torch.device("meta"):
        network = build_model(name)
    return network.dimensions, count(network, input_shape(network.dimensions))


@cache
def published_costs() -> dict[str, PublishedCost]:
    """Tables 4.2 and 4.3 by the configuration that each row belongs to."""
    text = files("lits_toolkit.models").joinpath("dissertation_cost.csv").read_text()
    return {
        row["name"]: PublishedCost(
            row["table"], row["printed_row"], float(row["parameters_millions"]), float(row["flops_millions"])
        )
        for row in csv.DictReader(text.splitlines())
    }


def _note(name: str, encoder: Encoder, parameters: int, published: PublishedCost) -> str:
    notes = [f"Table {encoder.table}"]
    if published.printed_row != encoder.layout:
        notes.append(f"Table {published.table} has the rows top and default of this block swapped")
    if name in CONTRADICTIONS and not name.endswith(PRINTED):
        notes.append(CONTRADICTIONS[name])
    if abs(parameters / 1e6 / published.parameters_millions - 1) > AGREES:
        printed = name in _printed_otherwise()
        notes.append("as printed, and so not as counted" if printed else _REASONS[encoder.dimensions, encoder.block])
    return "; ".join(notes)


CONTRADICTIONS = {
    "2d-mobilenet_v2-top": "its layer 1 is printed with expansion 1, the published counts need 6",
    "2d-mobilenet_v3-top": "its layer 1 is printed with expansion 1, the published counts need 4",
    "3d-shufflenet_v2-top": "printed as the default, with the strides of 2D: 3D's are used",
    "3d-shufflenet_v2-default": "its caption has bottom, and A.20's top: the two are crossed",
    "3d-shufflenet_v2-bottom": "its caption has top, and A.19's bottom: the two are crossed",
}
"""What of a network's table in the appendix is not taken as printed."""
_REASONS = {
    (2, "shufflenet_v2"): "where squeeze-and-excitation stands in this block, and what it squeezes, is not in print",
    (3, "mobilenet_v2"): "print has about 0.03 M more in each 3D network of this block, which no table accounts for",
    (3, "mobilenet_v3"): "print has about 0.02 M more in each 3D network of this block, which no table accounts for",
    (3, "shufflenet_v2"): "where squeeze-and-excitation stands in this block, and what it squeezes, is not in print",
    (3, "dsts"): "print has about 0.10 M less in each network of this block, which no table accounts for",
}
"""Of differences over 1 %, by dimensions and block."""


@cache
def _printed_otherwise() -> frozenset[str]:
    """The names with "-printed" that differ from the catalogue's own."""
    return frozenset(name + PRINTED for name, encoder in encoders(printed=True).items() if encoder != encoders()[name])


def _encoder(name: str) -> Encoder:
    plain = name.removesuffix(PRINTED)
    if plain not in encoders():
        raise SettingError(f"no model is called {name!r}; {nearest(name, model_names())}, `lits models` lists all")
    return encoders(printed=plain != name)[plain]


def _han2017() -> "Network":
    from lits_toolkit.models.comparators.han2017 import Han2017

    return Han2017()


@dataclass(frozen=True)
class _Comparator:
    """Another's network; built when it is asked for, since torch is imported then."""

    build: Callable[[], "Network"]
    published_parameters_millions: float | None
    note: str


_COMPARATORS = {
    "han2017": _Comparator(
        _han2017, 24.0, "§2.3; arXiv:1704.07239 prints no widths: ours are a reading of its 32 layers"
    ),
}
