"""The settings of a training run."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from lits_toolkit.data.combination import Combination
from lits_toolkit.errors import SettingError
from lits_toolkit.training.losses import loss_names

Stage = Literal["liver", "tumor"]
Slices = Literal["all", "liver", "tumor"]
Optimizer = Literal["adamw", "radam"]


@dataclass(frozen=True)
class TrainSettings:
    """What one stage is trained with; the same on the command line, in a notebook and in `model.json`."""

    model: str = "2d-mobilenet_v2-default"
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
    optimizer: Optimizer = "adamw"
    """`radam` is the dissertation's; it needs a thousand steps before it takes whole ones."""
    learning_rate: float = 6e-3
    """The highest; reached after the warm-up, then lowered along a cosine."""
    warm_up: float = 0.05
    """Share of all steps over which the learning rate rises."""
    weight_decay: float = 1e-4
    """Decoupled, per step and unit of learning rate."""
    loss: str = "cross_entropy+dice"
    """What is minimised: `cross_entropy`, `dice`, `jaccard`, `multi_dice`, or a sum of them such as
    `cross_entropy+dice`."""
    crop: int | None = None
    """Train on random squares of this many pixels around the liver instead of whole slices: faster where the liver
    is known, as in the tumour stage. A multiple of 32."""
    reduce: int = 1
    """Train, and later predict, on slices whose y and x are this many times smaller than prepared: 2 is four times
    faster, and fine enough for the liver."""
    augment: bool = True
    """Whether to rotate, shear, shift, scale and add noise, as in Table 3.1."""
    flip: bool | None = None
    """Whether to mirror left and right in half of the samples; by default in the tumour stage alone, since its side
    tells the liver from spleen and stomach."""
    gain: float = 0.25
    """Intensities are multiplied by a random factor between exp(-gain) and exp(gain)."""
    combine: Combination = "centre"
    """How the liver enters the tumour stage: the CT is masked with it, or masked and the liver's median taken off."""
    start_from: str | None = None
    """A model folder of the same network whose weights the run begins with, such as the other stage's."""
    cases_together: int = 8
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
            ("optimizer", get_args(Optimizer)),
            ("combine", get_args(Combination)),
        ):
            self._require(name, getattr(self, name) in allowed, f"one of {', '.join(map(str, allowed))}")
        loss_names(self.loss)
        for name in ("epochs", "batch_size", "reduce", "cases_together"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("seed", "workers", "weight_decay", "gain"):
            self._require(name, 0 <= getattr(self, name) < math.inf, "0 or more")
        self._require("learning_rate", 0 < self.learning_rate < math.inf, "more than 0")
        self._require("warm_up", 0 <= self.warm_up <= 1, "a share between 0 and 1")
        self._require("crop", self.crop is None or (self.crop >= 32 and self.crop % 32 == 0), "a multiple of 32")

    @property
    def designation(self) -> Slices:
        """The slices trained on."""
        return self.slices or ("all" if self.stage == "liver" else "liver")

    @property
    def mirrors(self) -> bool:
        """Whether samples are flipped."""
        return self.stage == "tumor" if self.flip is None else self.flip

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise SettingError(f"{name}: expected {expected}, found {getattr(self, name)}")
