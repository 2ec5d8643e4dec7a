"""Make figures and tables: run the notebooks that draw them, two at a time, and say what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from lits_toolkit.errors import InputError, LitsError, SettingError
from lits_toolkit.files import output_folder
from lits_toolkit.models.catalogue import model_names
from lits_toolkit.report.freshness import (
    Fingerprints,
    Made,
    is_up_to_date,
    read_record,
    state_of,
    unmet,
    write_record,
)
from lits_toolkit.report.notebooks import Parameter, fit_parameters, notebook_folder, read_parameters
from lits_toolkit.report.registry import EXHIBITS, Exhibit, find_exhibits, require_parameters
from lits_toolkit.report.running import run_notebooks
from lits_toolkit.study.workspace import Workspace


@dataclass(frozen=True)
class Listed:
    """A figure or table, and whether it is there."""

    exhibit: Exhibit
    state: str
    """As `freshness.state_of` says it."""


def list_exhibits(
    workspace: Workspace,
    only: Sequence[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    output: str | Path | None = None,
) -> list[Listed]:
    """Which figures and tables are there, which are stale, and which need what; arguments as `render_figures` has them.

    What is there was made from what the workspace holds now, by this code, with these parameters.
    """
    entries = find_exhibits(list(only) if only else None)
    given, figures = _fit(workspace, entries, parameters or {}), Path(output or workspace.figures)
    record, fingerprints = read_record(figures), Fingerprints(workspace, given)
    found = []
    for notebook, own in _by_notebook(entries).items():
        inputs, missing = fingerprints.of(notebook, own), unmet(own, workspace, given)
        made = record.get(notebook)
        found += [Listed(entry, state_of(entry, made, inputs, figures, missing)) for entry in own]
    return found


def lacks_study(workspace: Workspace, only: Sequence[str] | None, parameters: Mapping[str, Any]) -> bool:
    """Whether there is no study in a workspace, and one of the figures needs one; raises as `render_figures` does."""
    entries = find_exhibits(list(only) if only else None)
    return not workspace.exists and unmet(entries, workspace, _fit(workspace, entries, parameters)) is not None


def render_figures(
    workspace: Workspace,
    only: Sequence[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    output: str | Path | None = None,
    console: Console | None = None,
    n_jobs: int = 2,
    again: bool = False,
) -> list[Path]:
    """Run the notebooks by papermill and return their pictures and tables.

    A notebook that would make nothing else than what is there is not run, unless asked for by `only` or `again`.

    Args:
        workspace: The study.
        only: Names of figures, tables or notebooks; all by default. A notebook always makes all of its own.
        parameters: Values for the notebooks' parameters, text being read as the parameter's type; each goes to the
            notebooks that have it.
        output: Where pictures go, and the executed notebooks in a folder `notebooks` below; the workspace's figures
            by default.
        console: Where progress is shown.
        n_jobs: How many notebooks run at a time, each in processes of its own.
        again: Run also those whose figures are up to date.

    Figures that need what the workspace does not have are left out and named, unless asked for by `only`.

    Raises:
        SettingError: A name or value that is not known, with the nearest; nothing has run then.
        InputError: A path that does not exist, or something that `only` needs is missing; nothing has run then.
        LitsError: A notebook failed; the message says in which cell and why. The others have run to their end.
    """
    console = console or Console(stderr=True)
    entries = find_exhibits(list(only) if only else None)
    fitted = _fit(workspace, entries, parameters or {})
    require_parameters(only or (), fitted)
    entries = _without_unmet(workspace, entries, fitted, asked=bool(only), console=console)
    figures = output_folder(output or workspace.figures)
    by_notebook = _by_notebook(EXHIBITS)
    record, fingerprints = read_record(figures), Fingerprints(workspace, fitted)
    inputs = {name: fingerprints.of(name, by_notebook[name]) for name in _by_notebook(entries)}
    kept = [name for name in inputs if not (only or again) and is_up_to_date(record.get(name), inputs[name], figures)]
    names = [name for name in inputs if name not in kept]
    if kept:
        console.print(f"up to date: {', '.join(kept)}; --again makes them anew", markup=False, highlight=False)
    # The pictures' place is absolute for the notebooks, since a kernel may have another working folder.
    given = fitted | {"workspace": str(workspace.folder.resolve()), "figures": str(figures.resolve())}
    before, failures = _written(figures), []
    seconds_before = {name: made.seconds for name, made in record.items()}
    for name, seconds, failure in run_notebooks(names, figures / "notebooks", given, seconds_before, console, n_jobs):
        if failure:
            failures.append(failure)
            continue
        written = {path.name for path, _ in _written(figures) - before}
        own = tuple(entry.file for entry in by_notebook[name] if entry.file in written)
        record[name] = Made(inputs[name], own, seconds)
        write_record(figures, record)
    if failures:
        told = [f"{failure.notebook}: {failure.reason}" for failure in sorted(failures, key=lambda each: each.notebook)]
        how_far = f"how far they got is in {figures / 'notebooks'}"
        raise LitsError("\n".join([f"{len(failures)} of {len(names)} notebooks failed; {how_far}", *told]))
    there = {name for notebook in inputs for name in record[notebook].files}
    return [figures / entry.file for entry in EXHIBITS if entry.file in there]


def _by_notebook(entries: Sequence[Exhibit]) -> dict[str, list[Exhibit]]:
    return {
        name: [entry for entry in entries if entry.notebook == name]
        for name in dict.fromkeys(entry.notebook for entry in entries)
    }


def _written(figures: Path) -> set[tuple[Path, int]]:
    """The pictures and tables that are there, each with the time of its writing: a notebook may leave one out."""
    return {(path, path.stat().st_mtime_ns) for path in figures.glob("*") if path.suffix in (".png", ".md")}


def _fit(workspace: Workspace, entries: list[Exhibit], given: Mapping[str, Any]) -> dict[str, Any]:
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
    workspace: Workspace, entries: list[Exhibit], given: Mapping[str, Any], asked: bool, console: Console
) -> list[Exhibit]:
    """The entries whose notebooks have all that they need; of the others say why, or raise if they were asked for."""
    reasons: dict[str, str] = {}
    for notebook, own in _by_notebook(entries).items():
        if need := unmet(own, workspace, given):
            reasons[notebook] = f"needs {need.name} in {workspace.folder}: `{need.command}` makes them"
    if reasons and asked:
        notebook, reason = next(iter(reasons.items()))
        raise InputError(f"{notebook} {reason}")
    met = [entry for entry in entries if entry.notebook not in reasons]
    if not asked and not any(entry.needs for entry in met):  # one word about the workspace, not one for each notebook
        workspace.require()
    for notebook, reason in reasons.items():
        console.print(f"{notebook} left out: it {reason}", markup=False, highlight=False)
    return met
