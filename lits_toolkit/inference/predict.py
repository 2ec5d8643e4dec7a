"""From CT files to mask files."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR, Case, CaseFiles, mask_file_name
from lits_toolkit.data.nifti import write_mask
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import GeometryError, InputError, OutputError, SettingError
from lits_toolkit.files import output_folder, read_json, remove, write_json
from lits_toolkit.inference.cascade import Thresholds, predict_mask
from lits_toolkit.inference.runtimes import open_model
from lits_toolkit.models.memory import keep_large_allocations
from lits_toolkit.models.storage import Model

RECORD = "predictions.json"


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
    source: list[list[Any]]
    """Path, size and time of change of the files that were read, by which another CT of the same name is noticed."""


def predict_cases(
    cases: Sequence[CaseFiles],
    output: str | Path,
    tumor_model: Model,
    liver_model: Model | None = None,
    thresholds: Thresholds | None = None,
    batch_size: int = 8,
    overwrite: bool = False,
    progress: Callable[[str, str, int], None] | None = None,
    done: Callable[[Prediction], None] | None = None,
) -> list[Prediction]:
    """Predict each case and write its mask, in the CT's own grid, into `output`, with `predictions.json` beside.

    Without a liver model the reference's liver is taken (the dissertation's local protocol, §4.1.1). A mask that the
    same models made from the same files is kept, so that an interrupted call goes on where it stopped. `progress`
    is called with case, stage and slices just done, `done` with each new prediction.

    Raises:
        OutputError: A mask is there that this call would not have made, or `output` has predictions of other models;
            told before anything is computed, unless `overwrite`.
        SettingError: A model is of the wrong stage.
        InputError: A case lacks the reference it needs, or two cases would share a mask; told before anything is
            computed. Or some cases could not be predicted; told after all others are done.
    """
    output = Path(output)
    _require_fitting(cases, tumor_model, liver_model)
    method = _method(tumor_model, liver_model, thresholds or Thresholds())
    sources = {case.name: _source(case, with_reference=liver_model is None) for case in cases}
    predictions = _recorded(output, method, overwrite)
    kept = set() if overwrite else {case.name for case in cases if _is_made(case.name, sources, predictions, output)}
    targets = [mask_file_name(case.name) for case in cases if case.name not in kept]
    taken = [name for name in targets if (output / name).exists()]
    if taken and not overwrite:
        raise OutputError(f"{output} already has {', '.join(taken)}: give another folder, or --overwrite")
    output_folder(output)
    keep_large_allocations()
    tumor_runner = open_model(tumor_model)
    liver_runner = None if liver_model is None else open_model(liver_model)
    problems = []
    for files in cases:
        if files.name in kept:
            continue
        started = time.perf_counter()
        report = None if progress is None else _named(progress, files.name)
        try:
            case = read_case(files)
            read = time.perf_counter()
            liver = None if liver_model is not None else _reference_liver(case)
            mask = predict_mask(case.volume, tumor_runner, liver_runner, liver, thresholds, batch_size, report)
        except (InputError, GeometryError) as error:
            problems.append(f"{files.name}: {error}")
            continue
        prediction = Prediction(
            case.name,
            mask_file_name(case.name),
            _millilitres(mask >= LIVER, case),
            _millilitres(mask == TUMOR, case),
            read - started,
            time.perf_counter() - read,
            sources[case.name],
        )
        predictions[case.name] = prediction
        # First the record: a mask without one is somebody else's, a record without a mask is work to do.
        target = output / prediction.mask
        remove(target)
        write_json(output / RECORD, method | {"cases": [vars(found) for found in predictions.values()]})
        write_mask(mask, case.grid, target)
        if done is not None:
            done(prediction)
    if problems:
        raise InputError(f"{len(problems)} of {len(cases)} cases could not be predicted:\n  " + "\n  ".join(problems))
    return [predictions[case.name] for case in cases]


def _require_fitting(cases: Sequence[CaseFiles], tumor_model: Model, liver_model: Model | None) -> None:
    for model, stage in ((tumor_model, "tumor"), (liver_model, "liver")):
        if model is not None and model.stage != stage:
            raise SettingError(f"expected a model of the {stage} stage, found {model.name} of the {model.stage} stage")
    bare = [case.name for case in cases if case.reference is None]
    if bare and liver_model is None:
        raise InputError(f"--liver reference needs reference masks, but {', '.join(bare)} have none")
    volumes: dict[str, Path] = {}
    for case in cases:
        other = volumes.setdefault(mask_file_name(case.name), case.volume)
        if other != case.volume:
            raise InputError(f"{other} and {case.volume} would share one mask's name: predict them into two folders")


def _method(tumor_model: Model, liver_model: Model | None, thresholds: Thresholds) -> dict[str, Any]:
    return {
        "liver_model": liver_model.description if liver_model else "reference",
        "tumor_model": tumor_model.description,
        "thresholds": vars(thresholds),
    }


def _recorded(output: Path, method: dict[str, Any], overwrite: bool) -> dict[str, Prediction]:
    """What this very method has predicted into the folder before, by case."""
    if not (output / RECORD).is_file():
        return {}
    record = read_json(output / RECORD)
    try:
        if {key: record[key] for key in method} == method:
            return {row["case"]: Prediction(**row) for row in record["cases"]}
    except (KeyError, TypeError):
        pass  # a record of another form
    if overwrite:
        return {}
    raise OutputError(f"{output} has predictions of other models: give another folder, or --overwrite")


def _is_made(name: str, sources: dict[str, list[list[Any]]], made: dict[str, Prediction], output: Path) -> bool:
    return name in made and made[name].source == sources[name] and (output / made[name].mask).is_file()


def _source(files: CaseFiles, with_reference: bool) -> list[list[Any]]:
    paths = [files.volume, files.reference] if with_reference and files.reference else [files.volume]
    return [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]


def _reference_liver(case: Case) -> np.ndarray:
    if case.reference is None:
        raise InputError(f"{case.name} has no reference mask to take the liver from")
    return case.reference >= LIVER


def _millilitres(where: np.ndarray, case: Case) -> float:
    return float(np.count_nonzero(where) * np.prod(case.spacing_mm) / 1000)


def _named(progress: Callable[[str, str, int], None], name: str) -> Callable[[str, int], None]:
    return lambda stage, slices: progress(name, stage, slices)
