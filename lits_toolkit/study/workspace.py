"""The workspace: the folder in which a study keeps prepared cases, models, predictions, scores and figures."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.prepared import find_prepared
from lits_toolkit.data.splits import Part, Split
from lits_toolkit.errors import InputError, SettingError, nearest
from lits_toolkit.files import output_folder, read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

    from lits_toolkit.study.scores import Scores

COHORT = "cohort.json"
RUN = "cascade"
"""The run that is meant where none is named."""

_PARTS_IN_TITLES: dict[Part, str] = {"train": "training cases", "validation": "validation cases"}


def require_run_of_part(run: str, part: Part) -> None:
    """SettingError where cases of another part would come into the run of the held-out ones."""
    if part != "held-out" and run == RUN:
        raise SettingError(f"--part {part}: give these predictions a name of their own, such as --run {RUN}-{part}")


@dataclass(frozen=True)
class Workspace:
    """Where everything of one study lies. Made by `lits prepare` (or `lits demo`), read by all that follows."""

    folder: Path

    def __init__(self, folder: str | Path) -> None:
        object.__setattr__(self, "folder", Path(folder))

    @property
    def exists(self) -> bool:
        """Whether a cohort has been prepared here."""
        return (self.folder / COHORT).is_file()

    @property
    def prepared(self) -> Path:
        """Prepared cases, NAME.b2nd or NAME.npz."""
        return self.folder / "prepared"

    @property
    def figures(self) -> Path:
        """Rendered pictures."""
        return self.folder / "figures"

    @property
    def data(self) -> Path:
        """The cohort's own folder, where the original CT and reference masks are."""
        data = Path(self._cohort()["data"])
        return data if data.is_absolute() else self.folder / data

    @property
    def label(self) -> str:
        """What the cohort is called in titles: a phantom's score is always named as one."""
        return str(self._cohort()["label"])

    @property
    def split(self) -> Split:
        """Names of the cases to train on, to choose the weights by, and held out."""
        return Split(**{part: tuple(names) for part, names in self._cohort()["split"].items()})

    @property
    def held_out(self) -> tuple[str, ...]:
        """Names of the cases that a run predicts and is scored on: the test part, or validation where there is none."""
        return self.split.test or self.split.validation

    def names_of(self, part: Part = "held-out") -> tuple[str, ...]:
        """Names of the cases of a part of the study."""
        return self.held_out if part == "held-out" else tuple(getattr(self.split, part))

    def cases_of(self, part: Part = "held-out") -> list[CaseFiles]:
        """The files of a part's cases; InputError where there are none, or some are no longer in the cohort."""
        names = self.names_of(part)
        if not names and part == "held-out":
            raise InputError(f"{self.folder} holds no case out: `lits prepare --test 0.1` does, in another workspace")
        if not names:
            raise InputError(f"{self.folder} has no {part} cases")
        cases = {case.name: case for case in self.cohort_cases()}
        missing = [name for name in names if name not in cases]
        if missing:
            raise InputError(f"{self.data} no longer has {', '.join(missing)}, of this study's {part} cases")
        return [cases[name] for name in names]

    def label_of(self, names: Collection[str]) -> str:
        """What results on these cases are called by: the cohort, and the part where it is not the held-out one."""
        for part, said in _PARTS_IN_TITLES.items():
            if names and set(names) <= set(self.names_of(part)) and not set(names) <= set(self.held_out):
                return f"{self.label}, {said}"
        return self.label

    def refuse_other_data(self, data: Path) -> None:
        """SettingError where this is the workspace of another cohort already."""
        if self.exists and self.data.resolve() != data.resolve():
            raise SettingError(f"{self.folder} already holds a study of {self.data}: take another --workspace")

    def begin(self, data: Path, split: Split, label: str, overwrite: bool = False) -> None:
        """Note which cohort this workspace is for.

        SettingError if it is another one's already, or has another split and `overwrite` is False.
        """
        output_folder(self.folder)
        self.refuse_other_data(data)
        inside = data.resolve().is_relative_to(self.folder.resolve())
        place = data.resolve().relative_to(self.folder.resolve()) if inside else data.resolve()
        cohort = {"data": str(place), "label": label, "split": {k: list(v) for k, v in asdict(split).items()}}
        if self.exists and self._cohort() != cohort and not overwrite:
            raise SettingError(
                f"{self.folder} already holds a study with another split of {self.data}: "
                "take the same settings and cases, another --workspace, or --overwrite"
            )
        write_json(self.folder / COHORT, cohort)

    def cohort_cases(self) -> list[CaseFiles]:
        """Every case of the cohort."""
        return find_cases(self.data)

    def case(self, name: str) -> CaseFiles:
        """The case of that name; SettingError names the nearest."""
        cases = {case.name: case for case in self.cohort_cases()}
        if name not in cases:
            raise SettingError(f"no case {name!r} in {self.data}; {nearest(name, cases)}")
        return cases[name]

    def prepared_cases(self, names: tuple[str, ...]) -> list[Path]:
        """Paths of prepared cases; InputError lists those not prepared yet."""
        found = {name: find_prepared(self.prepared, name) for name in names}
        missing = [name for name, path in found.items() if path is None]
        if missing:
            raise InputError(f"not prepared in {self.folder}: {', '.join(missing)}; run `lits prepare` first")
        return [path for path in found.values() if path is not None]

    def model(self, stage: str, name: str) -> Path:
        """The model folder of a stage and a network's name."""
        return self.folder / "models" / stage / name

    def models(self, stage: str) -> list[str]:
        """Names of the models trained for a stage."""
        return sorted(path.parent.name for path in (self.folder / "models" / stage).glob("*/model.json"))

    def history(self, stage: str, name: str) -> "pd.DataFrame":
        """One row per epoch of a training run."""
        import pandas as pd

        path = self.model(stage, name) / "history.csv"
        if not path.is_file():
            raise InputError(f"{path} is not there: no {stage} model {name!r} has been trained in {self.folder}")
        return pd.read_csv(path)

    def histories(self, stage: str = "", model: str = "") -> "pd.DataFrame":
        """The rows of every training run, or of those of a stage or a model, with the columns stage and model.

        InputError where there is none.
        """
        import pandas as pd

        tables = [
            self.history(each, name).assign(stage=each, model=name)
            for each in ([stage] if stage else ["liver", "tumor"])
            for name in self.models(each)
            if model in ("", name)
        ]
        if not tables:
            raise InputError(
                f"no {stage} model {model} has been trained in {self.folder}: `lits train` does that".replace("  ", " ")
            )
        return pd.concat(tables, ignore_index=True)

    def predictions(self, run: str) -> Path:
        """Predicted masks of a run."""
        return self.folder / "predictions" / run

    def runs(self) -> list[str]:
        """Names of the runs that have been scored."""
        return sorted(path.parent.name for path in (self.folder / "scores").glob("*/summary.json"))

    def scores_folder(self, run: str) -> Path:
        """Score tables of a run."""
        return self.folder / "scores" / run

    def scores(self, run: str) -> "Scores":
        """The tables that `evaluate` wrote for a run."""
        from lits_toolkit.study.scores import read_scores

        return read_scores(self.scores_folder(run))

    def require(self) -> "Workspace":
        """Itself, or InputError where no cohort has been prepared here."""
        if not self.exists:
            raise InputError(f"{self.folder} is no workspace: `lits prepare DATA --workspace {self.folder}` makes one")
        return self

    def _cohort(self) -> dict:
        self.require()
        return dict(read_json(self.folder / COHORT))
