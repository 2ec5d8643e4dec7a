"""Which cases are trained on, which choose the weights, and which are held out.

Every split is drawn by its seed alone, whatever the order of the names. A patient's cases are in one part together.
Each stratum, such as the cases with large tumours, is spread over the parts in the parts' own proportion: patients are
put in the order of their strata and taken at even distances.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lits_toolkit.errors import SettingError

Part = Literal["held-out", "train", "validation", "test"]
"""Of a study's cases; held out are those of the test, or of the validation where there are none."""


@dataclass(frozen=True)
class Split:
    """Names of cases, each in one part only."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Patient:
    cases: tuple[str, ...]
    stratum: str


def split_by_fraction(
    names: Sequence[str],
    validation: float = 0.15,
    test: float = 0.0,
    seed: int = 0,
    strata: Mapping[str, str] | None = None,
    patients: Mapping[str, str] | None = None,
) -> Split:
    """Cut the cases in three parts: the dissertation keeps 15 % for validation (§4.1.1).

    `strata` and `patients` map names; a case without a patient is a patient of its own. Where every patient has one
    case, the parts have exactly the rounded shares, and of each stratum the share within one case: what is held out
    of all cases, what validates of those that are left. Every part that is asked for gets at least one patient;
    SettingError where there are too few.
    """
    if validation <= 0 or test < 0 or validation + test >= 1:
        raise SettingError(
            f"expected a validation share above 0 and cases left to train on, found {validation} and {test} held out"
        )
    drawn = _draw_order(names, seed, strata, patients)
    counts = [max(1, round(share * len(names))) if share else 0 for share in (test, validation)]
    _require_patients(drawn, 1 + sum(count > 0 for count in counts))
    if len(names) <= sum(counts):
        raise SettingError(f"{len(names)} cases are too few to split: at least {sum(counts) + 1} are needed")
    random = np.random.default_rng([seed, 1])
    held_out, rest = _take(drawn, counts[0], 2, random)
    chosen, rest = _take(rest, counts[1], 1, random)
    return Split(_names(rest), _names(chosen), _names(held_out))


def split_by_folds(
    names: Sequence[str],
    folds: int = 5,
    fold: int = 0,
    test: float = 0.0,
    seed: int = 0,
    strata: Mapping[str, str] | None = None,
    patients: Mapping[str, str] | None = None,
) -> Split:
    """Fold number `fold`, from 0, of a cross-validation: it validates, the others are trained on.

    The share `test` is held out of all folds, the same cases for each of them. Where every patient has one case, the
    folds differ by one case at most, in each stratum as well. `strata` and `patients` as in `split_by_fraction`.
    """
    if folds < 2 or not 0 <= fold < folds:
        raise SettingError(
            f"expected at least 2 folds and a fold from 0 to one less than them, found {folds} and {fold}"
        )
    if not 0 <= test < 1:
        raise SettingError(f"expected a share to hold out from 0 to below 1, found {test}")
    drawn = _draw_order(names, seed, strata, patients)
    count = max(1, round(test * len(names))) if test else 0
    _require_patients(drawn, folds + (count > 0))
    held_out, rest = _take(drawn, count, folds, np.random.default_rng([seed, 1]))
    dealt = _deal(rest, folds)
    return Split(_names([patient for part in dealt[:fold] + dealt[fold + 1 :] for patient in part]),
                 _names(dealt[fold]), _names(held_out))  # fmt: skip


def join_patients(names: Sequence[str], *known: Mapping[str, str]) -> dict[str, str]:
    """Name → patient, where cases that any of the mappings gives the same value are one patient's.

    Each mapping has some of the cases: who the patient is, what the CT's fingerprint is. A patient is called by its
    first case.

    Examples:
        >>> join_patients(["a", "b", "c", "d"], {"a": "Ann", "b": "Ann"}, {"b": "f1", "c": "f1", "d": "f2"})
        {'a': 'a', 'b': 'a', 'c': 'a', 'd': 'd'}
    """
    patients = {name: name for name in sorted(names)}
    for mapping in known:
        seen: dict[str, str] = {}
        for name in patients:
            if name in mapping:
                first, own = sorted((patients[seen.setdefault(mapping[name], name)], patients[name]))
                patients = {case: first if patient == own else patient for case, patient in patients.items()}
    return patients


def _draw_order(
    names: Sequence[str], seed: int, strata: Mapping[str, str] | None, patients: Mapping[str, str] | None
) -> list[_Patient]:
    """Patients by stratum; inside one, those with many cases first, else at random."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SettingError(f"expected each case once, found {', '.join(sorted(twice))} more than once")
    known = patients or {}
    grouped: dict[tuple[str, str], list[str]] = {}
    for name in sorted(names):
        grouped.setdefault(("patient", known[name]) if name in known else ("case", name), []).append(name)
    found = [_Patient(tuple(cases), _stratum(cases, strata or {})) for cases in grouped.values()]
    found.sort(key=lambda patient: patient.cases)
    shuffled = [found[index] for index in np.random.default_rng([seed, 0]).permutation(len(found))]
    return sorted(shuffled, key=lambda patient: (patient.stratum, -len(patient.cases)))


def _stratum(cases: Sequence[str], strata: Mapping[str, str]) -> str:
    """Of a patient: that of most of its cases, and of those that tie the first in the alphabet."""
    counts = Counter(strata.get(case, "") for case in cases)
    return min(counts, key=lambda stratum: (-counts[stratum], stratum))


def _take(
    patients: Sequence[_Patient], count: int, keep: int, random: np.random.Generator
) -> tuple[list[_Patient], list[_Patient]]:
    """About `count` cases, at even distances along the order, and the rest, which is at least `keep` patients.

    Each case adds its share to what is owed; a patient is taken once enough is owed, and its cases are paid. In whole
    numbers, so that nothing is lost to rounding.
    """
    if count == 0:
        return [], list(patients)
    cases = sum(len(patient.cases) for patient in patients)
    taken: list[_Patient] = []
    rest: list[_Patient] = []
    owed = 0
    enough = int(random.integers(1, cases + 1))
    for patient in patients:
        owed += len(patient.cases) * count
        if owed >= len(patient.cases) * enough and len(taken) < len(patients) - keep:
            taken.append(patient)
            owed -= len(patient.cases) * cases
        else:
            rest.append(patient)
    if not taken:
        fewest = min(rest, key=lambda patient: len(patient.cases))
        rest.remove(fewest)
        taken.append(fewest)
    return taken, rest


def _deal(patients: Sequence[_Patient], folds: int) -> list[list[_Patient]]:
    """To each fold in turn: first where the stratum has the fewest cases, then where there are the fewest at all."""
    dealt: list[list[_Patient]] = [[] for _ in range(folds)]
    sizes, of_stratum = [0] * folds, [Counter[str]() for _ in range(folds)]
    for patient in patients:
        fold = min(range(folds), key=lambda fold: (of_stratum[fold][patient.stratum], sizes[fold]))
        dealt[fold].append(patient)
        sizes[fold] += len(patient.cases)
        of_stratum[fold][patient.stratum] += len(patient.cases)
    return dealt


def _require_patients(patients: Sequence[_Patient], parts: int) -> None:
    if len(patients) < parts:
        raise SettingError(f"{len(patients)} patients are too few to split: each of {parts} parts needs one of its own")


def _names(patients: Sequence[_Patient]) -> tuple[str, ...]:
    return tuple(sorted(case for patient in patients for case in patient.cases))
