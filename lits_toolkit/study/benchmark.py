"""How long networks take, beside the dissertation's times and beside what this machine could do at best.

All times are seconds per segmented slice, as in §4.1.2: of an iteration on b samples in t seconds, t / b in 2D, and
t / 4b in 3D. The weights are random, which changes no time. The *floor* takes each convolution by itself: its FLOPs at
the machine's rate for large matrix products, or its bytes at the rate of a large copy, whichever is longer
(`models.cost.count_convolutions` says what that leaves out). A training step is three times a prediction there: the
gradients of the input and of the weights each need as many multiplications and bytes as the convolution itself. The
rates are of float32, so that a runtime of a lower precision may come below.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lits_toolkit.data.network_grid import WINDOW
from lits_toolkit.data.sampling import REACH
from lits_toolkit.errors import InputError, LitsError, SettingError
from lits_toolkit.files import read_json, replacing, write_json
from lits_toolkit.inference.runtimes import INT8, Runner, open_model, require_runtime
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.cost import ConvolutionCost, count_convolutions, input_shape
from lits_toolkit.models.encoders import encoders
from lits_toolkit.models.machine import Machine, measure_machine
from lits_toolkit.models.memory import keep_large_allocations
from lits_toolkit.models.published_time import published_times
from lits_toolkit.models.storage import Model
from lits_toolkit.models.timing import durations
from lits_toolkit.study.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from lits_toolkit.models.network import Network

Work = Literal["training", "prediction"]
WORKS: tuple[Work, ...] = ("training", "prediction")
TORCH = "torch"
FLOOR = "floor"
DISSERTATION = "dissertation"
THEIR_MACHINE = (
    "i7-3770 with a GTX 1080 Ti, and i7-6700K for tests on the CPU (§3.4); which of them, and the batch, is not said"
)
BACKWARD = 3
"""A training step's convolutions, in multiples of a prediction's."""


@dataclass(frozen=True)
class BenchmarkSettings:
    """What is timed, and how."""

    models: tuple[str, ...] = ()
    """Networks of the catalogue; all of the dissertation's 21 without any."""
    runtimes: tuple[str, ...] = (TORCH,)
    """In which prediction is timed; training is timed in torch."""
    training: bool = True
    """Whether training steps are timed."""
    batch: int = 8
    """Samples at a time: slices in 2D, blocks of four in 3D."""
    size: int = 256
    """y and x of the input, in pixels."""
    rounds: int = 3
    """How often everything is timed in turn: other work on the machine then falls on all alike."""
    steps: int = 3
    """Timed runs of each in a round, after one that does not count."""


SMOKE = BenchmarkSettings(("2d-shufflenet_v2-default", "3d-dsts-bottom"), batch=2, size=32, rounds=1, steps=1)
"""A benchmark of seconds, whose times mean nothing."""


@dataclass(frozen=True, eq=False)
class Benchmark:
    """What was measured on this machine."""

    settings: BenchmarkSettings
    machine: Machine
    times: "pd.DataFrame"
    """Columns model, work ("training" | "prediction"), source ("dissertation" | "floor" | a runtime with its
    precision), seconds (per slice: the median of ours, the mean of the dissertation's), stdev_s; NaN where none is."""
    left_out: tuple[str, ...] = ()
    """Runtimes that could not be timed, with the reason."""

    @property
    def label(self) -> str:
        """What, where and how, in one line."""
        return f"{self.machine.device}, batch {self.settings.batch}, {self.settings.size}²"

    def write(self, path: str | Path) -> None:
        """As JSON with the machine and the settings, or as CSV where the name ends so; OutputError where refused."""
        path = Path(path)
        if path.suffix == ".csv":
            with replacing(path) as partial:
                self.times.to_csv(partial, index=False)
            return
        about = {"machine": asdict(self.machine), "their_machine": THEIR_MACHINE, "settings": asdict(self.settings)}
        write_json(path, about | {"times": self.times.to_dict("records"), "left_out": list(self.left_out)})


def benchmark(
    settings: BenchmarkSettings | None = None,
    machine: Machine | None = None,
    progress: Callable[[str], None] | None = None,
) -> Benchmark:
    """Time networks in training and prediction on this machine.

    `machine` is measured first unless given. `progress` is called with what is timed next. Raises SettingError for a
    name that no network or no runtime has, or numbers below one.
    """
    import pandas as pd

    settings = settings or BenchmarkSettings()
    if min(settings.batch, settings.rounds, settings.steps) < 1:
        raise SettingError("expected a batch, rounds and steps of at least 1")
    models = settings.models or tuple(encoders())
    for runtime in settings.runtimes:
        require_runtime(runtime)
    if settings.training and settings.batch == 1 and settings.size <= 32:
        raise SettingError("training: expected a batch of 2, or a size of 64: batch norm has no variance of one value")
    costs = {name: _count(name, settings) for name in models}  # which notices wrong names and sizes at once
    keep_large_allocations()
    machine = machine or measure_machine()
    taken: dict[tuple[str, Work, str], list[float]] = {}
    left_out: list[str] = []
    for number in range(settings.rounds):
        for name in models:
            for work, runtime in _contenders(settings):
                if progress:
                    progress(f"round {number + 1} of {settings.rounds}: {name}, {work}, {runtime}")
                try:
                    source, found = _time(name, work, runtime, settings)
                except LitsError as error:
                    left_out += [told for told in (f"{runtime}, {name}: {error}",) if told not in left_out]
                    continue
                taken.setdefault((name, work, source), []).extend(found)
    rows = [row for name in models for row in (*_published(name), *_floors(name, costs[name], settings, machine))]
    rows += [
        {"model": name, "work": work, "source": source, "seconds": statistics.median(found), "stdev_s": _stdev(found)}
        for (name, work, source), found in taken.items()
    ]
    times = pd.DataFrame(rows)
    order = times["model"].map(list(models).index)
    return Benchmark(
        settings, machine, times.iloc[np.argsort(order, kind="stable")].reset_index(drop=True), tuple(left_out)
    )


def read_benchmark(path: str | Path) -> Benchmark:
    """What `Benchmark.write` wrote as JSON; InputError where it is something else."""
    import pandas as pd

    kept = read_json(path)
    try:
        settings = kept["settings"] | {name: tuple(kept["settings"][name]) for name in ("models", "runtimes")}
        times = pd.DataFrame(kept["times"]).astype({"seconds": float, "stdev_s": float})
        return Benchmark(BenchmarkSettings(**settings), Machine(**kept["machine"]), times, tuple(kept["left_out"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no benchmark: `lits benchmark --output {path}` writes one") from error


def time_table(number: str, found: Benchmark) -> Table:
    """Table 4.4 (2D) or 4.5 (3D): every row of the dissertation as printed, ours and the floor below, where timed.

    Its data has the columns block, layout, source, training_s, training_stdev_s, prediction_s, prediction_stdev_s:
    seconds per slice, NaN where there is none. Raises SettingError where `number` is of another table.
    """
    import pandas as pd

    dimensions = {"4.4": "2d", "4.5": "3d"}
    if number not in dimensions:
        raise SettingError(f"table {number}: expected one of {', '.join(dimensions)}")
    timed = dict(iter(found.times.groupby("model", sort=False)))
    rows = []
    for model in dict.fromkeys([*published_times(), *timed]):
        own = timed[model] if model in timed else pd.DataFrame(_published(str(model)))
        dimension, block, layout = [*str(model).split("-"), "", ""][:3]
        if dimension != dimensions[number]:
            continue
        for source in sorted(set(own["source"]), key=_rank):
            row: dict[str, Any] = {"block": block, "layout": layout, "source": source}
            for work in WORKS:
                of = own[(own["source"] == source) & (own["work"] == work)]
                row[f"{work}_s"] = of["seconds"].iloc[0] if len(of) else np.nan
                row[f"{work}_stdev_s"] = of["stdev_s"].iloc[0] if len(of) else np.nan
            rows.append(row)
    works = [f"{work}{kind}_s" for work in WORKS for kind in ("", "_stdev")]
    data = pd.DataFrame(rows, columns=["block", "layout", "source", *works])
    text = data[["block", "layout", "source"]].copy()
    for work in WORKS:
        values = zip(data[f"{work}_s"], data[f"{work}_stdev_s"], data["source"] == DISSERTATION, strict=True)
        text[f"{work}, s per slice"] = [_in_print(mean, stdev, whole) for mean, stdev, whole in values]
    title = f"Table {number} · seconds per segmented slice; ours: {found.label}"
    note = f"The dissertation's machine: {THEIR_MACHINE}. Networks with its row alone were not timed here."
    return Table(title, data, text.set_index(["block", "layout", "source"]), note)


def on_meta(name: str) -> "Network":
    """A network with shapes and no numbers, of which costs are counted."""
    import torch

    with torch.device("meta"):
        return build_model(name)


def _contenders(settings: BenchmarkSettings) -> Iterator[tuple[Work, str]]:
    if settings.training:
        yield "training", TORCH
    for runtime in settings.runtimes:
        yield "prediction", runtime


def _time(name: str, work: Work, runtime: str, settings: BenchmarkSettings) -> tuple[str, list[float]]:
    """How a row of ours is called, and seconds per slice of each run."""
    run: Callable[[], object]
    if work == "training":
        from lits_toolkit.training.settings import TrainSettings
        from lits_toolkit.training.step import training_step
        from lits_toolkit.training.task import SegmentationTask

        task = SegmentationTask(TrainSettings(model=name), steps_per_epoch=1000)
        run, precision = training_step(task, settings.batch, settings.size)
        source, dimensions = f"{TORCH} {precision}", task.network.dimensions
    else:
        runner = open_untrained(name, runtime, settings.size)
        dimensions = runner.dimensions
        shape = (settings.batch, *input_shape(dimensions, settings.size)[1:])
        windows = np.random.default_rng(0).random(shape, np.float32)
        source = f"{runtime} fp32" if runtime == TORCH else runner.runtime

        def run() -> object:
            return runner.run(windows)

    slices = settings.batch * REACH[dimensions].slices
    return source, [seconds / slices for seconds in durations(run, settings.steps, warm_up=True)]


def open_untrained(name: str, runtime: str, size: int) -> Runner:
    """A network of random weights, as `open_model`; to int8 by random windows, since it has no training cases."""
    network = build_model(name).eval()
    model = Model(network, {"name": name, "stage": "tumor", "size": size, "window": list(WINDOW)})
    if runtime != INT8:
        return open_model(model, runtime)
    from lits_toolkit.inference.int8 import quantise
    from lits_toolkit.inference.openvino_runtime import run_openvino, to_openvino

    windows = np.random.default_rng(0).random(input_shape(network.dimensions, size), np.float32)
    return Runner(model, runtime, run_openvino(quantise(to_openvino(network), [windows]), "f32"))


def _published(name: str) -> Iterator[dict[str, Any]]:
    printed = published_times().get(name)
    for work in WORKS if printed else ():
        seconds, stdev = getattr(printed, f"{work}_s"), getattr(printed, f"{work}_stdev_s")
        row = {"model": name, "work": work, "source": DISSERTATION}
        yield row | {"seconds": np.nan if seconds is None else seconds, "stdev_s": np.nan if stdev is None else stdev}


def _count(name: str, settings: BenchmarkSettings) -> list[ConvolutionCost]:
    network = on_meta(name)
    return count_convolutions(network, (settings.batch, *input_shape(network.dimensions, settings.size)[1:]))


def _floors(
    name: str, costs: list[ConvolutionCost], settings: BenchmarkSettings, machine: Machine
) -> Iterator[dict[str, Any]]:
    slices = settings.batch * REACH[on_meta(name).dimensions].slices
    prediction = sum(cost.seconds(machine) for cost in costs) / slices
    for work in WORKS if settings.training else WORKS[1:]:
        seconds = prediction * (BACKWARD if work == "training" else 1)
        yield {"model": name, "work": work, "source": FLOOR, "seconds": seconds, "stdev_s": np.nan}


def _rank(source: str) -> tuple[int, str]:
    return {DISSERTATION: 0, FLOOR: 2}.get(source, 1), source


def _stdev(found: list[float]) -> float:
    return statistics.pstdev(found) if len(found) > 1 else np.nan


def _in_print(mean: float, stdev: float, whole: bool) -> str:
    """Rounded, unless the number is to stand as it was printed."""
    if mean != mean:
        return "–"
    return f"{mean:{'g' if whole else '.3g'}}" + ("" if stdev != stdev else f" ± {stdev:{'g' if whole else '.1g'}}")
