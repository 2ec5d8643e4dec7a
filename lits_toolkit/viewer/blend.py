"""How a slice is painted: windows, mask layers, fills, outlines. `slice_browser.js` does the same, number by number.

A slice has one fill at a time: its masks, or the errors of a prediction, or the heat of its probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.errors import SettingError
from lits_toolkit.figures import style
from lits_toolkit.viewer.facts import COMMON, EXCESS, MISSED

WINDOWS: dict[str, tuple[float, float]] = {
    "liver": (0.0, 200.0),
    "abdomen": (-150.0, 250.0),
    "lung": (-1350.0, 150.0),
    "bone": (-500.0, 1300.0),
    "network": (-200.0, 200.0),
}
"""The HU shown as black and as white. "network" is what the networks see."""

LIVER_SHARE = 0.25
"""A liver's fill has this share of a tumour's opacity, so that the two are told apart within one hue."""


@dataclass(frozen=True)
class Layer:
    """One mask on the CT: how it is called, its colour, and the key that shows and hides it."""

    name: str
    color: str
    """As "#rrggbb"."""
    key: str


def rgb(color: str) -> tuple[int, int, int]:
    """The three numbers of a colour written as "#rrggbb"."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


REFERENCE = Layer("Reference", style.REFERENCE, "r")
PREDICTION_KEYS = "poiu"
MOST_PREDICTIONS = len(PREDICTION_KEYS)


def prediction_layers(names: Sequence[str]) -> list[Layer]:
    """A layer for each of one to four models, each with a colour and a key of its own."""
    if not 1 <= len(names) <= MOST_PREDICTIONS:
        raise SettingError(f"the browser shows one to {MOST_PREDICTIONS} predictions; found {len(names)}")
    return [
        Layer(name, color, key) for name, color, key in zip(names, style.PREDICTIONS, PREDICTION_KEYS, strict=False)
    ]


PREDICTION = prediction_layers(["Prediction"])[0]

ERROR_COLORS = {COMMON: style.HIT, MISSED: style.MISS, EXCESS: style.FALSE_ALARM}
"""The colours of what `facts.error_mask` tells apart."""


@cache
def heat_colors() -> np.ndarray:
    """(256, 3) uint8: the colour of each probability, from dark to bright in even steps to any eye (inferno)."""
    from matplotlib import colormaps

    return np.rint(colormaps["inferno"](np.arange(256))[:, :3] * 255).astype(np.uint8)


def find_window(window: str | Sequence[float]) -> tuple[float, float]:
    """The (black, white) pair in HU of a preset's name or of a pair; SettingError names what is allowed."""
    if isinstance(window, str):
        if window not in WINDOWS:
            raise SettingError(f"the window {window!r} is not known; choose {', '.join(WINDOWS)} or a pair of HU")
        return WINDOWS[window]
    low, high = (float(hu) for hu in window)
    if not -32768 <= low < high <= 32767:
        raise SettingError(f"a window goes from a lower to a higher HU within int16; found ({low:g}, {high:g})")
    return low, high


def blend(
    hu: np.ndarray,
    masks: Sequence[np.ndarray],
    colors: Sequence[str],
    window: tuple[float, float],
    opacity: float,
) -> np.ndarray:
    """Paint a slice: the windowed CT, and each mask laid over it in turn.

    `hu` is (y, x) int16, `masks` are (y, x) uint8, `colors` as "#rrggbb", `opacity` (0…1) is that of a tumour's fill.
    Returns (y, x, 3) uint8.
    """
    painted = _gray(hu, window)
    for mask, color in zip(masks, colors, strict=True):
        alpha = np.select([mask == TUMOR, mask == LIVER], [opacity, opacity * LIVER_SHARE], 0.0)
        painted = _over(painted, np.array(rgb(color)), alpha)
    return np.rint(painted).astype(np.uint8)


def blend_errors(hu: np.ndarray, errors: np.ndarray, window: tuple[float, float], opacity: float) -> np.ndarray:
    """Paint a slice of the CT with what `facts.error_mask` tells apart in it; otherwise as `blend`."""
    painted = _gray(hu, window)
    for error, color in ERROR_COLORS.items():
        painted = _over(painted, np.array(rgb(color)), np.where(errors == error, opacity, 0.0))
    return np.rint(painted).astype(np.uint8)


def blend_heat(hu: np.ndarray, probability: np.ndarray, window: tuple[float, float], opacity: float) -> np.ndarray:
    """Paint a slice of the CT with a (y, x) uint8 probability, 255 being certain; otherwise as `blend`.

    Certainty has twice the opacity, 1 at most, and what is less probable less in proportion.
    """
    alpha = min(1.0, 2 * opacity) * (probability / 255)
    painted = _over(_gray(hu, window), heat_colors()[probability], alpha)
    return np.rint(painted).astype(np.uint8)


def _gray(hu: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    low, high = window
    gray = np.clip((hu.astype(np.float64) - low) * (255 / (high - low)), 0, 255)
    return np.repeat(gray[..., None], 3, axis=-1)


def _over(painted: np.ndarray, color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return painted * (1 - alpha[..., None]) + color * alpha[..., None]


def outline(region: np.ndarray) -> np.ndarray:
    """The sides of a region's pixels beyond which the region ends.

    `region` is (y, x) bool. Returns (sides, 2, 2) float: two end points (x, y) per side, in units of pixels from the
    slice's upper left corner. The slice's border is no end: there the region may go on.
    """
    y, x = np.nonzero(region[:, 1:] != region[:, :-1])
    upright = np.stack([np.stack([x + 1, y], -1), np.stack([x + 1, y + 1], -1)], 1)
    y, x = np.nonzero(region[1:] != region[:-1])
    level = np.stack([np.stack([x, y + 1], -1), np.stack([x + 1, y + 1], -1)], 1)
    return np.concatenate([upright, level]).astype(float)
