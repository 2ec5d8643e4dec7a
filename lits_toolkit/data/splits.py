"""Which cases are trained on, which choose the weights, and which are held out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lits_toolkit.errors import SettingError


@dataclass(frozen=True)
class Split:
    """Names of cases, each in one part only."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()


def split_by_fraction(names: Sequence[str], validation: float = 0.15, test: float = 0.0, seed: int = 0) -> Split:
    """Shuffle by `seed` and cut: the dissertation keeps 15 % for validation (§4.1.1).

    Every part that is asked for gets at least one case; SettingError where there are too few.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise SettingError(f"expected fractions that leave cases to train on, found {validation} and {test}")
    counts = [max(1, round(share * len(names))) if share else 0 for share in (validation, test)]
    if len(names) <= sum(counts):
        raise SettingError(f"{len(names)} cases are too few to split: at least {sum(counts) + 1} are needed")
    shuffled = [str(name) for name in np.random.default_rng(seed).permutation(sorted(names))]
    held, rest = shuffled[: sum(counts)], shuffled[sum(counts) :]
    return Split(tuple(sorted(rest)), tuple(sorted(held[: counts[0]])), tuple(sorted(held[counts[0] :])))
