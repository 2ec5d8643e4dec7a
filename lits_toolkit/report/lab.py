"""JupyterLab on the toolkit's notebooks."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat

from lits_toolkit.errors import InputError, LitsError
from lits_toolkit.files import output_folder, read_json, replacing
from lits_toolkit.report.notebooks import notebook_folder

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


def browse_in_lab(case: Path, predictions: Path | None) -> None:
    """Open JupyterLab on a notebook with the slice browser of one CT file."""
    _run_lab(FOLDER, write_browser_notebook(case, predictions, FOLDER).name)


def write_browser_notebook(case: str | Path, predictions: str | Path | None, folder: str | Path) -> Path:
    """Write a notebook that browses one CT file, run it, and return its path.

    Args:
        case: A CT file.
        predictions: A folder of masks named by `mask_file_name`, or one mask; None shows the CT alone.
        folder: Where the notebook goes. One that is there already is replaced if it shows the same files; otherwise
            the new one gets a number.

    Raises:
        InputError: There is not one CT, its mask is not there, or one of them cannot be shown.
    """
    from lits_toolkit.data.case import mask_file_name
    from lits_toolkit.data.layouts import find_cases

    files = find_cases(case)
    if len(files) != 1:
        raise InputError(f"expected one CT file, found {len(files)} cases in {case}")
    mask = Path(predictions) if predictions else None
    if mask is not None and mask.is_dir():
        mask = mask / mask_file_name(files[0].name)
    if mask is not None and not mask.is_file():
        raise InputError(f"{mask} does not exist: `lits predict {case} --output {mask.parent}` makes it")
    shown = "None" if mask is None else repr(str(mask.resolve()))
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[
            nbformat.v4.new_markdown_cell(f"# {files[0].name}\n\nRun the cell (Shift + Enter) to browse."),
            nbformat.v4.new_code_cell(
                f"from lits_toolkit import browse\n\nbrowse({str(Path(case).resolve())!r}, prediction={shown})"
            ),
        ],
    )
    path = _free_place(output_folder(folder), f"browse-{files[0].name}", notebook)
    _run(notebook, path)
    return path


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
