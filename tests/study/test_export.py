import json
import shutil

import numpy as np
import pytest

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.inference.cascade import thresholds_of
from lits_toolkit.inference.runtimes import open_model
from lits_toolkit.models.storage import load_model
from lits_toolkit.study import export
from lits_toolkit.study.export import export_from_study, read_int8_dice
from lits_toolkit.study.workspace import Workspace
from lits_toolkit.training.validation import WholeDice

MODEL = "2d-mobilenet_v2-default"


@pytest.fixture
def study(smoke_demo, tmp_path):
    shutil.copytree(smoke_demo.folder, tmp_path / "study")
    return Workspace(tmp_path / "study")


@pytest.mark.parametrize(("int8", "accepted"), [(0.49, True), (0.48, False)])
def test_int8_is_accepted_by_the_dice_of_small_lesions(study, monkeypatch, int8, accepted):
    """The larger lesions and the cases do not count; a drop of 0.01 is allowed."""
    found = iter([WholeDice(0.9, 0.5, 0.9), WholeDice(0.1, int8, 0.1)])
    monkeypatch.setattr("lits_toolkit.training.validation.measure_dice", lambda *given: next(found))
    monkeypatch.setattr("lits_toolkit.inference.int8.quantise", lambda graph, windows: graph)
    told = []
    model = load_model(study.model("tumor", MODEL))
    if accepted:
        path = export_from_study(study, "tumor", MODEL, "int8", tell=told.append)
        assert path == model.folder / "export" / f"tumor-{MODEL}-int8.xml"
        open_model(model, "openvino-int8")
    else:
        with pytest.raises(InputError, match=r"refused, Dice of small lesions 0.480 in int8, 0.500 in fp32"):
            export_from_study(study, "tumor", MODEL, "int8", tell=told.append)
        assert not (model.folder / "export").exists()
        with pytest.raises(InputError, match="refused"):
            open_model(model, "openvino-int8")
    record = json.loads((model.folder / "int8" / "int8.json").read_text())
    assert record["accepted"] == accepted
    begun, verdict = told
    cases, windows = record["validation_cases"], record["calibration_windows"]
    assert begun.startswith(f"quantising by {windows} windows, then int8 and fp32 on {len(cases)} validation case")
    assert verdict == record["verdict"]
    assert record["thresholds"] == vars(thresholds_of(model))
    dice = read_int8_dice(study, MODEL)
    assert list(dice["runtime"].unique()) == ["openvino fp32", "openvino int8"]
    assert list(dice["size_group"]) == 2 * ["small", "medium", "large"]
    np.testing.assert_array_equal(dice["dice"], [0.5, 0.9, np.nan, int8, 0.1, np.nan])
    assert read_int8_dice(study, "another") is None
    assert read_int8_dice(study, MODEL, "liver") is None


def test_calibration_windows_are_those_that_the_stage_is_trained_on(study, monkeypatch):
    seen = []
    monkeypatch.setattr("lits_toolkit.inference.int8.quantise", lambda graph, windows: seen.extend(windows) or graph)
    record = export.make_int8(study, load_model(study.model("liver", MODEL)))
    assert record["measure"] == "dice_per_case"
    assert record["fp32"] == record["int8"]  # nothing was quantised here
    assert {window.shape for window in seen} == {(1, 9, 64, 64)}
    assert record["calibration_windows"] == len(seen) <= export.CALIBRATION
    assert all(window.dtype == np.float32 and window.min() >= 0 and window.max() <= 1 for window in seen)


def test_an_unknown_model_is_told_with_the_nearest(study):
    with pytest.raises(SettingError, match=f"no tumor model '2d-mobilenet' .* the nearest is '{MODEL}'"):
        export_from_study(study, "tumor", "2d-mobilenet", "onnx")
