"""What several verbs print."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lits_toolkit.words import counted

if TYPE_CHECKING:
    from rich.progress import Progress

    from lits_toolkit.data.doctor import Finding
    from lits_toolkit.report.render import Listed


def figure(value: float | None, form: str = ".3f") -> str:
    """A number with a true minus; a dash for one that is not there."""
    return "–" if value is None or value != value else format(value, form).replace("-", "−")


class SlicesBar:
    """A bar of the slices done, with the time that is left; nothing where no terminal is.

    A part of the work, a stage of a case, may turn out shorter than it was planned, since the tumour's network sees
    slices with liver alone: the bar goes on from where the next part begins. The time left is from the mean speed since
    the plan was made: rich's own looks at the last seconds, in which several cases at once are done all or none.
    """

    def __init__(self, description: str, bar: "Progress") -> None:
        self._bar, self._task = bar, bar.add_task(description, total=None, left="")
        self._starts: dict[tuple[str, str], int] = {}
        self._ends: dict[str, int] = {}
        self._part = ("", "")
        self._total, self._done, self._done_before, self._begun = 0, 0, 0, bar.get_time()

    def plan(self, parts: Iterable[tuple[str, str, int]]) -> None:
        """All parts, in the order in which they are done: case, stage, and slices at most."""
        for name, stage, slices in parts:
            self._starts[name, stage] = self._total
            self._ends[name] = self._total = self._total + slices
        self._begun = self._bar.get_time()
        self._bar.update(self._task, total=self._total)

    def advance(self, name: str, stage: str, slices: int) -> None:
        """Some more slices of a part are done."""
        begins = self._starts.get((name, stage), self._done)
        if self._part == ("", ""):
            self._done_before = begins  # what was there already took no time
        if (name, stage) != self._part:
            self._part, self._done = (name, stage), begins
        self._show(f"{name}: {stage}", self._done + slices)

    def finish(self, name: str) -> None:
        """A case is done."""
        self._show(name, self._ends.get(name, self._done))

    def _show(self, description: str, done: int) -> None:
        self._done = done
        elapsed, gained = self._bar.get_time() - self._begun, done - self._done_before
        seconds = round(elapsed * max(self._total - done, 0) / gained) if gained else None
        left = "" if seconds is None else f"{timedelta(seconds=seconds)} left"
        self._bar.update(self._task, completed=done, description=description, left=left)


@contextmanager
def slices_bar(description: str) -> Iterator[SlicesBar]:
    """Show a SlicesBar while the work is done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}")
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
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


def print_exhibits(listed: Sequence["Listed"]) -> None:
    """Figures and tables below the notebooks that make them, with their parameters; each with its state and content."""
    names = max(len(each.exhibit.name) for each in listed)
    states = max(len(each.state) for each in listed)
    notebook = ""
    for each in listed:
        if each.exhibit.notebook != notebook:
            notebook = each.exhibit.notebook
            print(f"{notebook}  -p {', '.join(each.exhibit.parameters)}")
        print(f"  {each.exhibit.name:<{names}}  {each.state:<{states}}  {each.exhibit.file}: {each.exhibit.told}")
