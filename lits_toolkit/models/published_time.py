"""What the dissertation's networks took to train and to predict, in seconds per slice (its Tables 4.4 and 4.5)."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class PublishedTime:
    """A row, as printed; None where it has NA.

    All are seconds per segmented slice (§4.1.2): of an iteration's time t and a batch of b samples, t / b in 2D, and
    t / 4b in 3D, whose samples segment four. A training iteration or a prediction; the batch is not said. The
    computers had an i7-3770 with a GTX 1080 Ti, for tests on the CPU an i7-6700K (§3.4): which of these is not said.
    """

    table: str
    training_s: float | None
    training_stdev_s: float | None
    prediction_s: float | None
    prediction_stdev_s: float | None


@cache
def published_times() -> dict[str, PublishedTime]:
    """Tables 4.4 and 4.5 by the configuration's name, such as "2d-mobilenet_v2-top", in the order of the catalogue."""
    text = files("lits_toolkit.models").joinpath("dissertation_timing.csv").read_text()
    return {
        row["name"]: PublishedTime(row["table"], *(_number(row[column]) for column in _NUMBERS))
        for row in csv.DictReader(text.splitlines())
    }


_NUMBERS = ("training_s", "training_stdev_s", "prediction_s", "prediction_stdev_s")


def _number(printed: str) -> float | None:
    return None if printed == "NA" else float(printed)
