"""Cohorts: phantoms, the doctor, preparation."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from lits_toolkit.cli.printing import print_findings
from lits_toolkit.errors import InputError, OutputError, SettingError
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from lits_toolkit.data.doctor import Repair


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
    print(f"{counted(len(plans), 'phantom case')}, about {max(estimate.bytes_on_disk / 1e9, 0.01):.2f} GB "
          f"and {max(1, round(estimate.seconds / 60))} min")  # fmt: skip
    write_cohort(plans, out)
    print(f"{counted(len(plans), 'phantom case')} in {out}")


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
        print_findings(data, len(cases), findings)
    if fix is not None:
        _print_repairs(repair_cases(cases, fix, findings), to_stderr=json)
    if has_errors(findings):
        sys.exit(1)


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
        print_findings(data, len(cases), done.refused)
    found = split_cohort(done.prepared, SplitSettings(split, validation, test, folds, fold, seed), known)
    study.begin(data, found, f"cohort {data.resolve().name}", overwrite)
    parts = f"{len(found.train)} to train on, {len(found.validation)} to validate, {len(found.test)} held out"
    print(f"{len(done.prepared)} of {counted(len(cases), 'case')} in {study.prepared}: {parts}")
    if done.refused:
        refused = len(cases) - len(done.prepared)
        raise InputError(f"{refused} of {len(cases)} cases refused, see above: mend or remove them, then prepare again")


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
