from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from lits_toolkit.demo import SMOKE, train_settings
from lits_toolkit.errors import InputError
from lits_toolkit.files import read_json
from lits_toolkit.study.training import settings_of, train_in_study, training_cases
from lits_toolkit.study.workspace import Workspace
from lits_toolkit.training.settings import QUICK

MODEL = "2d-mobilenet_v2-default"


@pytest.fixture
def study(smoke_demo, tmp_path):
    """The demo's cohort and models, in a workspace that may be written to."""
    import shutil

    folder = tmp_path / "study"
    shutil.copytree(smoke_demo.folder, folder, ignore=shutil.ignore_patterns("predictions", "scores", "figures"))
    return Workspace(folder)


def test_the_demos_own_training_is_finished_wherever_its_workspace_lies(study):
    """Nothing in a run's settings holds a place on disk."""
    before = (study.model("tumor", MODEL) / "weights.safetensors").stat().st_mtime_ns
    folder = train_in_study(study, train_settings("tumor", SMOKE), progress=False)
    assert (folder / "weights.safetensors").stat().st_mtime_ns == before
    assert read_json(folder / "model.json")["settings"]["start_from"] == f"liver/{MODEL}"


def test_a_stage_is_trained_on_the_livers_of_the_first(study):
    """Another liver than the reference's gives other cases, other weights, and Dice inside that liver."""
    settings = replace(train_settings("tumor", SMOKE), epochs=1, liver=MODEL, slices="tumor")
    cases = training_cases(study, settings)
    split = study.split
    assert [path.stem for path in cases.train_livers] == list(split.train)
    assert [path.stem for path in cases.validation_livers] == list(split.validation)
    assert [files.name for files in cases.originals] == list(split.validation)
    folder = train_in_study(study, settings, overwrite=True, progress=False)
    description = read_json(folder / "model.json")
    assert description["liver_model"] == cases.liver_model != ""
    assert description["dice"]["dice_per_case"] is not None
    assert all(torch.isfinite(tensor).all() for tensor in load_file(folder / "weights.safetensors").values())


def test_what_is_missing_is_told_before_anything_is_trained(study):
    with pytest.raises(InputError, match=r"models/liver/han2017 is no model folder"):
        train_in_study(study, replace(train_settings("tumor", SMOKE), liver="han2017"), overwrite=True, progress=False)
    name = study.split.validation[0]
    study.case(name).volume.unlink()
    settings = train_settings("liver", SMOKE)
    with pytest.raises(InputError, match=f"no longer has {name}, on which to measure Dice"):
        train_in_study(study, settings, progress=False)
    train_in_study(study, replace(settings, validate_every=0), progress=False)  # finished: nothing to measure


def test_a_model_is_prolonged_with_the_settings_that_it_has(study):
    assert settings_of(study, "tumor", MODEL, otherwise=QUICK) == train_settings("tumor", SMOKE)
    assert settings_of(study, "tumor", "han2017", otherwise=QUICK) == QUICK
    path = study.model("tumor", MODEL) / "model.json"
    path.write_text(path.read_text().replace('"epochs"', '"rounds"'))
    with pytest.raises(InputError, match="settings of another version: train it anew"):
        settings_of(study, "tumor", MODEL, otherwise=QUICK)
