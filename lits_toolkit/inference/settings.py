"""The settings of a prediction."""

from dataclasses import dataclass
from typing import get_args

from lits_toolkit.errors import SettingError
from lits_toolkit.inference.cascade import Thresholds
from lits_toolkit.inference.record import Probability
from lits_toolkit.inference.runtimes import AUTO, require_runtime


@dataclass(frozen=True)
class PredictSettings:
    """How cases are predicted, and what is written of them beside the mask; SettingError where that cannot be."""

    thresholds: Thresholds | None = None
    """None for the models' own."""
    batch_size: int = 8
    """Samples that a network sees at once; halved where memory does not hold so many."""
    runtime: str = AUTO
    """What runs the networks (`inference.runtimes`)."""
    box: bool = False
    """Whether the tumour stage is shown the liver's box alone."""
    probability: Probability | None = None
    """Whether, and how, the probability of tumour is written too, into `probabilities`."""
    dicom_seg: bool = False
    """Whether a DICOM-SEG of each case is written too, all of which have to be DICOM series."""

    def __post_init__(self) -> None:
        require_runtime(self.runtime)
        if self.batch_size < 1:
            raise SettingError(f"batch_size: expected at least 1, found {self.batch_size}")
        if self.probability not in (None, *get_args(Probability)):
            raise SettingError(f"probability: expected uint8, float16 or none, found {self.probability!r}")
