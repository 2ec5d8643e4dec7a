"""Render figures: run the notebooks that draw them, two at a time, and say what became of each."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lits_toolkit.errors import InputError, LitsError, SettingError
from lits_toolkit.files import output_folder, read_json, replacing
from lits_toolkit.models.catalogue import model_names
from lits_toolkit.report.notebooks import Parameter, fit_parameters, notebook_folder, read_parameters
from lits_toolkit.report.registry import FIGURES, FigureEntry, find_figures, require_parameters
from lits_toolkit.study.workspace import Workspace


@dataclass(frozen=True)
class Failure:
    """Why a notebook did not come to its end."""

    notebook: str
    reason: str


def list_figures() -> list[str]:
    """One line for each figure: its name, notebook, file, and what it shows."""
    width = max(len(entry.name) for entry in FIGURES)
    return [f"{entry.name:<{width}}  {entry.notebook}  {entry.file}: {entry.shows}" for entry in FIGURES]


def render_figures(
    workspace: Workspace,
    only: Sequence[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    output: str | Path | None = None,
    console: Console | None = None,
    n_jobs: int = 2,
) -> list[Path]:
    """Run the notebooks by papermill and return the pictures that they drew.

    Args:
        workspace: The study.
        only: Names of figures or notebooks; all by default. A notebook always draws all of its figures.
        parameters: Values for the notebooks' parameters, text being read as the parameter's type; each goes to the
            notebooks that have it.
        output: Where pictures go, and the executed notebooks in a folder `notebooks` below; the workspace's figures
            by default.
        console: Where progress is shown.
        n_jobs: How many notebooks run at a time, each in processes of its own.

    Figures that need what the workspace does not have are left out and named, unless asked for by `only`.

    Raises:
        SettingError: A name or value that is not known, with the nearest; nothing has run then.
        InputError: A path that does not exist, or something that `only` needs is missing; nothing has run then.
        LitsError: A notebook failed; the message says in which cell and why. The others have run to their end.
    """
    console = console or Console(stderr=True)
    entries = find_figures(list(only) if only else None)
    fitted = _fit(workspace, entries, parameters or {})
    require_parameters(only or (), fitted)
    entries = _without_unmet(workspace, entries, fitted, asked=bool(only), console=console)
    figures = output_folder(output or workspace.figures)
    names = list(dict.fromkeys(entry.notebook for entry in entries))
    # The pictures' place is absolute for the notebooks, since a kernel may have another working folder.
    before = _written(figures)
    given = fitted | {"workspace": str(workspace.folder.resolve()), "figures": str(figures.resolve())}
    failures = _run_all(names, figures / "notebooks", given, console, n_jobs)
    if failures:
        told = "\n".join(f"{failure.notebook}: {failure.reason}" for failure in failures)
        raise LitsError(
            f"{len(failures)} of {len(names)} notebooks failed; how far they got is in {figures / 'notebooks'}\n{told}"
        )
    drawn = _written(figures) - before
    return [path for path in (figures / entry.file for entry in FIGURES) if path in {path for path, _ in drawn}]


def _written(figures: Path) -> set[tuple[Path, int]]:
    """The pictures that are there, each with the time of its writing: a notebook may leave one out."""
    return {(path, path.stat().st_mtime_ns) for path in figures.glob("*.png")}


def _fit(workspace: Workspace, entries: list[FigureEntry], given: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Parameter] = {}
    for entry in entries:
        known |= read_parameters(notebook_folder() / f"{entry.notebook}.ipynb")
    for name, option in (("workspace", "--workspace"), ("figures", "output")):
        known.pop(name, None)
        if name in given:
            raise SettingError(f"{name} is no free parameter of a notebook here: give it as {option}")
    return fit_parameters(given, known, _choices(workspace, given))


def _choices(workspace: Workspace, given: Mapping[str, Any]) -> dict[str, list[str]]:
    """What there is to choose from, for the given parameters only: looking may take a while in a large cohort."""
    choices = {
        "case": lambda: [case.name for case in workspace.cohort_cases()],
        "run": workspace.runs,
        "model": model_names,
        "stage": lambda: ["liver", "tumor"],
    }
    return {name: look() for name, look in choices.items() if name in given}


def _without_unmet(
    workspace: Workspace, entries: list[FigureEntry], given: Mapping[str, Any], asked: bool, console: Console
) -> list[FigureEntry]:
    """The entries whose notebooks have all that they need; of the others say why, or raise if they were asked for."""
    unmet: dict[str, str] = {}
    for entry in entries:
        for need in entry.needs:
            if not need.is_met(workspace, given):
                reason = f"needs {need.name} in {workspace.folder}: `{need.command}` makes them"
                unmet.setdefault(entry.notebook, reason)
    if unmet and asked:
        notebook, reason = next(iter(unmet.items()))
        raise InputError(f"{notebook} {reason}")
    met = [entry for entry in entries if entry.notebook not in unmet]
    if not asked and not any(entry.needs for entry in met):  # one word about the workspace, not one for each notebook
        workspace.require()
    for notebook, reason in unmet.items():
        console.print(f"{notebook} left out: it {reason}", markup=False, highlight=False)
    return met


def _run_all(names: list[str], executed: Path, given: dict[str, Any], console: Console, n_jobs: int) -> list[Failure]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
    )
    running = _Running()
    failures = []
    with Progress(*columns, console=console, transient=True) as progress, ThreadPoolExecutor(n_jobs) as pool:
        futures = {pool.submit(_run_one, name, executed, given, progress, running): name for name in names}
        try:
            for future in as_completed(futures):
                seconds, failure = future.result()
                how = "[red]failed[/]" if failure else "done"
                progress.console.print(f"{futures[future]}: {how} after {seconds:.0f} s", highlight=False)
                if failure:
                    progress.console.print(f"  {escape(failure.reason)}", highlight=False)
                    failures.append(failure)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            running.stop()
            raise
    return sorted(failures, key=lambda failure: failure.notebook)


class _Running:
    """The processes under way, so that an interruption ends them."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        self._stopped = False

    def start(self, command: list[str], complaints: IO[str]) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True
            )
            self._processes.append(process)
            return process

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.terminate()


def _run_one(
    name: str, executed: Path, given: dict[str, Any], progress: Progress, running: _Running
) -> tuple[float, Failure | None]:
    """Run a notebook in a process of its own; returns how long it took, and why it failed if it did."""
    started = time.monotonic()
    notebook = notebook_folder() / f"{name}.ipynb"
    known = read_parameters(notebook)
    task = progress.add_task(name, total=len(read_json(notebook)["cells"]) + 1)  # papermill adds the cell of parameters
    reason = ""
    try:
        with replacing(executed / notebook.name) as partial:
            request = {
                "notebook": str(notebook),
                "output": str(partial.resolve()),
                "parameters": {key: value for key, value in given.items() if key in known},
            }
            for line in _talk(request, running):
                kind, _, text = line.partition(" ")
                if kind == "cell":
                    progress.update(task, completed=int(text))
                elif kind == "failed":
                    failure = json.loads(text)
                    first_line = failure["source"].strip().splitlines()[0]
                    reason = f"cell In [{failure['cell']}] ({first_line}): {failure['error']}"
    except LitsError as error:
        reason = str(error)
    progress.update(task, visible=False)
    return time.monotonic() - started, Failure(name, reason) if reason else None


def _talk(request: dict[str, Any], running: _Running) -> Iterator[str]:
    """Start the process of a notebook, give it the request, and yield what it prints, line by line.

    Raises LitsError with the process's last words if it ends otherwise than by a cell that raised.
    """
    from lits_toolkit.report.execute import FAILED

    with tempfile.TemporaryFile("w+") as complaints:
        process = running.start([sys.executable, "-m", "lits_toolkit.report.execute"], complaints)
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request))
            process.stdin.close()
            yield from process.stdout
        if process.returncode not in (0, FAILED):
            complaints.seek(0)
            words = complaints.read().strip().splitlines() or ["without a word"]
            raise LitsError(f"its process ended with status {process.returncode}: {words[-1]}")
