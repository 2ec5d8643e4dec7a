"""What a run leaves on disk after each epoch, and the bar in between."""

import csv
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lits_toolkit.errors import InputError
from lits_toolkit.files import replacing
from lits_toolkit.models.storage import Model, save_model
from lits_toolkit.training.averaging import WeightAverage
from lits_toolkit.training.schedule import plateau, should_stop
from lits_toolkit.training.task import SegmentationTask
from lits_toolkit.training.validation import DICE, WholeDice

HISTORY = "history.csv"
CHECKPOINT = "last.ckpt"
"""The state after the last epoch of training, to resume from."""
LOWEST_CHECKPOINT = "lowest.ckpt"
"""The state with the lowest training loss, from which the averaged epochs begin."""
AVERAGE_CHECKPOINT = "average.ckpt"
"""The state after the last averaged epoch."""
COLUMNS = ("epoch", "phase", "train_loss", "validation_loss", *DICE, "learning_rate", "seconds")
TRAIN, SWA, AVERAGE = "train", "swa", "average"
"""Phases: epochs of training, then those whose weights are averaged, then the average itself."""

Row = dict[str, Any]
EachEpoch = Callable[[list[Row]], None]


def read_history(folder: str | Path) -> list[Row]:
    """The rows of `history.csv` in a model folder, an empty list where no epoch is finished.

    "epoch" is an int, "phase" a str, all others are floats, NaN where nothing was measured. Raises InputError where the
    file is another's, or an earlier version's.
    """
    path = Path(folder) / HISTORY
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return [{name: _read(name, row[name]) for name in COLUMNS} for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}; --overwrite begins anew") from error


def write_history(folder: Path, history: Sequence[Row]) -> None:
    """Replace `history.csv`."""
    with replacing(folder / HISTORY) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(history)


def phase_rows(history: Sequence[Row], phase: str) -> list[Row]:
    """The rows of one phase."""
    return [row for row in history if row["phase"] == phase]


def losses(history: Sequence[Row]) -> list[float]:
    """The validation losses of the epochs of training."""
    return [row["validation_loss"] for row in phase_rows(history, TRAIN)]


class Record(lightning.Callback):
    """After each epoch: the best weights, a row of history, the state to resume from; a bar in between.

    The checkpoint comes last, so that it never runs ahead: what a killed run had written of an unfinished epoch is
    written again, with the same numbers.
    """

    def __init__(
        self,
        folder: Path,
        description: dict[str, Any],
        history: list[Row],
        whole: Callable[[Model], WholeDice],
        average: WeightAverage | None = None,
        show: bool = True,
        each_epoch: EachEpoch | None = None,
    ) -> None:
        self.folder = folder
        self.description = description
        self.history = history
        self.whole = whole
        self.average = average
        self.each_epoch = each_epoch
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"), TimeRemainingColumn(),
            disable=not show,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of this: the weights averaged so far."""
        return {"average": self.average.state_dict()} if self.average and self.average.count else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on averaging from a checkpoint of the averaged phase."""
        if self.average and "average" in state:
            self.average.load_state_dict(state["average"])

    def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Show the bar where the run begins or goes on."""
        steps = int(trainer.num_training_batches)
        label = f"{self.description['stage']} {self.description['name']}" + (
            ", averaging" if self.average is not None else ""
        )
        done, epochs = trainer.current_epoch, trainer.max_epochs or 0
        self.shown = self.bar.add_task(label, total=epochs * steps, completed=done * steps, state=f"epoch {done + 1}")
        self.bar.start()

    def on_train_epoch_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Start the epoch's clock, and set its rate: the schedule did before the last validation was known."""
        assert isinstance(task, SegmentationTask)
        self.started = time.perf_counter()
        settings = task.settings
        task.reduction = plateau(losses(self.history), settings.plateau_patience, settings.plateau_factor)
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = settings.learning_rate * task.rate_at(trainer.global_step)

    def on_train_batch_end(self, *_: Any) -> None:
        """One step further."""
        self.bar.advance(self.shown)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Write what the epoch gave."""
        assert isinstance(task, SegmentationTask)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch + 1,
            "phase": SWA if self.average is not None else TRAIN,
            "train_loss": metrics["train_loss"],
            "validation_loss": metrics["validation_loss"],
            **asdict(WholeDice()),
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": time.perf_counter() - self.started,
        }
        if self.average is not None:
            self.average.update(task.network)
            self._finish(trainer, row, AVERAGE_CHECKPOINT)
            return
        past = losses(self.history)
        ended = should_stop([*past, row["validation_loss"]], task.settings.stop_after)
        stops = ended or row["epoch"] == task.settings.epochs
        every = task.settings.validate_every
        if every and (row["epoch"] % every == 0 or stops):
            row |= asdict(self._measure(task))
            for name in DICE:
                if not math.isnan(row[name]):
                    task.log(name, row[name])
        if all(row["validation_loss"] < loss for loss in past):
            self.description |= {"best_epoch": row["epoch"], "phase": TRAIN, "validation_loss": row["validation_loss"]}
            save_model(self.folder, task.network, self.description)
        lowest = all(row["train_loss"] < past["train_loss"] for past in phase_rows(self.history, TRAIN))
        self._finish(trainer, row, CHECKPOINT, LOWEST_CHECKPOINT if lowest and task.settings.swa_epochs else None)
        trainer.should_stop = trainer.should_stop or stops

    def _finish(self, trainer: lightning.Trainer, row: Row, checkpoint: str, copy: str | None = None) -> None:
        self.history.append(row)
        write_history(self.folder, self.history)
        with replacing(self.folder / checkpoint) as partial:
            trainer.save_checkpoint(partial)
            if copy:
                with replacing(self.folder / copy) as other:
                    shutil.copyfile(partial, other)
        self.bar.update(self.shown, state=f"epoch {min(row['epoch'] + 1, trainer.max_epochs or 0)}")
        if not self.bar.disable:
            self.bar.console.print(_line(row), highlight=False)
        if self.each_epoch:
            self.each_epoch(list(self.history))

    def _measure(self, task: SegmentationTask) -> WholeDice:
        self.bar.update(self.shown, state="Dice of whole cases")
        task.network.eval()
        dice = self.whole(Model(task.network, self.description))
        task.network.train()
        return dice


def _line(row: Row) -> str:
    dice = "" if math.isnan(row["dice_per_case"]) else f"  Dice of whole cases {row['dice_per_case']:.3f}"
    losses = f"loss {row['train_loss']:.4f}  validation {row['validation_loss']:.4f}"
    return f"epoch {row['epoch']:3}  {losses}  {row['seconds']:.0f} s{dice}"


def _read(name: str, value: str) -> Any:
    return value if name == "phase" else int(value) if name == "epoch" else float(value)
