"""Exporting a study's models; int8 weights are made of its training cases and held against its validation cases."""

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import InputError, SettingError, nearest
from lits_toolkit.inference.cascade import thresholds_of
from lits_toolkit.inference.export import FOLDER, ExportFormat, export_model
from lits_toolkit.inference.int8 import read_int8_record
from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.models.storage import Model, load_model, weights_fingerprint
from lits_toolkit.study.training import settings_of, training_cases
from lits_toolkit.study.workspace import Workspace
from lits_toolkit.training.settings import TrainSettings
from lits_toolkit.words import counted

if TYPE_CHECKING:
    import pandas as pd

LARGEST_DROP = 0.01
"""Of Dice, that int8 may cost."""
CALIBRATION = 64
"""Windows by which the ranges of activations are found."""


def export_from_study(
    study: Workspace,
    stage: str,
    name: str,
    to: ExportFormat,
    output: Path | None = None,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> Path:
    """Write one of the study's models into `output`, or "export" in its own folder, and return the file.

    For int8, weights are made and checked first unless those of the folder are of this very model. `tell` is given
    what takes minutes, and the verdict. Raises as `inference.export.export_model`; SettingError where the study has no
    model of that name.
    """
    folder = study.model(stage, name)
    there = study.models(stage)
    if name not in there:
        hint = nearest(name, there) if there else "it has none of that stage: `lits train` makes them"
        raise SettingError(f"no {stage} model {name!r} has been trained in {study.folder}; {hint}")
    model = load_model(folder)
    if to == "int8":
        tell(_int8_of(study, model, overwrite, tell))
    return export_model(model, to, output or folder / FOLDER, overwrite)


def make_int8(study: Workspace, model: Model, tell: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Quantise a model of the study, hold it against fp32 on the whole validation cases and keep it with the verdict.

    `tell` is given what takes minutes. Returns what is kept as `int8/int8.json` in the model's folder.
    """
    from lits_toolkit.inference.int8 import quantise, store_int8
    from lits_toolkit.inference.openvino_runtime import run_openvino, to_openvino
    from lits_toolkit.inference.runtimes import INT8, Runner
    from lits_toolkit.training.samples import CaseDataset
    from lits_toolkit.training.validation import measure_dice

    assert model.folder is not None
    settings = replace(settings_of(study, model.stage, model.name, TrainSettings()), validate_every=1)
    cases = training_cases(study, settings)
    if not cases.originals:
        raise InputError(f"{study.folder} has no validation case to hold int8 against: `lits prepare --validation`")
    samples = CaseDataset(
        [PreparedCase(path) for path in cases.train], settings, model.network.dimensions, cases.train_livers, whole=True
    )
    graph = to_openvino(model.network)
    windows = _calibration(samples)
    validation = counted(len(cases.originals), "validation case")
    tell(f"quantising by {counted(len(windows), 'window')}, then int8 and fp32 on {validation}")
    quantised = quantise(graph, windows)
    fp32, int8 = (
        measure_dice(Runner(model, name, run_openvino(each, "f32")), cases.originals, cases.validation_livers)
        for name, each in (("openvino", graph), (INT8, quantised))
    )
    measure = "dice_per_case" if math.isnan(fp32.dice_small) else "dice_small"
    before, after = getattr(fp32, measure), getattr(int8, measure)
    accepted = round(before - after, 6) <= LARGEST_DROP  # 0.5 − 0.49 is above 0.01 in floating point
    what = "Dice of small lesions" if measure == "dice_small" else "Dice per case"
    verdict = f"{what} {after:.3f} in int8, {before:.3f} in fp32: {'accepted' if accepted else 'refused'}"
    record = {
        "weights": weights_fingerprint(model.folder),
        "thresholds": vars(thresholds_of(model)),
        "accepted": accepted,
        "verdict": verdict,
        "measure": measure,
        "largest_drop": LARGEST_DROP,
        "fp32": asdict(fp32),
        "int8": asdict(int8),
        "validation_cases": [files.name for files in cases.originals],
        "calibration_windows": len(windows),
    }
    store_int8(model.folder, quantised, record)
    return record


def read_int8_dice(study: Workspace, name: str, stage: str = "tumor") -> "pd.DataFrame | None":
    """What a model's int8 weights cost on the validation cases, as `make_int8` measured it.

    Columns runtime ("openvino fp32" | "openvino int8"), size_group and dice. None where the study has no such model, or
    it has no int8 weights that are of it as it is now, or no validation case has a tumour.
    """
    import pandas as pd

    if name not in study.models(stage):
        return None
    record, reason = read_int8_record(load_model(study.model(stage, name)))
    if reason:
        return None
    rows = [
        (f"openvino {precision}", group, record[precision][f"dice_{group}"])
        for precision in ("fp32", "int8")
        for group in SIZE_GROUPS
    ]
    found = pd.DataFrame(rows, columns=["runtime", "size_group", "dice"]).astype({"dice": float})
    return found if found["dice"].notna().any() else None


def _int8_of(study: Workspace, model: Model, overwrite: bool, tell: Callable[[str], None]) -> str:
    from lits_toolkit.inference.int8 import read_int8

    if not overwrite:
        try:
            return read_int8(model).told
        except InputError:
            pass  # none, damaged, or of other weights
    return str(make_int8(study, model, tell)["verdict"])


def _calibration(samples: Any) -> list[np.ndarray]:
    """Windows as the stage was trained on, whole, from as many cases as there are, the same ones each time."""
    random = np.random.default_rng(0)
    pairs = [
        (case, start)
        for case, starts in enumerate(samples.starts)
        for start in random.permutation(starts)[: -(-CALIBRATION // len(samples.starts))]
    ]
    return [samples[case, int(start), 0][0].numpy()[None] for case, start in pairs[:CALIBRATION]]
