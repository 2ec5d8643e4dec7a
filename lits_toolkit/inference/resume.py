"""What a folder of predictions holds already, and by what it was made, so that a call goes on where one stopped."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lits_toolkit.data.case import CaseFiles, mask_file_name
from lits_toolkit.errors import OutputError
from lits_toolkit.files import read_json
from lits_toolkit.inference.cascade import Thresholds
from lits_toolkit.inference.record import (
    Prediction,
    Probability,
    probability_name,
    read_prediction,
    record_name,
    seg_name,
)
from lits_toolkit.models.storage import TUNED, Model

RECORD = "predictions.json"
"""By which models, and with what settings, a folder's masks were made."""


@dataclass(frozen=True)
class Task:
    """What is done with each case, and where to."""

    output: Path
    method: str
    thresholds: Thresholds
    runtime: str
    batch_size: int
    box: bool
    probability: Probability | None
    dicom_seg: bool

    def made_of(self, case: str) -> list[Path]:
        """The files of a case, the mask first."""
        names = [mask_file_name(case)]
        if self.probability:
            names.append(probability_name(case, self.probability))
        if self.dicom_seg:
            names.append(seg_name(case))
        return [self.output / name for name in names]


def describe_method(
    tumor_model: Model, liver_model: Model | None, thresholds: Thresholds, runtime: str, box: bool
) -> dict[str, Any]:
    """What makes one prediction another than the next: the models, whole, and the settings."""
    return {
        "liver_model": _describe(liver_model) if liver_model else "reference",
        "tumor_model": _describe(tumor_model),
        "thresholds": vars(thresholds),
        "runtime": runtime,
        "box": box,
    }


def method_fingerprint(method: dict[str, Any]) -> str:
    """By which a prediction's own JSON refers to it."""
    return hashlib.blake2b(json.dumps(method, sort_keys=True).encode(), digest_size=16).hexdigest()


def require_same_method(output: Path, method: dict[str, Any]) -> None:
    """OutputError, with what differs, where a folder has masks of another method."""
    if not (output / RECORD).is_file() or not any(output.glob("segmentation-*.nii.gz")):
        return
    # compared as JSON, from which a tuple comes back as a list
    before, now = read_json(output / RECORD), json.loads(json.dumps(method))
    if before != now:
        raise OutputError(
            f"{output} has predictions that were made otherwise ({'; '.join(_differences(before, now))}): "
            "give another folder (held-out cases: another --run), or --overwrite"
        )


def _describe(model: Model) -> dict[str, Any]:
    """A model's description without the thresholds `lits tune` adds: those that count are the method's own."""
    return {key: value for key, value in model.description.items() if key not in TUNED}


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """In what a method differs from another, in words."""
    found = []
    for stage in ("liver", "tumor"):
        old, new = (method.get(f"{stage}_model", {}) for method in (before, now))
        names = [model if isinstance(model, str) else model.get("name") for model in (old, new)]
        if names[0] != names[1]:
            found.append(f"{stage} model {names[0]}, now {names[1]}")
        elif old != new:
            found.append(f"{stage} model {names[0]}, trained or described otherwise since")
    found += [
        f"{key} {_shown(before[key])}, now {_shown(now[key])}"
        for key in ("thresholds", "runtime", "box")
        if key in before and before[key] != now[key]
    ]
    return found or ["by another version of lits_toolkit"]


def _shown(value: Any) -> str:
    return " ".join(map(str, value.values())) if isinstance(value, dict) else str(value)


def find_kept(sources: dict[str, list[list[Any]]], task: Task) -> dict[str, Prediction]:
    """What this very method has made of these files before, by case."""
    kept = {}
    for case, source in sources.items():
        made = read_prediction(task.output / record_name(case))
        if made and (made.method, made.source) == (task.method, source) and all(map(Path.is_file, task.made_of(case))):
            kept[case] = made
    return kept


def require_free(cases: Sequence[CaseFiles], sources: dict[str, list[list[Any]]], task: Task) -> None:
    """OutputError where a case has a mask already that this method did not make of these files."""
    taken = []
    for case in cases:
        made = read_prediction(task.output / record_name(case.name))
        ours = made is not None and (made.method, made.source) == (task.method, sources[case.name])
        if not ours and task.made_of(case.name)[0].exists():
            taken.append(mask_file_name(case.name))
    if taken:
        raise OutputError(f"{task.output} already has {', '.join(taken)}: give another folder, or --overwrite")


def describe_source(files: CaseFiles, with_reference: bool) -> list[list[Any]]:
    """Path, size and time of change of the files of a case that are read."""
    paths = [files.volume, files.reference] if with_reference and files.reference else [files.volume]
    return [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
