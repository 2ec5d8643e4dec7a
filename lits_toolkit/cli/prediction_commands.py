"""Trained models: masks, thresholds, export, times."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import Positional

from lits_toolkit.cli.options import Inputs, Jobs, Name, OptionalPath, Runtime, Threshold
from lits_toolkit.cli.printing import figure, slices_bar
from lits_toolkit.data.splits import Part
from lits_toolkit.errors import SettingError
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from lits_toolkit.study.tuning import Tuned


def predict(
    workspace: Path,
    inputs: Positional[Inputs] = (),
    output: OptionalPath = None,
    run: str = "cascade",
    part: Part = "held-out",
    liver: str = "2d-mobilenet_v2-default",
    tumor: str = "2d-mobilenet_v2-default",
    runtime: Runtime = "auto",
    box: bool = False,
    threshold_liver: Threshold = None,
    threshold_tumor: Threshold = None,
    threshold_tumor_component: Threshold = None,
    probability: Literal["none", "uint8", "float16"] = "none",
    dicom_seg: bool = False,
    jobs: Jobs = 1,
    overwrite: bool = False,
) -> None:
    """Segment CT: cases of the study, the held-out ones by default, or files of your own; each in its own geometry.

    Beside each mask is a JSON with volumes, lesions, and the seconds of each part. Interrupted, the same command goes
    on where it stopped. A case that cannot be predicted does not stop the others; exit status 1 if there is any.

    Args:
        workspace: Where the trained models are.
        inputs: NIfTI files, folders of DICOM slices, or cohorts. Without any, the study's held-out cases are predicted.
        output: The folder for the masks; needed for files of your own, WORKSPACE/predictions/RUN for the study's.
        run: What the predictions of the study's cases are called in the workspace.
        part: Which of the study's cases; of another part than the held-out one under a --run of its own.
        liver: The liver stage's model, or "reference" to take the reference's liver.
        tumor: The tumour stage's model.
        box: Show the tumour stage the liver's box alone: faster, and not quite the same numbers.
        threshold_liver: What a liver voxel's probability has to exceed; by default the model's own, or 0.5.
        threshold_tumor: The same of a tumour voxel's.
        threshold_tumor_component: What a tumour's highest probability has to reach; by default the model's own, or 0.7.
        probability: Also write that of tumour, into OUTPUT/probabilities: "uint8" as NIfTI, "float16" as NumPy array.
        dicom_seg: Also write a DICOM-SEG, for a PACS; of DICOM series.
        jobs: Cases at a time.
        overwrite: Replace masks that are there.
    """
    from dataclasses import replace

    from lits_toolkit.data.case import CaseFiles
    from lits_toolkit.data.layouts import find_cases
    from lits_toolkit.study.workspace import Workspace, require_run_of_part

    study = Workspace(workspace)
    if inputs and output is None:
        raise SettingError("expected --output FOLDER for the masks of your own files, found none")
    if not inputs:
        require_run_of_part(run, part)
    if inputs:
        cases = list(dict.fromkeys(case for path in inputs for case in find_cases(path)))
    else:
        cases = study.require().cases_of(part)
    folder = output or study.predictions(run)
    from lits_toolkit.inference.cascade import thresholds_of
    from lits_toolkit.inference.estimate import estimate_memory_gb, read_shapes
    from lits_toolkit.inference.predict import Prediction, predict_cases
    from lits_toolkit.inference.settings import PredictSettings
    from lits_toolkit.models.storage import load_model

    tumor_model = load_model(study.model("tumor", tumor))
    liver_model = None if liver == "reference" else load_model(study.model("liver", liver))
    given = {"liver": threshold_liver, "tumor": threshold_tumor, "tumor_component": threshold_tumor_component}
    thresholds = replace(
        thresholds_of(tumor_model, liver_model), **{name: value for name, value in given.items() if value is not None}
    )
    settings = PredictSettings(
        thresholds,
        runtime=runtime,
        box=box,
        probability=None if probability == "none" else probability,
        dicom_seg=dicom_seg,
    )

    def begin(todo: Sequence[CaseFiles]) -> None:
        if len(todo) < len(cases):
            kept = counted(len(cases) - len(todo), "mask")
            print(f"{kept} kept in {folder}: made by the same models before")
        if todo:
            models = {"liver": liver_model, "tumor": tumor_model} if liver_model else {"tumor": tumor_model}
            shapes = read_shapes(todo)
            memory = estimate_memory_gb(shapes.values(), list(models.values()), jobs)
            print(f"{counted(len(todo), 'case')} to predict, up to {memory:.1f} GB of memory")
            bar.plan((name, stage, shape[0]) for name, shape in shapes.items() for stage in models)

    def tell(found: Prediction) -> None:
        bar.finish(found.case)
        volumes = f"liver {found.liver_ml:.0f} ml, tumour {found.tumor_ml:.1f} ml"
        lesions = counted(len(found.lesions), "lesion")
        print(f"{folder / found.mask}: {volumes}, {lesions}, {sum(found.seconds.values()):.1f} s")
        for warning in found.warnings:
            print(f"  warning: {warning}")

    with slices_bar("predicting") as bar:
        predict_cases(
            cases,
            folder,
            tumor_model,
            liver_model,
            settings,
            overwrite=overwrite,
            n_jobs=jobs,
            begin=begin,
            progress=bar.advance,
            done=tell,
        )


def tune(workspace: Path, liver: str = "2d-mobilenet_v2-default", tumor: str = "2d-mobilenet_v2-default") -> None:
    """Choose the thresholds of a cascade on the validation cases, and keep them in its models for `lits predict`.

    Each model's probabilities are computed once and kept beside its weights; a model that is trained further loses its
    thresholds. The whole sweep is in tuning.csv, beside model.json.

    Args:
        workspace: The study's folder.
        liver: The liver stage's model, or "reference" to tune the tumour stage alone, inside the reference's liver.
        tumor: The tumour stage's model, tuned inside the liver that the first stage finds.
    """
    from lits_toolkit.inference.estimate import read_shapes
    from lits_toolkit.study.tuning import FEW, validation_cases
    from lits_toolkit.study.tuning import tune as tune_study
    from lits_toolkit.study.workspace import Workspace

    study = Workspace(workspace)
    cases = validation_cases(study)
    shapes = read_shapes(cases)
    stages = ("tumor",) if liver == "reference" else ("liver", "tumor")
    with slices_bar("tuning") as bar:
        bar.plan((name, stage, shape[0]) for stage in stages for name, shape in shapes.items())
        found = tune_study(study, liver, tumor, progress=bar.advance)
    for tuned in found:
        _print_tuned(tuned)
    if len(cases) < FEW:
        print(f"Thresholds from fewer than {FEW} cases are uncertain: one lesion may have decided them.")


def export(
    workspace: Path,
    to: Literal["onnx", "openvino", "int8"],
    stage: Literal["liver", "tumor"] = "tumor",
    model: str = "2d-mobilenet_v2-default",
    output: OptionalPath = None,
    overwrite: bool = False,
) -> None:
    """Write a trained network as ONNX or OpenVINO, with all that has to be done to a CT before it documented beside it.

    To int8 it is quantised first, and kept in the model's folder, where `auto` finds it, if the Dice of the whole
    validation cases (of the tumour stage, of their small lesions) drops by at most 0.01; exit status 1 otherwise.

    Args:
        workspace: The study's folder.
        to: The form: ONNX, OpenVINO's in fp32, or OpenVINO's in int8.
        stage: Of the model.
        model: Its name.
        output: The folder for the files; by default "export" in the model's own.
        overwrite: Replace files that are there, and quantise anew.
    """
    from lits_toolkit.study.export import export_from_study
    from lits_toolkit.study.workspace import Workspace

    print(export_from_study(Workspace(workspace), stage, model, to, output, overwrite, tell=print))


def benchmark(
    models: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...", help_behavior_hint="(default: all 21)")] = (),
    runtimes: tuple[str, ...] = ("torch",),
    prediction_only: bool = False,
    batch: int = 8,
    size: int = 256,
    rounds: int = 3,
    steps: int = 3,
    parts: Name = "",
    output: OptionalPath = None,
) -> None:
    """Time the networks on this machine: Tables 4.4 and 4.5 with the dissertation's times beside ours, and the floor.

    Everything is timed in turn, round after round; the median counts. The weights are random. The floor is what the
    networks' convolutions take at least, at this machine's measured rates of multiplying and of copying.

    Args:
        models: Networks of the catalogue.
        runtimes: In which prediction is timed, of those of `lits predict`; any not installed is named and left out.
        prediction_only: Leave out the training steps, which are timed in torch.
        batch: Samples at a time: slices in 2D, blocks of four in 3D.
        size: y and x of the input, in pixels.
        rounds: How often everything is timed.
        steps: Timed runs of each in a round, after one that does not count.
        parts: A network whose time in torch is also shown part by part, each beside its floor.
        output: A file for all times, .csv, or .json with the machine.
    """
    from rich.console import Console

    from lits_toolkit.study.benchmark import THEIR_MACHINE, BenchmarkSettings, time_table
    from lits_toolkit.study.benchmark import benchmark as time_all

    settings = BenchmarkSettings(models, runtimes, not prediction_only, batch, size, rounds, steps)
    with Console(stderr=True).status("measuring the machine") as status:
        found = time_all(settings, progress=status.update)
    print(f"Ours: {found.machine}; batch {batch}, {size} × {size}\nTheirs: {THEIR_MACHINE}")
    for table in ("4.4", "4.5"):
        times = time_table(table, found)
        if len(times.data):
            print(f"\nTable {table}, seconds per segmented slice\n{times.text.to_string()}")
    for runtime in found.left_out:
        print(f"left out: {runtime}")
    if parts:
        from lits_toolkit.study.part_times import time_parts

        shown = time_parts(parts, found.machine, batch, size).set_index("part") * 1000
        shown.columns = shown.columns.str.removesuffix("_s").str.replace("_", " ")
        shown.loc["sum"] = shown.sum()
        print(f"\n{parts}, prediction in torch fp32, ms per slice\n{shown.round(2).to_string()}")
    if output is not None:
        found.write(output)
        print(f"Times in {output}")


def _print_tuned(tuned: "Tuned") -> None:
    """A stage's thresholds and scores, before and after."""
    from lits_toolkit.metrics.lesions import SIZE_GROUPS

    before, after = tuned.before, tuned.after
    names = {"liver": "threshold", "tumor": "threshold", "tumor_component": "component threshold"}
    thresholds = ", ".join(f"{names[name]} {tuned.default[name]} → {value}" for name, value in tuned.thresholds.items())
    print(f"{tuned.stage} stage {tuned.model}: {thresholds}")

    def both(column: str, form: str = ".3f") -> str:
        return f"{figure(before[column], form)} → {figure(after[column], form)}"

    print(f"  Dice per case {both('dice_per_case')} on {counted(len(tuned.cases), 'validation case')}")
    if tuned.stage == "tumor":
        groups = ", ".join(f"{group} {both(f'dice_{group}')}" for group in SIZE_GROUPS)
        print(f"  Dice by tumour size: {groups}; false alarms {both('false_alarms', '.0f')}")
    print(f"  in {tuned.folder / 'model.json'}, the whole sweep in {tuned.folder / 'tuning.csv'}")
