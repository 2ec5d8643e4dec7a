"""Where the time of a training step goes, by kind of layer, forward and backward."""

from collections import defaultdict
from collections.abc import Callable
from math import prod
from typing import Any

from torch.profiler import ProfilerActivity, profile

FORWARD, BACKWARD = 0, 1
ACTIVATIONS = ("silu", "relu", "hardswish", "hardtanh", "leaky")


def print_profile(title: str, step: Callable[[], None], steps: int, batch: int) -> None:
    """Milliseconds per sample of each kind of layer: the wall time of the thread that calls it."""
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        for _ in range(steps):
            step()
    times: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for event in seen.events():
        if _is_top(event):
            times[_kind(event)][_direction(event)] += event.cpu_time_total / 1000 / steps / batch
    print(f"\n{title}: ms per sample")
    print(f"{'':24}{'forward':>10}{'backward':>10}{'share':>8}")
    whole = sum(map(sum, times.values()))
    for kind, (forward, backward) in sorted(times.items(), key=lambda item: -sum(item[1])):
        print(f"{kind:24}{forward:10.2f}{backward:10.2f}{(forward + backward) / whole:8.1%}")
    print(f"{'sum':24}{sum(f for f, _ in times.values()):10.2f}{sum(b for _, b in times.values()):10.2f}")


def _is_top(event: Any) -> bool:
    """An operation of torch that no other one called; autograd's nodes and Python's records are no operations."""
    return event.name.startswith("aten::") and not any(up.name.startswith("aten::") for up in _above(event))


def _above(event: Any) -> list[Any]:
    found = []
    while event.cpu_parent is not None:
        event = event.cpu_parent
        found.append(event)
    return found


def _direction(event: Any) -> int:
    return BACKWARD if any("Backward" in up.name or "AccumulateGrad" in up.name for up in _above(event)) else FORWARD


def _kind(event: Any) -> str:
    above = " ".join(up.name for up in _above(event))
    name, shapes = event.name, [shape for shape in event.input_shapes if shape and isinstance(shape[0], int)]
    if "optimiser" in above or "zero_grad" in above:
        return "optimiser"
    if "loss" in above.split() or "Softmax" in above or "NllLoss" in above:
        return "loss"
    if "conv" in name:
        return _convolution(event, above)
    if "batch_norm" in name or "BatchNorm" in above:
        return "batch norm"
    if any(word in (name + above).lower() for word in ACTIVATIONS) and not _is_small(shapes):
        return "activation"
    if any(word in name + above for word in ("aten::cat", "CatBackward")):
        return "concatenation"
    if any(word in name + above for word in ("aten::mean", "MeanBackward", "igmoid", "aten::mul", "MulBackward")):
        return "squeeze-excitation"
    return "other"


def _convolution(event: Any, above: str) -> str:
    shapes = [shape for shape in event.input_shapes if len(shape) in (4, 5)]
    backward = "backward" in event.name
    features, weight = shapes[1 if backward else 0], shapes[2 if backward else 1]
    if "transpose" in event.name or (backward and prod(shapes[0][2:]) > prod(features[2:])):  # its output is larger
        return "transposed conv"
    if prod(features[2:]) == 1:
        return "squeeze-excitation"
    if weight[1] == 1 and weight[0] > 1 and features[1] > 1:
        return "depthwise conv"
    return "pointwise conv" if prod(weight[2:]) == 1 else "other conv"


def _is_small(shapes: list[Any]) -> bool:
    return bool(shapes) and len(shapes[0]) > 2 and prod(shapes[0][2:]) == 1
