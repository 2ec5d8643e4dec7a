"""What came of it: the demo, scores, figures, the browser, the notebooks."""

from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import tyro
from tyro.conf import Positional, UseAppendAction

from lits_toolkit.cli.options import Cases, Folders, Jobs, Name, OptionalPath, Predictions, References, Runs
from lits_toolkit.cli.printing import figure, print_exhibits
from lits_toolkit.data.splits import Part
from lits_toolkit.errors import SettingError
from lits_toolkit.words import counted


def demo(workspace: Path = Path("lits-demo"), smoke: bool = False) -> None:
    """The main job on the built-in phantom cohort, from making it to every figure. No data, no GPU.

    Args:
        workspace: The folder to do it in; interrupted, the same command goes on where it stopped.
        smoke: A tiny demo of seconds, whose scores mean nothing.
    """
    from lits_toolkit.demo import SMOKE, DemoSettings, run_demo

    run_demo(workspace, SMOKE if smoke else DemoSettings())


def evaluate(
    predictions: Positional[Predictions] = None,
    references: Positional[References] = None,
    workspace: OptionalPath = None,
    run: str = "cascade",
    part: Part = "held-out",
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
        workspace: The study whose cases are scored, the held-out ones by default.
        run: Which of the study's predictions.
        part: Which of the study's cases they are of.
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
        from lits_toolkit.study.workspace import Workspace, require_run_of_part

        require_run_of_part(run, part)
        study = Workspace(workspace).require()
        scores = evaluate_run(study, run, part=part, overwrite=overwrite, n_jobs=n_jobs)
        folder = study.scores_folder(run)
    elif workspace is None and predictions is not None and references is not None and output is not None:
        from lits_toolkit.study.pairs import find_unmatched
        from lits_toolkit.study.scores import evaluate as score

        scores = score(predictions, references, output, only_matching=only_matching, overwrite=overwrite, n_jobs=n_jobs)
        folder = output
        for names, lacking in zip(find_unmatched(predictions, references), ("prediction", "reference"), strict=True):
            if names:
                print(f"not scored, for want of a {lacking}: {counted(len(names), 'case')} ({', '.join(names)})")
    else:
        raise SettingError("expected either --workspace STUDY, or PREDICTIONS REFERENCES --output FOLDER")
    _print_summary(scores.summary)
    print(f"Tables of {counted(scores.summary['cases'], 'case')} and the official LiTS score in {folder}")
    if report is not None:
        from rich.console import Console

        from lits_toolkit.report.html import write_report, write_run_report

        with Console(stderr=True).status("reading the masks and CTs once more for the report"):
            if workspace is not None:
                write_run_report(report, study, run, overwrite=overwrite, n_jobs=n_jobs)
            elif predictions is not None and references is not None:
                write_report(report, scores, predictions, references, overwrite=overwrite, n_jobs=n_jobs)
        print(f"Report in {report}")


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
    print(
        f"{counted(len(names), 'mask')} in {output} ({size_mb:.2g} MB), read back and equal to those of {predictions}"
    )


def figures(
    workspace: Path = Path("lits-demo"),
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...", help_behavior_hint="(default: all)")] = (),
    parameter: Annotated[UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="NAME=VALUE", aliases=("-p",))] = (),
    list: bool = False,
    again: bool = False,
) -> None:
    """Run the notebooks by papermill and make every figure and table of the dissertation, in the workspace.

    What is up to date is left as it is. Where there is no study in the workspace, the demo is made there first.

    Args:
        workspace: The study's folder.
        only: Names of figures and tables, of their files, or of notebooks; --list shows them.
        parameter: A value for a parameter of the notebooks.
        list: Only list them: what is there, what is stale and why, what needs what.
        again: Make also those that are up to date.
    """
    from lits_toolkit.report.notebooks import TRUTH
    from lits_toolkit.report.render import lacks_study, list_exhibits, render_figures
    from lits_toolkit.study.workspace import Workspace

    wrong = [text for text in parameter if "=" not in text]
    if wrong:
        raise SettingError(f"-p: expected NAME=VALUE, found {wrong[0]!r}")
    parameters = dict(text.split("=", 1) for text in parameter)
    study = Workspace(workspace)
    if list:
        print_exhibits(list_exhibits(study, only or None, parameters))
        return
    if lacks_study(study, only or None, parameters):
        from lits_toolkit.demo import open_workspace

        open_workspace(workspace, smoke=TRUTH[parameters.get("smoke", "false").lower()])
    for path in render_figures(study, only or None, parameters, again=again):
        print(path)


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


def lab(folder: Positional[Path] = Path("lits-notebooks"), workspace: Path = Path("lits-demo")) -> None:
    """Open JupyterLab on the notebooks.

    Args:
        folder: The notebooks are copied there first; one that is there already is kept.
        workspace: The study that they open; where there is none, the first notebook makes the demo in it (minutes).
    """
    from lits_toolkit.report.lab import open_lab

    open_lab(folder, workspace)


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
        liver, tumor = (figure(summary[region][key], form) for region in ("liver", "tumor"))
        print(f"{name:16}{liver:>8}{tumor:>8}  {rules[key]}")
    burden = summary["tumor_burden"]
    errors = f"RMSE {figure(burden['rmse'], '.4f')}, largest error {figure(burden['max_error'], '.4f')}"
    print(f"\nTumour burden: {errors}\n  {rules['tumor_burden']}")
    for threshold, found in summary["tumor_detection"].items():
        print(f"Lesions at IoU > {threshold}: recall {figure(found['recall'])} "
              f"({found['lesions_found']} of {found['lesions']}), precision {figure(found['precision'])} "
              f"({found['predictions_true']} of {found['lesions_predicted']} predicted)")  # fmt: skip
    print(f"  {rules['tumor_detection']}\n")
    print(f"{'tumours':10}{'Dice':>8}{'VOE':>8}{'RVD':>8}{'ASSD, mm':>10}{'hits':>12}{'false alarms':>14}")
    for group, found in {**summary["tumor_by_size_group"], "all": summary["tumor_lesions"]}.items():
        overlap = f"{figure(found['dice']):>8}{figure(found['voe']):>8}{figure(found['rvd'], '+.3f'):>8}"
        hits = f"{found['detected']} of {found['lesions']}"
        distance = figure(found["assd_mm"], ".2f")
        print(f"{group:10}{overlap}{distance:>10}{hits:>12}{found['false_alarms']:>14}")
    print(f"  {rules['tumor_lesions']}\n  hits: {rules['hits']}\n\n{fill(summary['empty_cases'], 120)}")
