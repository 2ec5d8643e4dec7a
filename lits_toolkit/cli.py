"""The command line: `lits` with one verb per step of the data's way, each a thin call of a public function."""

import ast
import inspect
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import tyro
from tyro.conf import Positional, UseAppendAction
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from lits_toolkit.errors import InputError, LitsError, OutputError, SettingError
from lits_toolkit.files import reason
from lits_toolkit.training.settings import TrainSettings

if TYPE_CHECKING:
    from lits_toolkit.data.doctor import Finding, Repair
    from lits_toolkit.study.tuning import Tuned

app = tyro.extras.SubcommandApp()
registry = ConstructorRegistry()

OptionalPath = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
"""A path whose help says what its absence means."""
Jobs = Annotated[int, tyro.conf.arg(metavar="N", help_behavior_hint="")]
Threshold = Annotated[float | None, tyro.conf.arg(metavar="0…1", help_behavior_hint="")]
Predictions = Annotated[Path | None, tyro.conf.arg(metavar="PREDICTIONS", help_behavior_hint="")]
References = Annotated[Path | None, tyro.conf.arg(metavar="REFERENCES", help_behavior_hint="")]
Cases = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="CASE ...", help_behavior_hint="")]
Folders = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR ...", help_behavior_hint="")]
Runs = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...", help_behavior_hint="")]
Name = Annotated[str, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
Inputs = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="CT ...", help_behavior_hint="")]


@app.command
def demo(workspace: Path = Path("lits-demo"), smoke: bool = False) -> None:
    """The main job on the built-in phantom cohort, from making it to every figure. No data, no GPU.

    Args:
        workspace: The folder to do it in; interrupted, the same command goes on where it stopped.
        smoke: A tiny demo of seconds, whose scores mean nothing.
    """
    from lits_toolkit.demo import SMOKE, DemoSettings, run_demo

    run_demo(workspace, SMOKE if smoke else DemoSettings())


@app.command
def phantom(
    out: Positional[Path],
    cases: int = 10,
    size: int = 512,
    slices: int | None = None,
    seed: int = 0,
    cohort: Literal["random", "dissertation"] = "random",
    only: str = "",
) -> None:
    """Write phantom cases as LiTS NIfTI: volume-N.nii.gz and segmentation-N.nii.gz; in parallel, and resumable.

    Args:
        out: The folder to write to; cases already there are kept.
        cases: How many, of a random cohort.
        size: Matrix in y and x; a multiple of 32 suits every network.
        slices: Axial slices per case of a random cohort; without it, as many as slices of 0.7 to 5 mm need.
        seed: Another seed, another cohort.
        cohort: "dissertation" has 131 cases with the tumour counts and voxels of LiTS (Tables A.1 and A.2).
        only: Numbers of the cases to write, such as 7,44; all by default.
    """
    from lits_toolkit.data.phantom import estimate_cohort, plan_dissertation, plan_random, write_cohort

    if cases < 1 or size < 32 or (slices is not None and slices < 8):
        raise SettingError("expected at least 1 case, a size of 32 and 8 slices")
    if cohort == "dissertation" and slices is not None:
        raise SettingError("--slices: the dissertation's cohort chooses them so that its tumours find room")
    plans = plan_random(cases, seed, size, slices) if cohort == "random" else plan_dissertation(seed, size)
    if only:
        plans = _chosen(plans, only)
    estimate = estimate_cohort(plans)
    print(f"{_count(len(plans), 'phantom case')}, about {max(estimate.bytes_on_disk / 1e9, 0.01):.2f} GB "
          f"and {max(1, round(estimate.seconds / 60))} min")  # fmt: skip
    write_cohort(plans, out)
    print(f"{_count(len(plans), 'phantom case')} in {out}")


@app.command
def check(data: Positional[Path], json: bool = False, fix: Path | None = None) -> None:
    """The doctor: what is wrong with the cases of a folder, and what to do. Exit status 1 if any finding is an error.

    Args:
        data: A cohort's folder, or one file.
        json: Print the findings as JSON instead of a table.
        fix: A folder for repaired copies of what can be repaired with certainty; the data itself is never touched.
    """
    from lits_toolkit.data.doctor import check_cases, has_errors, repair_cases
    from lits_toolkit.data.layouts import find_cases

    cases = find_cases(data)
    if fix is not None and data.is_dir() and fix.resolve().is_relative_to(data.resolve()):
        raise OutputError(f"{fix} lies in {data}: give another folder for the repaired copies")
    findings = check_cases(cases, progress=len(cases) > 1 and not json)
    if json:
        import json as json_format
        from dataclasses import asdict

        print(json_format.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print_findings(data, len(cases), findings)
    if fix is not None:
        _print_repairs(repair_cases(cases, fix, findings), to_stderr=json)
    if has_errors(findings):
        sys.exit(1)


@app.command
def prepare(
    data: Positional[Path],
    workspace: Path,
    size: int = 256,
    format: Literal["b2nd", "npz"] = "b2nd",
    split: Literal["fraction", "folds", "dissertation"] = "fraction",
    validation: float = 0.15,
    test: float = 0.0,
    folds: int = 5,
    fold: int = 0,
    patients: Path | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Clamp to [-200, 200] HU, resize in-plane, compress, and divide; in parallel, and resumable.

    A case that `lits check` finds an error in is named and left out; exit status 1 if there is any.

    Args:
        data: The cohort's folder.
        workspace: The study's folder.
        size: y and x of the prepared slices, in pixels; z stays as it is, and a CT that is not square is padded.
        format: "b2nd" reads any nine slices in a millisecond; "npz" is the dissertation's, float32 in NumPy's own form.
        split: How the cases with a reference are divided: by "fraction" or "folds", alike in tumour size, or as the
            "dissertation" divides LiTS.
        validation: By fraction: share of them by which the best weights are chosen.
        test: By fraction or folds: share held out altogether.
        folds: By folds: how many.
        fold: By folds: the one that validates, from 0.
        patients: A CSV with the columns case and patient: a patient's cases stay together. The same CT under two
            names does so anyway.
        seed: Of the split.
        overwrite: Prepare and divide anew what was prepared or divided with other settings.
    """
    from lits_toolkit.data.layouts import find_cases
    from lits_toolkit.data.prepare import prepare as prepare_cases
    from lits_toolkit.study.splitting import SplitSettings, read_patients, split_cohort
    from lits_toolkit.study.workspace import Workspace

    study = Workspace(workspace)
    study.refuse_other_data(data)
    known = None if patients is None else read_patients(patients)
    cases = find_cases(data)
    done = prepare_cases(cases, study.prepared, size=size, format=format, overwrite=overwrite)
    if done.refused:
        _print_findings(data, len(cases), done.refused)
    found = split_cohort(done.prepared, SplitSettings(split, validation, test, folds, fold, seed), known)
    study.begin(data, found, f"cohort {data.resolve().name}", overwrite)
    parts = f"{len(found.train)} to train on, {len(found.validation)} to validate, {len(found.test)} held out"
    print(f"{len(done.prepared)} of {_count(len(cases), 'case')} in {study.prepared}: {parts}")
    if done.refused:
        refused = len(cases) - len(done.prepared)
        raise InputError(f"{refused} of {len(cases)} cases refused, see above: mend or remove them, then prepare again")


@app.command
def models(json: bool = False, printed: bool = False) -> None:
    """The catalogue: each network's parameters and multiply-accumulates, beside the dissertation's figures.

    Args:
        json: Print a list of objects instead of a table.
        printed: The dissertation's networks with the values of its appendix as printed, contradictions included.
    """
    from dataclasses import asdict

    from lits_toolkit.models.catalogue import describe_models

    entries = describe_models(printed)
    if json:
        import json as json_format

        print(json_format.dumps([asdict(entry) for entry in entries], indent=2))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "model", "table", "parameters\nmillions", "printed", "MACs\nbillions", "printed\nM FLOPs", "notes",
        box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True,
    )  # fmt: skip
    table.columns[0].no_wrap = True
    for column in table.columns[2:6]:
        column.justify = "right"
    notes: list[str] = []
    for entry in entries:
        where, *remarks = entry.note.split("; ")
        notes += [remark for remark in remarks if remark not in notes]
        parameters, flops = entry.published_parameters_millions, entry.published_flops_millions
        table.add_row(
            entry.name,
            where.removeprefix("Table "),
            f"{entry.parameters / 1e6:.3f}",
            "–" if parameters is None else f"{parameters:.2f}",
            f"{entry.macs / 1e9:.2f}",
            "–" if flops is None else f"{flops:.2f}",
            " ".join(str(notes.index(remark) + 1) for remark in remarks),
        )
    console = Console()
    console.print(table)
    for number, remark in enumerate(notes, 1):
        console.print(f"{number}  {remark}")
    console.print(
        "Each for one input of 256 × 256: nine slices in 2D; eight in 3D, of which it segments four. The printed FLOPs "
        "are what an old counter gave, which left most convolutions out; MACs are the true multiply-accumulates."
    )


@registry.struct_rule
def settings_rule(info: StructTypeInfo) -> StructConstructorSpec | None:
    """The options of TrainSettings, each docstring as one text: tyro keeps the breaks of indented lines."""
    if info.type is not TrainSettings:
        return None
    (definition,) = ast.parse(inspect.getsource(TrainSettings)).body
    assert isinstance(definition, ast.ClassDef)
    helps = {
        ast.unparse(field.target): " ".join(str(ast.literal_eval(doc.value)).split())
        for field, doc in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign) and isinstance(doc, ast.Expr)
    }
    types = get_type_hints(TrainSettings)
    options = (
        StructFieldSpec(each.name, types[each.name], each.default, helps[each.name]) for each in fields(TrainSettings)
    )
    return StructConstructorSpec(TrainSettings, tuple(options))


@app.command
def train(
    workspace: Path,
    settings: Annotated[TrainSettings, tyro.conf.arg(name="")],
    quick: bool = False,
    overwrite: bool = False,
) -> None:
    """Train one stage's network, or go on with a run that was interrupted, or prolong it with more --epochs.

    The defaults are the dissertation's recipe.

    Args:
        workspace: The study's folder, made by `lits prepare`.
        settings: What to train with.
        quick: Take the demo's recipe, of minutes, for each setting that is left at its default.
        overwrite: Begin anew where another run's model is.
    """
    from lits_toolkit.models.catalogue import build_model
    from lits_toolkit.study.training import train_in_study
    from lits_toolkit.study.workspace import Workspace
    from lits_toolkit.training.settings import quicker

    study = Workspace(workspace).require()
    build_model(settings.model)
    chosen = quicker(settings) if quick else settings
    if quick:
        replaced = {name: value for name, value in vars(chosen).items() if value != vars(settings)[name]}
        print("--quick: " + ", ".join(f"{name} {value}" for name, value in replaced.items()))
    folder = train_in_study(study, chosen, overwrite, tell=print)
    _print_training(folder, chosen)


@app.command
def predict(
    workspace: Path,
    inputs: Positional[Inputs] = (),
    output: OptionalPath = None,
    run: str = "cascade",
    liver: str = "2d-mobilenet_v2-default",
    tumor: str = "2d-mobilenet_v2-default",
    runtime: str = "auto",
    box: bool = False,
    threshold_liver: Threshold = None,
    threshold_tumor: Threshold = None,
    threshold_tumor_component: Threshold = None,
    probability: Literal["none", "uint8", "float16"] = "none",
    dicom_seg: bool = False,
    jobs: Jobs = 1,
    overwrite: bool = False,
) -> None:
    """Segment CT: the study's held-out cases, or files of your own; each mask in the CT's own geometry.

    Beside each mask is a JSON with volumes, lesions, and the seconds of each part. Interrupted, the same command goes
    on where it stopped. A case that cannot be predicted does not stop the others; exit status 1 if there is any.

    Args:
        workspace: Where the trained models are.
        inputs: NIfTI files, folders of DICOM slices, or cohorts. Without any, the study's held-out cases are predicted.
        output: The folder for the masks; needed for files of your own, WORKSPACE/predictions/RUN for held-out cases.
        run: What the predictions of the held-out cases are called in the workspace.
        liver: The liver stage's model, or "reference" to take the reference's liver.
        tumor: The tumour stage's model.
        runtime: What runs the networks; "auto" takes the fastest that gives the same.
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

    from rich.console import Console
    from rich.progress import Progress

    from lits_toolkit.data.layouts import find_cases
    from lits_toolkit.study.workspace import Workspace

    study = Workspace(workspace)
    if inputs and output is None:
        raise SettingError("expected --output FOLDER for the masks of your own files, found none")
    cases = [case for path in inputs for case in find_cases(path)] if inputs else study.require().held_out_cases()
    folder = output or study.predictions(run)
    from lits_toolkit.inference.cascade import thresholds_of
    from lits_toolkit.inference.estimate import estimate_memory_gb
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
    memory = estimate_memory_gb(cases, [model for model in (liver_model, tumor_model) if model], jobs)
    print(f"{_count(len(cases), 'case')}, up to {memory:.1f} GB of memory")
    made = []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("predicting", total=None)

        def show(name: str, stage: str, slices: int) -> None:
            bar.update(task, advance=slices, description=f"{name}: {stage}")

        def tell(found: Prediction) -> None:
            made.append(found)
            volumes = f"liver {found.liver_ml:.0f} ml, tumour {found.tumor_ml:.1f} ml"
            lesions = _count(len(found.lesions), "lesion")
            print(f"{folder / found.mask}: {volumes}, {lesions}, {sum(found.seconds.values()):.1f} s")
            for warning in found.warnings:
                print(f"  warning: {warning}")

        predictions = predict_cases(
            cases,
            folder,
            tumor_model,
            liver_model,
            settings,
            overwrite=overwrite,
            n_jobs=jobs,
            progress=show,
            done=tell,
        )
    if len(predictions) > len(made):
        print(f"{_count(len(predictions) - len(made), 'mask')} kept in {folder}: made by the same models before")


@app.command
def tune(workspace: Path, liver: str = "2d-mobilenet_v2-default", tumor: str = "2d-mobilenet_v2-default") -> None:
    """Choose the thresholds of a cascade on the validation cases, and keep them in its models for `lits predict`.

    Each model's probabilities are computed once and kept beside its weights; a model that is trained further loses its
    thresholds. The whole sweep is in tuning.csv, beside model.json.

    Args:
        workspace: The study's folder.
        liver: The liver stage's model, or "reference" to tune the tumour stage alone, inside the reference's liver.
        tumor: The tumour stage's model, tuned inside the liver that the first stage finds.
    """
    from lits_toolkit.study.tuning import tune as tune_study
    from lits_toolkit.study.workspace import Workspace

    with _slices_bar("tuning") as show:
        found = tune_study(Workspace(workspace), liver, tumor, progress=show)
    for tuned in found:
        _print_tuned(tuned)


@app.command
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


@app.command
def evaluate(
    predictions: Positional[Predictions] = None,
    references: Positional[References] = None,
    workspace: OptionalPath = None,
    run: str = "cascade",
    output: OptionalPath = None,
    report: OptionalPath = None,
    only_matching: bool = False,
    overwrite: bool = False,
    jobs: Jobs = 0,
) -> None:
    """Score predicted masks against references: per case, per lesion, by size, and the official LiTS score.

    Either a study's run, `lits evaluate --workspace STUDY`, into STUDY/scores/RUN, or any two folders,
    `lits evaluate PREDICTIONS REFERENCES --output FOLDER`. Masks meet by the number in their names: segmentation-7,
    volume-7, liver_7, liver_007_0000, …; test-segmentation-7 is another case than segmentation-7, unless one folder has
    test names alone and the other none. Every figure is printed beside its rule.

    Args:
        predictions: A folder of predicted masks.
        references: The cohort's folder, or a folder of reference masks.
        workspace: The study whose held-out cases are scored.
        run: Which of the study's predictions.
        output: The folder for the tables of two folders.
        report: An HTML file for all of it with intervals and figures, of a study also compared with its other runs.
        only_matching: Score the cases that have both masks, and name the others, instead of refusing.
        overwrite: Replace scores, and a report, that are there.
        jobs: How many cases at a time; by default as many as processors and memory allow. The scores are the same.
    """
    n_jobs = jobs or None
    if report is not None:
        from lits_toolkit.report.html import require_new

        require_new(report, overwrite)
    if workspace is not None and (predictions, references, output) == (None, None, None) and not only_matching:
        from lits_toolkit.study.scores import evaluate_run
        from lits_toolkit.study.workspace import Workspace

        study = Workspace(workspace).require()
        scores, folder = evaluate_run(study, run, overwrite=overwrite, n_jobs=n_jobs), study.scores_folder(run)
    elif workspace is None and predictions is not None and references is not None and output is not None:
        from lits_toolkit.study.pairs import find_unmatched
        from lits_toolkit.study.scores import evaluate as score

        scores = score(predictions, references, output, only_matching=only_matching, overwrite=overwrite, n_jobs=n_jobs)
        folder = output
        for names, lacking in zip(find_unmatched(predictions, references), ("prediction", "reference"), strict=True):
            if names:
                print(f"not scored, for want of a {lacking}: {_count(len(names), 'case')} ({', '.join(names)})")
    else:
        raise SettingError("expected either --workspace STUDY, or PREDICTIONS REFERENCES --output FOLDER")
    _print_summary(scores.summary)
    print(f"Tables of {_count(scores.summary['cases'], 'case')} and the official LiTS score in {folder}")
    if report is not None:
        from rich.console import Console

        from lits_toolkit.report.html import write_report, write_run_report

        with Console(stderr=True).status("reading the masks and CTs once more for the report"):
            if workspace is not None:
                write_run_report(report, study, run, overwrite=overwrite, n_jobs=n_jobs)
            elif predictions is not None and references is not None:
                write_report(report, scores, predictions, references, overwrite=overwrite, n_jobs=n_jobs)
        print(f"Report in {report}")


@app.command
def submit(predictions: Positional[Path], volumes: Path, output: Path, overwrite: bool = False) -> None:
    """Pack a submission to the LiTS challenge: one flat zip of test-segmentation-N.nii, checked before and after.

    There has to be one mask for each test volume, on its grid, with the labels 0, 1 and 2. The zip is read back and
    held against the masks, voxel by voxel; where anything is wrong no zip is written.

    Args:
        predictions: A folder of predicted masks; they meet the volumes by the number in their names.
        volumes: The folder of the test volumes, test-volume-N.nii.
        output: The zip.
        overwrite: Replace a zip that is there.
    """
    from lits_toolkit.study.submission import pack_submission

    names = pack_submission(predictions, volumes, output, overwrite=overwrite)
    size_mb = output.stat().st_size / 1e6
    print(f"{_count(len(names), 'mask')} in {output} ({size_mb:.2g} MB), read back and equal to those of {predictions}")


@app.command
def figures(
    workspace: Path = Path("lits-demo"),
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...", help_behavior_hint="(default: all)")] = (),
    parameter: Annotated[UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="NAME=VALUE", aliases=("-p",))] = (),
    list: bool = False,
) -> None:
    """Run the notebooks by papermill and render every figure into the workspace.

    Args:
        workspace: The study's folder.
        only: Names of figures, of their files, or of notebooks; --list shows them.
        parameter: A value for a parameter of the notebooks.
        list: Only list the figures.
    """
    from lits_toolkit.report.render import list_figures, render_figures

    if list:
        for line in list_figures():
            print(line)
        return
    from lits_toolkit.study.workspace import Workspace

    wrong = [text for text in parameter if "=" not in text]
    if wrong:
        raise SettingError(f"-p: expected NAME=VALUE, found {wrong[0]!r}")
    parameters = dict(text.split("=", 1) for text in parameter)
    for path in render_figures(Workspace(workspace), only or None, parameters):
        print(path)


@app.command
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
        runtimes: In which prediction is timed; one that is not installed is named and left out.
        prediction_only: Leave out the training steps, which are timed in torch.
        batch: Samples at a time: slices in 2D, blocks of four in 3D.
        size: y and x of the input, in pixels.
        rounds: How often everything is timed.
        steps: Timed runs of each in a round, after one that does not count.
        parts: A network whose time in torch is also shown part by part, each beside its floor.
        output: A file for all times, .csv, or .json with the machine.
    """
    from rich.console import Console

    from lits_toolkit.study.benchmark import THEIR_MACHINE, BenchmarkSettings, time_table, times_in_print
    from lits_toolkit.study.benchmark import benchmark as time_all

    settings = BenchmarkSettings(models, runtimes, not prediction_only, batch, size, rounds, steps)
    with Console(stderr=True).status("measuring the machine") as status:
        found = time_all(settings, progress=status.update)
    print(f"Ours: {found.machine}; batch {batch}, {size} × {size}\nTheirs: {THEIR_MACHINE}")
    for table in ("4.4", "4.5"):
        times = time_table(table, found)
        if len(times):
            print(f"\nTable {table}, seconds per segmented slice\n{times_in_print(times).to_string()}")
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


@app.command
def browse(
    cases: Positional[Cases] = (),
    predictions: Folders = (),
    workspace: OptionalPath = None,
    run: Runs = (),
    case: Name = "",
) -> None:
    """Open the slice browser in JupyterLab: on CT files, or on a study.

    Either CT files and folders of masks, `lits browse CT.nii.gz --predictions masks`, or a study with its runs,
    `lits browse --workspace STUDY`. Several folders or runs are compared side by side, up to four.

    Args:
        cases: NIfTI files, folders of DICOM slices, or cohorts in any layout; of several cases one is picked there.
        predictions: Folders of predicted masks, compared under their names, or a mask; without, the CT alone is shown.
        workspace: A study, whose cases and runs are picked there.
        run: Which of the study's runs to begin with.
        case: The name of the case to begin with, where there are several: also that of one of several DICOM series.
    """
    from lits_toolkit.report.lab import browse_in_lab, browse_study_in_lab

    if cases and workspace is None and not run:
        browse_in_lab(cases, predictions, case)
    elif workspace is not None and not cases and not predictions:
        browse_study_in_lab(workspace, run, case)
    else:
        raise SettingError(
            "expected CT files, with --predictions where there are any, or --workspace STUDY, with --run"
        )


@app.command
def lab(folder: Positional[Path] = Path("lits-notebooks"), workspace: Path = Path("lits-demo")) -> None:
    """Open JupyterLab on the notebooks.

    Args:
        folder: The notebooks are copied there first; one that is there already is kept.
        workspace: The study that they open; where there is none, the first notebook makes the demo in it (minutes).
    """
    from lits_toolkit.report.lab import open_lab

    open_lab(folder, workspace)


def main() -> None:
    """Run the command line; an error of the user's is one line, an interruption leaves the workspace usable."""
    try:
        app.cli(
            prog="lits",
            description="Liver-tumour segmentation in CT: from a folder of CT to masks, scores, figures.",
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalMetavarFromFieldName),
            registry=registry,
        )
    except LitsError as error:
        sys.exit(f"lits: {error}")
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit(f"lits: {error.filename or 'the system'}: {reason(error)}")
    except KeyboardInterrupt:
        print("\nlits: interrupted; the same command goes on where it stopped", file=sys.stderr)
        sys.exit(130)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _figure(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None or value != value else format(value, form).replace("-", "−")


def _print_summary(summary: dict[str, Any]) -> None:
    """The main figures of scores, each beside its rule."""
    rules = summary["rules"]
    print(f"{'':16}{'liver':>8}{'tumour':>8}")
    for key, name, form in (
        ("dice_per_case", "Dice per case", ".3f"),
        ("dice_global", "Dice global", ".3f"),
        ("jaccard_per_case", "Jaccard", ".3f"),
        ("voe_per_case", "VOE", ".3f"),
        ("rvd_per_case", "RVD", "+.3f"),
        ("assd_mm_per_case", "ASSD, mm", ".2f"),
        ("rmsd_mm_per_case", "RMSD, mm", ".2f"),
        ("mssd_mm_per_case", "MSSD, mm", ".2f"),
    ):
        liver, tumor = (_figure(summary[region][key], form) for region in ("liver", "tumor"))
        print(f"{name:16}{liver:>8}{tumor:>8}  {rules[key]}")
    burden = summary["tumor_burden"]
    errors = f"RMSE {_figure(burden['rmse'], '.4f')}, largest error {_figure(burden['max_error'], '.4f')}"
    print(f"\nTumour burden: {errors}\n  {rules['tumor_burden']}")
    for threshold, found in summary["tumor_detection"].items():
        print(f"Lesions at IoU > {threshold}: recall {_figure(found['recall'])} "
              f"({found['lesions_found']} of {found['lesions']}), precision {_figure(found['precision'])} "
              f"({found['predictions_true']} of {found['lesions_predicted']} predicted)")  # fmt: skip
    print(f"  {rules['tumor_detection']}\n")
    print(f"{'tumours':10}{'Dice':>8}{'VOE':>8}{'RVD':>8}{'ASSD, mm':>10}{'hits':>12}{'false alarms':>14}")
    for group, found in {**summary["tumor_by_size_group"], "all": summary["tumor_lesions"]}.items():
        overlap = f"{_figure(found['dice']):>8}{_figure(found['voe']):>8}{_figure(found['rvd'], '+.3f'):>8}"
        hits = f"{found['detected']} of {found['lesions']}"
        distance = _figure(found["assd_mm"], ".2f")
        print(f"{group:10}{overlap}{distance:>10}{hits:>12}{found['false_alarms']:>14}")
    print(f"  {rules['tumor_lesions']}\n  hits: {rules['hits']}\n\n{fill(summary['empty_cases'], 120)}")


def _print_tuned(tuned: "Tuned") -> None:
    """A stage's thresholds and scores, before and after."""
    from lits_toolkit.metrics.lesions import SIZE_GROUPS

    before, after = tuned.before, tuned.after
    names = {"liver": "threshold", "tumor": "threshold", "tumor_component": "component threshold"}
    thresholds = ", ".join(f"{names[name]} {before[name]} → {value}" for name, value in tuned.thresholds.items())
    print(f"{tuned.stage} stage {tuned.model}: {thresholds}")

    def both(column: str, form: str = ".3f") -> str:
        return f"{_figure(before[column], form)} → {_figure(after[column], form)}"

    print(f"  Dice per case {both('dice_per_case')} on {_count(len(tuned.cases), 'validation case')}")
    if tuned.stage == "tumor":
        groups = ", ".join(f"{group} {both(f'dice_{group}')}" for group in SIZE_GROUPS)
        print(f"  Dice by tumour size: {groups}; false alarms {both('false_alarms', '.0f')}")
    print(f"  in {tuned.folder / 'model.json'}, the whole sweep in {tuned.folder / 'tuning.csv'}")


@contextmanager
def _slices_bar(description: str) -> Iterator[Callable[[str, str, int], None]]:
    """A bar of the slices done, told by case, stage and number; nothing where no terminal is."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=None)
        yield lambda name, stage, slices: bar.update(task, advance=slices, description=f"{name}: {stage}")


def _print_training(folder: Path, settings: TrainSettings) -> None:
    """Which weights a run has left, and why it ended."""
    from lits_toolkit.files import read_json
    from lits_toolkit.models.storage import DESCRIPTION
    from lits_toolkit.training.record import TRAIN, phase_rows, read_history

    model = read_json(folder / DESCRIPTION)
    epochs = len(phase_rows(read_history(folder), TRAIN))
    if epochs < settings.epochs:
        print(f"Ended after {epochs} of {settings.epochs} epochs: no lower validation loss in the last "
              f"{settings.stop_after}")  # fmt: skip
    kept = f"epoch {model['best_epoch']}" if model["phase"] == TRAIN else "the average of the last epochs"
    print(f"{settings.stage} model in {folder}: {kept}, validation loss {model['validation_loss']:.4f}")
    if model["dice"]:
        groups = ", ".join(
            f"{group} {_figure(model['dice'][f'dice_{group}'])}" for group in ("small", "medium", "large")
        )
        sizes = f"; by tumour size {groups}" if settings.stage == "tumor" else ""
        where = "" if settings.stage == "liver" else f" inside the liver of {settings.liver}"
        print(f"Dice of the whole validation cases{where}: {_figure(model['dice']['dice_per_case'])} per case{sizes}")


def _print_findings(data: Path, cases: int, findings: "Sequence[Finding]") -> None:
    """A block per case, and what to do about each code once: readable in 80 columns."""
    from itertools import groupby

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"error": "bold red", "warning": "yellow", "info": "dim"}
    console = Console(highlight=False)
    for case, found in groupby(findings, key=lambda finding: finding.case):
        console.print(Text(case, style="bold"))
        block = Table.grid(padding=(0, 2, 0, 0))
        for finding in found:
            severity = Text(f"  {finding.severity}", style=styles[finding.severity])
            message = finding.message.replace(f"{data}/", "")
            block.add_row(severity, Text(finding.code, no_wrap=True), Text(message))
        console.print(block)
    if findings:
        console.print(Text("\nWhat to do", style="bold"))
        advice = Table.grid(padding=(0, 2, 0, 0))
        for code, text in dict.fromkeys((finding.code, finding.advice) for finding in findings):
            advice.add_row(Text(f"  {code}", no_wrap=True), Text(text))
        console.print(advice)
    counts = Counter[str](finding.severity for finding in findings)
    numbers = ", ".join(
        _count(counts[severity], word)
        for severity, word in (("error", "error"), ("warning", "warning"), ("info", "note"))
    )
    console.print(f"\n{_count(cases, 'case')} checked: {numbers}", markup=False)


def _print_repairs(repairs: "list[Repair]", to_stderr: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=to_stderr, highlight=False)
    if not repairs:
        console.print("Nothing was found that can be repaired with certainty; no file was written.")
        return
    console.print(Text("\nRepaired copies", style="bold"))
    for repair in repairs:
        console.print(Text(f"{repair.file}"), soft_wrap=True)
        block = Table.grid(padding=(0, 2, 0, 0))
        block.add_row(Text(f"  {repair.code}", no_wrap=True), Text(f"{repair.done}: {repair.known}"))
        console.print(block)
    console.print("Run lits check on them, and look at them in the browser, before they are used.")


def _chosen(plans: list, numbers: str) -> list:
    """The plans of the cases with those numbers, "7,44"."""
    wanted = [part.strip() for part in numbers.split(",") if part.strip()]
    by_number = {plan.name.removeprefix("volume-"): plan for plan in plans}
    unknown = [number for number in wanted if number not in by_number]
    if unknown or not wanted:
        raise SettingError(f"--only: expected numbers from 0 to {len(plans) - 1}, such as 7,44; found {numbers!r}")
    return [by_number[number] for number in wanted]
