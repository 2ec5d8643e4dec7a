"""Dice as it will be reported: on whole validation cases, at the CT's own resolution, after all post-processing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR, CaseFiles
from lits_toolkit.data.network_grid import from_network_grid
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import InputError
from lits_toolkit.inference.cascade import predict_liver, predict_tumor
from lits_toolkit.inference.runtimes import Runner, open_model
from lits_toolkit.metrics.boxes import bounding_box
from lits_toolkit.metrics.lesions import SIZE_GROUPS, find_lesions, score_lesions
from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.models.storage import Model
from lits_toolkit.training.livers import read_liver


@dataclass(frozen=True)
class WholeDice:
    """Of one stage's object; NaN where nothing was measured or no lesion is of that size."""

    dice_per_case: float = math.nan
    """Mean over cases; 1 where reference and prediction are both empty."""
    dice_small: float = math.nan
    """Mean over the reference's small lesions, a miss counting 0; of the tumour stage alone, as the next two."""
    dice_medium: float = math.nan
    dice_large: float = math.nan

    @property
    def measured(self) -> bool:
        """Whether there is any."""
        return not math.isnan(self.dice_per_case)


DICE = tuple(field.name for field in fields(WholeDice))


def measure_dice(model: Model | Runner, cases: Sequence[CaseFiles], livers: Sequence[Path] = ()) -> WholeDice:
    """Predict each case from its own files and score it; what `lits predict` and `lits evaluate` would give.

    The tumour stage is measured by itself, inside the reference's liver (the dissertation's local protocol, §4.1.1), or
    inside `livers`, from `predict_livers`, one for each case. Raises InputError where a file cannot be read or has no
    reference.
    """
    runner = model if isinstance(model, Runner) else open_model(model)
    per_case: list[float] = []
    by_group: dict[str, list[float]] = {group: [] for group in SIZE_GROUPS}
    for number, files in enumerate(cases):
        case = read_case(files)
        if case.reference is None:
            raise InputError(f"{files.name} has no reference mask to validate on")
        if runner.model.stage == "liver":
            found = predict_liver(case.volume, runner)
            per_case.append(count_overlap(case.reference >= LIVER, found).dice_per_case)
            continue
        liver = case.reference >= LIVER
        if livers:
            liver = from_network_grid(read_liver(livers[number]).astype(np.float32), case.volume.shape) > 0.5
        found, expected = predict_tumor(case.volume, liver, runner), case.reference == TUMOR
        per_case.append(count_overlap(expected, found).dice_per_case)
        box = bounding_box(expected, found)
        for lesion in score_lesions(find_lesions(expected[box]), find_lesions(found[box]), case.spacing_mm):
            if lesion.kind == "reference":
                by_group[lesion.size_group].append(lesion.dice)
    means = {f"dice_{group}": float(np.mean(values)) for group, values in by_group.items() if values}
    return WholeDice(float(np.mean(per_case)) if per_case else math.nan, **means)
