"""One training run: from prepared cases to a model folder, resumable at every epoch."""

import importlib.util
import logging
import math
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from filelock import FileLock, Timeout
from torch import Tensor
from torch.utils.data import DataLoader

from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import SettingError
from lits_toolkit.files import output_folder, read_json, remove, replacing, require_writable, write_json
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.machine import network_device
from lits_toolkit.models.memory import keep_large_allocations
from lits_toolkit.models.storage import DESCRIPTION, TUNED, WEIGHTS, Model, load_model, save_model
from lits_toolkit.training.averaging import WeightAverage, renew_batch_norm
from lits_toolkit.training.estimate import Estimate, estimate_run
from lits_toolkit.training.losses import class_weights
from lits_toolkit.training.record import (
    AVERAGE,
    AVERAGE_CHECKPOINT,
    CHECKPOINT,
    HISTORY,
    LOWEST_CHECKPOINT,
    SWA,
    TRAIN,
    EachEpoch,
    Record,
    Row,
    losses,
    phase_rows,
    write_history,
)
from lits_toolkit.training.resume import (
    TRAINED,
    TrainingCases,
    describe,
    history_of_same_run,
    is_finished,
    is_trained,
    without_average,
)
from lits_toolkit.training.samples import CaseDataset, EpochSampler, EvenBatches, in_order
from lits_toolkit.training.settings import TrainSettings
from lits_toolkit.training.start import begin_with
from lits_toolkit.training.task import INPUT_PIXELS, SegmentationTask
from lits_toolkit.training.validation import DICE, WholeDice, measure_dice

LOCK = ".lock"


def train(
    folder: str | Path,
    cases: TrainingCases,
    settings: TrainSettings,
    overwrite: bool = False,
    progress: bool = True,
    each_epoch: EachEpoch | None = None,
    tell: Callable[[Estimate], None] | None = None,
) -> Path:
    """Train a network into the model folder `folder` and return it.

    Killed at any moment, the same call goes on from the last finished epoch and ends with the same weights; finished,
    it returns at once, or goes on where `settings.epochs` are more than before (with the cosine schedule, on that of
    the longer run). The folder's weights are those with the lowest validation loss. `each_epoch` is called with the
    rows of `history.csv` so far, the average's too, `tell` with an estimate before the run starts.

    Raises:
        SettingError: The settings do not go together, or the folder holds a run of other ones and `overwrite` is False.
        InputError: A case cannot be trained on.
        TrainingError: The loss became infinite or no number.
        OutputError: The folder cannot be written into, which is seen before the first epoch, or the disk is full.
    """
    folder = Path(folder)
    network = build_model(settings.model)
    description = describe(settings, cases)
    history = [] if overwrite else history_of_same_run(folder, description)
    if is_finished(folder, history, settings):
        return folder

    require_writable(folder)
    keep_large_allocations()
    lightning.seed_everything(settings.seed, verbose=False)
    train_cases, held_out_cases = ([PreparedCase(Path(p)) for p in part] for part in (cases.train, cases.validation))
    samples = CaseDataset(train_cases, settings, network.dimensions, cases.train_livers)
    held_out = CaseDataset(held_out_cases, settings, network.dimensions, cases.validation_livers, whole=True)
    sampler = EpochSampler(samples.starts, settings.seed, settings.cases_together)
    batches, checks = _load(samples, settings, sampler), _load(held_out, settings, in_order(held_out.starts))
    weights = class_weights(samples.class_counts()) if settings.class_weights == "training" else settings.class_weights
    names = {"training": description["train_cases"], "validation": description["validation_cases"]}
    pixels = INPUT_PIXELS * (settings.crop / description["size"] if settings.crop else 1)
    task = SegmentationTask(settings, len(batches), weights, pixels, names)
    if settings.start_from is not None and not history:
        begin_with(task.network, settings, folder)
    if history:  # the best epoch and the precision so far; the run may be longer from here on
        description = read_json(folder / DESCRIPTION) | {"settings": description["settings"]}
        for name in TUNED:
            description.pop(name, None)
    if tell or (settings.precision == "auto" and not history):
        precision = description["precision"] if history else settings.precision
        found = estimate_run(task.to(network_device()), samples, sampler, precision)
        description["precision"] = found.precision
        if tell:
            tell(found)

    def whole(model: Model) -> WholeDice:
        return measure_dice(model, cases.originals, cases.validation_livers)

    run = _Run(folder, task, batches, checks, description, whole, progress, each_epoch)
    with _alone(folder), _quiet_lightning():
        if overwrite:
            for name in (CHECKPOINT, LOWEST_CHECKPOINT, AVERAGE_CHECKPOINT, HISTORY, WEIGHTS, TRAINED, DESCRIPTION):
                remove(folder / name)
        if not is_trained(history, settings):
            history = without_average(folder, description, history)
            run.fit(history, settings.epochs, folder / CHECKPOINT if history else None)
        if settings.swa_epochs and not phase_rows(history, AVERAGE):
            run.fit_average(history)
        run.finish(history)
    return folder


@dataclass(frozen=True)
class _Run:
    """What both phases of a run share."""

    folder: Path
    task: SegmentationTask
    batches: DataLoader
    checks: DataLoader
    description: dict[str, Any]
    whole: Callable[[Model], WholeDice]
    progress: bool
    each_epoch: EachEpoch | None

    def fit(
        self, history: list[Row], epochs: int, checkpoint: Path | None, average: WeightAverage | None = None
    ) -> lightning.Trainer:
        """Train to the given epoch, from a checkpoint on where there is one; `history` grows by a row per epoch."""
        record = Record(self.folder, self.description, history, self.whole, average, self.progress, self.each_epoch)
        trainer = lightning.Trainer(
            max_epochs=epochs,
            accelerator=network_device().type,
            devices=1,
            precision="bf16-mixed" if self.description["precision"] == "bf16" else "32-true",
            logger=_logger(self.folder),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            callbacks=[record],
        )
        handler = signal.getsignal(signal.SIGINT)
        try:
            trainer.fit(self.task, self.batches, self.checks, ckpt_path=checkpoint, weights_only=True)
        except SystemExit as stop:  # how Lightning ends after Ctrl-C, deaf to any further one
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from stop
        finally:
            record.bar.stop()
        return trainer

    def fit_average(self, history: list[Row]) -> None:
        """SWA: further epochs at a constant rate from the lowest training loss; their weights' average is judged."""
        settings, task = self.task.settings, self.task
        task.averaging, average = True, WeightAverage()
        lowest = min(phase_rows(history, TRAIN), key=lambda row: row["train_loss"])
        begun = phase_rows(history, SWA)
        checkpoint = self.folder / (AVERAGE_CHECKPOINT if begun else LOWEST_CHECKPOINT)
        epochs = lowest["epoch"] + settings.swa_epochs
        trainer = self.fit(history, epochs, checkpoint, average)
        average.apply_to(task.network)
        task.to(trainer.strategy.root_device)
        renew_batch_norm(task.network, self._images(trainer.strategy.root_device))
        loss = float(trainer.validate(task, self.checks, verbose=False)[0]["validation_loss"])
        task.to(trainer.strategy.root_device).network.eval()
        dice = self.whole(Model(task.network, self.description)) if settings.validate_every else WholeDice()
        if loss < min(losses(history)):
            if not (self.folder / TRAINED).is_file():
                with replacing(self.folder / TRAINED) as partial:
                    shutil.copyfile(self.folder / WEIGHTS, partial)
            self.description.update(best_epoch=epochs, phase=AVERAGE, validation_loss=loss)
            save_model(self.folder, task.network, self.description)
        nothing = dict.fromkeys(("train_loss", "learning_rate", "seconds"), math.nan)
        history.append({"epoch": epochs, "phase": AVERAGE, "validation_loss": loss} | nothing | asdict(dice))
        write_history(self.folder, history)
        if self.each_epoch:
            self.each_epoch(list(history))

    def finish(self, history: list[Row]) -> None:
        """Write the Dice of the weights that are kept into `model.json`, by which a finished run is known."""
        description = self.description
        kept = next(r for r in history if (r["phase"], r["epoch"]) == (description["phase"], description["best_epoch"]))
        dice = WholeDice(**{name: kept[name] for name in DICE})
        if not dice.measured and self.task.settings.validate_every:
            dice = self.whole(load_model(self.folder))
        description["dice"] = asdict(dice) if dice.measured else None
        remove(self.folder / AVERAGE_CHECKPOINT)
        write_json(self.folder / DESCRIPTION, description)

    def _images(self, device: torch.device) -> Iterator[Tensor]:
        """Of all training samples, in order and not augmented."""
        dataset, size = self.batches.dataset, self.task.settings.batch_size
        assert isinstance(dataset, CaseDataset)
        for images, _, _ in DataLoader(dataset, batch_sampler=EvenBatches(in_order(dataset.starts), size)):
            yield images.to(device, memory_format=self.task.memory_format)


def _load(samples: CaseDataset, settings: TrainSettings, order: Any) -> DataLoader:
    """Batches in some order, every sample in one of them.

    Readers are started afresh, not forked: a fork of a process with threads, such as a notebook's kernel, can hang.
    """
    return DataLoader(
        samples,
        batch_sampler=EvenBatches(order, settings.batch_size),
        num_workers=settings.workers,
        multiprocessing_context="spawn" if settings.workers else None,
        persistent_workers=settings.workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def _logger(folder: Path) -> Any:
    """TensorBoard where it is installed, in the model's folder."""
    if importlib.util.find_spec("tensorboard") is None:
        return False
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(folder, name="", version="tensorboard")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other runs out of the folder; SettingError where one is in there. A killed run keeps no one out."""
    lock = FileLock(output_folder(folder) / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout as taken:
        raise SettingError(f"another run is training in {folder}: wait for its end, or stop it") from taken
    try:
        yield
    finally:
        lock.release()


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
