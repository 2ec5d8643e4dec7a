"""Notebooks and a workspace that have just what a test needs."""

import nbformat
import pytest

from lits_toolkit.data.splits import Split
from lits_toolkit.report import freshness, registry, render, running
from lits_toolkit.report.needs import COHORT
from lits_toolkit.report.registry import Exhibit
from lits_toolkit.study.workspace import Workspace

PARAMETERS = 'workspace: str = "w"\nfigures: str = ""\n'


@pytest.fixture
def write_notebook(tmp_path):
    """Write a notebook of code cells, the first of which holds the parameters."""
    folder = tmp_path / "notebooks {in braces}"
    folder.mkdir()

    def write(name, *cells, parameters=PARAMETERS):
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        notebook.cells = [nbformat.v4.new_code_cell(source) for source in (parameters, *cells)]
        notebook.cells[0].metadata["tags"] = ["parameters"]
        path = folder / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    return write


@pytest.fixture
def registered(write_notebook, tmp_path, monkeypatch):
    """Make the registry of notebooks: name → (code cells, needs besides the cohort, further parameters)."""

    def register(needs=(), parameters="", **notebooks):
        entries = []
        for name, cells in notebooks.items():
            write_notebook(name, *cells, parameters=PARAMETERS + parameters)
            entries.append(Exhibit(f"figure-{name}", name, f"{name}.png", "nothing", (COHORT, *needs)))
        monkeypatch.setattr(registry, "EXHIBITS", tuple(entries))
        monkeypatch.setattr(render, "EXHIBITS", tuple(entries))
        for module in (render, freshness, running):
            monkeypatch.setattr(module, "notebook_folder", lambda: tmp_path / "notebooks {in braces}")

    return register


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "work")
    data = tmp_path / "data"
    data.mkdir()
    for index in (1, 2):
        (data / f"volume-{index}.nii").write_bytes(b"")
    workspace.begin(data, Split(("volume-1",), ("volume-2",), ()), "test cohort")
    return workspace
