"""JupyterLab on the toolkit's notebooks."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from lits_toolkit.data.folders import by_folder_name
from lits_toolkit.errors import InputError, LitsError
from lits_toolkit.files import output_folder, read_json, replacing
from lits_toolkit.report.notebooks import notebook_folder

if TYPE_CHECKING:
    from lits_toolkit.data.case import CaseFiles

FOLDER = Path("lits-notebooks")

_WORKSPACE = re.compile(r'^workspace: str = ("(?:[^"\\]|\\.)*")', re.MULTILINE)
"""The line of a notebook's parameters that says which study it opens."""


def copy_notebooks(folder: str | Path, workspace: str | Path) -> list[Path]:
    """Copy the notebooks into `folder`, set to open the study in `workspace`; returns the paths.

    The workspace is written relative to `folder`, since a notebook's kernel runs where the notebook is. A notebook
    that is already there stays as it is.
    """
    folder = output_folder(folder)
    place = _seen_from(folder, workspace)
    paths = []
    for notebook in sorted(notebook_folder().glob("*.ipynb")):
        target = folder / notebook.name
        if not target.exists():
            cells = read_json(notebook)
            for cell in cells["cells"]:
                if "parameters" in cell["metadata"].get("tags", []):
                    source = _WORKSPACE.sub(lambda _: f"workspace: str = {json.dumps(place)}", "".join(cell["source"]))
                    cell["source"] = source.splitlines(keepends=True)
            with replacing(target) as partial:
                partial.write_text(json.dumps(cells, indent=1, ensure_ascii=False) + "\n")
        paths.append(target)
    return paths


def opening_another(notebooks: list[Path], workspace: str | Path) -> list[Path]:
    """Those of the notebooks that open another study than the one in `workspace`."""
    return [path for path in notebooks if _opened_by(path) not in (None, _seen_from(path.parent, workspace))]


def open_lab(folder: str | Path = FOLDER, workspace: str | Path = "lits-demo") -> None:
    """Open JupyterLab on a copy of the notebooks that opens the study in `workspace`; returns when it is closed."""
    folder = Path(folder)
    others = opening_another(copy_notebooks(folder, workspace), workspace)
    if others:
        names = ", ".join(path.name for path in others)
        print(
            f"kept as they were, and opening another study than {workspace}: {names}; give another folder for new ones"
        )
    _run_lab(folder)


def browse_in_lab(cases: Sequence[Path], predictions: Sequence[Path] = (), case: str = "") -> None:
    """Open JupyterLab on a notebook with the slice browser of CT files; see `write_browser_notebook`."""
    _run_lab(FOLDER, write_browser_notebook(cases, predictions, FOLDER, case).name)


def browse_study_in_lab(workspace: Path, runs: Sequence[str] = (), case: str = "") -> None:
    """Open JupyterLab on a notebook that browses a study; see `write_study_notebook`."""
    _run_lab(FOLDER, write_study_notebook(workspace, runs, FOLDER, case).name)


def write_browser_notebook(
    cases: Sequence[str | Path], predictions: Sequence[str | Path], folder: str | Path, case: str = ""
) -> Path:
    """Write a notebook that browses CT files, run it, and return its path.

    Args:
        cases: CT files, or folders in any layout. Several cases get a picker.
        predictions: Folders of masks named by `mask_file_name`, which are compared under the folders' names, or masks
            of a single case; without any the CT alone is shown.
        folder: Where the notebook goes. One that is there already is replaced if it shows the same files; otherwise
            the new one gets a number.
        case: With which of several cases to begin; empty means the first.

    Raises:
        InputError: There is no CT, a mask is not there, or one of them cannot be shown.
        SettingError: No case has that name.
    """
    from lits_toolkit.data.layouts import find_cases
    from lits_toolkit.viewer.study import require_known, written_probability

    found = [files for place in cases for files in find_cases(place)]
    if case:
        require_known("case", case, [files.name for files in found])
    masks = by_folder_name([Path(place) for place in predictions])
    if len(found) == 1:
        shown = {name: str(_mask_of(found[0], place)) for name, place in masks.items()}
        title = found[0].name
        written = {name: written_probability(place, title) for name, place in masks.items()}
        heats = {name: str(place.resolve()) for name, place in written.items() if place is not None}
        given = {"prediction": shown} | ({"probability": heats} if heats else {})
        one = len(shown) < 2  # then it needs no name
        words = [f"{key}={(next(iter(value.values()), None) if one else value)!r}" for key, value in given.items()]
        call = f"browse({str(Path(cases[0]).resolve())!r}, {', '.join(words)})"
    else:
        for place in masks.values():
            _require_some(found, place)
        places = [str(Path(place).resolve()) for place in cases]
        folders = {name: str(place.resolve()) for name, place in masks.items()}
        title = case or Path(cases[0]).resolve().name
        start = f", case={case!r}" if case else ""
        call = f"browse_cases({places!r}, {folders!r}{start})"
    return _write(title, call, folder)


def write_study_notebook(workspace: str | Path, runs: Sequence[str], folder: str | Path, case: str = "") -> Path:
    """Write a notebook that browses a study's cases and runs, run it, and return its path.

    Raises InputError where there is no study, SettingError where it has no such case or run.
    """
    from lits_toolkit.study.workspace import Workspace
    from lits_toolkit.viewer.study import predicted_runs, require_known

    study = Workspace(Path(workspace)).require()
    for run in runs:
        require_known("run", run, predicted_runs(study))
    if case:
        study.case(case)
    place = str(Path(workspace).resolve())
    return _write(
        Path(place).name, f"browse_study({place!r}, case={case or None!r}, runs={list(runs) or None!r})", folder
    )


def _write(title: str, call: str, folder: str | Path) -> Path:
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[
            nbformat.v4.new_markdown_cell(f"# {title}\n\nRun the cell (Shift + Enter) to browse."),
            nbformat.v4.new_code_cell(f"from lits_toolkit import {call.partition('(')[0]}\n\n{call}"),
        ],
    )
    path = _free_place(output_folder(folder), f"browse-{title}", notebook)
    _run(notebook, path)
    return path


def _mask_of(files: "CaseFiles", place: Path) -> Path:
    from lits_toolkit.data.case import mask_file_name

    mask = place / mask_file_name(files.name) if place.is_dir() else place
    if not mask.is_file():
        raise InputError(
            f"{mask} does not exist: `lits predict {files.volume} --workspace STUDY --output {mask.parent}` makes it"
        )
    return mask.resolve()


def _require_some(cases: "Sequence[CaseFiles]", place: Path) -> None:
    from lits_toolkit.data.case import mask_file_name

    if not any((place / mask_file_name(files.name)).is_file() for files in cases):
        raise InputError(
            f"{place} has no mask of any of the {len(cases)} cases; expected one such as "
            f"{mask_file_name(cases[0].name)}"
        )


def _free_place(folder: Path, stem: str, notebook: nbformat.NotebookNode) -> Path:
    """FOLDER/STEM.ipynb, or STEM-2.ipynb and so on where another notebook has that name."""
    number = 1
    while True:
        path = folder / (f"{stem}.ipynb" if number == 1 else f"{stem}-{number}.ipynb")
        if not path.exists() or _sources(path) == [cell.source for cell in notebook.cells]:
            return path
        number += 1


def _sources(path: Path) -> list[str] | None:
    try:
        return ["".join(cell["source"]) for cell in read_json(path)["cells"]]
    except (LitsError, KeyError, TypeError):
        return None


def _run(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Execute a notebook into `path`, so that JupyterLab shows its pictures as soon as it opens it."""
    from lits_toolkit.report.execute import FAILED

    with replacing(path) as partial:
        partial.write_text(nbformat.writes(notebook))
        request = {"notebook": str(partial), "output": str(partial), "parameters": {}}
        command = [sys.executable, "-m", "lits_toolkit.report.execute"]
        done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
        if done.returncode == FAILED:
            failure = json.loads(done.stdout.splitlines()[-1].removeprefix("failed "))
            raise InputError(failure["error"])
        if done.returncode:
            words = done.stderr.strip().splitlines() or ["without a word"]
            raise LitsError(f"the notebook's process ended with status {done.returncode}: {words[-1]}")


def _opened_by(notebook: Path) -> str | None:
    """The workspace that a notebook names; None where it names none."""
    for source in _sources(notebook) or []:
        if found := _WORKSPACE.search(source):
            return str(json.loads(found[1]))
    return None


def _seen_from(folder: Path, workspace: str | Path) -> str:
    return Path(os.path.relpath(Path(workspace).resolve(), folder.resolve())).as_posix()


def _run_lab(folder: Path, notebook: str | None = None) -> None:
    command = [sys.executable, "-m", "jupyterlab", *([notebook] if notebook else [])]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in containers, where JupyterLab refuses to start without
    subprocess.run(command, cwd=folder, check=False)
