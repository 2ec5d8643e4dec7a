"""The command line: `lits` with one verb per step of the data's way, each a thin call of a public function."""

import sys
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional, UseAppendAction

from lits_toolkit.errors import InputError, LitsError, SettingError
from lits_toolkit.training.settings import TrainSettings

app = tyro.extras.SubcommandApp()


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
def phantom(out: Positional[Path], cases: int = 10, size: int = 256, slices: int = 48, seed: int = 0) -> None:
    """Write phantom cases as LiTS NIfTI: volume-N.nii.gz and segmentation-N.nii.gz.

    Args:
        out: The folder to write to; cases already there are kept.
        cases: How many.
        size: Matrix in y and x; a multiple of 32 suits every network.
        slices: Axial slices per case.
        seed: Another seed, another cohort.
    """
    from rich.progress import track

    from lits_toolkit.demo import write_phantom
    from lits_toolkit.files import output_folder

    if cases < 1 or size < 32 or slices < 8:
        raise SettingError("expected at least 1 case, a size of 32 and 8 slices")
    output_folder(out)
    for index in track(range(cases), "drawing"):
        write_phantom(out, index, seed, size, slices)
    print(f"{cases} phantom cases in {out}")


@app.command
def check(data: Positional[Path], json: bool = False) -> None:
    """The doctor: what is wrong with the cases of a folder, and what to do. Exit status 1 if any finding is an error.

    Args:
        data: A cohort's folder, or one file.
        json: Print the findings as JSON instead of a table.
    """
    from lits_toolkit.data.doctor import check_cases
    from lits_toolkit.data.layouts import find_cases

    cases = find_cases(data)
    findings = check_cases(cases)
    if json:
        import json as json_format
        from dataclasses import asdict

        print(json_format.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print_findings(len(cases), findings)
    if any(finding.severity == "error" for finding in findings):
        sys.exit(1)


@app.command
def prepare(
    data: Positional[Path],
    workspace: Path,
    size: int = 256,
    validation: float = 0.15,
    test: float = 0.0,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Clamp to [-200, 200] HU, resize in-plane, compress; in parallel, and resumable.

    Args:
        data: The cohort's folder.
        workspace: The study's folder.
        size: y and x of the prepared slices, in pixels; z stays as it is.
        validation: Share of the cases with a reference by which the best weights are chosen.
        test: Share of them held out altogether.
        seed: Of the split.
        overwrite: Prepare anew what was prepared with other settings.
    """
    from lits_toolkit.data.layouts import find_cases
    from lits_toolkit.data.prepare import prepare as prepare_cases
    from lits_toolkit.data.splits import split_by_fraction
    from lits_toolkit.study.workspace import Workspace

    cases = find_cases(data)
    study = Workspace(workspace)
    split = split_by_fraction([case.name for case in cases if case.reference is not None], validation, test, seed)
    study.begin(data, split, f"cohort {data.resolve().name}")
    paths = prepare_cases(cases, study.prepared, size=size, overwrite=overwrite)
    parts = f"{len(split.train)} to train on, {len(split.validation)} to validate, {len(split.test)} held out"
    print(f"{len(paths)} cases in {study.prepared}: {parts}")


@app.command
def models(json: bool = False) -> None:
    """The catalogue: each network's parameters, ours beside the dissertation's.

    Args:
        json: Print a list of objects instead of a table.
    """
    from dataclasses import asdict

    from lits_toolkit.models.catalogue import describe_models

    entries = describe_models()
    if json:
        import json as json_format

        print(json_format.dumps([asdict(entry) for entry in entries], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "parameters", "dissertation, millions")
    for entry in entries:
        published = entry.published_parameters_millions
        table.add_row(entry.name, f"{entry.parameters:,}", "" if published is None else f"{published:.2f}")
    Console().print(table)


@app.command
def train(workspace: Path, settings: Annotated[TrainSettings, tyro.conf.arg(name="")], overwrite: bool = False) -> None:
    """Train one stage's network, or go on with a run that was interrupted.

    Args:
        workspace: The study's folder, made by `lits prepare`.
        settings: What to train with.
        overwrite: Begin anew where another run's model is.
    """
    from lits_toolkit.models.catalogue import build_model
    from lits_toolkit.study.workspace import Workspace

    study = Workspace(workspace).require()
    build_model(settings.model)
    from lits_toolkit.training.run import train as train_model

    split = study.split
    folder = train_model(
        study.model(settings.stage, settings.model),
        study.prepared_cases(split.train),
        study.prepared_cases(split.validation),
        settings,
        overwrite,
    )
    print(f"{settings.stage} model in {folder}")


@app.command
def predict(
    inputs: Positional[tuple[Path, ...]],
    workspace: Path,
    output: Path,
    liver: str = "2d-mobilenet_v2-top",
    tumor: str = "2d-mobilenet_v2-top",
    overwrite: bool = False,
) -> None:
    """Segment CTs: NIfTI or DICOM in, a NIfTI mask in the input's own geometry out.

    Args:
        inputs: NIfTI files, folders of DICOM slices, or cohorts.
        workspace: Where the trained models are.
        output: The folder for the masks.
        liver: The liver stage's model, or "reference" to take the reference's liver.
        tumor: The tumour stage's model.
        overwrite: Replace masks that are there.
    """
    from rich.progress import Progress

    from lits_toolkit.data.layouts import find_cases
    from lits_toolkit.study.workspace import Workspace

    if not inputs:
        raise InputError("expected at least one CT file or folder, found none")
    cases = [case for path in inputs for case in find_cases(path)]
    from lits_toolkit.inference.predict import predict_cases
    from lits_toolkit.models.storage import load_model

    study = Workspace(workspace)
    tumor_model = load_model(study.model("tumor", tumor))
    liver_model = None if liver == "reference" else load_model(study.model("liver", liver))
    with Progress() as bar:
        task = bar.add_task("predicting", total=None)

        def show(name: str, stage: str, slices: int) -> None:
            bar.update(task, advance=slices, description=f"{name}: {stage}")

        predictions = predict_cases(cases, output, tumor_model, liver_model, overwrite=overwrite, progress=show)
        bar.update(task, total=1, completed=1, description="done")
    for prediction in predictions:
        seconds = prediction.read_s + prediction.predict_s + prediction.write_s
        print(f"{output / prediction.mask}: liver {prediction.liver_ml:.0f} ml, tumour {prediction.tumor_ml:.1f} ml, "
              f"{seconds:.1f} s")  # fmt: skip


@app.command
def evaluate(
    predictions: Positional[Path], references: Positional[Path], output: Path, overwrite: bool = False
) -> None:
    """Score predicted masks against references: cases.csv, lesions.csv and summary.json.

    Args:
        predictions: Folder of predicted masks, segmentation-N.nii.gz.
        references: The cohort's folder, or a folder of reference masks.
        output: The folder for the tables.
        overwrite: Replace scores that are there.
    """
    from lits_toolkit.study.scores import evaluate as score

    scores = score(predictions, references, output, overwrite=overwrite)
    summary = scores.summary
    for organ in ("liver", "tumor"):
        print(
            f"{organ}: Dice per case {summary[organ]['dice_per_case']:.3f}, global {summary[organ]['dice_global']:.3f}"
        )
    for group, found in summary["tumor_by_size_group"].items():
        dice = "–" if found["dice"] is None or found["dice"] != found["dice"] else f"{found['dice']:.3f}"
        print(f"{group} tumours: Dice {dice}, {found['detected']} of {found['lesions']} found, "
              f"{found['false_alarms']} false alarms")  # fmt: skip
    print(f"{summary['empty_cases']}\nTables in {output}")


@app.command
def figures(
    workspace: Path = Path("lits-demo"),
    only: tuple[str, ...] = (),
    p: Annotated[UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="NAME=VALUE")] = (),
    list: bool = False,
) -> None:
    """Run the notebooks by papermill and render every figure into the workspace.

    Args:
        workspace: The study's folder.
        only: Names of figures or notebooks; all by default.
        p: A notebook's parameter; may be repeated.
        list: Only list the figures.
    """
    from lits_toolkit.report.render import list_figures, render_figures

    if list:
        for line in list_figures():
            print(line)
        return
    from lits_toolkit.study.workspace import Workspace

    wrong = [text for text in p if "=" not in text]
    if wrong:
        raise SettingError(f"-p: expected NAME=VALUE, found {wrong[0]!r}")
    parameters = dict(text.split("=", 1) for text in p)
    for path in render_figures(Workspace(workspace).require(), only or None, parameters):
        print(path)


@app.command
def browse(case: Positional[Path], predictions: Path | None = None) -> None:
    """Open the slice browser on a case in JupyterLab.

    Args:
        case: A NIfTI file, or a folder of DICOM slices.
        predictions: A folder of predicted masks, or one mask file.
    """
    from lits_toolkit.report.lab import browse_in_lab

    browse_in_lab(case, predictions)


@app.command
def lab(folder: Positional[Path | None] = None) -> None:
    """Open JupyterLab on the notebooks.

    Args:
        folder: Copy the notebooks there first; a file already there is kept.
    """
    from lits_toolkit.report.lab import open_lab

    open_lab(folder)


def main() -> None:
    """Run the command line; an error of the user's is one line, an interruption leaves the workspace usable."""
    try:
        app.cli(
            prog="lits", description="Liver-tumour segmentation in CT: from a folder of CT to masks, scores, figures."
        )
    except LitsError as error:
        sys.exit(f"lits: {error}")
    except KeyboardInterrupt:
        print("\nlits: interrupted; the same command goes on where it stopped", file=sys.stderr)
        sys.exit(130)


def _print_findings(cases: int, findings: list) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if findings:
        table = Table("case", "severity", "code", "found", "what to do", title="Findings")
        for finding in findings:
            table.add_row(finding.case, finding.severity, finding.code, finding.message, finding.advice)
        console.print(table)
    errors = sum(finding.severity == "error" for finding in findings)
    console.print(f"{cases} cases checked: {errors} errors, {len(findings) - errors} warnings and notes")
