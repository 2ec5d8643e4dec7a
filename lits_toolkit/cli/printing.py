"""What several verbs print."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lits_toolkit.models.machine import counted

if TYPE_CHECKING:
    from lits_toolkit.data.doctor import Finding


def figure(value: float | None, form: str = ".3f") -> str:
    """A number with a true minus; a dash for one that is not there."""
    return "–" if value is None or value != value else format(value, form).replace("-", "−")


@contextmanager
def slices_bar(description: str) -> Iterator[Callable[[str, str, int], None]]:
    """A bar of the slices done, told by case, stage and number; nothing where no terminal is."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=None)
        yield lambda name, stage, slices: bar.update(task, advance=slices, description=f"{name}: {stage}")


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
