"""Notebooks run by papermill, several at a time, each in processes of its own that an interruption ends."""

import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lits_toolkit.errors import LitsError
from lits_toolkit.files import read_json, replacing
from lits_toolkit.report.notebooks import notebook_folder, read_parameters


@dataclass(frozen=True)
class Failure:
    """Why a notebook did not come to its end."""

    notebook: str
    reason: str


def run_notebooks(
    names: list[str],
    executed: Path,
    given: dict[str, Any],
    seconds_before: Mapping[str, float],
    console: Console,
    n_jobs: int,
) -> Iterator[tuple[str, float, Failure | None]]:
    """Run notebooks by papermill; yield of each, as it ends, its name, its seconds, and why it failed if it did.

    Args:
        names: Of the notebooks, without ".ipynb".
        executed: The folder for the executed ones.
        given: Parameters; each goes to the notebooks that have it.
        seconds_before: How long a notebook took the last time, by name, where that is known.
        console: Where progress is shown.
        n_jobs: How many run at a time, each in processes of its own.
    """
    # the longest first, so that none is left over for the end
    names = sorted(names, key=lambda name: -seconds_before.get(name, math.inf))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),  # by the cells so far: of a notebook that never ran here nothing else is known
        TextColumn("to go"),
    )
    running = _Running()
    with (
        Progress(*columns, console=console, transient=True, speed_estimate_period=math.inf) as progress,
        ThreadPoolExecutor(n_jobs) as pool,
    ):
        futures = {
            pool.submit(_run_one, name, executed, given, seconds_before.get(name), progress, running): name
            for name in names
        }
        try:
            for future in as_completed(futures):
                seconds, failure = future.result()
                how = "[red]failed[/]" if failure else "done"
                progress.console.print(f"{futures[future]}: {how} after {seconds:.0f} s", highlight=False)
                yield futures[future], seconds, failure
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            running.stop()
            raise


class _Running:
    """The processes under way, so that an interruption ends them."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        self._stopped = False

    def start(self, command: list[str], complaints: IO[str]) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True
            )
            self._processes.append(process)
            return process

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.terminate()


def _run_one(
    name: str,
    executed: Path,
    given: dict[str, Any],
    before: float | None,
    progress: Progress,
    running: _Running,
) -> tuple[float, Failure | None]:
    """Run a notebook in a process of its own; returns how long it took, and why it failed if it did."""
    started = time.monotonic()
    notebook = notebook_folder() / f"{name}.ipynb"
    known = read_parameters(notebook)
    estimate = "" if before is None else f", about {before:.0f} s"
    task = progress.add_task(
        name + estimate, total=len(read_json(notebook)["cells"]) + 1
    )  # papermill adds the cell of parameters
    reason = ""
    try:
        with replacing(executed / notebook.name) as partial:
            request = {
                "notebook": str(notebook),
                "output": str(partial.resolve()),
                "parameters": {key: value for key, value in given.items() if key in known},
            }
            for line in _talk(request, running):
                kind, _, text = line.partition(" ")
                if kind == "cell":
                    progress.update(task, completed=int(text))
                elif kind == "failed":
                    failure = json.loads(text)
                    first_line = failure["source"].strip().splitlines()[0]
                    reason = f"cell In [{failure['cell']}] ({first_line}): {failure['error']}"
    except LitsError as error:
        reason = str(error)
    progress.update(task, visible=False)
    return time.monotonic() - started, Failure(name, reason) if reason else None


def _talk(request: dict[str, Any], running: _Running) -> Iterator[str]:
    """Start the process of a notebook, give it the request, and yield what it prints, line by line.

    Raises LitsError with the process's last words if it ends otherwise than by a cell that raised.
    """
    from lits_toolkit.report.execute import FAILED

    with tempfile.TemporaryFile("w+") as complaints:
        process = running.start([sys.executable, "-m", "lits_toolkit.report.execute"], complaints)
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request))
            process.stdin.close()
            yield from process.stdout
        if process.returncode not in (0, FAILED):
            complaints.seek(0)
            words = complaints.read().strip().splitlines() or ["without a word"]
            raise LitsError(f"its process ended with status {process.returncode}: {words[-1]}")
