"""Every notebook: what it is made of, and that it runs from top to bottom on a small phantom study."""

import io
import json
import re
import shutil
import tokenize
import zlib

import nbformat
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from lits_toolkit.data.case import TUMOR, mask_file_name
from lits_toolkit.data.reading import read_mask
from lits_toolkit.figures.drawn import MOST_BYTES
from lits_toolkit.figures.style import PAGE_INCHES, SMALL
from lits_toolkit.report.notebooks import notebook_folder, read_parameters
from lits_toolkit.report.registry import EXHIBITS
from lits_toolkit.report.render import render_figures
from lits_toolkit.study.workspace import RUN, Workspace

NOTEBOOKS = sorted(notebook_folder().glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, nbformat.NO_CONVERT)


@pytest.fixture(scope="session")
def rendered(smoke_demo, tmp_path_factory):
    """The pictures of a small phantom study, rendered by papermill; its figures' folder."""
    study = Workspace(tmp_path_factory.mktemp("study") / "lits-demo")
    shutil.copytree(smoke_demo.folder, study.folder)
    probabilities = tmp_path_factory.mktemp("probabilities")
    for name in study.held_out:
        mask = read_mask(study.predictions(RUN) / mask_file_name(name))
        np.save(probabilities / f"{name}.npy", (mask == TUMOR) * np.float32(0.9))
    official = probabilities.with_name("official.json")
    names = ("dice_per_case", "dice_global", "voe", "rvd", "assd")
    official.write_text(json.dumps({f"lesion_{name}": 0.125 for name in names}))
    parameters = {"submissions": {"3d-dsts-bottom": str(official)}}
    parameters |= {"smoke": True, "probabilities": str(probabilities), "int8": True, "tune": True}
    render_figures(study, parameters=parameters, console=Console(file=io.StringIO()))
    return study.figures


def words(notebook, kind):
    return ["".join(cell.source) for cell in notebook.cells if cell.cell_type == kind]


def test_it_is_kept_without_outputs(notebook):
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert set(cell.metadata) <= {"tags"}


def test_it_names_no_kernel_but_python3(notebook):
    assert notebook.metadata.kernelspec.name == "python3"


def test_it_is_short_and_defines_nothing(notebook):
    assert len(notebook.cells) < 20
    for source in words(notebook, "code"):
        names = [token.string for token in tokenize.generate_tokens(io.StringIO(source).readline)]
        assert not {"def", "class", "lambda"} & set(names)


def test_it_asks_one_question_says_what_to_see_and_what_to_try(notebook):
    text = words(notebook, "markdown")
    assert text[0].startswith("# ")
    assert text[0].count("?**") == 1
    assert "**What you should see**" in text[0]
    assert text[-1].startswith("## Try this")
    assert text[-1].count("\n1. ") == text[-1].count("\n2. ") == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_parameters_begin_alike_and_are_explained(path):
    parameters = read_parameters(path)
    assert list(parameters)[:3] == ["workspace", "figures", "smoke"]
    assert all(parameter.comment for parameter in parameters.values())


@pytest.mark.parametrize("entry", EXHIBITS, ids=lambda entry: entry.name)
def test_its_figures_are_drawn_and_small_enough_to_keep(rendered, entry):
    picture = rendered / entry.file
    if entry.is_table:
        assert picture.read_text(encoding="utf-8").startswith("**Table")
        assert picture.with_suffix(".csv").is_file()
        return
    assert picture.stat().st_size <= MOST_BYTES
    with Image.open(picture) as image:
        assert image.width >= 900


@pytest.mark.parametrize("entry", [entry for entry in EXHIBITS if not entry.is_table], ids=lambda entry: entry.name)
def test_a_journal_takes_its_figures_as_they_are(rendered, entry):
    width, letters = printed((rendered / entry.file).with_suffix(".pdf"))
    assert width <= PAGE_INCHES + 1e-6
    assert min(letters) >= SMALL


def printed(pdf):
    """How wide a PDF of matplotlib is, in inches, and the sizes of its letters, in points."""
    data = pdf.read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)
    pages = [zlib.decompressobj().decompress(stream) for stream in streams if stream[:1] == b"x"]
    letters = [float(size) for page in pages for size in re.findall(rb"/F\S+ ([\d.]+) Tf\b", page)]
    (corners,) = re.findall(rb"/MediaBox \[([^]]*)\]", data)
    return float(corners.split()[2]) / 72, letters


def test_a_submissions_score_that_is_given_fills_its_row_of_table_4_8(rendered):
    lines = (rendered / "07_table_4_8.md").read_text(encoding="utf-8").splitlines()
    filled = [line for line in lines if "ours, LiTS" in line and "0.125" in line]
    assert [line.split("|")[1].strip() for line in filled] == ["3d-dsts-bottom"]


def test_nothing_is_drawn_that_is_not_registered(rendered):
    made = {path.name for path in rendered.iterdir() if path.suffix in (".png", ".md")}
    assert made == {entry.file for entry in EXHIBITS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_to_its_end_without_a_warning(rendered, path):
    executed = nbformat.read(rendered / "notebooks" / path.name, nbformat.NO_CONVERT)
    for cell in executed.cells:
        if cell.cell_type == "code":
            assert cell.execution_count is not None
            assert not [output.text for output in cell.outputs if output.get("name") == "stderr"]


def test_results_are_those_of_folders_of_masks_where_they_are_given(rendered, tmp_path):
    cohort, masks = rendered.parent / "cohort", rendered.parent / "predictions" / RUN
    for folder in ("references", "mine"):
        (tmp_path / folder).mkdir()
        for path in masks.glob("*.nii.gz"):
            shutil.copy(cohort / path.name if folder == "references" else path, tmp_path / folder / path.name)
    given = {"predictions": f"{tmp_path / 'mine'},{masks}", "references": str(tmp_path / "references")}
    nowhere = Workspace(tmp_path / "nowhere")
    pictures = render_figures(nowhere, ["06_results_by_tumor_size"], given, console=Console(file=io.StringIO()))
    without_ct = {"06_dice_per_case", "06_errors_per_case", "06_dice_by_size_group", "06_detection"}
    assert {picture.stem for picture in pictures} == without_ct
    executed = nbformat.read(nowhere.figures / "notebooks" / "06_results_by_tumor_size.ipynb", nbformat.NO_CONVERT)
    said = "".join(output.get("text", "") for cell in executed.cells for output in cell.get("outputs", []))
    assert "No FROC: it needs" in said
    assert "No contrasts and overlays: no CT lies beside the references" in said


def test_the_executed_browser_notebook_shows_pictures_when_reopened_and_keeps_no_pixels(rendered):
    executed = nbformat.read(rendered / "notebooks" / "05_browse_predictions.ipynb", nbformat.NO_CONVERT)
    for call in ("browse_study(study", "browse(ct"):
        (cell,) = [cell for cell in executed.cells if call in cell.source]
        assert any("image/png" in output.get("data", {}) for output in cell.outputs)
    state = executed.metadata.widgets["application/vnd.jupyter.widget-state+json"]
    assert len(json.dumps(state)) < 100_000
