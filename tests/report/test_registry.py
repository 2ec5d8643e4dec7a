import pytest

from lits_toolkit.errors import SettingError
from lits_toolkit.report.notebooks import notebook_folder
from lits_toolkit.report.registry import FIGURES, find_figures


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
