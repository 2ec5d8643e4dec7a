import json
import math
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lits_toolkit.data.phantom import make_phantom
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import InputError, OutputError, SettingError, TrainingError
from lits_toolkit.inference.cascade import predict_liver
from lits_toolkit.inference.runtimes import open_model
from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.models import catalogue
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.network import Network
from lits_toolkit.models.storage import load_model
from lits_toolkit.training import losses, run, task
from lits_toolkit.training.record import read_history
from lits_toolkit.training.resume import TrainingCases
from lits_toolkit.training.run import train
from lits_toolkit.training.settings import QUICK, TrainSettings
from lits_toolkit.training.task import SegmentationTask
from lits_toolkit.training.validation import WholeDice

SETTINGS = TrainSettings(
    model="tiny", epochs=2, batch_size=4, stage="liver", slices="liver", swa_epochs=1, validate_every=0,
    learning_rate=0.2,
)  # fmt: skip
"""The dissertation's recipe on 15 samples, for a network that is trained in no time and learns in every epoch."""


class Tiny(Network):
    """Two convolutions, and a normalisation whose statistics a run has to keep."""

    dimensions = 2

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(9, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))

    def forward(self, x):
        return self.layers(x)


TINY = catalogue._Comparator(Tiny, None, "for these tests")


@pytest.fixture(scope="module", autouse=True)
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalogue._COMPARATORS, "tiny", TINY)
        yield


@pytest.fixture(scope="module")
def cases(tmp_path_factory, tiny):
    folder = tmp_path_factory.mktemp("prepared")
    for index in range(3):
        write_prepared(make_phantom(index, size=32, slices=16), folder / f"volume-{index}.b2nd", size=32)
    paths = [folder / f"volume-{index}.b2nd" for index in range(3)]
    return TrainingCases(paths[:2], paths[2:])


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def finished(cases, tmp_path_factory):
    told = []
    folder = train(tmp_path_factory.mktemp("run") / "model", cases, SETTINGS, progress=False, each_epoch=told.append)
    assert [[row["phase"] for row in rows][-1] for rows in told] == ["train", "train", "swa", "average"]
    return folder


def test_a_run_leaves_a_model_a_history_and_a_state(finished):
    model = load_model(finished)
    assert (model.name, model.stage, model.size) == (SETTINGS.model, "liver", 32)
    assert model.description["settings"]["epochs"] == 2
    history = read_history(finished)
    assert [(row["epoch"], row["phase"]) for row in history[:2]] == [(1, "train"), (2, "train")]
    assert [row["phase"] for row in history[2:]] == ["swa", "average"]
    kept = min([*history[:2], history[3]], key=lambda row: row["validation_loss"])
    assert model.description["validation_loss"] == kept["validation_loss"]
    assert (model.description["phase"], model.description["best_epoch"]) == (kept["phase"], kept["epoch"])
    assert model.description["dice"] is None  # not asked for
    assert not list(finished.glob(".partial*"))


@pytest.mark.parametrize("batch_size", [4, 1000])
def test_each_epoch_has_every_designated_slice_once_in_an_order_of_its_own(cases, tmp_path, monkeypatch, batch_size):
    taken, training_step = [[], []], SegmentationTask.training_step

    def noted(self, batch, number):
        taken[self.current_epoch] += map(tuple, batch[2].tolist())
        return training_step(self, batch, number)

    monkeypatch.setattr(SegmentationTask, "training_step", noted)
    settings = replace(SETTINGS, swa_epochs=0, batch_size=batch_size)
    train(tmp_path / "model", cases, settings, progress=False)
    masks = [PreparedCase(path).mask_slices(0, 16) for path in cases.train]
    designated = [(case, z) for case, mask in enumerate(masks) for z in range(16) if (mask[z] > 0).any()]
    assert len(designated) % 4  # a last batch is not full
    assert sorted(taken[0]) == sorted(taken[1]) == designated
    assert taken[0] != taken[1]


def test_a_finished_run_returns_at_once_and_changes_nothing(finished, cases):
    before = {path.name: path.stat().st_mtime_ns for path in finished.iterdir()}
    train(finished, cases, SETTINGS, progress=False)
    assert {path.name: path.stat().st_mtime_ns for path in finished.iterdir()} == before


def test_a_prolonged_run_ends_as_one_that_was_longer_from_the_start(finished, cases, tmp_path):
    """With plateau reduction nothing hangs on how long a run is meant to be."""
    folder, longer = shutil.copytree(finished, tmp_path / "model"), replace(SETTINGS, epochs=3)
    train(folder, cases, longer, progress=False)
    expected = train(tmp_path / "longer", cases, longer, progress=False)
    assert_same_run(folder, expected)
    before = (folder / "last.ckpt").stat().st_mtime_ns
    train(folder, cases, longer, progress=False)
    assert (folder / "last.ckpt").stat().st_mtime_ns == before
    with pytest.raises(SettingError, match="3 epochs done → 2"):
        train(folder, cases, SETTINGS, progress=False)


def assert_same_run(found, expected):
    """Weights and history, bit for bit; the seconds are another's."""
    weights = [load_file(folder / "weights.safetensors") for folder in (expected, found)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    rows = [[{k: v for k, v in row.items() if k != "seconds"} for row in read_history(f)] for f in (expected, found)]
    assert str(rows[0]) == str(rows[1])  # as text, since NaN is no equal of itself
    kept = [load_model(folder).description for folder in (expected, found)]
    assert kept[0]["best_epoch"] == kept[1]["best_epoch"]
    assert kept[0]["validation_loss"] == kept[1]["validation_loss"]


def test_its_files_obey_the_umask_and_epochs_are_whole_numbers(finished):
    umask = os.umask(0)
    os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in finished.glob("[!.]*")} == {0o666 & ~umask}
    assert (finished / "history.csv").read_text().splitlines()[1].startswith("1,train,")


def test_other_settings_and_other_cases_are_refused_and_named(finished, cases):
    with pytest.raises(SettingError, match=r"learning_rate 0.2 → 0.1"):
        train(finished, cases, replace(SETTINGS, learning_rate=0.1), progress=False)
    with pytest.raises(SettingError, match="train_cases"):
        train(finished, replace(cases, train=cases.train[:1]), SETTINGS, progress=False)
    with pytest.raises(SettingError, match="liver_model"):
        train(finished, replace(cases, liver_model="another"), SETTINGS, progress=False)


def test_a_folder_of_an_earlier_version_and_a_damaged_one_say_what_to_do(finished, cases, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "model")
    description = json.loads((folder / "model.json").read_text())
    del description["settings"]["gain"], description["settings"]["loss"]
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(SettingError, match=r"loss None → 'cross_entropy\+dice'; gain None → 0.0.*--overwrite"):
        train(folder, cases, SETTINGS, progress=False)
    del description["settings"]
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(SettingError, match="--overwrite"):
        train(folder, cases, SETTINGS, progress=False)
    (folder / "last.ckpt").write_bytes((folder / "last.ckpt").read_bytes()[:1000])
    with pytest.raises(InputError, match=r"last\.ckpt .*--overwrite"):
        train(folder, cases, SETTINGS, progress=False)


@pytest.mark.parametrize("changed", [
    {"optimizer": "adamw", "lookahead": False}, {"schedule": "cosine"},
    {"optimizer": "adamw", "lookahead": False, "precision": "bf16"},
])  # fmt: skip
def test_each_recipe_learns(changed, cases, tmp_path):
    settings = replace(SETTINGS, epochs=1, swa_epochs=0, **changed)
    history = read_history(train(tmp_path / "model", cases, settings, progress=False))
    assert 0 < history[0]["train_loss"] < 3


KILLED = """
import json, os, signal, sys, torch
torch.set_num_threads(1)
from pathlib import Path
import lits_toolkit.training.record as record
import lits_toolkit.training.run as run
from lits_toolkit.models import catalogue
from lits_toolkit.training.resume import TrainingCases
from tests.training.test_run import SETTINGS, TINY

catalogue._COMPARATORS["tiny"] = TINY

folder, train, validation, moments = sys.argv[1:]
cases = TrainingCases([Path(path) for path in train.split(os.pathsep)], [Path(validation)])
for name, function, calls in json.loads(moments):
    process = os.fork()  # which has imported everything, and trained nothing yet
    if process:
        ended = os.waitpid(process, 0)[1]
        assert os.waitstatus_to_exitcode(ended) == -signal.SIGKILL, (name, function, calls, ended)
        continue
    module = {"record": record, "run": run}[name]
    original = getattr(module, function)
    def dying(*args):
        global calls
        original(*args)
        calls -= 1
        if not calls:
            os.kill(os.getpid(), signal.SIGKILL)
    setattr(module, function, dying)
    run.train(folder, cases, SETTINGS, progress=False)
    os._exit(0)
"""


def test_killed_again_and_again_it_ends_with_the_same_weights(finished, cases, tmp_path):
    """By SIGKILL: in the second epoch after the best weights, and after the history, are written, before the
    checkpoint is; in the averaged epoch likewise; and between the average's weights and its row."""
    folder = tmp_path / "model"
    moments = [("record", "save_model", 2), ("record", "write_history", 1), ("record", "write_history", 2),
               ("run", "renew_batch_norm", 1), ("run", "write_history", 1)]  # fmt: skip
    arguments = [os.pathsep.join(map(str, cases.train)), str(cases.validation[0]), json.dumps(moments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", KILLED, str(folder), *arguments]
    ended = subprocess.run(program, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
    train(folder, cases, SETTINGS, progress=False)
    assert_same_run(folder, finished)


def test_ctrl_c_leaves_the_finished_epochs(cases, tmp_path):
    def interrupt(history):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "model", cases, SETTINGS, progress=False, each_epoch=interrupt)
    assert [row["epoch"] for row in read_history(tmp_path / "model")] == [1]
    with pytest.raises(KeyboardInterrupt):  # the next one is heard too
        signal.raise_signal(signal.SIGINT)


def test_it_stops_early_and_may_be_told_to_go_on(cases, tmp_path, monkeypatch):
    """The validation loss rises from the first epoch on, whatever is learnt."""
    rising = iter(range(1, 100))

    def validation_step(self, batch, number):
        self.log("validation_loss", float(next(rising)), batch_size=len(batch[0]))

    taken, training_step = [], SegmentationTask.training_step

    def noted(self, batch, number):
        taken.append((self.current_epoch + 1, self.trainer.optimizers[0].param_groups[0]["lr"]))
        return training_step(self, batch, number)

    monkeypatch.setattr(SegmentationTask, "training_step", noted)
    monkeypatch.setattr(SegmentationTask, "validation_step", validation_step)
    settings = replace(SETTINGS, epochs=9, stop_after=2, swa_epochs=0, plateau_patience=0)
    folder = train(tmp_path / "model", cases, settings, progress=False)
    assert [row["epoch"] for row in read_history(folder)] == [1, 2, 3]
    assert load_model(folder).description["best_epoch"] == 1
    train(folder, cases, replace(settings, stop_after=3), progress=False)
    rates = [row["learning_rate"] for row in read_history(folder)]
    assert len(rates) == 4
    assert rates[3] == pytest.approx(rates[1] * 0.5**2)  # reduced after each epoch but the first
    high = settings.learning_rate
    assert {rate for epoch, rate in taken if epoch > 1} == {high, high / 2, high / 4}
    assert all(rate == pytest.approx(high * 0.5 ** (epoch - 2)) for epoch, rate in taken if epoch > 1)


@pytest.mark.parametrize(("average", "kept"), [(0.5, ("average", 2)), (1.5, ("train", 2))])
def test_averaging_begins_at_the_lowest_training_loss_and_is_kept_if_it_validates_best(
    average, kept, cases, tmp_path, monkeypatch
):
    """Training loss is lowest in epoch 1, validation loss in 2; the averaged epoch is then the second again."""
    validated = iter([3.0, 1.0, 2.0, 9.0, average, 5.0, 9.0, 9.0])

    def training_step(self, batch, number):
        self.log("train_loss", float(self.current_epoch), on_step=False, on_epoch=True, batch_size=len(batch[0]))
        return self.loss(self(batch[0]), batch[1])

    def validation_step(self, batch, number):
        if number == 0:
            self.now = next(validated)
        self.log("validation_loss", self.now, batch_size=len(batch[0]))

    monkeypatch.setattr(SegmentationTask, "training_step", training_step)
    monkeypatch.setattr(SegmentationTask, "validation_step", validation_step)
    settings = replace(SETTINGS, epochs=3)
    folder = train(tmp_path / "model", cases, settings, progress=False)
    assert [(row["phase"], row["epoch"]) for row in read_history(folder)][3:] == [("swa", 2), ("average", 2)]
    description = load_model(folder).description
    assert (description["phase"], description["best_epoch"]) == kept
    second = load_file(folder / ("trained.safetensors" if kept[0] == "average" else "weights.safetensors"))
    train(folder, cases, replace(settings, epochs=4), progress=False)  # brings nothing better than epoch 2
    description = load_model(folder).description
    assert (description["phase"], description["best_epoch"], description["validation_loss"]) == ("train", 2, 1.0)
    weights = load_file(folder / "weights.safetensors")
    assert all(torch.equal(weights[name], second[name]) for name in second)


def test_whole_cases_are_measured_every_few_epochs_and_after_the_last(cases, tmp_path, monkeypatch):
    networks, modes = [], []

    def measure(model, *_):
        networks.append(model.network)
        modes.append(model.network.training)
        return WholeDice(len(modes) / 10)

    monkeypatch.setattr(run, "measure_dice", measure)
    settings = replace(SETTINGS, epochs=3, validate_every=2, swa_epochs=0)
    folder = train(
        tmp_path / "model", cases, settings, progress=False,
        each_epoch=lambda rows: modes.append(networks[0].training) if len(rows) == 2 else None,
    )  # fmt: skip
    assert modes[:3] == [False, True, False]  # measured, trained on, measured
    dice = [row["dice_per_case"] for row in read_history(folder)]
    assert math.isnan(dice[0])
    assert dice[1:] == [0.1, 0.3]


def test_weights_from_the_training_set_reach_the_loss(cases, tmp_path, monkeypatch):
    seen = []

    def build_loss(names, class_weights):
        seen.append(class_weights)
        return losses.build_loss(names, class_weights)

    monkeypatch.setattr(task, "build_loss", build_loss)
    train(
        tmp_path / "model", cases, replace(SETTINGS, epochs=1, swa_epochs=0, class_weights="training"), progress=False
    )
    masks = np.concatenate([PreparedCase(path).mask_slices(0, 16) for path in cases.train])
    filled = masks[(masks > 0).any((1, 2))] > 0  # of the slices with liver
    assert seen == [pytest.approx((0.5 / (1 - filled.mean()), 0.5 / filled.mean()))]


def test_weights_begin_where_another_runs_ended(finished, cases, tmp_path):
    """With a learning rate of next to nothing, the other stage ends where the first one did."""
    still = replace(
        SETTINGS, stage="tumor", epochs=1, learning_rate=1e-12, swa_epochs=0, start_from=str(finished)
    )  # fmt: skip
    found = train(tmp_path / "model", cases, still, progress=False)
    expected, weights = load_file(finished / "weights.safetensors"), load_file(found / "weights.safetensors")
    learnt = [name for name in weights if "running" not in name and "batches" not in name]
    for name in learnt:
        torch.testing.assert_close(weights[name], expected[name], atol=1e-7, rtol=0)


def test_a_loss_that_is_no_number_stops_and_names_the_batch(cases, tmp_path, monkeypatch):
    def build_loss(*_):
        return lambda logits, targets: logits.sum() * math.nan

    monkeypatch.setattr(task, "build_loss", build_loss)
    with pytest.raises(TrainingError, match=r"the training loss became nan in epoch 1, batch 1: volume-\d slice \d+, "):
        train(tmp_path / "model", cases, SETTINGS, progress=False)
    assert not (tmp_path / "model" / "weights.safetensors").exists()


def test_a_network_of_3d_blocks_is_trained_too(cases, tmp_path):
    settings = replace(SETTINGS, model="3d-shufflenet_v2-top", epochs=1, swa_epochs=0, batch_size=2)
    folder = train(tmp_path / "model", cases, settings, progress=False)
    assert 0 < read_history(folder)[0]["validation_loss"] < 3


@pytest.mark.slow
def test_one_case_is_learnt_by_heart(tmp_path):
    """Within a minute: what is learnt has nothing to be told apart from."""
    case = make_phantom(0, size=64, slices=16)
    write_prepared(case, tmp_path / "volume-0.b2nd", size=64)
    paths = [tmp_path / "volume-0.b2nd"]
    settings = replace(QUICK, epochs=40, batch_size=4, slices="liver", augment=False, gain=0.0, validate_every=0)
    folder = train(tmp_path / "model", TrainingCases(paths, paths), settings, progress=False)
    found = predict_liver(case.volume, open_model(load_model(folder)))
    assert count_overlap(case.reference >= 1, found).dice > 0.95


def test_before_it_starts_it_tells_what_it_takes(cases, tmp_path):
    told = []
    settings = replace(SETTINGS, epochs=1, swa_epochs=0)
    train(tmp_path / "model", cases, settings, progress=False, tell=told.append)
    samples = sum(len(PreparedCase(path).mask_slices(0, 16).any((1, 2)).nonzero()[0]) for path in cases.train)
    assert (told[0].samples, told[0].steps_per_epoch) == (samples, -(-samples // 4))
    assert told[0].parameters == sum(p.numel() for p in build_model(SETTINGS.model).parameters())


def test_two_runs_are_kept_out_of_one_folder(cases, tmp_path):
    """The second is told while the first is in its first epoch, and the first goes on unharmed."""
    told = []

    def try_again(_):
        with pytest.raises(SettingError, match="another run is training in") as refused:
            train(tmp_path / "model", cases, settings, overwrite=True, progress=False)
        told.append(str(refused.value))

    settings = replace(SETTINGS, epochs=1, swa_epochs=0)
    train(tmp_path / "model", cases, settings, progress=False, each_epoch=try_again)
    assert len(told) == 1
    assert len(read_history(tmp_path / "model")) == 1


def test_an_unknown_model_and_cases_without_masks_are_told(cases, tmp_path):
    with pytest.raises(SettingError, match="nearest"):
        train(tmp_path / "a", cases, replace(SETTINGS, model="2d-mobilenet"), progress=False)
    bare = make_phantom(0, size=32, slices=16)
    write_prepared(replace(bare, reference=None), tmp_path / "bare.b2nd", size=32)
    with pytest.raises(InputError, match="bare"):
        train(tmp_path / "b", replace(cases, train=[tmp_path / "bare.b2nd"]), SETTINGS, progress=False)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reduce": 2}, "reduce 2: expected a size of 32 times it or a multiple, found 32"),
        ({"crop": 64}, "crop: expected at most the slices' own 32, found 64"),
    ],
)
def test_what_cannot_be_trained_is_told_and_leaves_no_folder(cases, tmp_path, changed, said):
    with pytest.raises(SettingError, match=said):
        train(tmp_path / "a", cases, replace(SETTINGS, **changed), progress=False)
    assert not (tmp_path / "a").exists()


def test_a_folder_that_cannot_be_written_into_is_told_before_the_first_epoch(cases, tmp_path):
    (tmp_path / "file").write_text("in the way")
    told = []
    with pytest.raises(OutputError, match="cannot write into"):
        train(tmp_path / "file" / "model", cases, SETTINGS, progress=False, tell=told.append)
    assert not told


def test_a_full_disk_ends_a_run_with_a_word_and_it_goes_on_afterwards(finished, cases, tmp_path, small_disk):
    """Too little room for a checkpoint, enough for the weights."""
    folder = tmp_path / "model"
    most = (finished / "last.ckpt").stat().st_size - 1
    with small_disk(most), pytest.raises(OutputError, match=r"cannot write .*last\.ckpt: the file is larger"):
        train(folder, cases, SETTINGS, progress=False)
    assert not list(folder.glob(".partial*"))
    assert_same_run(train(folder, cases, SETTINGS, progress=False), finished)


def test_model_json_is_readable_json(finished):
    description = json.loads((finished / "model.json").read_text())
    assert set(description["versions"]) == {"lits-toolkit", "torch", "lightning"}
    assert description["train_cases"] == ["volume-0", "volume-1"]


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_trains_goes_on_and_averages(precision, cases, tmp_path):
    settings = replace(SETTINGS, model="2d-shufflenet_v2-default", precision=precision, learning_rate=2e-3, warm_up=0.0)
    train(tmp_path / "model", cases, settings, progress=False)
    folder = train(tmp_path / "model", cases, replace(settings, epochs=6), progress=False)
    history = read_history(folder)
    assert [row["epoch"] for row in history if row["phase"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert history[5]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["phase"] == "average"
    model = load_model(folder)
    assert model.description["precision"] == precision
    assert {weight.device.type for weight in model.network.state_dict().values()} == {"cpu"}


@pytest.mark.gpu
def test_before_it_starts_it_tells_what_it_takes_on_a_gpu(cases, tmp_path):
    told = []
    settings = replace(SETTINGS, epochs=1, swa_epochs=0)
    train(tmp_path / "model", cases, settings, progress=False, tell=told.append)
    assert told[0].precision in ("fp32", "bf16")
    assert 0 < told[0].seconds_per_epoch < 60
