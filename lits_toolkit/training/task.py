"""What is learnt and how: the network, its loss, its optimiser, as a Lightning module."""

import math
from dataclasses import asdict, replace
from typing import Any

import lightning
import torch
from torch import Tensor

from lits_toolkit.data.augmentation import UNCHANGED, Augmentation, augment
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.training.losses import LOSSES
from lits_toolkit.training.settings import TrainSettings


class SegmentationTask(lightning.LightningModule):
    """One stage's network in training.

    A batch is (images (n, 9, y, x) float32, targets (n, y, x) uint8). Augmentation happens here, on the
    batch and on its device. Validation reports the loss and the global Dice of the designated slices at the
    network's resolution; the Dice of whole volumes is `lits evaluate`'s.
    """

    def __init__(self, settings: TrainSettings, steps: int) -> None:
        super().__init__()
        self.settings = settings
        self.steps = steps
        self.network = build_model(settings.model)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = LOSSES[settings.loss]
        table = Augmentation() if settings.augment else UNCHANGED
        self.augmentation = replace(table, flip=0.5 * settings.mirrors, gain=settings.gain)
        self.pixels = settings.crop * settings.reduce if settings.crop else 256
        self.counts = torch.zeros(3)

    def on_train_epoch_start(self) -> None:
        """Seed the augmentation by epoch, so that a resumed run draws what an uninterrupted one would have."""
        self.random = torch.Generator().manual_seed(self.settings.seed * 100_003 + self.current_epoch)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Loss of one batch."""
        images, targets = batch
        if self.augmentation != UNCHANGED:
            images, targets = augment(images, targets, self.augmentation, self.random, self.pixels)
        loss = self.loss(self.network(images.contiguous(memory_format=torch.channels_last)), targets)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Begin to count the voxels of intersection, prediction and reference."""
        self.counts = torch.zeros(3, dtype=torch.float64)

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Loss and voxel counts of one batch."""
        images, targets = batch
        logits = self.network(images.contiguous(memory_format=torch.channels_last))
        self.log("validation_loss", self.loss(logits, targets), batch_size=len(images))
        found, real = logits[:, 1] > logits[:, 0], targets > 0
        self.counts += torch.stack([(found & real).sum(), found.sum(), real.sum()]).cpu()

    def on_validation_epoch_end(self) -> None:
        """Global Dice of the validation slices."""
        overlap, found, real = self.counts.tolist()
        self.log("validation_dice", 2 * overlap / (found + real) if found + real else 1.0)

    def configure_optimizers(self) -> Any:
        """AdamW or RAdam with linear warm-up and cosine decay over the run's steps."""
        settings = self.settings
        rate, decay = settings.learning_rate, settings.weight_decay
        optimizer: torch.optim.Optimizer
        if settings.optimizer == "adamw":
            optimizer = torch.optim.AdamW(self.parameters(), rate, weight_decay=decay, fused=True)
        else:
            optimizer = torch.optim.RAdam(
                self.parameters(), rate, weight_decay=decay, decoupled_weight_decay=True, foreach=True
            )
        warm_up = max(1, round(settings.warm_up * self.steps))

        def factor(step: int) -> float:
            cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
            return min(1.0, (step + 1) / warm_up) * (0.02 + 0.98 * cosine)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the settings with the state, so that a resumed run can be held against them."""
        checkpoint["settings"] = asdict(self.settings)
