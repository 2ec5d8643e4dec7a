"""What notebooks are made from: where it lies in a workspace, and the command that makes it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lits_toolkit.study.workspace import RUN, Workspace


@dataclass(frozen=True)
class Need:
    """Something that has to be in the workspace, and the command that makes it."""

    name: str
    is_met: Callable[[Workspace, Mapping[str, Any]], bool]
    """Of a workspace and the parameters that are given to the notebooks."""
    command: str
    patterns: tuple[str, ...]
    """Its files in the workspace: where one changes, what was made of them is stale."""

    def unless(self, *parameters: str) -> "Need":
        """Likewise, but met where all these parameters are given: what they name is taken instead."""
        return replace(
            self, is_met=lambda workspace, given: all(map(given.get, parameters)) or self.is_met(workspace, given)
        )

    def files(self, workspace: Workspace) -> Iterator[Path]:
        """Its files that are there, in one order."""
        for pattern in self.patterns:
            yield from sorted(path for path in workspace.folder.glob(pattern) if not path.name.startswith("."))


COHORT = Need("a cohort", lambda workspace, _: workspace.exists, "lits prepare", ("cohort.json", "prepared/*"))
MODELS = Need(
    "a trained model",
    lambda workspace, _: any(workspace.models(stage) for stage in ("liver", "tumor")),
    "lits train",
    tuple(
        f"models/*/*/{name}"
        for name in ("model.json", "weights.safetensors", "history.csv", "tuning.csv", "int8/int8.json")
    ),
)
PREDICTIONS = Need(
    "predictions",
    lambda workspace, given: workspace.predictions(given.get("run") or RUN).is_dir(),
    "lits predict",
    ("predictions/*/*.nii.gz", "predictions/*/predictions.json"),
)
SCORES = Need(
    "scores",
    lambda workspace, given: workspace.scores_folder(given.get("run") or RUN).is_dir(),
    "lits evaluate",
    ("scores/*/*.csv", "scores/*/*.json"),
)
RESULTS = (COHORT.unless("predictions", "references"), PREDICTIONS.unless("predictions"), SCORES.unless("predictions"))
"""Of a notebook that takes folders of masks instead of a run, too."""
