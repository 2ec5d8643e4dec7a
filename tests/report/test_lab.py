import json
from functools import cache

import nbformat
import pytest

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.phantom import make_phantom
from lits_toolkit.data.splits import Split
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.report import lab
from lits_toolkit.report.lab import (
    browse_in_lab,
    browse_study_in_lab,
    copy_notebooks,
    open_lab,
    opening_another,
    write_browser_notebook,
)
from lits_toolkit.report.notebooks import notebook_folder, read_parameters
from lits_toolkit.study.workspace import Workspace


@pytest.fixture
def started(monkeypatch):
    """The commands by which JupyterLab would have been started, and where."""
    calls = []
    monkeypatch.setattr(lab.subprocess, "run", lambda command, **options: calls.append((command, options["cwd"])))
    return calls


@cache
def phantom(index):
    return make_phantom(index, size=32, slices=8)


def write_ct(folder, index, masks=None):
    case = phantom(index)
    write_volume(case.volume, case.grid, folder / "ct.nii.gz")
    if masks:
        write_mask(case.reference, case.grid, masks / "segmentation-ct.nii.gz")
    return folder / "ct.nii.gz"


def sources(path):
    return [cell.source for cell in nbformat.read(path, nbformat.NO_CONVERT).cells]


@pytest.mark.parametrize("folder", ["notebooks", "deep/down/notebooks"])
def test_the_copies_open_the_workspace_from_where_they_are(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    for path in copy_notebooks(folder, 'st"udy'):
        place = read_parameters(path)["workspace"].default
        assert (path.parent / place).resolve() == tmp_path / 'st"udy'


def test_nothing_else_of_a_copy_differs(tmp_path):
    for path in copy_notebooks(tmp_path / "copies", tmp_path / "lits-demo"):
        assert path.read_text().replace("../lits-demo", "lits-demo") == (notebook_folder() / path.name).read_text()


def test_a_notebook_that_is_there_is_kept_and_told_where_it_opens_another_study(tmp_path, started, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = copy_notebooks("here", "lits-demo")
    (tmp_path / "here" / "01_data.ipynb").write_text("not even a notebook")
    assert opening_another(copy_notebooks("here", "lits-demo"), "lits-demo") == []
    open_lab("here", "study")
    assert (tmp_path / "here" / "01_data.ipynb").read_text() == "not even a notebook"
    said = capsys.readouterr().out
    assert all((path.name in said) == (path.name != "01_data.ipynb") for path in first)
    assert started[0][1].name == "here"


@pytest.mark.parametrize(("uid", "allowed"), [(0, True), (1000, False)])
def test_root_may_open_it(tmp_path, started, monkeypatch, uid, allowed):
    monkeypatch.setattr(lab.os, "geteuid", lambda: uid)
    open_lab(tmp_path / "here", tmp_path)
    assert ("--allow-root" in started[0][0]) == allowed


def test_the_browser_notebook_shows_its_ct_at_once_and_asks_for_no_kernel(tmp_path):
    ct = write_ct(tmp_path, 0, tmp_path)
    path = write_browser_notebook([ct], [tmp_path], tmp_path / "notebooks")
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    assert notebook.metadata.kernelspec.name == "python3"
    assert str(ct) in notebook.cells[1].source
    assert str(tmp_path / "segmentation-ct.nii.gz") in notebook.cells[1].source
    assert any("image/png" in output.get("data", {}) for output in notebook.cells[1].outputs)
    assert [found.name for found in path.parent.iterdir()] == ["browse-ct.ipynb"]


def test_a_second_ct_of_the_same_name_gets_a_notebook_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "_run", lambda notebook, path: nbformat.write(notebook, path))
    folders = [tmp_path / name for name in "ab"]
    cts = []
    for index, folder in enumerate(folders):
        folder.mkdir()
        cts.append(write_ct(folder, index))
    names = [write_browser_notebook([ct], [], tmp_path / "n").name for ct in (*cts, *cts)]
    assert names == ["browse-ct.ipynb", "browse-ct-2.ipynb"] * 2
    assert str(cts[1]) in sources(tmp_path / "n" / "browse-ct-2.ipynb")[1]
    edited = tmp_path / "n" / "browse-ct.ipynb"
    edited.write_text(json.dumps({"cells": []}))
    assert write_browser_notebook([cts[0]], [], tmp_path / "n").name == "browse-ct-3.ipynb"
    assert json.loads(edited.read_text()) == {"cells": []}


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Notebooks are written and not run: the code of the last one."""
    monkeypatch.setattr(lab, "_run", lambda notebook, path: nbformat.write(notebook, path))

    def write(cases, predictions=(), case=""):
        return sources(write_browser_notebook(cases, predictions, tmp_path / "n", case))[1].splitlines()[-1]

    return write


def two_cts(tmp_path, *models):
    for model in models:
        (tmp_path / model).mkdir(parents=True)
    data = tmp_path / "data"
    data.mkdir()
    for number in range(2):
        case = phantom(number)
        write_volume(case.volume, case.grid, data / f"volume-{number}.nii.gz")
        for model in models:
            write_mask(case.reference, case.grid, tmp_path / model / f"segmentation-{number}.nii.gz")
    return data


def test_several_folders_of_masks_are_compared_under_their_names(tmp_path, written):
    ct = two_cts(tmp_path, "one", "a/masks", "b/masks") / "volume-0.nii.gz"
    folders = [tmp_path / name for name in ("one", "a/masks", "b/masks")]
    names = ("one", "a/masks", "b/masks")
    masks = {name: str(place / "segmentation-0.nii.gz") for name, place in zip(names, folders, strict=True)}
    assert written([ct], folders) == f"browse({str(ct)!r}, prediction={masks})"
    heat = tmp_path / "one" / "probabilities" / "volume-0.nii.gz"
    heat.parent.mkdir()
    heat.write_bytes(b"")
    heats = {"one": str(heat)}
    assert written([ct], folders) == f"browse({str(ct)!r}, prediction={masks}, probability={heats})"
    alone = f"browse({str(ct)!r}, prediction={masks['one']!r}, probability={heats['one']!r})"
    assert written([ct], folders[:1]) == alone


def test_several_cases_get_a_picker(tmp_path, written):
    data = two_cts(tmp_path, "one")
    place, masks = str(data), {"one": str(tmp_path / "one")}
    assert written([data]) == f"browse_cases([{place!r}], {{}})"
    assert written([data], [tmp_path / "one"], "volume-1") == f"browse_cases([{place!r}], {masks}, case='volume-1')"
    files = [data / f"volume-{number}.nii.gz" for number in range(2)]
    assert written(files) == f"browse_cases({[str(path) for path in files]}, {{}})"


def test_a_case_that_is_not_there_and_a_folder_without_masks_are_told(tmp_path, written):
    data = two_cts(tmp_path, "one")
    with pytest.raises(SettingError, match="no case 'volume-11'; the nearest is 'volume-1'"):
        written([data], case="volume-11")
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"none has no mask of any of the 2 cases.*segmentation-0\.nii\.gz"):
        written([data], [tmp_path / "one", tmp_path / "none"])


def test_a_series_of_a_folder_of_dicom_is_picked_by_its_name(tmp_path, written, monkeypatch):
    two = [CaseFiles(f"ct-{number}", tmp_path, series=str(number)) for number in (1, 2)]
    monkeypatch.setattr("lits_toolkit.data.layouts.find_cases", lambda _: two)
    assert written([tmp_path], case="ct-2") == f"browse_cases([{str(tmp_path)!r}], {{}}, case='ct-2')"
    with pytest.raises(SettingError, match="the nearest is 'ct-2'"):
        written([tmp_path], case="ct-22")


def test_a_study_is_browsed_with_the_runs_and_the_case_that_are_asked_for(tmp_path, started, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "_run", lambda notebook, path: nbformat.write(notebook, path))
    data = two_cts(tmp_path, "study/predictions/cascade")
    Workspace(tmp_path / "study").begin(data, Split(("volume-0",), (), ("volume-1",)), "phantoms")
    browse_study_in_lab("study", ["cascade"], "volume-1")
    browse_study_in_lab("study")
    calls = [sources(path)[1].splitlines()[-1] for path in sorted((tmp_path / "lits-notebooks").iterdir())]
    place = str(tmp_path / "study")
    assert sorted(calls) == [
        f"browse_study({place!r}, case='volume-1', runs=['cascade'])",
        f"browse_study({place!r}, case=None, runs=None)",
    ]
    assert len(started) == 2
    with pytest.raises(SettingError, match="no run 'cascde'; the nearest is 'cascade'"):
        browse_study_in_lab("study", ["cascde"])
    with pytest.raises(SettingError, match="the nearest is 'volume-1'"):
        browse_study_in_lab("study", case="volume-11")
    with pytest.raises(InputError, match="lits prepare"):
        browse_study_in_lab("nowhere")


def test_what_cannot_be_shown_is_told_before_anything_opens(tmp_path, started, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ct = write_ct(tmp_path, 0)
    with pytest.raises(InputError, match=r"segmentation-ct\.nii\.gz does not exist.*lits predict"):
        browse_in_lab([ct], [tmp_path])
    assert not started
    assert not (tmp_path / "lits-notebooks").exists()


def test_a_ct_that_cannot_be_read_is_told_and_leaves_no_notebook(tmp_path):
    (tmp_path / "ct.nii").write_text("text")
    with pytest.raises(InputError, match="expected a NIfTI file"):
        write_browser_notebook([tmp_path / "ct.nii"], [], tmp_path / "n")
    assert not list((tmp_path / "n").iterdir())
