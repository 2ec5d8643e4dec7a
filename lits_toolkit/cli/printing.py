"""What several verbs print."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lits_toolkit.models.machine import counted

if TYPE_CHECKING:
    from rich.progress import Progress

    from lits_toolkit.data.doctor import Finding


def figure(value: float | None, form: str = ".3f") -> str:
    """A number with a true minus; a dash for one that is not there."""
    return "–" if value is None or value != value else format(value, form).replace("-", "−")


class SlicesBar:
    """A bar of the slices done, with the time that is left; nothing where no terminal is.

    A part of the work, a stage of a case, may turn out shorter than it was planned, since the tumour's network sees
    slices with liver alone: the bar goes on from where the next part begins.
    """

    def __init__(self, description: str, bar: "Progress") -> None:
        self._bar, self._task = bar, bar.add_task(description, total=None)
        self._starts: dict[tuple[str, str], int] = {}
        self._ends: dict[str, int] = {}
        self._part = ("", "")

    def plan(self, parts: Iterable[tuple[str, str, int]]) -> None:
        """All parts, in the order in which they are done: case, stage, and slices at most."""
        total = 0
        for name, stage, slices in parts:
            self._starts[name, stage] = total
            self._ends[name] = total = total + slices
        self._bar.update(self._task, total=total)

    def advance(self, name: str, stage: str, slices: int) -> None:
        """Some more slices of a part are done."""
        if (name, stage) != self._part:
            self._part = name, stage
            self._bar.update(self._task, completed=self._starts.get(self._part), description=f"{name}: {stage}")
        self._bar.update(self._task, advance=slices)

    def finish(self, name: str) -> None:
        """A case is done."""
        self._bar.update(self._task, completed=self._ends.get(name), description=name)


@contextmanager
def slices_bar(description: str) -> Iterator[SlicesBar]:
    """Show a SlicesBar while the work is done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        yield SlicesBar(description, bar)


def print_findings(data: Path, cases: int, findings: "Sequence[Finding]") -> None:
    """A block per case, and what to do about each code once: readable in 80 columns."""
    from itertools import groupby

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"error": "bold red", "warning": "yellow", "info": "dim"}
    console = Console(highlight=False)
    for case, found in groupby(findings, key=lambda finding: finding.case):
        console.print(Text(case, style="bold"))
        block = Table.grid(padding=(0, 2, 0, 0))
        for finding in found:
            severity = Text(f"  {finding.severity}", style=styles[finding.severity])
            message = finding.message.replace(f"{data}/", "")
            block.add_row(severity, Text(finding.code, no_wrap=True), Text(message))
        console.print(block)
    if findings:
        console.print(Text("\nWhat to do", style="bold"))
        advice = Table.grid(padding=(0, 2, 0, 0))
        for code, text in dict.fromkeys((finding.code, finding.advice) for finding in findings):
            advice.add_row(Text(f"  {code}", no_wrap=True), Text(text))
        console.print(advice)
    counts = Counter[str](finding.severity for finding in findings)
    numbers = ", ".join(
        counted(counts[severity], word)
        for severity, word in (("error", "error"), ("warning", "warning"), ("info", "note"))
    )
    console.print(f"\n{counted(cases, 'case')} checked: {numbers}", markup=False)
