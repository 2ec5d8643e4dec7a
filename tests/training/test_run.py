import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from lits_toolkit.data.phantom import make_phantom
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.models.storage import load_model
from lits_toolkit.training.run import read_history, train
from lits_toolkit.training.settings import TrainSettings

SETTINGS = TrainSettings(epochs=2, batch_size=4, stage="liver", slices="liver")


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    for index in range(3):
        write_prepared(make_phantom(index, size=32, slices=16), folder / f"volume-{index}.b2nd", size=32)
    return [folder / f"volume-{index}.b2nd" for index in range(3)]


@pytest.fixture(scope="module")
def finished(cases, tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield train(tmp_path_factory.mktemp("run") / "model", cases[:2], cases[2:], SETTINGS, progress=False)
    torch.set_num_threads(threads)


def test_a_run_leaves_a_model_a_history_and_a_state(finished):
    model = load_model(finished)
    assert (model.name, model.stage, model.size) == (SETTINGS.model, "liver", 32)
    assert model.description["settings"]["epochs"] == 2
    history = read_history(finished)
    assert [row["epoch"] for row in history] == [1, 2]
    best = min(history, key=lambda row: row["validation_loss"])
    for key in ("validation_loss", "validation_dice"):
        assert model.description[key] == pytest.approx(best[key])
    assert not list(finished.glob(".partial*"))


def test_a_finished_run_returns_at_once_and_changes_nothing(finished, cases):
    before = {path.name: path.stat().st_mtime_ns for path in finished.iterdir()}
    train(finished, cases[:2], cases[2:], SETTINGS, progress=False)
    assert {path.name: path.stat().st_mtime_ns for path in finished.iterdir()} == before


def test_a_finished_run_goes_on_when_asked_for_more_epochs(finished, cases, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "model")
    longer = replace(SETTINGS, epochs=3)
    train(folder, cases[:2], cases[2:], longer, progress=False)
    history = read_history(folder)
    assert history[:2] == read_history(finished)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    description = load_model(folder).description
    assert description["settings"]["epochs"] == 3
    best = min(history, key=lambda row: row["validation_loss"])
    assert (description["best_epoch"], description["validation_dice"]) == (best["epoch"], best["validation_dice"])
    before = (folder / "last.ckpt").stat().st_mtime_ns
    train(folder, cases[:2], cases[2:], longer, progress=False)
    assert (folder / "last.ckpt").stat().st_mtime_ns == before
    with pytest.raises(SettingError, match="3 epochs done → 2"):
        train(folder, cases[:2], cases[2:], SETTINGS, progress=False)


def test_its_files_obey_the_umask_and_epochs_are_whole_numbers(finished):
    umask = os.umask(0)
    os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in finished.iterdir()} == {0o666 & ~umask}
    assert (finished / "history.csv").read_text().splitlines()[1].startswith("1,")


def test_other_settings_are_refused_and_named(finished, cases):
    with pytest.raises(SettingError, match=r"learning_rate 0.006 → 0.1"):
        train(finished, cases[:2], cases[2:], replace(SETTINGS, learning_rate=0.1), progress=False)
    with pytest.raises(SettingError, match="train_cases"):
        train(finished, cases[:1], cases[2:], SETTINGS, progress=False)


def test_a_run_starts_from_the_weights_of_another(finished, cases, tmp_path):
    """With a learning rate of next to nothing, the other stage ends where the first one did."""
    still = replace(SETTINGS, stage="tumor", epochs=1, learning_rate=1e-12, start_from=str(finished))
    found = train(tmp_path / "model", cases[:2], cases[2:], still, progress=False)
    expected, weights = load_file(finished / "weights.safetensors"), load_file(found / "weights.safetensors")
    learnt = [name for name in weights if "running" not in name and "batches" not in name]
    for name in learnt:
        torch.testing.assert_close(weights[name], expected[name], atol=1e-7, rtol=0)
    other = replace(still, model="2d-mobilenet_v2-bottom")
    with pytest.raises(SettingError, match=r"start_from: expected a model of 2d-mobilenet_v2-bottom, found"):
        train(tmp_path / "other", cases[:2], cases[2:], other, progress=False)
    assert not (tmp_path / "other" / "weights.safetensors").exists()


@pytest.mark.parametrize("optimizer", ["adamw", "radam"])
def test_either_optimiser_learns(optimizer, cases, tmp_path):
    settings = replace(SETTINGS, optimizer=optimizer, epochs=1)
    history = read_history(train(tmp_path / "model", cases[:2], cases[2:], settings, progress=False))
    assert 0 < history[0]["train_loss"] < 2


def test_interrupted_and_run_again_it_ends_with_the_same_weights(finished, cases, tmp_path):
    """SIGINT as soon as the first epoch is on disk; then the same command goes on."""
    folder = tmp_path / "model"
    program = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from lits_toolkit.training.run import train\n"
        "from tests.training.test_run import SETTINGS\n"
        "from pathlib import Path\n"
        "import lits_toolkit.training.run as run\n"
        "write = run._Record.on_train_epoch_end\n"
        "def tell(*args):\n"
        "    write(*args); print('epoch', flush=True); sys.stdin.readline()\n"
        "if len(sys.argv) > 1: run._Record.on_train_epoch_end = tell\n"
        f"train({str(folder)!r}, {[str(path) for path in cases[:2]]!r}, {[str(path) for path in cases[2:]]!r},"
        " SETTINGS, progress=False)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    first = subprocess.Popen(
        [sys.executable, "-c", program, "tell"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert first.stdout is not None
    assert first.stdin is not None
    assert first.stdout.readline() == "epoch\n"
    first.send_signal(signal.SIGINT)
    first.communicate()
    assert first.returncode != 0
    assert [row["epoch"] for row in read_history(folder)] == [1]
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True)
    assert [row["epoch"] for row in read_history(folder)] == [1, 2]
    expected, found = load_file(finished / "weights.safetensors"), load_file(folder / "weights.safetensors")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_an_unknown_model_and_cases_without_masks_are_told(cases, tmp_path):
    with pytest.raises(SettingError, match="nearest"):
        train(tmp_path / "a", cases[:2], cases[2:], replace(SETTINGS, model="2d-mobilenet"), progress=False)
    bare = make_phantom(0, size=32, slices=16)
    write_prepared(replace(bare, reference=None), tmp_path / "bare.b2nd", size=32)
    with pytest.raises(InputError, match="bare"):
        train(tmp_path / "b", [tmp_path / "bare.b2nd"], cases[2:], SETTINGS, progress=False)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "3d-mobilenet_v2-top"}, "3D networks cannot be trained yet"),
        ({"crop": 64}, "crop: expected at most the slices' own 32, found 64"),
        ({"batch_size": 1000}, "batch_size 1000 is more than"),
    ],
)
def test_what_cannot_be_trained_is_told_and_leaves_no_folder(cases, tmp_path, changed, said):
    with pytest.raises(SettingError, match=said):
        train(tmp_path / "a", cases[:2], cases[2:], replace(SETTINGS, **changed), progress=False)
    assert not (tmp_path / "a").exists()


def test_model_json_is_readable_json(finished):
    description = json.loads((finished / "model.json").read_text())
    assert set(description["versions"]) == {"lits-toolkit", "torch", "lightning"}
    assert description["train_cases"] == ["volume-0", "volume-1"]
