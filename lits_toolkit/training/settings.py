"""The settings of a training run."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainSettings:
    """What one stage is trained with; the same on the command line, in a notebook and in `model.json`."""

    model: str = "2d-mobilenet_v2-top"
    """Name of the network in the catalogue; `lits models` lists them."""
    stage: Literal["liver", "tumor"] = "liver"
    """Which of the cascade's two networks."""
    slices: Literal["all", "liver", "tumor"] | None = None
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
    loss: Literal["cross_entropy", "dice", "cross_entropy_and_dice"] = "cross_entropy_and_dice"
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
