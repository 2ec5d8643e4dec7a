"""One training run: from prepared cases to a model folder, resumable at every epoch."""

import csv
import logging
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.data import DataLoader

from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import output_folder, read_json, remove, replacing, write_json
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.memory import keep_large_allocations
from lits_toolkit.models.storage import DESCRIPTION, WEIGHTS, load_model, save_model
from lits_toolkit.training.samples import EpochSampler, SliceDataset, in_order
from lits_toolkit.training.settings import TrainSettings
from lits_toolkit.training.task import SegmentationTask

HISTORY, CHECKPOINT = "history.csv", "last.ckpt"
SCORES = ("validation_loss", "validation_dice")
COLUMNS = ("epoch", "train_loss", "validation_loss", "validation_dice", "learning_rate", "seconds")


def train(
    folder: str | Path,
    train_cases: Sequence[Path],
    validation_cases: Sequence[Path],
    settings: TrainSettings,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Train a network into the model folder `folder` and return it.

    The cases are prepared ones (.b2nd) with masks. Interrupted at any moment, the same call goes on from the last
    finished epoch; finished, it returns at once, or goes on where `settings.epochs` are more than before, on the
    cosine of the longer run. The folder's weights are those of the lowest validation loss: the Dice of a few cases
    jumps. Raises SettingError where the folder holds a run of other settings and `overwrite` is False, InputError
    where a case cannot be trained on.
    """
    folder = Path(folder)
    if build_model(settings.model).dimensions != 2:  # told, as an unknown name is, before anything is read
        raise SettingError(f"{settings.model}: 3D networks cannot be trained yet, take one whose name begins with 2d")
    prepared = [PreparedCase(Path(p)) for p in train_cases], [PreparedCase(Path(p)) for p in validation_cases]
    size, window = _common_grid([*prepared[0], *prepared[1]])
    if size % (32 * settings.reduce):
        raise SettingError(f"reduce {settings.reduce}: expected a size of 32 times it or a multiple, found {size}")
    if settings.crop is not None and settings.crop > size // settings.reduce:
        raise SettingError(f"crop: expected at most the slices' own {size // settings.reduce}, found {settings.crop}")
    description = {
        "name": settings.model,
        "stage": settings.stage,
        "size": size // settings.reduce,
        "window": list(window),
        "settings": asdict(settings),
        "train_cases": [case.name for case in prepared[0]],
        "validation_cases": [case.name for case in prepared[1]],
        "versions": {package: version(package) for package in ("lits-toolkit", "torch", "lightning")},
    }
    history = [] if overwrite else _history_of_same_run(folder, description)
    if len(history) == settings.epochs:
        return folder

    keep_large_allocations()
    lightning.seed_everything(settings.seed, verbose=False)
    samples, held_out = (
        SliceDataset(cases, settings.stage, settings.designation, crop, settings.reduce, together, settings.combine)
        for cases, crop, together in ((prepared[0], settings.crop, settings.cases_together), (prepared[1], None, 1))
    )
    sampler = EpochSampler(samples.slices, settings.seed, settings.cases_together)
    batches = DataLoader(samples, settings.batch_size, sampler=sampler, num_workers=settings.workers, drop_last=True)
    checks = DataLoader(held_out, settings.batch_size, sampler=in_order(held_out.slices), num_workers=settings.workers)
    if not len(batches):
        raise SettingError(f"batch_size {settings.batch_size} is more than the {len(samples)} samples there are")
    output_folder(folder)
    if overwrite:
        for name in (CHECKPOINT, HISTORY, WEIGHTS, DESCRIPTION):
            remove(folder / name)
    if history:  # the best epoch so far stays the best; the run is longer from here on
        description = read_json(folder / DESCRIPTION) | description
        write_json(folder / DESCRIPTION, description)
    task = SegmentationTask(settings, steps=settings.epochs * len(batches))
    if settings.start_from is not None and not history:
        _begin_with(task, Path(settings.start_from))
    record = _Record(folder, description, history, progress)
    with _quiet_lightning():
        trainer = lightning.Trainer(
            max_epochs=settings.epochs,
            accelerator="auto",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            gradient_clip_val=5.0,
            callbacks=[record],
        )
        checkpoint = folder / CHECKPOINT if history else None
        try:
            trainer.fit(task, batches, checks, ckpt_path=checkpoint, weights_only=True)
        except SystemExit as stop:  # how Lightning ends after Ctrl-C
            raise KeyboardInterrupt from stop
        finally:
            record.bar.stop()
    return folder


def read_history(folder: str | Path) -> list[dict[str, float]]:
    """The rows of `history.csv` in a model folder, an empty list where no epoch is finished; "epoch" is an int."""
    path = Path(folder) / HISTORY
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        return [{name: int(v) if name == "epoch" else float(v) for name, v in row.items()} for row in rows]


class _Record(lightning.Callback):
    """After each epoch: a row of history, the best weights, the state to resume from; a bar in between."""

    def __init__(self, folder: Path, description: dict[str, Any], history: list[dict[str, float]], show: bool) -> None:
        self.folder = folder
        self.description = description
        self.history = history
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"), TimeRemainingColumn(),
            disable=not show,
        )  # fmt: skip

    def on_train_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Show the bar where the run begins or goes on."""
        steps = int(trainer.num_training_batches)
        label = f"{self.description['stage']} {self.description['name']}"
        self.task = self.bar.add_task(
            label, total=(trainer.max_epochs or 0) * steps, completed=trainer.global_step, state=""
        )
        self.bar.start()

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start the epoch's clock."""
        self.started = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        """One step further."""
        self.bar.advance(self.task)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Write what the epoch gave; the checkpoint last, so that it never runs ahead of the history."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch + 1,
            "train_loss": metrics["train_loss"],
            "validation_loss": metrics["validation_loss"],
            "validation_dice": metrics["validation_dice"],
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": time.perf_counter() - self.started,
        }
        best = min((past["validation_loss"] for past in self.history), default=math.inf)
        self.history.append(row)
        if row["validation_loss"] < best:
            self.description |= {"best_epoch": row["epoch"]} | {key: row[key] for key in SCORES}
            assert isinstance(task, SegmentationTask)
            save_model(self.folder, task.network, self.description)
        with replacing(self.folder / HISTORY) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.history)
        with replacing(self.folder / CHECKPOINT) as partial:
            trainer.save_checkpoint(partial)
        state = f"epoch {row['epoch']}  loss {row['train_loss']:.3f}  Dice {row['validation_dice']:.3f}"
        self.bar.update(self.task, state=state)


def _begin_with(task: SegmentationTask, folder: Path) -> None:
    """Take another model's weights; SettingError where it is another network's."""
    model = load_model(folder)
    if model.name != task.settings.model:
        raise SettingError(f"start_from: expected a model of {task.settings.model}, found {model.name} in {folder}")
    task.network.load_state_dict(model.network.state_dict())


def _history_of_same_run(folder: Path, description: dict[str, Any]) -> list[dict[str, float]]:
    """The epochs that this very run has behind it."""
    if not (folder / CHECKPOINT).is_file():
        return []
    saved = read_json(folder / DESCRIPTION)
    fields = ("size", "window", "train_cases", "validation_cases")
    differing = [key for key in fields if saved.get(key) != description[key]]
    state = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    history = read_history(folder)[: state["epoch"] + 1]
    old, new = saved["settings"], description["settings"]
    differing += [
        f"{key} {old.get(key)!r} → {new[key]!r}" for key in new if key != "epochs" and old.get(key) != new[key]
    ]
    if new["epochs"] < len(history):
        differing.append(f"{len(history)} epochs done → {new['epochs']}")
    if differing:
        raise SettingError(
            f"{folder} holds a run of other settings ({'; '.join(differing)}): "
            "give the same ones to go on with it, or --overwrite to begin anew"
        )
    return history


def _common_grid(cases: Sequence[PreparedCase]) -> tuple[int, tuple[int, int]]:
    grids = {(case.shape[1], case.window) for case in cases}
    if len(grids) != 1:
        raise InputError(f"the prepared cases differ in size or window ({sorted(grids)}): prepare them alike")
    unmarked = [case.name for case in cases if not case.has_mask]
    if unmarked:
        raise InputError(f"no reference mask to learn from: {', '.join(unmarked)}")
    return grids.pop()


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Lightning's advertisements and hints are not for our users; its errors still come through."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
