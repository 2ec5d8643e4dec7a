import shutil
from dataclasses import replace

import numpy as np
import pytest

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.data.reading import read_case
from lits_toolkit.demo import MODEL, SMOKE, train_settings
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import read_json, write_json
from lits_toolkit.inference.cascade import Thresholds, predict_mask
from lits_toolkit.inference.runtimes import open_model
from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.models.storage import load_model
from lits_toolkit.study import tuning
from lits_toolkit.study.training import train_in_study
from lits_toolkit.study.tuning import FOLDER, STEPS, read_tuning, tune
from lits_toolkit.study.workspace import Workspace


@pytest.fixture(scope="module")
def tuned_once(smoke_demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned") / "study"
    shutil.copytree(smoke_demo.folder, folder, ignore=shutil.ignore_patterns("predictions", "scores", "figures"))
    study = Workspace(folder)
    return study, tune(study, MODEL, MODEL)


@pytest.fixture
def study(tuned_once, tmp_path):
    """A tuned study that may be written to."""
    shutil.copytree(tuned_once[0].folder, tmp_path / "study")
    return Workspace(tmp_path / "study")


def dice_of_the_cascade(study, thresholds, liver=None):
    """Mean Dice of liver and tumour over the validation cases, as `lits predict` and `lits evaluate` have it."""
    runners = [open_model(load_model(study.model(stage, MODEL))) for stage in ("tumor", "liver")]
    found = []
    for name in study.split.validation:
        case = read_case(study.case(name))
        mask = predict_mask(case.volume, *runners, thresholds=thresholds)
        found.append(
            [count_overlap(case.reference >= LIVER, mask >= LIVER).dice_per_case,
             count_overlap(case.reference == TUMOR, mask == TUMOR).dice_per_case]
        )  # fmt: skip
    return np.mean(found, axis=0)


def test_the_written_thresholds_give_the_cascade_the_dice_that_is_told(tuned_once):
    study, (liver, tumor) = tuned_once
    written = [read_json(study.model(stage, MODEL) / "model.json") for stage in ("liver", "tumor")]
    assert set(written[0]["thresholds"]) == {"liver"}
    assert set(written[1]["thresholds"]) == {"tumor", "tumor_component"}
    thresholds = Thresholds(**written[0]["thresholds"], **written[1]["thresholds"])
    # probabilities are kept in half precision: a voxel in thousands may fall to the other side
    expected = [liver.after["dice_per_case"], tumor.after["dice_per_case"]]
    assert dice_of_the_cascade(study, thresholds) == pytest.approx(expected, abs=2e-3)
    before = dice_of_the_cascade(study, Thresholds(liver=thresholds.liver))
    assert tumor.before["dice_per_case"] == pytest.approx(before[1], abs=2e-3)
    for found, description in zip((liver, tumor), written, strict=True):
        assert found.after["dice_per_case"] >= found.before["dice_per_case"]
        assert description["tuning"]["cases"] == list(study.split.validation)
        assert description["tuning"]["after"]["dice_per_case"] == found.after["dice_per_case"]


def test_the_whole_sweep_is_kept_beside(tuned_once):
    _, (liver, tumor) = tuned_once
    for found, rows in ((liver, len(STEPS)), (tumor, len(STEPS) ** 2)):
        table = read_tuning(found.folder)
        assert len(table) == rows
        assert table["default"].sum() == table["chosen"].sum() == 1
    table = read_tuning(tumor.folder)
    same = table[table["tumor_component"] <= table["tumor"]].groupby("tumor")["dice_per_case"]
    assert (same.nunique() == 1).all()  # a component is always surer than the threshold it was cut at
    assert tumor.thresholds["tumor_component"] >= tumor.thresholds["tumor"]
    for row, scores in (("default", tumor.before), ("chosen", tumor.after)):
        assert scores["dice_per_case"] == pytest.approx(float(table.loc[table[row], "dice_per_case"].iloc[0]))
        assert set(scores) == {"dice_per_case", "false_alarms", "dice_small", "dice_medium", "dice_large"}


def test_probabilities_are_computed_once_for_the_same_weights_and_the_same_ct(study, monkeypatch):
    computed = []
    tune(study, MODEL, MODEL, progress=lambda *what: computed.append(what))
    assert not computed
    kept = study.model("liver", MODEL) / FOLDER / f"{study.split.validation[0]}.npz"
    kept.write_bytes(kept.read_bytes()[:1000])  # half of it, as another program may leave it
    tune(study, MODEL, MODEL, progress=lambda *what: computed.append(what))
    assert {stage for _, stage, _ in computed} == {"liver"}
    computed.clear()
    tune(study, "reference", MODEL, progress=lambda *what: computed.append(what))
    assert {stage for _, stage, _ in computed} == {"tumor"}  # another liver, other slices
    assert "reference" in read_json(study.model("tumor", MODEL) / "model.json")["tuning"]["liver"]


def test_an_interrupted_sweep_leaves_nothing_half_written(study, monkeypatch):
    shutil.rmtree(study.model("liver", MODEL) / FOLDER)
    before = {path: path.read_bytes() for path in study.folder.rglob("*.json")}

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(study, MODEL, MODEL, progress=interrupt)
    assert {path: path.read_bytes() for path in study.folder.rglob("*.json")} == before
    assert not list((study.model("liver", MODEL)).rglob("*.npz"))


def test_training_further_drops_what_is_true_of_the_old_weights_alone(study):
    settings = train_settings("liver", SMOKE)
    folder = train_in_study(study, settings, progress=False)
    assert "thresholds" in read_json(folder / "model.json")  # finished: nothing is trained
    train_in_study(study, replace(settings, epochs=settings.epochs + 1, validate_every=0), progress=False)
    assert not {"thresholds", "tuning"} & set(read_json(folder / "model.json"))
    assert read_tuning(folder) is None


def test_weights_that_change_meanwhile_are_noticed(study, monkeypatch):
    fingerprints = iter(["before", "before", "after"])
    monkeypatch.setattr(tuning, "weights_fingerprint", lambda _: next(fingerprints))
    with pytest.raises(SettingError, match="trained further while it was tuned"):
        tune(study, MODEL, MODEL)


def test_what_is_missing_is_told(study):
    assert read_tuning(study.folder) is None
    with pytest.raises(InputError, match="models/liver/han2017 is no model folder"):
        tune(study, "han2017", MODEL)
    description = study.model("tumor", MODEL) / "model.json"
    write_json(description, read_json(description) | {"stage": "liver"})
    with pytest.raises(SettingError, match="expected a model of the tumor stage"):
        tune(study, MODEL, MODEL)
    (name,) = study.split.validation
    study.case(name).reference.unlink()
    with pytest.raises(InputError, match=f"lacks the CT or the reference mask of {name}"):
        tune(study, MODEL, MODEL)
