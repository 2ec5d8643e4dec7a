"""The settings of a training run."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from lits_toolkit.errors import SettingError

Stage = Literal["liver", "tumor"]
Slices = Literal["all", "liver", "tumor"]
Loss = Literal["cross_entropy", "dice", "cross_entropy_and_dice"]


@dataclass(frozen=True)
class TrainSettings:
    """What one stage is trained with; the same on the command line, in a notebook and in `model.json`."""

    model: str = "2d-mobilenet_v2-top"
    """Name of the network in the catalogue; `lits models` lists them."""
    stage: Stage = "liver"
    """Which of the cascade's two networks."""
    slices: Slices | None = None
    """The slices trained on: all, those with liver, or those with tumour; by default all for the liver stage, those
    with liver for the tumour stage."""
    epochs: int = 30
    """Passes over the designated slices."""
    batch_size: int = 8
    """Slices per step."""
    learning_rate: float = 2e-3
    """The highest; reached after the warm-up, then lowered along a cosine."""
    warm_up: float = 0.05
    """Share of all steps over which the learning rate rises."""
    weight_decay: float = 1e-4
    """Decoupled, per step and unit of learning rate."""
    loss: Loss = "cross_entropy_and_dice"
    """What is minimised."""
    crop: int | None = None
    """Train on random squares of this many pixels around the liver instead of whole slices: faster where the liver
    is known, as in the tumour stage. A multiple of 32."""
    reduce: int = 1
    """Train, and later predict, on slices whose y and x are this many times smaller than prepared: 2 is four times
    faster, and fine enough for the liver."""
    augment: bool = True
    """Whether to rotate, shear, shift, scale, flip and add noise, as in Table 3.1."""
    cases_together: int = 4
    """Cases whose slices are mixed in a batch; the dissertation's sampling has 1."""
    seed: int = 0
    """Of the weights, the order of the samples and the augmentation."""
    workers: int = 0
    """Processes that read samples; 0 reads in the training process."""

    def __post_init__(self) -> None:
        """Raise SettingError for the first value that no run can have."""
        for name, allowed in (
            ("stage", get_args(Stage)),
            ("slices", (None, *get_args(Slices))),
            ("loss", get_args(Loss)),
        ):
            self._require(name, getattr(self, name) in allowed, f"one of {', '.join(map(str, allowed))}")
        for name in ("epochs", "batch_size", "reduce", "cases_together"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("seed", "workers", "weight_decay"):
            self._require(name, 0 <= getattr(self, name) < math.inf, "0 or more")
        self._require("learning_rate", 0 < self.learning_rate < math.inf, "more than 0")
        self._require("warm_up", 0 <= self.warm_up <= 1, "a share between 0 and 1")
        self._require("crop", self.crop is None or (self.crop >= 32 and self.crop % 32 == 0), "a multiple of 32")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise SettingError(f"{name}: expected {expected}, found {getattr(self, name)}")
