from pathlib import Path

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.doctor import Finding
from lits_toolkit.study.findings import findings_table, without_errors

FINDINGS = (
    Finding("a", "info", "i", "message 1", "advice 1"),
    Finding("b", "error", "e", "message 2", "advice 2"),
    Finding("a", "warning", "w", "message 3", "advice 3"),
    Finding("c", "error", "f", "message 4", "advice 4"),
)


def test_errors_come_first_and_otherwise_the_order_stays():
    table = findings_table(FINDINGS)
    assert table.columns.tolist() == ["case", "severity", "code", "message", "advice"]
    assert table["code"].tolist() == ["e", "f", "w", "i"]
    assert table.loc[0].tolist() == ["b", "error", "e", "message 2", "advice 2"]
    assert table.index.tolist() == [0, 1, 2, 3]


def test_a_sound_cohort_has_an_empty_table():
    table = findings_table([])
    assert table.empty
    assert table.columns.tolist() == ["case", "severity", "code", "message", "advice"]


def test_only_an_error_leaves_a_case_out():
    cases = [CaseFiles(name, Path(f"{name}.nii")) for name in ("d", "c", "b", "a")]
    assert [case.name for case in without_errors(cases, FINDINGS)] == ["d", "a"]
