"""What is learnt and how: the step, its loss, its optimiser and schedule, as a Lightning module."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import lightning
import torch
from torch import Tensor

from lits_toolkit.data.augmentation import UNCHANGED, Augmentation, augment
from lits_toolkit.errors import TrainingError
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.network import Network
from lits_toolkit.training.lookahead import Lookahead
from lits_toolkit.training.losses import build_loss
from lits_toolkit.training.samples import Batch
from lits_toolkit.training.schedule import cosine, warm_up
from lits_toolkit.training.settings import TrainSettings

INPUT_PIXELS = 256
"""The input's side in which Table 3.1 gives shifts."""


class SegmentationTask(lightning.LightningModule):
    """One stage's network in training, on batches of `CaseDataset`."""

    def __init__(
        self,
        settings: TrainSettings,
        steps_per_epoch: int,
        class_weights: tuple[float, ...] | None = None,
        pixels: float = INPUT_PIXELS,
        cases: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.steps_per_epoch = steps_per_epoch
        self.network: Network = build_model(settings.model)
        self.memory_format = torch.channels_last if self.network.dimensions == 2 else torch.channels_last_3d
        self.network.to(memory_format=self.memory_format)  # type: ignore[call-overload]
        self.loss = build_loss(settings.loss, class_weights)
        self.augmentation = replace(
            Augmentation() if settings.augment else UNCHANGED, flip=0.5 * settings.mirrors, gain=settings.gain
        )
        self.pixels = pixels
        self.cases = cases or {}
        """Names of the cases of "training" and "validation", for messages."""
        self.reduction = 1.0
        """By which plateaus have reduced the learning rate so far."""
        self.averaging = False
        """Whether this is the phase whose weights are averaged."""

    def on_train_epoch_start(self) -> None:
        """Seed the augmentation by epoch, so that a resumed run draws what an uninterrupted one would have."""
        self.random = torch.Generator().manual_seed(self.settings.seed * 100_003 + self.current_epoch)

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """Loss of one batch; TrainingError where it is no finite number."""
        images, targets, where = batch
        images, targets = augment(images, targets, self.augmentation, self.random, self.pixels)
        loss = self.loss(self(images), targets)
        self.require_finite(loss, "training", number, where)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    def validation_step(self, batch: Batch, number: int) -> None:
        """Loss of one batch, as it is; TrainingError where it is no finite number."""
        images, targets, where = batch
        loss = self.loss(self(images), targets)
        self.require_finite(loss, "validation", number, where)
        self.log("validation_loss", loss, batch_size=len(images))

    def forward(self, images: Tensor) -> Tensor:
        """Images to logits."""
        return self.network(images.contiguous(memory_format=self.memory_format))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Shorten the gradient; not by Lightning, which under bf16 refuses to for a fused optimiser."""
        if self.settings.gradient_clip:
            torch.nn.utils.clip_grad_norm_(self.parameters(), self.settings.gradient_clip)

    def configure_optimizers(self) -> Any:
        """RAdam or AdamW, within Lookahead where asked for, at the rate of `rate_at` in each step."""
        settings = self.settings
        optimizer: torch.optim.Optimizer
        if settings.optimizer == "radam":
            optimizer = torch.optim.RAdam(
                self.parameters(), settings.learning_rate, weight_decay=settings.weight_decay,
                decoupled_weight_decay=True, foreach=True,
            )  # fmt: skip
        else:
            optimizer = torch.optim.AdamW(
                self.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
            )
        if settings.lookahead:
            optimizer = Lookahead(optimizer, settings.lookahead_steps, settings.lookahead_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate_at)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def require_finite(self, loss: Tensor, what: str, number: int, where: Tensor) -> None:
        """TrainingError, naming the batch, unless the loss is a finite number."""
        if not torch.isfinite(loss):
            cases = self.cases[what]
            samples = ", ".join(f"{cases[case]} slice {start}" for case, start in where.tolist())
            raise TrainingError(
                f"the {what} loss became {float(loss.detach())} in epoch {self.current_epoch + 1}, batch {number + 1}: "
                f"{samples}. Look at these slices (lits browse), or train with a lower learning_rate"
            )

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, as a share of the highest."""
        settings = self.settings
        if self.averaging:
            return settings.swa_rate
        rising = warm_up(step, round(settings.warm_up * self.steps_per_epoch))
        if settings.schedule == "cosine":
            return rising * cosine(step, settings.epochs * self.steps_per_epoch)
        return rising * self.reduction
