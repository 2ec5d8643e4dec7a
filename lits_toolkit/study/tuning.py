"""Thresholds from the validation cases: a sweep over stored probabilities (dissertation §3.1.6, §3.1.8).

A network's probabilities of a case are computed once and kept in the model's folder, on the network's grid; each
threshold is then tried at the CT's own resolution. What is found is written into `model.json` as `thresholds`, how as
`tuning`, and the whole sweep as `tuning.csv` beside it. They are true of these very weights: training further drops
them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR, Case, CaseFiles
from lits_toolkit.data.network_grid import from_network_grid
from lits_toolkit.data.prepare import fingerprint
from lits_toolkit.data.prepared import NPZ_UNREADABLE, open_npz
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import read_json, replacing, write_json
from lits_toolkit.inference.cascade import Thresholds, find_liver, find_tumor, liver_probability, tumor_probability
from lits_toolkit.inference.runtimes import Runner, open_model
from lits_toolkit.metrics.lesions import SIZE_GROUPS, size_group
from lits_toolkit.models.memory import keep_large_allocations
from lits_toolkit.models.storage import DESCRIPTION, TUNED, Model, load_model, weights_fingerprint
from lits_toolkit.study.sweep import TumorSweep, choose, lesion_dice, sweep_liver, sweep_tumor
from lits_toolkit.study.workspace import Workspace
from lits_toolkit.training.settings import REFERENCE

if TYPE_CHECKING:
    import pandas as pd

STEPS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""The thresholds that are tried, each of the three: 0.05 to 0.95."""
FOLDER, TABLE = "probabilities", "tuning.csv"
FEW = 10
"""Validation cases below which what is chosen is uncertain."""
FORGOTTEN = 0.001
"""Probabilities below are kept as 0: no threshold asks for them, and zeros pack well."""

Progress = Callable[[str, str, int], None]
Scores = dict[str, float]


@dataclass(frozen=True, eq=False)
class Tuned:
    """What was found for one stage."""

    stage: str
    model: str
    folder: Path
    cases: tuple[str, ...]
    sweep: "pd.DataFrame"
    """`tuning.csv`: a row for each setting. Columns liver, or tumor and tumor_component: the thresholds; dice_per_case;
    of the tumour stage also false_alarms (of all cases together); default and chosen, each True in one row."""
    before: Mapping[str, float]
    """The scores of the defaults: those of the sweep and, of the tumour stage, dice_small, dice_medium and dice_large,
    means over the reference's lesions, NaN without any of that size."""
    after: Mapping[str, float]
    """Those of what was chosen."""

    @property
    def default(self) -> dict[str, float]:
        """The thresholds that were there before."""
        return _thresholds(self.sweep, "default")

    @property
    def thresholds(self) -> dict[str, float]:
        """Those that were chosen, as `model.json` has them."""
        return _thresholds(self.sweep, "chosen")


def tune(study: Workspace, liver: str, tumor: str, progress: Progress | None = None) -> list[Tuned]:
    """Choose the thresholds of a cascade on the study's validation cases, and write them into its models.

    The liver's first; then the tumour's, inside the liver that the tuned first stage finds, as `lits predict` runs
    them. With `liver` "reference" the tumour's alone, inside the reference's liver. Interrupted, the same call goes on
    with the probabilities that are there. `progress` is called with the case, the stage and the slices just computed.

    Raises:
        InputError: There is no such model, no validation case, or one whose files are gone or have no reference.
        SettingError: A model is of the wrong stage, or was trained further meanwhile.
    """
    cases = validation_cases(study)
    keep_large_allocations()
    tumor_stage = _Stage.open(study.model("tumor", tumor), "tumor")
    tuned = []
    if liver == REFERENCE:
        inside = REFERENCE

        def liver_of(case: Case) -> np.ndarray:
            return _reference(case) >= LIVER
    else:
        stage = _Stage.open(study.model("liver", liver), "liver")
        tuned.append(_tune_liver(stage, cases, progress))
        thresholds = Thresholds(**tuned[0].thresholds)
        inside = f"{liver} {stage.weights} above {thresholds.liver}"

        def liver_of(case: Case) -> np.ndarray:
            return find_liver(stage.liver_probability(case, None), case.volume.shape, thresholds)

    tuned.append(_tune_tumor(tumor_stage, cases, liver_of, inside, progress))
    return tuned


def read_tuning(folder: str | Path) -> "pd.DataFrame | None":
    """The sweep of a model as `Tuned` has it; None where it has not been tuned, or was trained further since."""
    import pandas as pd

    folder = Path(folder)
    tuned = (folder / DESCRIPTION).is_file() and TUNED[0] in read_json(folder / DESCRIPTION)
    return pd.read_csv(folder / TABLE) if tuned and (folder / TABLE).is_file() else None


def validation_cases(study: Workspace) -> list[CaseFiles]:
    """Those that are tuned on; InputError where there is none, or one whose files are gone or have no reference."""
    names = study.require().split.validation
    if not names:
        raise InputError(f"{study.folder} has no validation case to tune on: prepare it with --validation 0.15")
    there = {case.name: case for case in study.cohort_cases()}
    gone = [name for name in names if name not in there or there[name].reference is None]
    if gone:
        raise InputError(f"{study.data} lacks the CT or the reference mask of {', '.join(gone)}, to tune on")
    return [there[name] for name in names]


@dataclass(frozen=True, eq=False)
class _Stage:
    """A model that is being tuned, and the probabilities that it has left."""

    folder: Path
    model: Model
    runner: Runner
    weights: str

    @classmethod
    def open(cls, folder: Path, stage: str) -> "_Stage":
        weights = weights_fingerprint(folder)
        model = load_model(folder)
        if model.stage != stage:
            raise SettingError(f"expected a model of the {stage} stage, found {folder} of the {model.stage} stage")
        return cls(folder, model, open_model(model), weights)

    def liver_probability(self, case: Case, progress: Progress | None) -> np.ndarray:
        """(z, size, size) float32 on the network's grid, kept before or computed now."""
        told = _told(progress, case.name, "liver")
        return self._kept(case, "", lambda: liver_probability(case.volume, self.runner, progress=told))

    def tumor_probability(self, case: Case, liver: np.ndarray, progress: Progress | None) -> np.ndarray:
        """Likewise, inside a (z, y, x) bool liver."""
        told = _told(progress, case.name, "tumor")
        return self._kept(
            case, fingerprint(liver), lambda: tumor_probability(case.volume, liver, self.runner, progress=told)
        )

    def _kept(self, case: Case, given: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        path = self.folder / FOLDER / f"{case.name}.npz"
        made_by = " ".join((self.weights, self.runner.runtime, fingerprint(case.volume), given))
        try:
            with open_npz(path) as stored:
                if str(stored["made_by"]) == made_by:
                    return stored["probability"].astype(np.float32)
        except NPZ_UNREADABLE:
            pass  # none, or none that can be read
        found = compute()
        probability = np.where(found < FORGOTTEN, 0, found).astype(np.float16)
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, probability=probability, made_by=np.array(made_by))
        return probability.astype(np.float32)  # what is read the next time, so that both give the same numbers

    def write(
        self, sweep: "pd.DataFrame", cases: Sequence[CaseFiles], before: Scores, after: Scores, record: dict[str, Any]
    ) -> Tuned:
        """Keep what was found."""
        names = tuple(case.name for case in cases)
        tuned = Tuned(self.model.stage, self.folder.name, self.folder, names, sweep, before, after)
        if weights_fingerprint(self.folder) != self.weights:
            raise SettingError(f"{self.folder} was trained further while it was tuned: tune it again")
        with replacing(self.folder / TABLE) as partial:
            sweep.to_csv(partial, index=False)
        record = record | {
            "cases": list(names),
            "runtime": self.runner.runtime,
            "weights": self.weights,
            "before": before,
            "after": after,
        }
        description = read_json(self.folder / DESCRIPTION)
        found = dict(zip(TUNED, (tuned.thresholds, record), strict=True))
        write_json(self.folder / DESCRIPTION, description | found)
        return tuned


def _tune_liver(stage: _Stage, cases: Sequence[CaseFiles], progress: Progress | None) -> Tuned:
    import pandas as pd

    per_case = []
    for case in map(read_case, cases):
        probability = from_network_grid(stage.liver_probability(case, progress), case.volume.shape)
        per_case.append(sweep_liver(probability, _reference(case) >= LIVER, STEPS))
    sweep = pd.DataFrame({"liver": STEPS, "dice_per_case": np.mean(per_case, axis=0)})
    default = STEPS.index(Thresholds.liver)
    (chosen,) = choose(sweep["dice_per_case"].to_numpy(), (default,))
    sweep["default"], sweep["chosen"] = sweep.index == default, sweep.index == chosen
    return stage.write(sweep, cases, _scores(sweep, "default"), _scores(sweep, "chosen"), {})


def _tune_tumor(
    stage: _Stage,
    cases: Sequence[CaseFiles],
    liver_of: Callable[[Case], np.ndarray],
    inside: str,
    progress: Progress | None,
) -> Tuned:
    swept = []
    for case in map(read_case, cases):
        liver = liver_of(case)
        probability = from_network_grid(stage.tumor_probability(case, liver, progress), case.volume.shape)
        swept.append(sweep_tumor(probability, liver, _reference(case) == TUMOR, STEPS, STEPS))
        del probability
    sweep = _tumor_table(swept)
    default = STEPS.index(Thresholds.tumor), STEPS.index(Thresholds.tumor_component)
    dice = sweep["dice_per_case"].to_numpy().reshape(len(STEPS), len(STEPS))
    # A component's highest probability is above the tumour threshold: a lower component threshold changes nothing.
    chosen = choose(np.where(np.tri(len(STEPS), k=-1), np.nan, dice), default)
    for name, place in (("default", default), ("chosen", chosen)):
        sweep[name] = sweep.index == np.ravel_multi_index(place, dice.shape)
    settings = [Thresholds(**_thresholds(sweep, row)) for row in ("default", "chosen")]
    lesions = []
    for case in map(read_case, cases):
        liver = liver_of(case)
        grid, reference = stage.tumor_probability(case, liver, progress), _reference(case) == TUMOR
        lesions.append([lesion_dice(reference, find_tumor(grid, liver, t), case.spacing_mm) for t in settings])
    before, after = (
        _scores(sweep, row) | _dice_by_size(of_cases)
        for row, of_cases in zip(("default", "chosen"), zip(*lesions, strict=True), strict=True)
    )
    return stage.write(sweep, cases, before, after, {"liver": inside})


def _tumor_table(swept: Sequence[TumorSweep]) -> "pd.DataFrame":
    import pandas as pd

    tumor, component = np.meshgrid(STEPS, STEPS, indexing="ij")
    columns = {
        "tumor": tumor,
        "tumor_component": component,
        "dice_per_case": np.mean([case.dice for case in swept], axis=0),
        "false_alarms": np.sum([case.false_alarms for case in swept], axis=0),
    }
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def _dice_by_size(of_cases: Sequence[tuple[np.ndarray, np.ndarray]]) -> Scores:
    """From the voxels and the Dice of each case's lesions."""
    voxels, dice = (np.concatenate(values) for values in zip(*of_cases, strict=True))
    groups = np.array([size_group(count) for count in voxels])
    own = {group: dice[groups == group] for group in SIZE_GROUPS}
    return {f"dice_{group}": float(values.mean()) if len(values) else math.nan for group, values in own.items()}


def _thresholds(sweep: "pd.DataFrame", row: str) -> dict[str, float]:
    """Those of the row that is `default` or `chosen`."""
    return {name: float(value) for name, value in _row(sweep, row).items() if name in vars(Thresholds())}


def _scores(sweep: "pd.DataFrame", row: str) -> Scores:
    """Likewise its scores."""
    return {name: float(value) for name, value in _row(sweep, row).items() if name in ("dice_per_case", "false_alarms")}


def _row(sweep: "pd.DataFrame", row: str) -> dict[str, Any]:
    return dict(sweep[sweep[row]].iloc[0])


def _reference(case: Case) -> np.ndarray:
    if case.reference is None:
        raise InputError(f"{case.name} has no reference mask to tune on")
    return case.reference


def _told(progress: Progress | None, name: str, stage: str) -> Callable[[int], None] | None:
    return None if progress is None else lambda slices: progress(name, stage, slices)
