"""How sure the figures of a run are, and how two runs differ case by case, both from tables of scores.

A figure is a mean over cases, or a ratio of two sums over cases, as the Dice of the lesions of a size group; intervals
and tests resample or exchange whole cases (`metrics.statistics`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lits_toolkit.data.folders import listed, natural
from lits_toolkit.errors import InputError
from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.metrics.statistics import interval, paired_difference
from lits_toolkit.study.case_scores import DETECTION, DISTANCES, MEASURES
from lits_toolkit.study.scores import Scores

ALL_SIZES = "all"
FOUND = {"hit_rate": "detected"} | {f"recall_{ending}": f"detected_{ending}" for ending in DETECTION.values()}
"""Share of the reference's lesions → the column of lesions.csv that says whether a lesion is among them."""

INTERVAL_COLUMNS = ("region", "size_group", "measure", "value", "low", "high", "cases")
DIFFERENCE_COLUMNS = (
    "region", "size_group", "measure", "first", "second", "difference", "low", "high", "p", "cases"
)  # fmt: skip
DETECTION_COLUMNS = (
    "size_group", "lesions", *FOUND.values(), "false_alarms",
    *(f"{measure}{end}" for measure in (*FOUND, "false_alarms_per_case") for end in ("", "_low", "_high")),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Figure:
    """A figure by what each case adds to it, in the order of the cases."""

    region: str
    size_group: str
    measure: str
    numerators: np.ndarray
    denominators: np.ndarray | None = None
    """None for a mean over cases."""
    comparable: bool = True
    """Whether the denominators are the reference's alone, and so the same for two runs."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.region, self.size_group, self.measure


def score_intervals(cases: pd.DataFrame, lesions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Every figure over the cases of two score tables, with its 95 % bootstrap interval over cases.

    Args:
        cases: The table cases.csv of a run.
        lesions: Its lesions.csv.
        seed: The same seed, the same intervals.

    Returns:
        A row per figure, with the columns INTERVAL_COLUMNS: `region` "liver" or "tumor"; `size_group` "all" or the
        group by which lesions, and false alarms by their own size, are counted; `measure` as in the summary, whose
        RULES hold; `value` NaN where no case defines it; `low` and `high` NaN of fewer than two cases; `cases` those
        that define it. "dice_per_lesion", "voe_per_lesion", … are the summary's means over lesions, "hit_rate" the
        share of lesions of which any voxel is predicted, "recall_iou0" and "recall_iou50", with their precision, those
        by LiTS's merging.
    """
    rows = []
    for figure in _figures(cases, lesions):
        found = interval(figure.numerators, figure.denominators, seed=seed)
        rows.append((*figure.key, found.value, found.low, found.high, found.cases))
    return pd.DataFrame(rows, columns=list(INTERVAL_COLUMNS))


def detection_by_size_group(cases: pd.DataFrame, lesions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """How many lesions of each size are found, and how many false alarms of that size are raised.

    Returns:
        A row for each size group and one for all, with the columns DETECTION_COLUMNS: counts, and the figures of
        `score_intervals` with their intervals.
    """
    figures = {figure.key: figure for figure in _figures(cases, lesions)}
    references, alarms = lesions[lesions["kind"] == "reference"], lesions[lesions["kind"] == "false alarm"]
    rows = []
    for group in (*SIZE_GROUPS, ALL_SIZES):
        own = references[_of_size(references, group)]
        row: dict[str, str | int | float] = {
            "size_group": group,
            "lesions": len(own),
            **{column: int(own[column].sum()) for column in FOUND.values()},
            "false_alarms": int(_of_size(alarms, group).sum()),
        }
        for measure in (*FOUND, "false_alarms_per_case"):
            figure = figures["tumor", group, measure]
            found = interval(figure.numerators, figure.denominators, seed=seed)
            row |= {measure: found.value, f"{measure}_low": found.low, f"{measure}_high": found.high}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(DETECTION_COLUMNS))


def compare_runs(first: Scores, second: Scores, seed: int = 0) -> pd.DataFrame:
    """Compare two runs case by case: the difference of each figure, its 95 % interval, and a permutation test.

    With twenty figures one p below 0.05 is to be expected by chance: choose the figure before looking.

    Args:
        first: The run that is compared with.
        second: The other, of the same cases and references.
        seed: Of the intervals and the tests.

    Returns:
        A row per figure, with the columns DIFFERENCE_COLUMNS: `first` and `second` over the `cases` that define both,
        `difference` second − first, `low` and `high` of it, `p` two-sided. Global Dice, precision and the distances of
        lesions are not there: what they divide by differs between the runs.

    Raises:
        InputError: The runs do not have the same cases, or were scored against other references.
    """
    cases, others = same_cases(first, second)
    known = {figure.key: figure for figure in _figures(others, second.lesions)}
    rows = []
    for figure in _figures(cases, first.lesions):
        if not figure.comparable or figure.key not in known:
            continue
        found = paired_difference(figure.numerators, known[figure.key].numerators, figure.denominators, seed=seed)
        difference = found.difference
        values = (found.first, found.second, difference.value, difference.low, difference.high, found.p)
        rows.append((*figure.key, *values, difference.cases))
    return pd.DataFrame(rows, columns=list(DIFFERENCE_COLUMNS))


def compare_cases(first: Scores, second: Scores, measure: str = "tumor_dice") -> pd.DataFrame:
    """Two runs case by case in one column of cases.csv, the largest loss first.

    Returns:
        Columns case, first, second, difference (second − first; NaN where either is undefined, last).

    Raises:
        InputError: The runs do not have the same cases, or were scored against other references.
    """
    one, other = same_cases(first, second)
    table = pd.DataFrame({"case": one["case"], "first": one[measure], "second": other[measure]})
    table["difference"] = table["second"] - table["first"]
    return table.sort_values("difference", kind="stable", ignore_index=True)


def _figures(cases: pd.DataFrame, lesions: pd.DataFrame) -> Iterator[_Figure]:
    for region in ("liver", "tumor"):
        for measure in MEASURES:
            yield _Figure(region, ALL_SIZES, f"{measure}_per_case", cases[f"{region}_{measure}"].to_numpy(float))
        shared, expected, predicted = (
            cases[f"{region}_{part}_voxels"].to_numpy(float) for part in ("intersection", "reference", "prediction")
        )
        yield _Figure(region, ALL_SIZES, "dice_global", 2 * shared, expected + predicted, comparable=False)
    predicted = cases["lesions_predicted"].to_numpy(float)
    for ending in DETECTION.values():
        true = cases[f"predictions_true_{ending}"].to_numpy(float)
        yield _Figure("tumor", ALL_SIZES, f"precision_{ending}", true, predicted, comparable=False)
    references, alarms = lesions[lesions["kind"] == "reference"], lesions[lesions["kind"] == "false alarm"]
    for group in (ALL_SIZES, *SIZE_GROUPS):
        own = references[_of_size(references, group)]
        number = _per_case(cases, own)
        for measure in MEASURES:
            # a miss has no distance, so that two runs have their distances over different lesions
            named, defined = f"{measure}_per_lesion", own.dropna(subset=measure)
            sums, counts = _per_case(cases, defined, defined[measure]), _per_case(cases, defined)
            yield _Figure("tumor", group, named, sums, counts, comparable=measure not in DISTANCES)
        for measure, column in FOUND.items():
            yield _Figure("tumor", group, measure, _per_case(cases, own, own[column]), number)
        false = alarms[_of_size(alarms, group)]
        yield _Figure("tumor", group, "false_alarms_per_case", _per_case(cases, false))


def _per_case(cases: pd.DataFrame, lesions: pd.DataFrame, values: pd.Series | None = None) -> np.ndarray:
    """The sum of a column over each case's lesions, or their number, in the order of the cases; 0 without lesions."""
    counted = pd.Series(1.0, lesions.index) if values is None else values.astype(float)
    return counted.groupby(lesions["case"]).sum().reindex(cases["case"], fill_value=0.0).to_numpy()


def _of_size(lesions: pd.DataFrame, group: str) -> pd.Series:
    return lesions["size_group"].eq(group) | (group == ALL_SIZES)


def same_cases(first: Scores, second: Scores) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The two tables of cases in one order; InputError where cases or references are not the same."""
    one, other = (
        scores.cases.sort_values("case", key=lambda names: names.map(natural), ignore_index=True)
        for scores in (first, second)
    )
    alone = set(one["case"]) ^ set(other["case"])
    if alone:
        raise InputError(f"two runs are compared on the same cases: only one of them has {listed(alone)}")
    columns = ["liver_reference_voxels", "tumor_reference_voxels"]
    differ = np.any(one[columns].to_numpy() != other[columns].to_numpy(), axis=1)
    if differ.any():
        raise InputError(f"the runs were scored against different references of {listed(one['case'][differ])}")
    return one, other
