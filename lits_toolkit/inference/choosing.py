"""Which runtime to take: the fastest on this machine that finds what fp32 torch finds, told by the first batch."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np

from lits_toolkit.errors import LitsError
from lits_toolkit.inference.runtimes import INT8, Run, open_and_run, open_runtime
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
    """The runtime taken."""

    runtime: str
    run: Run
    notes: list[str]
    """What was passed over, and why."""


@dataclass(frozen=True)
class Candidates:
    """The runtimes that may be the fastest here."""

    openings: dict[str, Callable[[], Run]]
    """By name: what opens the model, or waits until it is open; "torch", by which the others are judged, is first."""
    notes: list[str]
    """Why each of the others is none."""


def find_candidates(model: Model, aside: Executor | None = None) -> Candidates:
    """What `choose` is to try; `aside` gets each of them ready meanwhile."""
    from lits_toolkit.inference.int8 import why_not_int8
    from lits_toolkit.inference.openvino_runtime import has_bf16

    reasons = {"torch": ""}
    if network_device().type == "cpu":
        reasons[INT8] = why_not_int8(model)
        reasons["openvino-bf16"] = "" if has_bf16() else "this processor has no bfloat16 instructions"
        reasons["openvino"] = ""
    else:
        reasons["openvino"] = "there is a GPU, which torch runs on"
    openings: dict[str, Callable[[], Run]] = {}
    for runtime in (runtime for runtime, reason in reasons.items() if not reason):
        if aside is None:
            openings[runtime] = partial(open_runtime, model, runtime)
        else:
            openings[runtime] = aside.submit(open_and_run, model, runtime).result
    return Candidates(openings, [f"{runtime}: {reason}" for runtime, reason in reasons.items() if reason])


def choose(model: Model, windows: np.ndarray, candidates: Candidates) -> Choice:
    """Try each candidate on a batch of windows and take the fastest of those that agree with fp32 torch."""
    notes = list(candidates.notes)
    torch_run = candidates.openings["torch"]()
    some = np.ascontiguousarray(windows[:: -(-len(windows) // TRIED)])
    expected, torch_s = _timed(torch_run, some)
    times: dict[str, float] = {}
    runs = {"torch": torch_run}
    for runtime, opening in candidates.openings.items():
        if runtime == "torch":
            continue
        try:
            run = opening()
            found = run(some)  # the first time it compiles
            seconds = _timed(run, some)[1]
        except (LitsError, RuntimeError, MemoryError) as error:  # OpenVINO's own are RuntimeErrors
            notes.append(f"{runtime}: {(str(error).splitlines() or ['no memory'])[0]}")
            continue
        complaint = disagreement(runtime, expected, found)
        if complaint:
            notes.append(f"{runtime}: {complaint}")
            continue
        runs[runtime], times[runtime] = run, seconds
    fastest = min(times.values(), default=np.inf)
    # torch's first batch was slow for being the first: run it again only where that could change the choice
    times["torch"] = torch_s if torch_s > 3 * fastest or not times else _timed(torch_run, some)[1]
    best = min(times, key=times.__getitem__)
    notes += [f"{each}: {seconds / times[best]:.1f} times as long" for each, seconds in times.items() if each != best]
    _log.info("%s runs in %s (%s)", model.description.get("name", "the model"), best, "; ".join(notes))
    return Choice(best, runs[best], notes)


def disagreement(runtime: str, expected: np.ndarray, found: np.ndarray) -> str:
    """In what a runtime's probabilities differ from fp32 torch's by more than is allowed; "" where they do not."""
    if runtime not in CHANGED_OF_OBJECT:
        largest = float(np.abs(expected - found).max())
        return "" if largest <= LARGEST_DIFFERENCE else f"a probability differs by {largest:.2g} from torch's"
    before, after = expected > 0.5, found > 0.5
    changed, of_object = int((before ^ after).sum()), int(before.sum()) + int(after.sum())
    allowed = CHANGED_OF_OBJECT[runtime] * of_object + CHANGED_OF_BATCH * before.size
    return "" if changed <= allowed else f"{changed} of {of_object // 2} voxels change, more than {allowed:.0f}"


def _timed(run: Run, windows: np.ndarray) -> tuple[np.ndarray, float]:
    started = time.perf_counter()
    found = run(windows)
    return found, time.perf_counter() - started
