"""What the doctor found in a cohort, as a table, and the cases that are left to work with."""

from collections.abc import Sequence
from dataclasses import asdict, fields

import pandas as pd

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.doctor import Finding

_WORST_FIRST = ("error", "warning", "info")


def findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """A row per finding, errors first and otherwise as given, with the columns of `Finding`."""
    table = pd.DataFrame([asdict(finding) for finding in findings], columns=[field.name for field in fields(Finding)])
    rank = table["severity"].map(_WORST_FIRST.index)
    return table.loc[rank.sort_values(kind="stable").index].reset_index(drop=True)


def without_errors(cases: Sequence[CaseFiles], findings: Sequence[Finding]) -> list[CaseFiles]:
    """The cases, in their order, in which the doctor found no error."""
    broken = {finding.case for finding in findings if finding.severity == "error"}
    return [case for case in cases if case.name not in broken]
