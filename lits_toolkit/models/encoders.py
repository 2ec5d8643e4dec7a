"""The encoders' hyperparameters: Appendix A.2 of the dissertation (Tustumi 2020), one row of `encoders.csv` per layer.

Where its tables contradict its figures, `expansion` and `name` have what gives the published counts, and
`printed_expansion` and `printed_name` what is printed; `docs/design.md` lists every such choice. A configuration of
your own is seven rows more.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby


@dataclass(frozen=True)
class EncoderLayer:
    """`repetitions` equal blocks, of which the first has the stride and takes `features_in`."""

    repetitions: int
    kernel: int
    stride: tuple[int, ...]
    """Along ([z,] y, x)."""
    expansion: int
    """1 where the block has none."""
    features_in: int
    features_out: int
    se_squeeze: float


@dataclass(frozen=True)
class Encoder:
    """One configuration: a row of the dissertation's Tables 4.2 and 4.3."""

    dimensions: int
    block: str
    layout: str
    table: str
    """Of the appendix, such as "A.3"."""
    layers: tuple[EncoderLayer, ...]


@cache
def encoders(printed: bool = False) -> dict[str, Encoder]:
    """Every configuration by its name, such as "2d-mobilenet_v2-top"; with `printed`, as the appendix prints them."""
    rows = list(csv.DictReader(files("lits_toolkit.models").joinpath("encoders.csv").read_text().splitlines()))
    key = "printed_name" if printed else "name"
    found = {name: _encoder(name, list(lines), printed) for name, lines in groupby(rows, lambda row: row[key])}
    return {name: found[name] for name in dict.fromkeys(row["name"] for row in rows)}


def _encoder(name: str, rows: list[dict[str, str]], printed: bool) -> Encoder:
    dimensions, block, layout = name.split("-")
    layers = tuple(
        EncoderLayer(
            int(row["repetitions"]),
            int(row["kernel"]),
            tuple(int(step) for step in row["stride"].split("x")),
            int(row["printed_expansion" if printed else "expansion"]),
            int(row["features_in"]),
            int(row["features_out"]),
            float(row["se_squeeze"]),
        )
        for row in rows
    )
    return Encoder(int(dimensions[0]), block, layout, rows[0]["table"], layers)
