"""The first stage's livers of prepared cases, so that the second can be trained on what it will be given."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.progress import track

from lits_toolkit.data.prepared import NPZ_UNREADABLE, PreparedCase, open_npz, to_hu
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import output_folder, replacing
from lits_toolkit.inference.cascade import predict_liver
from lits_toolkit.inference.runtimes import Runner, open_model
from lits_toolkit.models.storage import load_model, weights_fingerprint

FOLDER = "livers"


def predict_livers(model_folder: Path, cases: Sequence[PreparedCase], progress: bool = False) -> list[Path]:
    """Find the liver of each prepared case by a model of the liver stage; one file per case in the model's folder.

    A liver that the same weights found in the same CT before is kept. Raises SettingError where the model is of the
    other stage or saw another window, InputError where its folder holds none.
    """
    model = load_model(model_folder)
    if model.stage != "liver":
        raise SettingError(f"expected a model of the liver stage to find livers with, found the {model.stage} stage's")
    weights = weights_fingerprint(model_folder)
    folder = output_folder(model_folder / FOLDER)
    places = {folder / f"{case.name}.npz": case for case in cases}
    makers = {place: f"{weights} {case.metadata['fingerprint']} {case.shape[1]}" for place, case in places.items()}
    todo = [place for place in places if not _is_made(place, makers[place])]
    runner = open_model(model)
    for place in track(todo, "finding livers", disable=not progress or not todo):
        liver = _find_liver(runner, places[place])
        with replacing(place) as partial, partial.open("wb") as file:
            np.savez_compressed(file, liver=np.packbits(liver), shape=liver.shape, made_by=np.array(makers[place]))
    return list(places)


def read_liver(path: Path) -> np.ndarray:
    """The (z, y, x) bool liver that `predict_livers` wrote; InputError where the file cannot be read."""
    try:
        with open_npz(path) as stored:
            shape = tuple(stored["shape"])
            return np.unpackbits(stored["liver"], count=int(np.prod(shape))).reshape(shape).astype(bool)
    except NPZ_UNREADABLE as error:
        raise InputError(f"{path} is no liver that can be read: remove it, and it is found again") from error


def _is_made(path: Path, made_by: str) -> bool:
    try:
        with open_npz(path) as stored:
            return str(stored["made_by"]) == made_by
    except NPZ_UNREADABLE:
        return False


def _find_liver(runner: Runner, case: PreparedCase) -> np.ndarray:
    """As the cascade does it, on the prepared case's own grid."""
    if case.window != runner.model.window:
        raise SettingError(f"expected cases of the liver model's window {runner.model.window}, found {case.window}")
    return predict_liver(to_hu(case.volume_slices(0, case.shape[0]), case.window), runner)
