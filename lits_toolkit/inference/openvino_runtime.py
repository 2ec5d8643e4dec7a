"""OpenVINO on the CPU: a network's graph, compiled for the size of the images that come."""

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lits_toolkit.errors import SettingError
from lits_toolkit.models.cost import input_shape
from lits_toolkit.models.machine import usable_threads

if TYPE_CHECKING:
    import openvino as ov

    from lits_toolkit.inference.runtimes import Run
    from lits_toolkit.models.network import Network

MOST_STREAMS = 8
"""As many as samples in a batch by default."""
EXAMPLE_SIZE = 64
"""y and x of what the network is run on to be recorded; the graph is of any size."""


@cache
def openvino_core() -> "ov.Core":
    """The process's one door to OpenVINO, which is never closed.

    OpenVINO's CPU plugin sets a stack for signals of its own and gives the former one back at its end. Where two end
    in the order they began, that is one which is gone, and the next Ctrl-C is a segmentation fault.
    """
    import openvino as ov

    return ov.Core()


def to_openvino(network: "Network") -> "ov.Model":
    """The graph from a batch of images to the probability of the second class; batch, y and x are free.

    (b, 9, y, x) float32 to (b, 1, y, x), in 3D (b, 1, 8, y, x) to (b, 4, y, x). SettingError where the network has an
    operation that the graph lacks.
    """
    import torch

    from lits_toolkit.inference.openvino_graph import record
    from lits_toolkit.models.probability import probability_network

    device = next(network.parameters()).device
    example = torch.zeros(input_shape(network.dimensions, EXAMPLE_SIZE), device=device)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # of hundreds of small operations each would wait for the slowest thread
    try:
        return record(probability_network(network), example)
    finally:
        torch.set_num_threads(threads)


def has_bf16() -> bool:
    """Whether this processor has instructions for bfloat16; without them it would be slower, not faster."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def run_openvino(graph: "ov.Model", precision: Literal["f32", "bf16"]) -> "Run":
    """What runs a graph; it is compiled once for each size of image that comes. Batches may be of any length.

    Each batch is dealt out to streams, which need not wait for one another after every layer: some percent faster than
    all threads on one batch.
    """
    if precision == "bf16" and not has_bf16():
        raise SettingError("openvino-bf16: this processor has no bfloat16 instructions; take openvino")
    threads = usable_threads()
    streams = min(threads, MOST_STREAMS)
    settings = {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,  # by itself OpenVINO takes bf16 wherever it can
        "ENABLE_CPU_PINNING": False,  # two processes would be pinned to the same cores
    }
    requests: dict[tuple[int, ...], list[Any]] = {}

    def run(windows: np.ndarray) -> np.ndarray:
        shape = windows.shape[1:]
        if shape not in requests:
            fixed = graph.clone()
            fixed.reshape([-1, *shape])
            compiled = openvino_core().compile_model(fixed, "CPU", settings)
            requests[shape] = [compiled.create_infer_request() for _ in range(streams)]
        parts = [part for part in np.array_split(np.ascontiguousarray(windows), streams) if len(part)]
        busy = list(zip(requests[shape], parts, strict=False))
        for request, part in busy:
            request.start_async([part], share_inputs=True)
        for request, _ in busy:
            request.wait()
        return np.concatenate([request.get_output_tensor(0).data for request, _ in busy])

    return run
