import pytest

from lits_toolkit.errors import SettingError
from lits_toolkit.report.needs import PREDICTIONS
from lits_toolkit.report.notebooks import notebook_folder, read_parameters
from lits_toolkit.report.registry import EXHIBITS, ONLY_WITH, find_exhibits, require_parameters
from lits_toolkit.report.render import lacks_study
from lits_toolkit.study.workspace import Workspace


def test_names_and_files_are_unique_and_files_begin_with_their_notebooks_number():
    assert len({entry.name for entry in EXHIBITS}) == len({entry.file for entry in EXHIBITS}) == len(EXHIBITS)
    assert all(entry.file[:3] == entry.notebook[:3] for entry in EXHIBITS)


def test_every_notebook_is_registered():
    assert {entry.notebook for entry in EXHIBITS} == {path.stem for path in notebook_folder().glob("*.ipynb")}


def test_figures_are_found_by_their_own_name_and_by_their_notebooks():
    assert find_exhibits() == list(EXHIBITS)
    assert [entry.file for entry in find_exhibits(["training"])] == ["04_training_curves.png"]
    assert {entry.notebook for entry in find_exhibits(["01_data", "training"])} == {"01_data", "04_training"}


@pytest.mark.parametrize("name", ["05_prediction", "05_prediction.png", "05_browse_predictions.ipynb"])
def test_figures_are_found_by_the_files_that_a_reader_sees(name):
    assert [entry.name for entry in find_exhibits([name])] == ["prediction"]


def test_an_unknown_figure_is_told_with_the_nearest():
    with pytest.raises(
        SettingError, match="no figure, table or notebook is called 'trainin'; the nearest is '"
    ) as told:
        find_exhibits(["trainin"])
    assert all(entry.name in str(told.value) and entry.notebook in str(told.value) for entry in EXHIBITS)


def test_folders_that_are_given_stand_for_what_a_study_would_need(workspace):
    need = PREDICTIONS.unless("predictions", "references")
    assert not need.is_met(workspace, {"predictions": "masks"})
    assert need.is_met(workspace, {"predictions": "masks", "references": "cohort"})
    workspace.predictions("other").mkdir(parents=True)
    assert need.is_met(workspace, {"run": "other"})
    assert not need.is_met(workspace, {})


def test_a_cohort_that_is_given_needs_no_study(tmp_path):
    nowhere = Workspace(tmp_path / "nowhere")
    assert lacks_study(nowhere, ["01_data"], {})
    assert not lacks_study(nowhere, ["01_data"], {"data": str(tmp_path)})


def test_what_a_figure_is_drawn_from_is_a_parameter_of_its_notebook():
    for name, (parameter, _) in ONLY_WITH.items():
        (entry,) = find_exhibits([name])
        assert parameter in read_parameters(notebook_folder() / f"{entry.notebook}.ipynb")


@pytest.mark.parametrize("name", ["froc", "06_froc.png"])
def test_a_figure_without_its_parameter_is_told_where_it_is_asked_for_by_name(name):
    with pytest.raises(SettingError, match="froc is drawn from probabilities: give -p probabilities=FOLDER"):
        require_parameters([name], {})
    require_parameters([name], {"probabilities": "somewhere"})
    require_parameters(["06_results_by_tumor_size", "detection"], {})
    with pytest.raises(SettingError, match="tuning is drawn from tune: give -p tune=true"):
        require_parameters(["tuning"], {"tune": False})


def test_every_entry_has_the_parameters_of_its_notebook():
    (entry,) = find_exhibits(["dice-by-size-group"])
    assert list(entry.parameters)[:2] == ["smoke", "run"]
    assert entry.parameters["most"].default == 8
    assert all("workspace" not in each.parameters and "smoke" in each.parameters for each in EXHIBITS)


FIGURES = [(1, 1), *((2, n) for n in range(1, 13)), *((3, n) for n in range(1, 8)), *((4, n) for n in range(1, 8))]
TABLES = [(2, 1), (2, 2), (3, 1), *((4, n) for n in range(1, 9))]


def test_all_that_the_dissertation_shows_is_there():
    """What a computer can draw or count: its 27 figures, its eleven tables, and the 23 of the appendix."""
    shown = {name for entry in EXHIBITS for name in entry.of}
    assert shown == {
        *(f"Figure {chapter}.{number}" for chapter, number in FIGURES),
        *(f"Table {chapter}.{number}" for chapter, number in TABLES),
        *(f"Table A.{number}" for number in range(1, 24)),
    }
