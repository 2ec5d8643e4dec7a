import pytest

from lits_toolkit.errors import SettingError
from lits_toolkit.report.notebooks import notebook_folder, read_parameters
from lits_toolkit.report.registry import FIGURES, PREDICTIONS, find_figures, require_parameters


def test_names_and_files_are_unique_and_files_begin_with_their_notebooks_number():
    assert len({entry.name for entry in FIGURES}) == len({entry.file for entry in FIGURES}) == len(FIGURES)
    assert all(entry.file[:3] == entry.notebook[:3] for entry in FIGURES)


def test_every_notebook_is_registered():
    assert {entry.notebook for entry in FIGURES} == {path.stem for path in notebook_folder().glob("*.ipynb")}


def test_figures_are_found_by_their_own_name_and_by_their_notebooks():
    assert find_figures() == list(FIGURES)
    assert [entry.file for entry in find_figures(["training"])] == ["04_training_curves.png"]
    assert {entry.notebook for entry in find_figures(["01_data", "training"])} == {"01_data", "04_training"}


@pytest.mark.parametrize("name", ["05_prediction", "05_prediction.png", "05_browse_predictions.ipynb"])
def test_figures_are_found_by_the_files_that_a_reader_sees(name):
    assert [entry.name for entry in find_figures([name])] == ["prediction"]


def test_an_unknown_figure_is_told_with_the_nearest():
    with pytest.raises(SettingError, match="no figure or notebook is called 'trainin'; the nearest is '") as told:
        find_figures(["trainin"])
    assert all(entry.name in str(told.value) and entry.notebook in str(told.value) for entry in FIGURES)


def test_folders_that_are_given_stand_for_what_a_study_would_need(workspace):
    need = PREDICTIONS.unless("predictions", "references")
    assert not need.is_met(workspace, {"predictions": "masks"})
    assert need.is_met(workspace, {"predictions": "masks", "references": "cohort"})
    workspace.predictions("other").mkdir(parents=True)
    assert need.is_met(workspace, {"run": "other"})
    assert not need.is_met(workspace, {})


def test_what_a_figure_is_drawn_from_is_a_parameter_of_its_notebook():
    for entry in FIGURES:
        assert not entry.only_with or entry.only_with in read_parameters(notebook_folder() / f"{entry.notebook}.ipynb")


@pytest.mark.parametrize("name", ["froc", "06_froc.png"])
def test_a_figure_without_its_parameter_is_told_where_it_is_asked_for_by_name(name):
    with pytest.raises(SettingError, match="froc is drawn from probabilities: give -p probabilities=FOLDER"):
        require_parameters([name], {})
    require_parameters([name], {"probabilities": "somewhere"})
    require_parameters(["06_results_by_tumor_size", "detection"], {})
    with pytest.raises(SettingError, match="tuning is drawn from tune: give -p tune=true"):
        require_parameters(["tuning"], {"tune": False})
