"""The settings of a training run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import NoneType
from typing import Any, Literal, get_args

from lits_toolkit.data.combination import Combination
from lits_toolkit.errors import SettingError, nearest

Stage = Literal["liver", "tumor"]
Slices = Literal["all", "liver", "tumor"]
Optimizer = Literal["radam", "adamw"]
Schedule = Literal["plateau", "cosine"]
Precision = Literal["auto", "fp32", "bf16"]
REFERENCE = "reference"
_TYPES: dict[Any, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    int | None: ((int, NoneType), "a whole number or none"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
    bool | None: ((bool, NoneType), "true, false or none"),
    str: ((str,), "a text"),
    str | None: ((str, NoneType), "a text or none"),
}
"""By annotation: what a value may be, and how that is said. Whole numbers are numbers, true and false are not."""


@dataclass(frozen=True)
class TrainSettings:
    """What one stage is trained with; the same on the command line, in a notebook and in `model.json`.

    The defaults are the dissertation's recipe (§3.1.2, §3.1.3, §3.1.9), with values of ours where it gives none; QUICK
    has another one, for minutes.
    """

    model: str = "2d-mobilenet_v2-default"
    """Name of the network in the catalogue; `lits models` lists them."""
    stage: Stage = "liver"
    """Which of the cascade's two networks."""
    slices: Slices | None = None
    """The slices trained on: all, those with liver, or those with tumour; by default all for the liver stage, those
    with liver for the tumour stage."""
    epochs: int = 50
    """Passes over the designated slices, at most."""
    batch_size: int = 8
    """Samples per step: slices in 2D, blocks of four slices in 3D."""
    cases_together: int = 1
    """Cases whose slices are mixed in a batch."""
    combine: Combination = "mask"
    """How the liver enters the tumour stage: the CT is masked with it (§3.1.7), it is added to the CT, not at all
    (none), or the CT is masked and the liver's median taken off (centre)."""
    liver: str = REFERENCE
    """The liver that the tumour stage sees: the reference's, or that which a trained liver model of this name finds."""
    loss: str = "cross_entropy+dice"
    """What is minimised: cross_entropy, dice, jaccard, multi_dice, or a sum of these such as cross_entropy+dice."""
    class_weights: tuple[float, float] | Literal["training"] | None = None
    """Weights of background and object in the cross entropy; "training" takes them from the training set's voxels."""
    optimizer: Optimizer = "radam"
    """RAdam is the dissertation's; it takes small steps at first."""
    learning_rate: float = 2e-3
    """The highest; reached after the warm-up."""
    weight_decay: float = 1e-4
    """Decoupled, per step and unit of learning rate."""
    gradient_clip: float = 5.0
    """Largest norm of a step's gradient; 0 leaves it as it is."""
    warm_up: float = 1.0
    """Epochs over which the learning rate rises."""
    schedule: Schedule = "plateau"
    """How it falls: at a plateau of the validation loss, or along a cosine over all epochs."""
    plateau_patience: int = 3
    """Epochs without a lower validation loss that are put up with before the learning rate is reduced."""
    plateau_factor: float = 0.5
    """By which it is then multiplied."""
    stop_after: int | None = 12
    """Epochs without a lower validation loss after which training stops early; none: it never does."""
    lookahead: bool = True
    """Whether slow weights follow the optimiser's fast ones (Zhang et al. 2019)."""
    lookahead_steps: int = 5
    """Steps of the fast weights to one of the slow ones."""
    lookahead_rate: float = 0.5
    """How far the slow weights go towards the fast ones."""
    swa_epochs: int = 4
    """Further epochs at the end, from the weights with the lowest training loss, whose weights are averaged (SWA); the
    average is kept if its validation loss is the lowest. 0: none."""
    swa_rate: float = 0.5
    """The learning rate of these epochs, constant, as a share of `learning_rate`."""
    crop: int | None = None
    """Train on random squares of this many pixels around the liver instead of whole slices: faster where the liver
    is known, as in the tumour stage. A multiple of 32."""
    reduce: int = 1
    """Train, and later predict, on slices whose y and x are this many times smaller than prepared: 2 is four times
    faster, and fine enough for the liver."""
    augment: bool = True
    """Whether to rotate, shear, shift, scale, deform and add noise, as in Table 3.1."""
    flip: bool | None = None
    """Whether to mirror left and right in half of the samples; by default in the tumour stage alone, since its side
    tells the liver from spleen and stomach."""
    gain: float = 0.0
    """Intensities are multiplied by a random factor between exp(-gain) and exp(gain); not in Table 3.1."""
    start_from: str | None = None
    """A model whose weights the run begins with: a folder, or STAGE/NAME in the same workspace. Of the same network all
    weights are taken, of another the encoder's (§2.2.3)."""
    validate_every: int = 5
    """Epochs between two measurements of Dice on the whole validation cases at the CT's resolution, beside the
    validation loss of every epoch; also after the last. 0: never."""
    precision: Precision = "auto"
    """fp32, or bf16 where that is safe (mixed precision); auto takes the faster of the two on this machine."""
    seed: int = 0
    """Of the weights, the order of the samples and the augmentation."""
    workers: int = 0
    """Processes that read samples; 0 reads in the training process, which on a CPU costs a step a few hundredths. A GPU
    waits less with some; a script that trains with some runs it under `if __name__ == "__main__":`."""

    def __post_init__(self) -> None:
        """Raise SettingError for the first value that no run can have."""
        from lits_toolkit.training.losses import loss_names

        for field in fields(self):
            self._require_type(field.name, field.type)
        for name, allowed in (
            ("stage", get_args(Stage)),
            ("slices", (None, *get_args(Slices))),
            ("optimizer", get_args(Optimizer)),
            ("schedule", get_args(Schedule)),
            ("combine", get_args(Combination)),
            ("precision", get_args(Precision)),
        ):
            self._require(name, getattr(self, name) in allowed, f"one of {', '.join(map(str, allowed))}")
        loss_names(self.loss)
        for name in ("epochs", "batch_size", "reduce", "cases_together", "lookahead_steps"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("seed", "workers", "weight_decay", "gain", "gradient_clip", "warm_up", "plateau_patience",
                     "swa_epochs", "validate_every"):  # fmt: skip
            self._require(name, 0 <= getattr(self, name) < math.inf, "0 or more")
        self._require("seed", self.seed < 2**32, "less than 2**32")
        for name in ("learning_rate", "swa_rate"):
            self._require(name, 0 < getattr(self, name) < math.inf, "more than 0")
        for name in ("lookahead_rate", "plateau_factor"):
            self._require(name, 0 < getattr(self, name) <= 1, "a share above 0 and up to 1")
        self._require("stop_after", self.stop_after is None or self.stop_after >= 1, "none or at least 1")
        self._require("crop", self.crop is None or (self.crop >= 32 and self.crop % 32 == 0), "a multiple of 32")
        weights = self.class_weights
        if isinstance(weights, tuple):
            sound = len(weights) == 2 and min(weights) >= 0 and 0 < max(weights) < math.inf
        else:
            sound = weights in (None, "training")
        self._require("class_weights", sound, "two weights of 0 or more, training, or none")

    @property
    def designation(self) -> Slices:
        """The slices trained on."""
        return self.slices or ("all" if self.stage == "liver" else "liver")

    @property
    def mirrors(self) -> bool:
        """Whether samples are flipped."""
        return self.stage == "tumor" if self.flip is None else self.flip

    def _require_type(self, name: str, kind: Any) -> None:
        """A value from YAML or JSON may be of any type: 1e-3 is a text in YAML, which wants 1.0e-3."""
        allowed, expected = _TYPES.get(kind, ((), ""))
        value = getattr(self, name)
        truth = isinstance(value, bool)
        if kind in _TYPES and (not isinstance(value, allowed) or (truth and bool not in allowed)):
            raise SettingError(f"{name}: expected {expected}, found {value!r}")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise SettingError(f"{name}: expected {expected}, found {getattr(self, name)}")


QUICK = TrainSettings(
    epochs=3,
    cases_together=8,
    combine="centre",
    optimizer="adamw",
    learning_rate=6e-3,
    warm_up=0.15,
    schedule="cosine",
    stop_after=None,
    lookahead=False,
    swa_epochs=0,
    gain=0.25,
    validate_every=1,
)
"""A recipe for minutes instead of hours, measured on phantoms: what `lits demo` trains with."""


def make_settings(values: Mapping[str, Any], base: TrainSettings | None = None) -> TrainSettings:
    """`base`, by default the dissertation's recipe, with the settings that `values` names.

    A list, as JSON and papermill have it, stands for a tuple. Raises SettingError for a name that is no setting,
    with the nearest, and for a value that no run can have.
    """
    base = base or TrainSettings()
    known = [field.name for field in fields(TrainSettings)]
    for name in values:
        if name not in known:
            raise SettingError(f"no setting is called {name!r}; {nearest(name, known)}")
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return replace(base, **plain)
