"""Training until a time is over, by the library's own task."""

from collections.abc import Callable
from typing import Any

import lightning
import torch
from torch import nn

from lits_toolkit.training.schedule import cosine, warm_up
from lits_toolkit.training.settings import TrainSettings
from lits_toolkit.training.task import SegmentationTask


class Budget(lightning.Callback):
    """Ends the training when its seconds are spent, reading of cases included."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self.seconds = seconds
        self.clock = clock
        self.started: float | None = None
        self.taken = 0.0
        """Seconds of training, once it is over."""

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return 0.0 if self.started is None else self.clock() - self.started

    def on_train_start(self, *_: Any) -> None:
        """Start the clock."""
        self.started = self.clock()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Stop after the step in which the time ran out."""
        self.taken = self.spent
        trainer.should_stop = trainer.should_stop or self.taken >= self.seconds


class TimedTask(SegmentationTask):
    """The task with a cosine along the time instead of the epochs; of another's network where `take` gave it one."""

    def __init__(
        self, settings: TrainSettings, steps_per_epoch: int, pixels: float, budget: Budget, constant_adam: bool
    ) -> None:
        names = {"training": [f"case {number}" for number in range(10_000)]}
        super().__init__(settings, steps_per_epoch, pixels=pixels, cases=names)
        self.budget = budget
        self.constant_adam = constant_adam

    def take(self, network: nn.Module, channels_last: bool) -> None:
        """Train this network of nine slices in place of the catalogue's."""
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.memory_format)  # type: ignore[call-overload]
        self.network.dimensions = 2

    def rate_at(self, step: int) -> float:
        """The share of the highest learning rate: warm-up by steps, cosine by time."""
        rising = warm_up(step, round(self.settings.warm_up * self.steps_per_epoch))
        return rising * cosine(self.budget.spent, self.budget.seconds)  # type: ignore[arg-type]

    def configure_optimizers(self) -> Any:
        """As ours, or Adam at a constant rate, as both peers' examples have it."""
        return torch.optim.Adam(self.parameters(), 1e-3) if self.constant_adam else super().configure_optimizers()
