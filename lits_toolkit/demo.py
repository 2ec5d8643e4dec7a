"""The demo: the whole way of the data on the built-in phantom cohort, in minutes, with nothing downloaded."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.phantom import plan_random, write_cohort
from lits_toolkit.data.splits import Split
from lits_toolkit.errors import InputError
from lits_toolkit.files import output_folder, write_json
from lits_toolkit.study.workspace import RUN, Workspace

if TYPE_CHECKING:
    from lits_toolkit.training.settings import Stage, TrainSettings

SUMMARY = "summary.json"
LABEL = "phantom cohort"
MODEL = "2d-mobilenet_v2-default"


@dataclass(frozen=True)
class DemoSettings:
    """How large the demo is."""

    train: int = 42
    """Phantom cases to train on."""
    validation: int = 5
    """Phantom cases by which the best epoch is chosen."""
    test: int = 8
    """Phantom cases held out for the scores."""
    size: int = 256
    """Matrix in y and x."""
    slices: int = 48
    """Axial slices per case."""
    liver_epochs: int = 3
    """Passes over all slices of the training cases."""
    tumor_epochs: int = 3
    """Passes over their slices with liver, as crops, from the liver stage's weights on."""
    seed: int = 1
    """Of the cohort and of the training. On this cohort no threshold reaches a tumour Dice of 0.35."""

    @property
    def names(self) -> list[str]:
        """Of all its cases."""
        return [f"volume-{index}" for index in range(self.train + self.validation + self.test)]

    @property
    def split(self) -> Split:
        """The first cases are trained on, the last are held out."""
        names = self.names
        held = self.train + self.validation
        return Split(tuple(names[: self.train]), tuple(names[self.train : held]), tuple(names[held:]))


SMOKE = DemoSettings(train=3, validation=1, test=2, size=64, slices=24, liver_epochs=2, tumor_epochs=2)
"""A demo of seconds, for tests and for a first look: it runs every step, and its scores mean nothing."""


def open_workspace(folder: str | Path, smoke: bool = False) -> Workspace:
    """The workspace in `folder`; where there is none, the demo is made there first (minutes; seconds if `smoke`).

    What notebooks begin with, so that each runs at once on a machine without data.
    """
    workspace = Workspace(Path(folder))
    if not workspace.exists:
        long = "seconds" if smoke else "about 10 minutes on two cores; stopped, the same call goes on where it was"
        print(
            f"There is no study in {workspace.folder.resolve()}: making the demo there first, on phantom cases\n"
            f"({long}). To open a study of yours instead, stop this and give its folder."
        )
        run_demo(folder, SMOKE if smoke else DemoSettings(), figures=False)
    return workspace


def run_demo(
    folder: str | Path,
    settings: DemoSettings | None = None,
    figures: bool = True,
    console: Console | None = None,
) -> dict[str, Any]:
    """Make, check and prepare, train, predict, score, and render every figure; returns what `summary.json` holds.

    Interrupted, the same call goes on where it stopped. SettingError where `folder` holds another study.
    """
    settings = settings or DemoSettings()
    workspace = Workspace(output_folder(folder))
    console = console or Console()
    seconds: dict[str, float] = {}

    with _step(console, seconds, "phantom", f"drawing {len(settings.names)} phantom cases"):
        plans = plan_random(len(settings.names), settings.seed, settings.size, settings.slices)
        workspace.begin(workspace.folder / "cohort", settings.split, LABEL)  # refuses another study's folder
        write_cohort(plans, workspace.folder / "cohort", progress=False)
    cases = workspace.cohort_cases()
    with _step(console, seconds, "prepare", "checking and preparing them"):
        _prepare(workspace, cases, settings.size)
    stages: tuple[Stage, ...] = ("liver", "tumor")
    for stage in stages:
        with _step(console, seconds, f"train {stage}", f"training the {stage} stage"):
            _train(workspace, stage, settings)
    held_out = [case for case in cases if case.name in settings.split.test]
    with _step(console, seconds, "predict", f"predicting {len(held_out)} held-out cases"):
        _predict(workspace, held_out)
    with _step(console, seconds, "evaluate", "scoring them"):
        from lits_toolkit.study.scores import evaluate

        scores = evaluate(
            workspace.predictions(RUN), workspace.data, workspace.scores_folder(RUN), names=settings.split.test,
            overwrite=True,
        )  # fmt: skip
    with _step(console, seconds, "baselines", "searching the best HU thresholds"):
        baselines = score_baselines(workspace, held_out)
    pictures: list[str] = []
    if figures:
        with _step(console, seconds, "figures", "rendering every figure"):
            from lits_toolkit.report.render import render_figures

            pictures = [str(path.relative_to(workspace.folder)) for path in render_figures(workspace)]
    summary = {
        "cohort": LABEL,
        "settings": asdict(settings),
        "scores": scores.summary,
        "baselines": baselines,
        "figures": pictures,
        "seconds": {**seconds, "total": sum(seconds.values())},
    }
    write_json(workspace.folder / SUMMARY, summary)
    _print_summary(console, workspace, summary)
    return summary


def score_baselines(workspace: Workspace, cases: Sequence[CaseFiles]) -> dict[str, Any]:
    """Tumour Dice of the best single HU threshold inside the reference liver, plain and smoothed.

    Both are tuned on the very cases they are scored on: no threshold does better. Their score tables are kept in
    the workspace as runs of their own.
    """
    from lits_toolkit.data.reading import read_case
    from lits_toolkit.study.baselines import NO_SMOOTHING, SMOOTHINGS_MM, apply_baseline, best_threshold
    from lits_toolkit.study.scores import score_masks, write_scores

    loaded = [read_case(case) for case in cases]
    found = {}
    for name, smoothings_mm in (("threshold", NO_SMOOTHING), ("smoothed threshold", SMOOTHINGS_MM)):
        baseline = best_threshold(loaded, smoothings_mm)
        masks = [
            apply_baseline(baseline, case.volume, case.reference, case.spacing_mm)
            for case in loaded
            if case.reference is not None
        ]
        scores = score_masks(loaded, masks)
        write_scores(scores, workspace.scores_folder(name), overwrite=True)
        found[name] = {**asdict(baseline), **{key: scores.summary[key] for key in ("tumor", "tumor_by_size_group")}}
    return found


def _prepare(workspace: Workspace, cases: list[CaseFiles], size: int) -> None:
    from lits_toolkit.data.prepare import prepare

    refused = prepare(cases, workspace.prepared, size=size).refused
    if refused:
        raise InputError(f"{len(refused)} errors in the cohort, the first: {refused[0].case}: {refused[0].message}")


def train_settings(stage: "Stage", settings: DemoSettings) -> "TrainSettings":
    """What a stage of the demo is trained with: half the resolution or crops, so that minutes suffice."""
    from lits_toolkit.training.settings import QUICK

    full = settings.size > 128
    common = replace(
        QUICK,
        model=MODEL,
        stage=stage,
        batch_size=8 if full else 4,
        cases_together=settings.train,
        seed=settings.seed,
    )
    if stage == "liver":  # every slice is seen a few times only: as it is, without geometric augmentation
        return replace(common, epochs=settings.liver_epochs, reduce=2 if full else 1, augment=False)
    crop = 128 if full else None
    return replace(common, epochs=settings.tumor_epochs, crop=crop, start_from=f"liver/{MODEL}")


def _train(workspace: Workspace, stage: "Stage", settings: DemoSettings) -> None:
    from lits_toolkit.study.training import train_in_study

    train_in_study(workspace, train_settings(stage, settings))


def _predict(workspace: Workspace, cases: list[CaseFiles]) -> None:
    from lits_toolkit.inference.predict import predict_cases
    from lits_toolkit.models.storage import load_model

    predict_cases(
        cases,
        workspace.predictions(RUN),
        tumor_model=load_model(workspace.model("tumor", MODEL)),
        liver_model=load_model(workspace.model("liver", MODEL)),
        overwrite=True,
    )


@contextmanager
def _step(console: Console, seconds: dict[str, float], name: str, doing: str) -> Iterator[None]:
    started = time.perf_counter()
    console.print(f"[bold]{name}[/]: {doing}")
    yield
    seconds[name] = time.perf_counter() - started
    console.print(f"  done in {seconds[name]:.0f} s")


def _print_summary(console: Console, workspace: Workspace, summary: dict[str, Any]) -> None:
    groups = ("small", "medium", "large")
    table = Table(
        title=f"Dice on held-out cases of the {LABEL} (not LiTS):\nper case, and of small, medium, large tumours"
    )
    for column in ("", "liver", "tumour", *groups):
        table.add_column(column, justify="left" if not column else "right")

    def row(name: str, liver: str, scores: dict[str, Any]) -> None:
        by_group = [_number(scores["tumor_by_size_group"][group]["dice"]) for group in groups]
        table.add_row(name, liver, _number(scores["tumor"]["dice_per_case"]), *by_group)

    row("cascade", _number(summary["scores"]["liver"]["dice_per_case"]), summary["scores"])
    for name, scores in summary["baselines"].items():
        row(f"best {name}", "reference's", scores)
    console.print(table)
    console.print(f"{summary['scores']['empty_cases']}")
    if summary["figures"]:
        console.print(f"{len(summary['figures'])} figures in {workspace.figures}:")
        for figure in summary["figures"]:
            console.print(f"  {workspace.folder / figure}")
    console.print(
        f"Took {summary['seconds']['total'] / 60:.1f} minutes. Everything is in {workspace.folder}.\n"
        f"Next: `lits lab --workspace {workspace.folder}` opens the notebooks; "
        f"`lits predict YOUR_CT.nii.gz --workspace {workspace.folder} "
        "--output OUT` segments a CT of yours (with phantom-trained models: for a look, not for use)."
    )


def _number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"
