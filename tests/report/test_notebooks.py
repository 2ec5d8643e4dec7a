import pytest

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.report.notebooks import Parameter, fit_parameters, notebook_folder, places_of, read_parameters

KNOWN = {
    name: Parameter(name, kind, default, "")
    for name, kind, default in (
        ("run", str, "cascade"),
        ("smoke", bool, False),
        ("count", int, 8),
        ("share", float, 0.5),
        ("prediction_file", str, ""),
        ("data", str, ""),
        ("references", str, ""),
        ("predictions", str, ""),
    )
}


def test_the_notebooks_are_found():
    assert (notebook_folder() / "01_data.ipynb").is_file()


def test_parameters_are_read_with_type_default_and_comment(write_notebook):
    path = write_notebook("a", parameters='run: str = "x # y"  # which one\nshare: float = -0.5\n')
    assert list(read_parameters(path).values()) == [
        Parameter("run", str, "x # y", "which one"),
        Parameter("share", float, -0.5, ""),
    ]


@pytest.mark.parametrize("line", ["run = 'x'", "run: Path = 'x'", "import os", "a.b: str = 'x'"])
def test_a_parameter_without_its_type_is_told(write_notebook, line):
    with pytest.raises(InputError, match=r"a\.ipynb: expected parameters as"):
        read_parameters(write_notebook("a", parameters=line))


@pytest.mark.parametrize(
    ("name", "given", "fitted"),
    [
        ("run", "other", "other"),
        ("smoke", "true", True),
        ("smoke", "No", False),
        ("smoke", True, True),
        ("count", "12", 12),
        ("share", "0.25", 0.25),
        ("share", 1, 1.0),
    ],
)
def test_values_get_the_parameters_type(name, given, fitted):
    value = fit_parameters({name: given}, KNOWN, {})[name]
    assert value == fitted
    assert type(value) is type(fitted)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("smoke", "perhaps", "expected true or false, found str 'perhaps'"),
        ("smoke", 1, "expected true or false, found int 1"),
        ("count", "1.5", "expected int, found str '1.5'"),
        ("count", True, "expected int, found bool True"),
        ("run", 3, "expected str, found int 3"),
        ("share", "half", "expected float, found str 'half'"),
    ],
)
def test_a_wrong_type_is_told(name, given, words):
    with pytest.raises(SettingError, match=words):
        fit_parameters({name: given}, KNOWN, {})


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(SettingError, match=r"no notebook has a parameter 'smok'; the nearest is 'smoke'.* count, "):
        fit_parameters({"smok": True}, KNOWN, {})


def test_a_value_that_is_no_choice_is_told_with_the_nearest():
    choices = {"run": ["cascade", "threshold"]}
    assert fit_parameters({"run": ""}, KNOWN, choices) == {"run": ""}
    with pytest.raises(SettingError, match="there is no such run; the nearest is 'cascade'"):
        fit_parameters({"run": "cascad"}, KNOWN, choices)


def test_a_path_is_made_absolute_and_has_to_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mask.nii").write_bytes(b"")
    fitted = fit_parameters({"prediction_file": "mask.nii"}, KNOWN, {})
    assert fitted["prediction_file"] == str((tmp_path / "mask.nii").resolve())
    assert fit_parameters({"data": "."}, KNOWN, {}) == {"data": str(tmp_path.resolve())}
    assert fit_parameters({"data": ""}, KNOWN, {}) == {"data": ""}
    with pytest.raises(InputError, match=r"does not exist; the nearest is 'mask\.nii'"):
        fit_parameters({"prediction_file": "mosk.nii"}, KNOWN, {})


def test_each_place_of_a_list_has_to_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("top", "bottom", "a, b"):
        (tmp_path / name).mkdir()
    places = {name: str((tmp_path / name).resolve()) for name in ("top", "bottom", "a, b")}
    fitted = fit_parameters({"predictions": "top, bottom", "references": "a, b"}, KNOWN, {})
    assert fitted == {"predictions": f"{places['top']},{places['bottom']}", "references": places["a, b"]}
    assert fit_parameters({"predictions": "a, b"}, KNOWN, {}) == {"predictions": places["a, b"]}
    assert fit_parameters({"predictions": ""}, KNOWN, {}) == {"predictions": ""}
    with pytest.raises(InputError, match=r"predictions=botom: .* does not exist; the nearest is 'bottom'"):
        fit_parameters({"predictions": "top,botom"}, KNOWN, {})
    with pytest.raises(InputError, match=r"references=to: .* does not exist; the nearest is 'top'"):
        fit_parameters({"references": "to"}, KNOWN, {})


def test_each_submission_is_a_networks_and_its_file_has_to_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scores.json").write_text("{}")
    known = {"submissions": Parameter("submissions", dict, {}, "")}
    fitted = fit_parameters({"submissions": '{"3d-dsts-bottom": "scores.json"}'}, known, {})
    place = (tmp_path / "scores.json").resolve()
    assert fitted == {"submissions": {"3d-dsts-bottom": str(place)}}
    assert places_of("submissions", fitted["submissions"]) == [place]
    with pytest.raises(
        InputError, match=r"3d-dsts-bottom=score\.json: .* does not exist; the nearest is 'scores\.json'"
    ):
        fit_parameters({"submissions": {"3d-dsts-bottom": "score.json"}}, known, {})
    with pytest.raises(SettingError, match="no model is called '3d-dsts-botom'; the nearest is '3d-dsts-bottom'"):
        fit_parameters({"submissions": {"3d-dsts-botom": "scores.json"}}, known, {})


def test_settings_of_a_training_run_are_json_and_known():
    known = {"settings": Parameter("settings", dict, {}, "")}
    fitted = fit_parameters({"settings": '{"epochs": 3, "loss": "dice"}'}, known, {})
    assert fitted == {"settings": {"epochs": 3, "loss": "dice"}}
    assert fit_parameters({"settings": {"epochs": 3}}, known, {}) == {"settings": {"epochs": 3}}
    with pytest.raises(SettingError, match="the nearest is 'epochs'"):
        fit_parameters({"settings": '{"epoch": 3}'}, known, {})
    with pytest.raises(SettingError, match=r'expected JSON such as \{"epochs": 3\}, found str'):
        fit_parameters({"settings": "epochs=3"}, known, {})
