"""From CT files to mask files."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR, Case, CaseFiles, mask_file_name
from lits_toolkit.data.nifti import write_mask
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import InputError, OutputError, SettingError
from lits_toolkit.files import output_folder, write_json
from lits_toolkit.inference.cascade import Thresholds, predict_mask
from lits_toolkit.models.memory import keep_large_allocations
from lits_toolkit.models.storage import Model


@dataclass(frozen=True)
class Prediction:
    """One predicted case, as `predictions.json` has it."""

    case: str
    mask: str
    """File name of the mask."""
    liver_ml: float
    tumor_ml: float
    read_s: float
    predict_s: float
    write_s: float


def predict_cases(
    cases: Sequence[CaseFiles],
    output: str | Path,
    tumor_model: Model,
    liver_model: Model | None = None,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    overwrite: bool = False,
    progress: Callable[[str, str, int], None] | None = None,
) -> list[Prediction]:
    """Predict each case and write its mask, in the CT's own grid, into `output`, with `predictions.json` beside.

    Without a liver model the reference's liver is taken (the dissertation's local protocol, §4.1.1). `progress` is
    called with case, stage and slices just done. OutputError names the masks that are there already, before
    anything is computed; InputError a case that lacks the reference it needs.
    """
    output = output_folder(output)
    targets = [output / mask_file_name(case.name) for case in cases]
    taken = [path.name for path in targets if path.exists()]
    if taken and not overwrite:
        raise OutputError(f"{output} already has {', '.join(taken)}: give another folder, or --overwrite")
    if liver_model is None:
        bare = [case.name for case in cases if case.reference is None]
        if bare:
            raise InputError(f"--liver reference needs reference masks, but {', '.join(bare)} have none")
    for model, stage in ((tumor_model, "tumor"), (liver_model, "liver")):
        if model is not None and model.stage != stage:
            raise SettingError(f"expected a model of the {stage} stage, found {model.name} of the {model.stage} stage")
    keep_large_allocations()
    predictions = []
    for files, target in zip(cases, targets, strict=True):
        started = time.perf_counter()
        case = read_case(files)
        read = time.perf_counter()
        liver = None if liver_model is not None else _reference_liver(case)
        report = None if progress is None else _named(progress, case.name)
        mask = predict_mask(case.volume, tumor_model, liver_model, liver, thresholds, batch_size, report)
        predicted = time.perf_counter()
        write_mask(mask, case.grid, target, overwrite=overwrite)
        written = time.perf_counter()
        predictions.append(
            Prediction(
                case.name,
                target.name,
                _millilitres(mask >= LIVER, case),
                _millilitres(mask == TUMOR, case),
                read - started,
                predicted - read,
                written - predicted,
            )
        )
    write_json(
        output / "predictions.json",
        {
            "liver_model": liver_model.description if liver_model else "reference",
            "tumor_model": tumor_model.description,
            "thresholds": vars(thresholds or Thresholds()),
            "cases": [vars(prediction) for prediction in predictions],
        },
    )
    return predictions


def _reference_liver(case: Case) -> np.ndarray:
    if case.reference is None:
        raise InputError(f"{case.name} has no reference mask to take the liver from")
    return case.reference >= LIVER


def _millilitres(where: np.ndarray, case: Case) -> float:
    return float(np.count_nonzero(where) * np.prod(case.spacing_mm) / 1000)


def _named(progress: Callable[[str, str, int], None], name: str) -> Callable[[str, int], None]:
    return lambda stage, slices: progress(name, stage, slices)
