"""Which run a model folder holds, and how far it is: what a run is told from another by, and where it goes on."""

import json
import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import content_hash, read_json, remove, write_json
from lits_toolkit.models.storage import DESCRIPTION, WEIGHTS
from lits_toolkit.training.record import (
    AVERAGE,
    AVERAGE_CHECKPOINT,
    CHECKPOINT,
    SWA,
    TRAIN,
    Row,
    losses,
    phase_rows,
    read_history,
)
from lits_toolkit.training.schedule import should_stop
from lits_toolkit.training.settings import TrainSettings

EXTENDABLE = ("epochs", "stop_after", "validate_every", "workers")
"""Settings that may change when a run goes on: they do not change what its epochs so far have given."""
TRAINED = "trained.safetensors"
"""The best single epoch's weights, kept where the average's took their place."""


@dataclass(frozen=True)
class TrainingCases:
    """What a run learns from and is held against."""

    train: Sequence[Path]
    """Prepared cases with masks."""
    validation: Sequence[Path]
    """Prepared cases with masks, by whose loss the best weights are chosen."""
    originals: Sequence[CaseFiles] = ()
    """The validation cases' own files, in the same order, for Dice at the CT's resolution; without, there is none."""
    train_livers: Sequence[Path] = ()
    """The first stage's livers (`predict_livers`), one for each case; without, the reference's are taken."""
    validation_livers: Sequence[Path] = ()
    liver_model: str = ""
    """A fingerprint of the weights that found them."""


def _common_size(prepared: Sequence[PreparedCase], settings: TrainSettings) -> tuple[int, tuple[int, int]]:
    grids = {(case.shape[1], case.window) for case in prepared}
    if len(grids) != 1:
        raise InputError(f"the prepared cases differ in size or window ({sorted(grids)}): prepare them alike")
    unmarked = [case.name for case in prepared if not case.has_mask]
    if unmarked:
        raise InputError(f"no reference mask to learn from: {', '.join(unmarked)}")
    size, window = grids.pop()
    if size % (32 * settings.reduce):
        raise SettingError(f"reduce {settings.reduce}: expected a size of 32 times it or a multiple, found {size}")
    if settings.crop is not None and settings.crop > size // settings.reduce:
        raise SettingError(f"crop: expected at most the slices' own {size // settings.reduce}, found {settings.crop}")
    return size, window


def is_trained(history: list[Row], settings: TrainSettings) -> bool:
    """Whether the first phase is over."""
    past = losses(history)
    return len(past) == settings.epochs or (bool(past) and should_stop(past, settings.stop_after))


def is_finished(folder: Path, history: list[Row], settings: TrainSettings) -> bool:
    """Whether nothing is left to do."""
    averaged = bool(phase_rows(history, AVERAGE)) or not settings.swa_epochs
    if not (is_trained(history, settings) and averaged):
        return False
    description = read_json(folder / DESCRIPTION)
    return "dice" in description and bool(description["dice"] or not settings.validate_every)


def without_average(folder: Path, description: dict[str, Any], history: list[Row]) -> list[Row]:
    """Undo the second phase of a shorter run, so that the first may go on."""
    if (folder / TRAINED).is_file():
        (folder / TRAINED).replace(folder / WEIGHTS)
    remove(folder / AVERAGE_CHECKPOINT)
    description.pop("dice", None)
    rows = phase_rows(history, TRAIN)
    if rows:
        best = min(rows, key=lambda row: row["validation_loss"])
        description |= {"best_epoch": best["epoch"], "phase": TRAIN, "validation_loss": best["validation_loss"]}
        write_json(folder / DESCRIPTION, description)
    return rows


def describe(settings: TrainSettings, cases: TrainingCases) -> dict[str, Any]:
    """What `model.json` says of a run before its first epoch.

    Raises InputError or SettingError where the cases cannot be trained on, together or with these settings.
    """
    prepared = [PreparedCase(Path(path)) for path in (*cases.train, *cases.validation)]
    size, window = _common_size(prepared, settings)
    contents = " ".join(case.metadata["fingerprint"] for case in prepared)
    return {
        "name": settings.model,
        "stage": settings.stage,
        "size": size // settings.reduce,
        "window": list(window),
        "settings": asdict(settings),
        "train_cases": [case.name for case in prepared[: len(cases.train)]],
        "validation_cases": [case.name for case in prepared[len(cases.train) :]],
        "cohort": content_hash(contents.encode()),
        "liver_model": cases.liver_model,
        "precision": "bf16" if settings.precision == "bf16" else "fp32",
        "versions": {package: version(package) for package in ("lits-toolkit", "torch", "lightning")},
    }


def history_of_same_run(folder: Path, description: dict[str, Any]) -> list[Row]:
    """The epochs that this very run has behind it; SettingError where it is another one."""
    if not (folder / CHECKPOINT).is_file():
        return []
    saved, history = read_json(folder / DESCRIPTION), read_history(folder)
    fields = ("size", "window", "train_cases", "validation_cases", "cohort", "liver_model")
    differing = [key for key in fields if saved.get(key) != description[key]]
    old, new = saved.get("settings", {}), json.loads(json.dumps(description["settings"]))
    differing += [
        f"{key} {old.get(key)!r} → {new[key]!r}" for key in new if key not in EXTENDABLE and old.get(key) != new[key]
    ]
    done = _epochs_of(folder / CHECKPOINT)
    rows = phase_rows(history, TRAIN)[:done]
    if new["epochs"] < len(rows):
        differing.append(f"{len(rows)} epochs done → {new['epochs']}")
    if differing:
        raise SettingError(
            f"{folder} holds a run of other settings ({'; '.join(differing)}): "
            "give the same ones to go on with it, or --overwrite to begin anew"
        )
    average = phase_rows(history, AVERAGE)
    if (folder / AVERAGE_CHECKPOINT).is_file() and not average:
        last = _epochs_of(folder / AVERAGE_CHECKPOINT)
        return rows + [row for row in phase_rows(history, SWA) if row["epoch"] <= last]
    return rows + (phase_rows(history, SWA) + average if average else [])


def _epochs_of(checkpoint: Path) -> int:
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["epoch"]) + 1
    except (RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise InputError(f"{checkpoint} is no state to go on from that can be read: --overwrite begins anew") from error
