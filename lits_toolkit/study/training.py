"""Training in a study: which cases, which livers, into which model folder."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import read_json
from lits_toolkit.models.storage import DESCRIPTION
from lits_toolkit.study.workspace import Workspace
from lits_toolkit.training.settings import REFERENCE, TrainSettings, make_settings

if TYPE_CHECKING:
    from lits_toolkit.training.estimate import Estimate
    from lits_toolkit.training.record import EachEpoch
    from lits_toolkit.training.resume import TrainingCases


def train_in_study(
    study: Workspace,
    settings: TrainSettings,
    overwrite: bool = False,
    progress: bool = True,
    each_epoch: "EachEpoch | None" = None,
    tell: "Callable[[Estimate], None] | None" = None,
) -> Path:
    """Train one stage on the study's cases, or go on where it stopped, and return its model folder.

    As `training.run.train`, which says what the rest means and raises; InputError also where a case is not prepared, a
    validation case's own files are gone, or the liver model is not trained yet.
    """
    from lits_toolkit.training.run import train

    folder = study.model(settings.stage, settings.model)
    return train(folder, training_cases(study, settings, progress), settings, overwrite, progress, each_epoch, tell)


def settings_of(study: Workspace, stage: str, model: str, otherwise: TrainSettings) -> TrainSettings:
    """What a model of the study was trained with, to go on with it; `otherwise` where there is none.

    InputError where it was trained with settings of another version.
    """
    path = study.model(stage, model) / DESCRIPTION
    if not path.is_file():
        return otherwise
    try:
        return make_settings(read_json(path)["settings"])
    except (KeyError, TypeError, SettingError) as error:
        raise InputError(
            f"{path} has settings of another version: train it anew, by `lits train --overwrite`"
        ) from error


def training_cases(study: Workspace, settings: TrainSettings, progress: bool = False) -> "TrainingCases":
    """What a run of these settings learns from and is held against; livers of the first stage are found if need be."""
    from lits_toolkit.models.storage import weights_fingerprint
    from lits_toolkit.training.livers import predict_livers
    from lits_toolkit.training.resume import TrainingCases

    split = study.require().split
    train, validation = study.prepared_cases(split.train), study.prepared_cases(split.validation)
    files = {case.name: case for case in study.cohort_cases()} if settings.validate_every else {}
    gone = [name for name in split.validation if name not in files]
    if gone and settings.validate_every:
        raise InputError(
            f"{study.data} no longer has {', '.join(gone)}, on which to measure Dice: restore them, or validate_every 0"
        )
    originals = tuple(files[name] for name in split.validation) if files else ()
    if settings.stage == "liver" or settings.liver == REFERENCE:
        return TrainingCases(train, validation, originals)
    model = study.model("liver", settings.liver)
    livers = predict_livers(model, [PreparedCase(path) for path in (*train, *validation)], progress)
    return TrainingCases(
        train, validation, originals, livers[: len(train)], livers[len(train) :], weights_fingerprint(model)
    )
