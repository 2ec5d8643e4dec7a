"""How the liver found first enters the tumour stage (dissertation §3.1.7)."""

from typing import Literal, get_args

import numpy as np

from lits_toolkit.errors import SettingError

Combination = Literal["mask", "add", "none", "centre"]
"""How the liver enters the tumour stage: `mask` leaves the CT inside it and zero outside, the first way of §3.1.7;
`add` adds 1 to the CT inside it, the second way; `none` leaves the CT as it is; `centre` masks and also takes the
liver's median off, so that a tumour of few HU is not small beside the step at its border."""


def combine(volume: np.ndarray, liver: np.ndarray, how: Combination, out: np.ndarray | None = None) -> np.ndarray:
    """The tumour stage's input, (z, y, x) float32, from a whole volume in [0, 1] and its bool liver of the same shape.

    But for "none" it is written into `out` where that is given, which may be `volume` itself. SettingError where `how`
    is no Combination.
    """
    if how not in get_args(Combination):
        raise SettingError(f"combine: expected one of {', '.join(get_args(Combination))}, found {how!r}")
    if how == "none":
        return volume
    if how == "add":
        return np.add(volume, liver, out=out)
    inside = np.multiply(volume, liver, out=out)
    if how == "centre" and liver.any():
        np.subtract(inside, np.median(inside[liver]), out=inside, where=liver)
    return inside
