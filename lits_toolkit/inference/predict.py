"""From CT files to mask files."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path

import joblib
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError

from lits_toolkit.data.case import LIVER, CaseFiles, mask_file_name
from lits_toolkit.data.dicom_seg_writing import write_dicom_seg
from lits_toolkit.data.doctor.finding import CODES
from lits_toolkit.data.doctor.volume import check_values
from lits_toolkit.data.layouts import PREDICTED
from lits_toolkit.data.nifti import is_nifti, write_mask
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import InputError, LitsError, OutputError, SettingError, require_extra
from lits_toolkit.files import output_folder, remove, remove_partials, write_json
from lits_toolkit.inference.cascade import resize_scan, segment, thresholds_of, timed
from lits_toolkit.inference.record import (
    Prediction,
    measure_mask,
    probability_name,
    record_name,
    seg_name,
    write_tumor_probability,
)
from lits_toolkit.inference.resume import (
    Source,
    Task,
    describe_method,
    describe_source,
    find_kept,
    method_fingerprint,
    remove_stale,
    require_free,
    require_not_read,
    require_same_method,
)
from lits_toolkit.inference.runtimes import Runner, one_thread_aside, open_model
from lits_toolkit.inference.settings import PredictSettings
from lits_toolkit.inference.windows import is_out_of_memory
from lits_toolkit.models.memory import keep_large_allocations, return_allocations
from lits_toolkit.models.storage import Model, load_model

SLICES_CHECKED = 32
"""For being in HU: a hundredth of a second."""

Runners = tuple[Runner, Runner | None]
Progress = Callable[[str, str, int], None]


def predict_cases(
    cases: Sequence[CaseFiles],
    output: str | Path,
    tumor_model: Model,
    liver_model: Model | None = None,
    settings: PredictSettings | None = None,
    *,
    overwrite: bool = False,
    n_jobs: int = 1,
    begin: Callable[[Sequence[CaseFiles]], None] | None = None,
    progress: Progress | None = None,
    done: Callable[[Prediction], None] | None = None,
) -> list[Prediction]:
    """Predict each case and write its mask, in the CT's own grid, into `output`, with a JSON of what it holds beside.

    Without a liver model the reference's liver is taken (the dissertation's local protocol). A mask that the same
    models made from the same files is kept, so that an interrupted call goes on where it stopped.

    Args:
        cases: What to predict; CTs alone are read where there is a liver model.
        output: The folder for masks, JSONs, and `predictions.json`, which says by what they were made.
        tumor_model: The second stage.
        liver_model: The first stage.
        settings: The defaults of PredictSettings unless given.
        overwrite: Replace what is there.
        n_jobs: Cases at a time, each in a process of its own that opens the models from their folders.
        begin: Called with the cases that are predicted now, the others being kept, before the first is read.
        progress: Called with case, stage and slices just done, where cases are done one at a time.
        done: Called with each new prediction.

    Raises:
        OutputError: A mask is there that this call would not have made, or `output` has predictions of other models;
            told before anything is computed, unless `overwrite`. Or a mask would replace a case's reference, or lie
            among its DICOM slices; or something cannot be written.
        SettingError: A model is of the wrong stage, or a setting does not fit.
        InputError: A case lacks the reference it needs, or two cases would share a mask; told before anything is
            computed. Or some cases could not be predicted; told after all others are done.
    """
    output = Path(output)
    settings = settings or PredictSettings()
    _require_fitting(cases, tumor_model, liver_model, settings.dicom_seg, n_jobs)
    thresholds = settings.thresholds or thresholds_of(tumor_model, liver_model)
    method = describe_method(tumor_model, liver_model, thresholds, settings)
    task = Task(output, method_fingerprint(method), thresholds, settings)
    sources = {case.name: describe_source(case, with_reference=liver_model is None) for case in cases}
    require_not_read(cases, task)
    if not overwrite:
        require_same_method(output, method)
    predictions = {} if overwrite else find_kept(sources, task)
    todo = [case for case in cases if case.name not in predictions]
    if not overwrite:
        require_free(todo, sources, task)
    n_jobs = min(n_jobs, len(todo))
    keep_large_allocations()
    with one_thread_aside() as aside:
        # what cannot be opened is told before it is written that the folder's masks are of it
        runners = _open(tumor_model, liver_model, settings, aside if n_jobs == 1 else None)
        output_folder(output)
        remove_partials(output)
        write_json(output / PREDICTED, method)
        if begin is not None:
            begin(todo)
        results: Iterator[Prediction | str]
        if n_jobs <= 1:
            results = (_attempt(case, sources[case.name], task, runners, progress) for case in todo)
        else:
            del runners  # each process opens its own
            folders = (tumor_model.folder, liver_model.folder if liver_model else None)
            results = _together(todo, sources, task, folders, n_jobs)
        problems = []
        for case, found in zip(todo, results):  # noqa: B905
            if isinstance(found, Prediction):
                predictions[case.name] = found
                if done is not None:
                    done(found)
            else:
                problems.append(f"{case.name}: {found}")
    if problems:
        raise InputError(f"{len(problems)} of {len(cases)} cases could not be predicted:\n  " + "\n  ".join(problems))
    return [predictions[case.name] for case in cases]


def _together(
    cases: Sequence[CaseFiles],
    sources: dict[str, Source],
    task: Task,
    folders: tuple[Path | None, Path | None],
    n_jobs: int,
) -> Iterator[Prediction | str]:
    """Each case's prediction, or what is wrong with it, several at a time."""
    # joblib replaces a process that has grown, which does no harm and of which a user can make nothing
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    threads = max(1, joblib.cpu_count() // n_jobs)
    jobs: Iterable = (joblib.delayed(_in_worker)(case, sources[case.name], task, folders, threads) for case in cases)
    try:
        yield from joblib.Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    except TerminatedWorkerError as error:
        raise SettingError(
            f"the system ended a process, most likely since {n_jobs} cases at a time need more memory than there is: "
            "take fewer --jobs"
        ) from error


def _in_worker(
    case: CaseFiles,
    source: Source,
    task: Task,
    folders: tuple[Path, Path | None],
    threads: int,
) -> Prediction | str:
    import torch

    torch.set_num_threads(threads)
    keep_large_allocations()
    try:
        return _attempt(case, source, task, _reopen(*folders, task), None)
    finally:
        return_allocations()


@lru_cache(maxsize=1)
def _reopen(tumor: Path, liver: Path | None, task: Task) -> Runners:
    """The models, for all cases of a task: a process outlives it, and may find others in the same folders then."""
    return _open(load_model(tumor), None if liver is None else load_model(liver), task.settings, None)


def _open(tumor_model: Model, liver_model: Model | None, settings: PredictSettings, aside: Executor | None) -> Runners:
    """Opened, in the order in which they are needed; the size of a liver's box nobody knows as yet."""
    liver_runner = None if liver_model is None else open_model(liver_model, settings.runtime, aside)
    return open_model(tumor_model, settings.runtime, None if settings.box else aside), liver_runner


def _attempt(
    files: CaseFiles, source: Source, task: Task, runners: Runners, progress: Progress | None
) -> Prediction | str:
    """A case's prediction, or in words why there is none; what would stop all others too is raised."""
    try:
        return _predict(files, source, task, runners, progress)
    except OutputError:
        raise
    except LitsError as error:
        return str(error)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return f"{files.volume} needs more memory than there is: close other programs, or take fewer --jobs"


def _predict(files: CaseFiles, source: Source, task: Task, runners: Runners, progress: Progress | None) -> Prediction:
    seconds: dict[str, float] = {}
    tumor_runner, liver_runner = runners
    models = {"tumor": tumor_runner.model} | ({"liver": liver_runner.model} if liver_runner else {})
    with timed(seconds, "read"):
        case = read_case(replace(files, reference=None) if liver_runner else files)
        liver = None if liver_runner else _reference_liver(case.reference, files)
        grid, warned = case.grid, _not_in_hu(case.volume)
    with timed(seconds, "resize"):
        scan = resize_scan(case.volume, *models.values())
        del case  # the largest array of all, which nobody needs any more
    report = None if progress is None else partial(progress, files.name)
    batch_size, box = task.settings.batch_size, task.settings.box
    found = segment(scan, tumor_runner, liver_runner, liver, task.thresholds, batch_size, report, box)
    seconds |= found.seconds
    with timed(seconds, "measure"):
        liver_ml, tumor_ml, lesions = measure_mask(found.mask, grid)
    mask, *_ = task.made_of(files.name)
    prediction = Prediction(
        case=files.name,
        mask=mask.name,
        liver_ml=liver_ml,
        tumor_ml=tumor_ml,
        burden=tumor_ml / liver_ml if liver_ml else None,
        lesions=lesions,
        warnings=warned if liver_ml else ["no liver was found: the mask is empty", *warned],
        seconds=seconds,
        models={
            runner.model.stage: {"name": runner.model.name, "runtime": runner.runtime}
            | {"versions": runner.model.description.get("versions", {})}
            for runner in (liver_runner, tumor_runner)
            if runner
        },
        thresholds=vars(task.thresholds),
        box=box,
        method=task.method,
        source=source,
    )
    # First the record: a mask without one is somebody else's, a record without a mask is work to do.
    remove_stale(files.name, source, task)
    remove(mask)
    write_json(task.output / record_name(files.name), asdict(prediction))
    with timed(seconds, "write"):
        if task.settings.probability:
            place = task.output / probability_name(files.name, task.settings.probability)
            write_tumor_probability(found.tumor_probability, grid, place, task.settings.probability)
        if task.settings.dicom_seg:
            method = " and ".join(f"{stage} {model.name}" for stage, model in models.items())
            place = task.output / seg_name(files.name)
            write_dicom_seg(found.mask, grid, (files.volume, files.series), place, method, overwrite=True)
        write_mask(found.mask, grid, mask)
    write_json(task.output / record_name(files.name), asdict(prediction))
    return prediction


def _not_in_hu(volume: np.ndarray) -> list[str]:
    """A warning where a few slices of a (z, y, x) CT say that it is none in HU: shifted, windowed, or a mask."""
    notes = check_values(volume[:: -(-len(volume) // SLICES_CHECKED)])
    return [f"{note.message}; {CODES[note.code].advice}" for note in notes if note.code == "not-hu"]


def _require_fitting(
    cases: Sequence[CaseFiles], tumor_model: Model, liver_model: Model | None, dicom_seg: bool, n_jobs: int
) -> None:
    for model, stage in ((tumor_model, "tumor"), (liver_model, "liver")):
        if model is not None and model.stage != stage:
            where = f" in {model.folder}" if model.folder else ""
            raise SettingError(
                f"expected a model of the {stage} stage, found {model.name} of the {model.stage} stage{where}"
            )
        if model is not None and model.folder is None and n_jobs > 1:
            raise SettingError(f"{model.name} is in memory alone: save it, or predict one case at a time")
    if n_jobs < 1:
        raise SettingError(f"expected 1 or more jobs, found {n_jobs}")
    bare = [case.name for case in cases if case.reference is None]
    if bare and liver_model is None:
        raise InputError(f"--liver reference needs reference masks, but {', '.join(bare)} have none")
    if dicom_seg:
        require_extra("highdicom", "seg")
        if other := [case.name for case in cases if is_nifti(case.volume)]:
            raise InputError(f"--dicom-seg refers to a DICOM series, but {', '.join(other)} are NIfTI files")
    volumes: dict[str, tuple[Path, str]] = {}
    for case in cases:
        other_place, series = volumes.setdefault(mask_file_name(case.name), (case.volume, case.series))
        if (other_place, series) != (case.volume, case.series):
            raise InputError(
                f"{other_place} and {case.volume} would share one mask's name: predict them into two folders"
            )


def _reference_liver(reference: np.ndarray | None, files: CaseFiles) -> np.ndarray:
    if reference is None:
        raise InputError(f"{files.name} has no reference mask to take the liver from")
    return reference >= LIVER
