"""What runs a network: a trained model, opened in a runtime, is a *runner*, windows of slices in, probabilities out."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

from lits_toolkit.errors import InputError, SettingError, nearest
from lits_toolkit.models.storage import Model

Run = Callable[[np.ndarray], np.ndarray]
"""A batch of windows, (b, 9, y, x) float32 or (b, 1, 8, y, x) in 3D, to the probability of the stage's object in their
middle slices, (b, 1, y, x) float32 or (b, 4, y, x)."""

AUTO = "auto"
INT8 = "openvino-int8"
RUNTIMES = {
    AUTO: "the fastest of torch and OpenVINO's that finds what torch finds in the first batch",
    "torch": "PyTorch in fp32, on the GPU where there is one; by it all others are judged",
    "torch-bf16": "PyTorch in bfloat16, likewise",
    "openvino": "OpenVINO in fp32",
    "openvino-bf16": "OpenVINO in bfloat16, where the processor has instructions for it",
    INT8: "OpenVINO with the int8 weights that `lits export --to int8` has made",
    "onnxruntime": 'ONNX Runtime in fp32, of the extra "export"; it starts sooner after `lits export --to onnx`',
}
"""By name: what it is."""


@dataclass(eq=False)
class Runner:
    """A model that is ready to run on this machine."""

    model: Model
    runtime: str
    """The runtime's name; "auto" until the first batch has been seen."""
    run: Run
    notes: list[str] = field(default_factory=list)
    """Why each of the runtimes that `auto` passed over was not taken."""

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return self.model.network.dimensions


def open_model(model: Model, runtime: str = "torch", aside: Executor | None = None) -> Runner:
    """Make a model ready to run, in one of `RUNTIMES`, or in whichever proves best at the first batch: `auto`.

    With `aside` the model gets ready for whole slices there, which may take a second, while a CT is read; the first run
    waits for that. Raises SettingError where there is no such runtime, this processor or an extra is not up to it, or
    the network has an operation that the runtime lacks; InputError where the model has no int8 weights that can be
    used.
    """
    if runtime == AUTO:
        return _open_auto(model, aside)
    run = open_runtime(model, runtime)
    if aside is None:
        return Runner(model, runtime, run)
    ready = aside.submit(run, _nothing(model))

    def run_when_ready(windows: np.ndarray) -> np.ndarray:
        wait([ready])  # where it failed, so will this run
        return run(windows)

    return Runner(model, runtime, run_when_ready)


def _open_auto(model: Model, aside: Executor | None) -> Runner:
    from lits_toolkit.inference.choosing import choose, find_candidates

    begun = None if aside is None else find_candidates(model, aside)

    def first(windows: np.ndarray) -> np.ndarray:
        candidates = begun or find_candidates(model)
        choice = choose(model, windows, candidates)
        candidates.openings.clear()  # the others are let go before the batch takes its memory
        runner.runtime, runner.run, runner.notes = choice.runtime, choice.run, choice.notes
        return choice.run(windows)

    runner = Runner(model, AUTO, first)
    return runner


def open_and_run(model: Model, runtime: str) -> Run:
    """Open a model and run it once on a window of nothing, by which it compiles; raises as `open_runtime`."""
    run = open_runtime(model, runtime)
    with suppress(MemoryError, RuntimeError):  # what fails now fails again, where it is heard
        run(_nothing(model))
    return run


def _nothing(model: Model) -> np.ndarray:
    from lits_toolkit.models.cost import input_shape

    return np.zeros(input_shape(model.network.dimensions, model.size), np.float32)


@contextmanager
def one_thread_aside() -> Iterator[Executor]:
    """A thread for what can be done meanwhile; on the way out, what has not begun by then is left undone."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside")
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def require_runtime(name: str) -> None:
    """SettingError, naming the nearest, where there is no runtime of that name."""
    if name not in RUNTIMES:
        raise SettingError(f"no runtime is called {name!r}; {nearest(name, RUNTIMES)}, all are {', '.join(RUNTIMES)}")


def open_runtime(model: Model, runtime: str) -> Run:
    """What `open_model` calls for every runtime but `auto`; raises as it does."""
    require_runtime(runtime)
    if runtime in ("torch", "torch-bf16"):
        return _torch(model, bf16=runtime == "torch-bf16")
    if runtime == "onnxruntime":
        from lits_toolkit.inference.onnx_runtime import run_onnx

        return run_onnx(model)
    from lits_toolkit.inference.openvino_runtime import run_openvino, to_openvino

    if runtime == INT8:
        from lits_toolkit.inference.int8 import read_int8

        stored = read_int8(model)
        if not stored.accepted:
            raise InputError(f"the int8 weights of {model.folder} were refused: {stored.told}")
        return run_openvino(stored.graph, "f32")
    return run_openvino(to_openvino(model.network), "bf16" if runtime == "openvino-bf16" else "f32")


def _torch(model: Model, bf16: bool) -> Run:
    import copy

    import torch

    from lits_toolkit.models.machine import network_device
    from lits_toolkit.models.memory import keep_large_allocations
    from lits_toolkit.models.probability import probability_network

    device, own = network_device(), model.network
    is_there = next(own.parameters()).device.type == device.type
    network = probability_network(own if is_there else copy.deepcopy(own).to(device))  # others read the model's own
    keep_large_allocations()

    def run(windows: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(windows).to(device)
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            found: np.ndarray = network(images).cpu().numpy()
        return found

    return run
