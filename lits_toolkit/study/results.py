"""Results to look at: one or several methods on the same cases, each with its scores, beside the files they are of.

A method is a run of a study, or a folder of masks, which is scored when it is asked for.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.folders import by_folder_name, split_places
from lits_toolkit.data.layouts import PREDICTED, find_cases
from lits_toolkit.data.phantom.cohort import PLANS
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import read_json
from lits_toolkit.models.encoders import encoders
from lits_toolkit.study.intervals import same_cases
from lits_toolkit.study.numbers import case_keys
from lits_toolkit.study.pairs import MaskPair, pair_masks, require_counterparts
from lits_toolkit.study.scores import Scores, evaluate, read_runs
from lits_toolkit.study.workspace import RUN, Workspace

PHANTOMS = "phantom cohort"


@dataclass(frozen=True, eq=False)
class Results:
    """Methods on the same cases; the first is the one that is looked at, the others are what it is compared with."""

    label: str
    """What the cohort is called in titles: a phantom's score is always named as one."""
    scores: dict[str, Scores]
    """By method."""
    networks: dict[str, str]
    """Method → its tumour network's name in the catalogue, "" where none is known."""
    trained: frozenset[str] | None
    """Names of the tumour networks that the study has trained, scored or not; None where there is no study."""
    pairs: list[MaskPair]
    """The masks of the first method with their references."""
    files: list[CaseFiles]
    """The same cases with their CT, in the same order; empty unless all have one."""
    folders: dict[str, Path]
    """Method → the folder of its masks."""
    references: Path
    """The cohort, or folder of masks, that they are scored against."""

    @property
    def method(self) -> str:
        """The first method's name."""
        return next(iter(self.scores))

    @property
    def first(self) -> Scores:
        """The first method's scores."""
        return self.scores[self.method]

    @property
    def title(self) -> str:
        """What a figure of the first method alone is called by: the cohort and, of several methods, this one."""
        return f"{self.label}, {self.method}" if len(self.scores) > 1 else self.label

    def masks(self, method: str) -> dict[str, Path]:
        """Case → its mask; none of a run whose masks were not kept, as of a threshold, or are not all there."""
        pairs = self.pairs
        if method != self.method:
            try:
                pairs = pair_masks(self.folders[method], self.references, [pair.case for pair in pairs])
            except InputError:
                return {}
        return {pair.case: pair.prediction for pair in pairs}

    def why_none(self, network: str) -> str:
        """Why there is nothing of a tumour network to show: "not trained", "trained, not scored" or "no prediction".

        No prediction is what there is of folders of masks of which none is the network's, and of a run whose masks
        were not kept.
        """
        if self.trained is None or network in self.networks.values():
            return "no prediction"
        return "trained, not scored" if network in self.trained else "not trained"

    @property
    def cases(self) -> pd.DataFrame:
        """cases.csv of all methods below each other, with a column method."""
        return _below_each_other({method: scores.cases for method, scores in self.scores.items()})

    @property
    def lesions(self) -> pd.DataFrame:
        """lesions.csv of all methods below each other, with a column method."""
        return _below_each_other({method: scores.lesions for method, scores in self.scores.items()})


def open_results(
    study: Workspace,
    run: str = RUN,
    predictions: str = "",
    references: str = "",
    volumes: str = "",
    n_jobs: int | None = None,
) -> Results:
    """What a notebook's parameters ask for: a study's run, or folders of masks instead.

    Args:
        study: The study.
        run: Which of its runs; beside it stand its other runs that were scored on the same cases.
        predictions: Folders of masks, parted by commas, instead of the run.
        references: The cohort, or folder of masks, that they are scored against; the study's held-out cases where
            empty.
        volumes: The folder of the CT, where none lie beside the references.
        n_jobs: Cases scored at a time, as `evaluate` takes it.

    Raises:
        SettingError: References or volumes are given without predictions.
        InputError, GeometryError: As `evaluate` raises, or `volumes` lacks a case.
    """
    if not predictions:
        if references or volumes:
            raise SettingError("expected predictions=FOLDER beside references or volumes, found none")
        return results_of_run(study, run)
    folders = split_places(predictions)
    if references:
        return score_folders(folders, references, volumes, n_jobs=n_jobs)
    return score_folders(folders, study.data, volumes, study.held_out, n_jobs, study.label)


def results_of_run(study: Workspace, run: str = RUN) -> Results:
    """A study's run and its other runs on the same cases; InputError without its scores or predictions."""
    scores = {run: study.scores(run)} | comparable_runs(study, run)[0]
    names = list(scores[run].cases["case"])
    pairs = pair_masks(study.predictions(run), study.data, names)
    return Results(
        study.label_of(names),
        scores,
        {method: _network(study.predictions(method)) for method in scores},
        frozenset(study.models("tumor")),
        pairs,
        _find_files(pairs, study.data),
        {method: study.predictions(method) for method in scores},
        study.data,
    )


def comparable_runs(study: Workspace, run: str) -> tuple[dict[str, Scores], dict[str, str]]:
    """The study's other runs that were scored on the same cases, by name, and why each further one was not."""
    scores = study.scores(run)
    readable, refused = read_runs(study)
    others = {}
    for other, theirs in readable.items():
        if other == run:
            continue
        try:
            same_cases(scores, theirs)
            others[other] = theirs
        except InputError as error:
            refused[other] = str(error)
    return others, refused


def score_folders(
    predictions: Sequence[str | Path],
    references: str | Path,
    volumes: str | Path = "",
    names: Sequence[str] | None = None,
    n_jobs: int | None = None,
    label: str = "",
) -> Results:
    """Score folders of masks against the same references, without writing anything.

    Args:
        predictions: Folders of masks; each is a method under its folder's name.
        references: A cohort, or a folder of masks.
        volumes: The folder of the CT, where none lie beside the references.
        names: Only these cases; None means all that have a reference.
        n_jobs: Cases scored at a time, as `evaluate` takes it.
        label: What the cohort is called; by its folder where empty, or as the phantom cohort that it is.

    Raises:
        SettingError: No folder is given.
        InputError, GeometryError: As `evaluate` raises, or `volumes` lacks a case.
    """
    places = by_folder_name([Path(place) for place in predictions])
    if not places:
        raise SettingError("expected at least one folder of predictions, found none")
    pairs = pair_masks(next(iter(places.values())), references, names)
    files = _find_files(pairs, references, volumes)
    return Results(
        label or cohort_label(references, volumes),
        {method: evaluate(place, references, names=names, n_jobs=n_jobs) for method, place in places.items()},
        {method: _network(place) for method, place in places.items()},
        None,
        pairs,
        files,
        places,
        Path(references),
    )


def cohort_label(*folders: str | Path) -> str:
    """What a cohort is called by its folders, of which the first names it; phantoms wherever their plans lie."""
    places = [Path(folder).resolve() for folder in folders if str(folder)]
    if any((place / PLANS).is_file() for folder in places for place in (folder, folder.parent)):
        return PHANTOMS
    return f"cohort {places[0].name}"


def _find_files(pairs: Sequence[MaskPair], references: str | Path, volumes: str | Path = "") -> list[CaseFiles]:
    """The scored cases with their CT; without `volumes` none, unless all have one beside their reference."""
    if volumes:
        found = find_cases(volumes)
        keys, known = case_keys([pair.case for pair in pairs], [case.name for case in found])
        by_key = dict(zip(known, found, strict=True))
        missing = [pair.case for key, pair in zip(keys, pairs, strict=True) if key not in by_key]
        require_counterparts({f"{volumes} has no CT of": missing}, "each scored case needs its CT there")
        return [
            CaseFiles(pair.case, by_key[key].volume, pair.reference, by_key[key].series)
            for key, pair in zip(keys, pairs, strict=True)
        ]
    by_name = {}
    with suppress(InputError):  # a folder of masks alone
        by_name = {case.name: case for case in find_cases(references) if case.reference not in (None, case.volume)}
    return [by_name[pair.case] for pair in pairs] if all(pair.case in by_name for pair in pairs) else []


def _network(predictions: Path) -> str:
    """The tumour network of a folder of masks, by the record that `lits predict` leaves there, or the folder's name."""
    with suppress(InputError, KeyError, TypeError):  # another's folder
        return str(read_json(predictions / PREDICTED)["tumor_model"]["name"])
    name = predictions.resolve().name
    return name if name in encoders() else ""


def _below_each_other(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([table.assign(method=method) for method, table in tables.items()], ignore_index=True)
