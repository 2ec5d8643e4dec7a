"""What a folder of predictions holds already, and by what it was made, so that a call goes on where one stopped."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lits_toolkit.data.case import CaseFiles, mask_file_name
from lits_toolkit.data.folders import outer_zip
from lits_toolkit.data.layouts import PREDICTED
from lits_toolkit.errors import OutputError
from lits_toolkit.files import content_hash, read_json, remove
from lits_toolkit.inference.cascade import Thresholds
from lits_toolkit.inference.int8 import int8_fingerprint
from lits_toolkit.inference.record import (
    Prediction,
    probability_name,
    read_prediction,
    record_name,
    seg_name,
)
from lits_toolkit.inference.runtimes import AUTO, INT8
from lits_toolkit.inference.settings import PredictSettings
from lits_toolkit.models.storage import TUNED, Model, weights_fingerprint
from lits_toolkit.words import counted

Source = list[list[Any]]
"""Path, size and time of change of each of the files that a case was read from."""


@dataclass(frozen=True)
class Task:
    """What is done with each case, and where to."""

    output: Path
    method: str
    """Its fingerprint."""
    thresholds: Thresholds
    settings: PredictSettings

    def made_of(self, case: str) -> list[Path]:
        """The files of a case, the mask first."""
        names = [mask_file_name(case)]
        if self.settings.probability:
            names.append(probability_name(case, self.settings.probability))
        if self.settings.dicom_seg:
            names.append(seg_name(case))
        return [self.output / name for name in names]

    def made_before(self, case: str, source: Source) -> Prediction | None:
        """What the record says of a case, where this very method made it of these files."""
        made = read_prediction(self.output / record_name(case))
        return made if made is not None and (made.method, made.source) == (self.method, source) else None


def describe_method(
    tumor_model: Model, liver_model: Model | None, thresholds: Thresholds, settings: PredictSettings
) -> dict[str, Any]:
    """What makes one prediction another than the next: the models, whole, and the settings.

    Thresholds stand by themselves, not in the models that hold them. Int8 weights are there wherever they may be taken.
    """
    models = {"tumor": tumor_model} | ({"liver": liver_model} if liver_model else {})
    own = {
        stage: {name: value for name, value in model.description.items() if name not in TUNED}
        for stage, model in models.items()
    }
    return {
        "liver_model": own.get("liver", "reference"),
        "tumor_model": own["tumor"],
        "weights": {stage: weights_fingerprint(model.folder) for stage, model in models.items() if model.folder},
        "int8": {stage: int8_fingerprint(model) for stage, model in models.items() if settings.runtime in (AUTO, INT8)},
        "thresholds": vars(thresholds),
        "runtime": settings.runtime,
        "box": settings.box,
    }


def method_fingerprint(method: dict[str, Any]) -> str:
    """By which a prediction's own JSON refers to it."""
    return content_hash(json.dumps(method, sort_keys=True).encode())


def require_same_method(output: Path, method: dict[str, Any]) -> None:
    """OutputError, with what differs, where a folder has masks of another method."""
    if not (output / PREDICTED).is_file() or not any(output.glob("segmentation-*.nii.gz")):
        return
    # compared as JSON, from which a tuple comes back as a list
    before, now = read_json(output / PREDICTED), json.loads(json.dumps(method))
    if before != now:
        raise OutputError(
            f"{output} has predictions that were made otherwise ({'; '.join(_differences(before, now))}): "
            "give another folder (held-out cases: another --run), or --overwrite"
        )


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """In what a method differs from another, in words."""
    if not isinstance(before, dict):
        return ["by another version of lits_toolkit"]
    found = []
    for stage in ("liver", "tumor"):
        old, new = (method.get(f"{stage}_model", {}) for method in (before, now))
        names = [model if isinstance(model, str) else model.get("name") for model in (old, new)]
        if names[0] != names[1]:
            found.append(f"{stage} model {names[0]}, now {names[1]}")
        elif old != new or _of(before, "weights", stage) != _of(now, "weights", stage):
            found.append(f"{stage} model {names[0]}, trained or described otherwise since")
        elif _of(before, "int8", stage) != _of(now, "int8", stage):
            found.append(f"{stage} model {names[0]}, its int8 weights made anew since")
    found += [
        f"{key} {_shown(before[key])}, now {_shown(now[key])}"
        for key in ("thresholds", "runtime", "box")
        if key in before and before[key] != now[key]
    ]
    return found or ["by another version of lits_toolkit"]


def _of(method: dict[str, Any], what: str, stage: str) -> Any:
    return method.get(what, {}).get(stage)


def _shown(value: Any) -> str:
    return " ".join(map(str, value.values())) if isinstance(value, dict) else str(value)


def find_kept(sources: dict[str, Source], task: Task) -> dict[str, Prediction]:
    """What this very method has made of these files before, by case."""
    kept = {}
    for case, source in sources.items():
        made = task.made_before(case, source)
        if made and all(map(Path.is_file, task.made_of(case))):
            kept[case] = made
    return kept


def remove_stale(case: str, source: Source, task: Task) -> None:
    """Delete what another method, or another CT, has left of a case: this call writes only a part of it anew."""
    if task.made_before(case, source) is None:
        extras = (probability_name(case, "uint8"), probability_name(case, "float16"), seg_name(case))
        for name in (mask_file_name(case), *extras):
            remove(task.output / name)


def require_free(cases: Sequence[CaseFiles], sources: dict[str, Source], task: Task) -> None:
    """OutputError where a case has a mask already that this method did not make of these files."""
    taken, of_other_files = [], True
    for case in cases:
        mask = task.made_of(case.name)[0]
        if mask.exists() and task.made_before(case.name, sources[case.name]) is None:
            taken.append(mask.name)
            made = read_prediction(task.output / record_name(case.name))
            of_other_files &= made is not None and made.method == task.method
    if taken:
        more = f" and {counted(len(taken) - 1, 'other mask')} of these cases" if len(taken) > 1 else ""
        why = "made of another CT, or of one that has changed since" if of_other_files else "of unknown origin"
        raise OutputError(
            f"{task.output} already has {taken[0]}{more}, {why}: give another folder (held-out cases: another --run), "
            f"or --overwrite to make {'them' if more else 'it'} anew"
        )


def require_not_read(cases: Sequence[CaseFiles], task: Task) -> None:
    """OutputError, even with `overwrite`, where a mask would take an expert's place, or lie among DICOM slices."""
    output = task.output.resolve()
    for case in cases:
        mask = task.made_of(case.name)[0].resolve()
        ours = read_prediction(task.output / record_name(case.name)) is not None
        if case.reference is not None and mask == case.reference.resolve() and not ours:
            raise OutputError(
                f"{mask} is the reference mask of {case.name}, which a prediction must not replace: give another folder"
            )
        if case.volume.is_dir() and output.is_relative_to(case.volume.resolve()):
            raise OutputError(f"{task.output} lies among the DICOM slices of {case.name}: give another folder")


def describe_source(files: CaseFiles, with_reference: bool) -> Source:
    """Path, size and time of change of the files of a case that are read; of a folder those of all that it holds.

    What lies in a zip file is as that file.
    """
    paths = [files.volume, files.reference] if with_reference and files.reference else [files.volume]
    return [[str(path.resolve()), *_size_and_change(path)] for path in paths]


def _size_and_change(path: Path) -> tuple[int, int]:
    """Bytes, and the last time of change in ns: of a folder, whose own says nothing of a slice that is replaced.

    Zeros where one of the files is not there, a link to nowhere: reading the case tells of it, and stops no other.
    """
    parts = [outer_zip(path) or path, *(path.rglob("*") if path.is_dir() else ())]
    try:
        found = [part.stat() for part in parts]
    except OSError:
        return 0, 0
    return sum(each.st_size for each in found), max(each.st_mtime_ns for each in found)
