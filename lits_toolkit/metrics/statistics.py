"""How sure a figure is: bootstrap intervals over cases, and the difference of two models on the same cases.

Cases are what was drawn at random, so cases are resampled, never lesions: those of one patient resemble each other. A
figure over lesions is a *ratio*, the sum of the cases' numerators over the sum of their denominators (the Dice of a
case's lesions added up, over their number), and the mean over cases is the ratio whose denominators are 1. What a case
leaves undefined (a numerator of NaN, a denominator of 0) leaves the case out.

Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 (percentile interval) and 15 (permutation).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 10_000
EXACT_UP_TO = 14
"""Cases up to which every one of the 2ⁿ assignments of signs is taken, not a random choice of them."""

_PIECE = 2**22
"""Numbers drawn at a time, at most: a cohort of any size needs tens of megabytes."""

Values = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap interval."""

    value: float
    """NaN where it is undefined in every case."""
    low: float
    """NaN, as `high`, of fewer than two cases: one says nothing about how cases differ."""
    high: float
    cases: int
    """Those in which it is defined."""


@dataclass(frozen=True)
class PairedDifference:
    """How much larger the second model's figure is than the first's, on the cases that both have."""

    first: float
    second: float
    difference: Interval
    """Second − first."""
    p: float
    """Two-sided, of the hypothesis that it makes no difference which model is which; NaN without a case."""


def interval(
    numerators: Values,
    denominators: Values | None = None,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The percentile bootstrap interval of a mean over cases, or of a ratio of two sums over cases.

    Args:
        numerators: (cases,) what is averaged, or the numerator of a ratio.
        denominators: (cases,) at least 0; None for the mean over cases.
        confidence: How often such an interval holds the true figure, in (0, 1).
        resamples: How often as many cases are drawn with replacement.
        seed: The same seed, the same interval.

    Examples:
        >>> interval([0.25, 0.5, 0.75, float("nan")])
        Interval(value=0.5, low=0.25, high=0.75, cases=3)
    """
    above, below = _defined(numerators, denominators)
    value = _ratio(above, below)
    if len(above) < 2:
        return Interval(value, math.nan, math.nan, len(above))
    tail = (1 - confidence) / 2
    low, high = np.quantile(_resampled(above, below, resamples, seed), [tail, 1 - tail])
    return Interval(value, float(low), float(high), len(above))


def paired_difference(
    first: Values,
    second: Values,
    denominators: Values | None = None,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedDifference:
    """Compare two models case by case: the difference, its interval over cases, and a permutation test.

    The test exchanges the two models in any set of cases, which turns the sign of those differences. p is the share of
    all such exchanges that give at least as large a difference in either direction; beyond `EXACT_UP_TO` cases that of
    `resamples` random ones, to which the observed one is added.

    Args:
        first: (cases,) numerators of the one model.
        second: (cases,) of the other, on the same cases in the same order. A case undefined in either is left out.
        denominators: (cases,) of both, as in `interval`.
        confidence: Of the interval.
        resamples: Of the interval and, where it is not exact, of the test.
        seed: Of both.

    Examples:
        >>> found = paired_difference([0.5, 0.6, 0.7], [0.6, 0.8, 0.8])
        >>> round(found.difference.value, 3), found.p
        (0.133, 0.25)
    """
    before, after = np.asarray(first, float), np.asarray(second, float)
    below = np.ones(len(before)) if denominators is None else np.asarray(denominators, float)
    below = np.where(np.isnan(before + after), 0, below)
    return PairedDifference(
        first=_ratio(*_defined(before, below)),
        second=_ratio(*_defined(after, below)),
        difference=interval(after - before, below, confidence=confidence, resamples=resamples, seed=seed),
        p=sign_flip_p(_defined(after - before, below)[0], resamples=resamples, seed=seed),
    )


def sign_flip_p(differences: Values, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """The two-sided p of the sum of (cases,) differences when each has either sign with equal chance."""
    differences = np.asarray(differences, float)
    cases = len(differences)
    if not cases:
        return math.nan
    observed = abs(differences.sum())
    # sums of the same numbers in another order differ in their last digits
    at_least = observed - 1e-9 * np.abs(differences).sum()
    if cases <= EXACT_UP_TO:
        bits = (np.arange(2**cases)[:, None] >> np.arange(cases)) & 1
        return float(np.mean(np.abs((1 - 2 * bits) @ differences) >= at_least))
    random = np.random.default_rng(seed)
    extreme = 0
    for size in _pieces(resamples, cases):
        signs = 1 - 2 * random.integers(0, 2, (size, cases))
        extreme += int(np.count_nonzero(np.abs(signs @ differences) >= at_least))
    return (extreme + 1) / (resamples + 1)


def _defined(numerators: Values, denominators: Values | None) -> tuple[np.ndarray, np.ndarray]:
    above = np.asarray(numerators, float)
    below = np.ones(len(above)) if denominators is None else np.asarray(denominators, float)
    if above.ndim != 1 or above.shape != below.shape:
        raise ValueError(f"expected one number for each case, found the shapes {above.shape} and {below.shape}")
    defined = ~np.isnan(above) & (below > 0)
    return above[defined], below[defined]


def _ratio(above: np.ndarray, below: np.ndarray) -> float:
    return float(above.sum() / below.sum()) if len(above) else math.nan


def _resampled(above: np.ndarray, below: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(resamples,) the ratio on as many cases, drawn with replacement."""
    random = np.random.default_rng(seed)
    ratios = []
    for size in _pieces(resamples, len(above)):
        drawn = random.integers(0, len(above), (size, len(above)))
        ratios.append(above[drawn].sum(axis=1) / below[drawn].sum(axis=1))
    return np.concatenate(ratios)


def _pieces(resamples: int, cases: int) -> list[int]:
    most = max(1, _PIECE // cases)
    return [min(most, resamples - start) for start in range(0, resamples, most)]
