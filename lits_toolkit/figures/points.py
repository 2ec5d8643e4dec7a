"""Small helpers that several families of figures share: spreading points, shortening names, numbers at an axis."""

from collections.abc import Sequence

import numpy as np


def spread(count: int, width: float) -> np.ndarray:
    """Sideways offsets, float64 (count,), within ±width/2, that keep `count` points apart without chance.

    Multiples of the golden ratio fill an interval evenly however many there are; the first point stays in the middle.

    Examples:
        >>> spread(1, 0.4)
        array([0.])
    """
    golden = (np.sqrt(5) - 1) / 2
    return ((np.arange(count) * golden + 0.5) % 1 - 0.5) * width


def short_names(names: Sequence[str]) -> tuple[list[str], str]:
    """Split off the words that all names begin with: the rests, which fit under an axis, and what was split off.

    Examples:
        >>> short_names(["volume-3", "volume-12"]), short_names(["volume-3"]), short_names(["ann", "anton"])
        ((['3', '12'], 'volume-'), (['volume-3'], ''), (['ann', 'anton'], ''))
    """
    first, last = min(names), max(names)  # what these two share, all share
    differing = [place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b]
    shared = first[: differing[0]] if differing else ""
    prefix = shared[: max(shared.rfind(mark) for mark in "-_. ") + 1]
    return [name.removeprefix(prefix) for name in names], prefix


def tick_in_words(value: float, _place: object = None) -> str:
    """A number at a logarithmic axis, without a power of ten, whose small digits no journal takes.

    Examples:
        >>> tick_in_words(0.01), tick_in_words(3), tick_in_words(10_000), tick_in_words(1e7)
        ('0.01', '3', '10 000', '10 million')
    """
    if value >= 1e6:
        return f"{value / 1e6:g} million"
    return f"{value:g}" if value < 1000 else f"{value:,.0f}".replace(",", " ")
