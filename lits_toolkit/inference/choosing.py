"""Which runtime to take: the fastest on this machine that finds what fp32 torch finds, told by the first batch."""

import logging
import time
from dataclasses import dataclass

import numpy as np

from lits_toolkit.errors import LitsError
from lits_toolkit.inference.runtimes import INT8, Run, open_runtime
from lits_toolkit.models.machine import network_device
from lits_toolkit.models.storage import Model

LARGEST_DIFFERENCE = 1e-3
"""Of a probability, between runtimes that both compute in fp32: other sums give 1e-6, a wrong operation gives 0.1."""
CHANGED_OF_OBJECT = {"openvino-bf16": 0.01, INT8: 0.05}
"""Of coarser numbers: share of the object's voxels that may change side. It is one minus the Dice of the two masks; the
hundredth is what int8 may cost in Dice, and int8 itself has been held against that on whole validation cases."""
CHANGED_OF_BATCH = 1e-3
"""Share of the batch's voxels that may change in any case, so that a batch with hardly any object fails nobody."""

TRIED = 2
"""Windows of the batch that the candidates are tried on: on all of them torch alone would take longest."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """A runtime, and what it found in the first batch."""

    runtime: str
    run: Run
    probability: np.ndarray
    notes: list[str]
    """What was passed over, and why."""


@dataclass(frozen=True)
class Candidates:
    """The runtimes that a model could be opened in."""

    runs: dict[str, Run]
    """By name; "torch", by which the others are judged, comes first."""
    notes: list[str]
    """What could not be opened, and why."""


def open_candidates(model: Model, example: np.ndarray | None = None) -> Candidates:
    """Open a model in each runtime that may be the fastest here, and run it once on `example`, by which it compiles."""
    runs: dict[str, Run] = {}
    runtimes, notes = _worth_trying(model)
    for runtime in ["torch", *runtimes]:
        try:
            runs[runtime] = open_runtime(model, runtime)
            if example is not None:
                runs[runtime](example)
        except (LitsError, RuntimeError, MemoryError) as error:
            if runtime == "torch":
                raise
            runs.pop(runtime, None)
            notes.append(_failure(runtime, error))
    return Candidates(runs, notes)


def choose(model: Model, windows: np.ndarray, candidates: Candidates | None = None) -> Choice:
    """Try each candidate on a batch of windows and take the fastest of those that agree with fp32 torch."""
    candidates = candidates or open_candidates(model)
    runs, notes = candidates.runs, list(candidates.notes)
    some = np.ascontiguousarray(windows[:: -(-len(windows) // TRIED)])
    expected, torch_s = _timed(runs["torch"], some)
    times: dict[str, float] = {}
    for runtime, run in runs.items():
        if runtime == "torch":
            continue
        try:
            found = run(some)  # the first time it compiles
            seconds = _timed(run, some)[1]
        except (LitsError, RuntimeError, MemoryError) as error:
            notes.append(_failure(runtime, error))
            continue
        complaint = disagreement(runtime, expected, found)
        if complaint:
            notes.append(f"{runtime}: {complaint}")
        else:
            times[runtime] = seconds
    fastest = min(times.values(), default=np.inf)
    # torch's first batch was slow for being the first: run it again only where that could change the choice
    times["torch"] = torch_s if torch_s > 3 * fastest or not times else _timed(runs["torch"], some)[1]
    best = min(times, key=times.__getitem__)
    notes += [f"{each}: {seconds / times[best]:.1f} times as long" for each, seconds in times.items() if each != best]
    _log.info("%s runs in %s (%s)", model.description.get("name", "the model"), best, "; ".join(notes))
    return Choice(best, runs[best], runs[best](windows), notes)


def disagreement(runtime: str, expected: np.ndarray, found: np.ndarray) -> str:
    """In what a runtime's probabilities differ from fp32 torch's by more than is allowed; "" where they do not."""
    if runtime not in CHANGED_OF_OBJECT:
        largest = float(np.abs(expected - found).max())
        return "" if largest <= LARGEST_DIFFERENCE else f"a probability differs by {largest:.2g} from torch's"
    before, after = expected > 0.5, found > 0.5
    changed, of_object = int((before ^ after).sum()), int(before.sum()) + int(after.sum())
    allowed = CHANGED_OF_OBJECT[runtime] * of_object + CHANGED_OF_BATCH * before.size
    return "" if changed <= allowed else f"{changed} of {of_object // 2} voxels change, more than {allowed:.0f}"


def _worth_trying(model: Model) -> tuple[list[str], list[str]]:
    """Runtimes besides torch, and notes why each of the others is none."""
    from lits_toolkit.inference.int8 import why_not_int8
    from lits_toolkit.inference.openvino_runtime import has_bf16

    if network_device().type != "cpu":
        return [], ["openvino: there is a GPU, which torch runs on"]
    reasons = {
        INT8: why_not_int8(model),
        "openvino-bf16": "" if has_bf16() else "this processor has no bfloat16 instructions",
        "openvino": "",
    }
    notes = [f"{runtime}: {reason}" for runtime, reason in reasons.items() if reason]
    return [runtime for runtime, reason in reasons.items() if not reason], notes


def _failure(runtime: str, error: Exception) -> str:
    """A note of what a runtime said; OpenVINO's own errors are RuntimeErrors of many lines."""
    return f"{runtime}: {(str(error).splitlines() or ['no memory'])[0]}"


def _timed(run: Run, windows: np.ndarray) -> tuple[np.ndarray, float]:
    started = time.perf_counter()
    found = run(windows)
    return found, time.perf_counter() - started
