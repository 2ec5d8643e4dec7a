"""JupyterLab on the toolkit's notebooks."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from lits_toolkit.errors import InputError
from lits_toolkit.files import output_folder, replacing
from lits_toolkit.report.notebooks import notebook_folder

FOLDER = Path("lits-notebooks")


def copy_notebooks(folder: str | Path) -> list[Path]:
    """Copy the notebooks into `folder`; one that is already there stays as it is. Returns the paths."""
    folder = output_folder(folder)
    paths = []
    for notebook in sorted(notebook_folder().glob("*.ipynb")):
        target = folder / notebook.name
        if not target.exists():
            with replacing(target) as partial:
                shutil.copyfile(notebook, partial)
        paths.append(target)
    return paths


def open_lab(folder: str | Path | None = None) -> None:
    """Open JupyterLab on a copy of the notebooks; returns when it is closed."""
    folder = Path(folder) if folder else FOLDER
    copy_notebooks(folder)
    _run_lab(folder)


def browse_in_lab(case: Path, predictions: Path | None) -> None:
    """Open JupyterLab on a fresh notebook with the slice browser of one CT file."""
    from lits_toolkit.data.case import mask_file_name
    from lits_toolkit.data.layouts import find_cases

    files = find_cases(case)
    if len(files) != 1:
        raise InputError(f"expected one CT file, found {len(files)} cases in {case}")
    if predictions is not None and predictions.is_dir():
        predictions = predictions / mask_file_name(files[0].name)
    if predictions is not None and not predictions.is_file():
        raise InputError(f"{predictions} does not exist")
    mask = "None" if predictions is None else repr(str(predictions.resolve()))
    source = f"from lits_toolkit import browse\n\nbrowse({str(case.resolve())!r}, prediction={mask})"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    folder = output_folder(FOLDER)
    path = folder / f"browse-{files[0].name}.ipynb"
    if not path.exists():
        with replacing(path) as partial:
            nbformat.write(notebook, partial)
    _run_lab(folder, path.name)


def _run_lab(folder: Path, notebook: str | None = None) -> None:
    command = [sys.executable, "-m", "jupyterlab", *([notebook] if notebook else [])]
    subprocess.run(command, cwd=folder, check=False)
