"""A network as a graph of OpenVINO: its forward pass is run once and each operation of torch is written down.

OpenVINO's own converter takes seconds for each of these networks and goes through torch.jit, which torch gives up;
this takes a tenth of a second. An operation that a new block brings is one more function in `OPERATIONS`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import openvino as ov
import torch
from openvino import opset13 as ops
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lits_toolkit.errors import SettingError

Node = Any
"""An output of a graph's node."""


def record(network: nn.Module, example: Tensor) -> ov.Model:
    """The graph of `network`, all but the features (axis 1, and z in 3D) of any size; `example` is a small batch.

    Raises SettingError where the network has an operation that is not known here.
    """
    features, *space = example.shape[1:]
    free = [-1, features, *([-1, -1] if len(space) == 2 else [space[0], -1, -1])]
    image = ops.parameter(free, ov.Type.f32, name="image")
    with torch.no_grad(), _Recorder(example, image.output(0)) as recorder:
        result = network(example)
    probability = ops.result(recorder.node(result), name="probability")
    image.output(0).set_names({"image"})
    probability.output(0).set_names({"probability"})
    return ov.Model([probability], [image], type(network).__name__)


class _Recorder(TorchDispatchMode):
    """Runs torch's operations and writes each down; keeps every tensor, since it is told from others by identity."""

    def __init__(self, image: Tensor, node: Node) -> None:
        super().__init__()
        self.known: dict[int, tuple[Tensor, Node]] = {id(image): (image, node)}
        self.convolutions: dict[int, tuple] = {}
        """By result: what each convolution was given, so that a batch normalisation after it becomes part of it."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: torch would import its compiler, which takes seconds, to keep it away from here."""
        return False

    def node(self, tensor: Tensor) -> Node:
        """Where a tensor comes from; one that was not computed here, a weight, is a constant."""
        if id(tensor) not in self.known:
            self.known[id(tensor)] = tensor, _constant(tensor)
        return self.known[id(tensor)][1]

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.removesuffix("_")
        if name == "empty":  # torch's scratch memory beside a batch normalisation
            return result
        if name not in OPERATIONS:
            raise SettingError(f"the network has the operation {name}, which is not known in OpenVINO's graph here")
        nodes = OPERATIONS[name](self, result, *args)
        several = isinstance(result, tuple | list)
        for tensor, node in zip(result, nodes, strict=False) if several else [(result, nodes)]:
            self.known[id(tensor)] = tensor, node
        return result


def _convolution(recorder: _Recorder, result: Tensor, x: Tensor, *given: Any) -> Node:
    recorder.convolutions[id(result)] = x, *given
    return _convolve(recorder.node(x), *given)


def _convolve(
    x: Node,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> Node:
    if groups > 1:
        weight = weight.reshape(groups, -1, *weight.shape[1:])
    geometry = {"strides": stride, "pads_begin": padding, "pads_end": padding, "dilations": dilation}
    if transposed:
        if groups > 1 or any(output_padding):
            raise SettingError("a transposed convolution with groups or output padding is not known here")
        found = ops.convolution_backprop_data(x, _constant(weight), **geometry)
    else:
        convolve = ops.convolution if groups == 1 else ops.group_convolution
        found = convolve(x, _constant(weight), **geometry)
    if bias is not None:
        found = ops.add(found, _per_feature(bias, len(stride)))
    return found.output(0)


def _batch_norm(
    recorder: _Recorder,
    result: Sequence[Tensor],
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    training: bool,
    momentum: float,
    epsilon: float,
) -> list[Node]:
    scale = weight / torch.sqrt(variance + epsilon)
    shift = bias - mean * scale
    if id(x) in recorder.convolutions:
        before, kernel, kernel_bias, *geometry = recorder.convolutions[id(x)]
        if not geometry[3]:  # of a transposed convolution, features out are another axis
            kernel = kernel * scale.reshape(-1, *(1,) * (kernel.ndim - 1))
            shift = shift if kernel_bias is None else shift + kernel_bias * scale
            return [_convolve(recorder.node(before), kernel, shift, *geometry)]
    space = x.ndim - 2
    scaled = ops.multiply(recorder.node(x), _per_feature(scale, space))
    return [ops.add(scaled, _per_feature(shift, space)).output(0)]


def _per_feature(values: Tensor, space: int) -> Node:
    return _constant(values.reshape(1, -1, *(1,) * space))


def _constant(tensor: Tensor) -> Node:
    """A copy of a tensor; `ops.constant` would go through a list of numbers, half a second for a network."""
    return ov.op.Constant(np.ascontiguousarray(tensor.detach().cpu().numpy())).output(0)


def _view(recorder: _Recorder, result: Tensor, x: Tensor, *given: Any) -> Node:
    """Axes that keep their length are copied, so that the graph is not bound to the example's batch and size."""
    kept = [before == after for before, after in zip(x.shape, result.shape, strict=False)]
    shape = [0 if place < len(kept) and all(kept[: place + 1]) else size for place, size in enumerate(result.shape)]
    return ops.reshape(recorder.node(x), shape, special_zero=True).output(0)


def _upsample(recorder: _Recorder, result: Tensor, x: Tensor, *given: Any) -> Node:
    axes = list(range(2, x.ndim))
    scales = np.array([result.shape[axis] / x.shape[axis] for axis in axes], np.float32)
    return ops.interpolate(
        recorder.node(x), scales, "nearest", "scales", axes=axes,
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    ).output(0)  # fmt: skip


def _slice(
    recorder: _Recorder, result: Tensor, x: Tensor, axis: int = 0, start: int = 0, end: int = 2**31 - 1, step: int = 1
) -> Node:
    return ops.slice(recorder.node(x), [start or 0], [min(end, 2**31 - 1)], [step], [axis]).output(0)


def _split(recorder: _Recorder, result: Sequence[Tensor], x: Tensor, size: Any, axis: int = 0) -> list[Node]:
    return ops.variadic_split(recorder.node(x), axis, [part.shape[axis] for part in result]).outputs()


def _max_pool(
    recorder: _Recorder, result: Sequence[Tensor], x: Tensor, kernel: list[int], stride: list[int], *given: Any
) -> list[Node]:
    if any(given):
        raise SettingError("a pooling with padding or dilation is not known in OpenVINO's graph here")
    still, none = [1] * len(kernel), [0] * len(kernel)
    return ops.max_pool(recorder.node(x), stride or kernel, still, none, none, kernel).outputs()[:1]


def _itself(recorder: _Recorder, result: Tensor, x: Tensor) -> Node:
    return recorder.node(x)


def _elementwise(make: Callable[..., Any]) -> Callable[..., Node]:
    def write(recorder: _Recorder, result: Tensor, *given: Any) -> Node:
        return make(*(recorder.node(each) if isinstance(each, Tensor) else each for each in given)).output(0)

    return write


def _permute(recorder: _Recorder, result: Tensor, x: Tensor, order: list[int]) -> Node:
    return ops.transpose(recorder.node(x), [axis % x.ndim for axis in order]).output(0)


def _transpose(recorder: _Recorder, result: Tensor, x: Tensor, first: int, second: int) -> Node:
    order = list(range(x.ndim))
    order[first], order[second] = order[second], order[first]
    return ops.transpose(recorder.node(x), order).output(0)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "convolution": _convolution,
    "native_batch_norm": _batch_norm,
    "relu": _elementwise(ops.relu),
    "hardtanh": _elementwise(ops.clamp),
    "silu": _elementwise(ops.swish),
    "hardswish": _elementwise(ops.hswish),
    "sigmoid": _elementwise(ops.sigmoid),
    "hardsigmoid": _elementwise(ops.hsigmoid),
    "add": _elementwise(ops.add),
    "mul": _elementwise(ops.multiply),
    "mean": lambda recorder, result, x, axes, keep=False: ops.reduce_mean(recorder.node(x), axes, keep).output(0),
    "sum": lambda recorder, result, x, axes, keep=False: ops.reduce_sum(recorder.node(x), axes, keep).output(0),
    "cat": lambda recorder, result, parts, axis=0: ops.concat([recorder.node(each) for each in parts], axis).output(0),
    "_softmax": lambda recorder, result, x, axis, half: ops.softmax(recorder.node(x), axis).output(0),
    "permute": _permute,
    "transpose": _transpose,
    "select": lambda recorder, result, x, axis, index: ops.gather(recorder.node(x), index, axis).output(0),
    "squeeze": lambda recorder, result, x, axis: ops.squeeze(recorder.node(x), axis).output(0),
    "unsqueeze": lambda recorder, result, x, axis: ops.unsqueeze(recorder.node(x), axis).output(0),
    "pixel_shuffle": lambda recorder, result, x, by: ops.depth_to_space(recorder.node(x), "depth_first", by).output(0),
    "slice": _slice,
    "split": _split,
    "view": _view,
    "_unsafe_view": _view,
    "alias": _itself,
    "clone": _itself,
    "detach": _itself,
    "upsample_nearest2d": _upsample,
    "upsample_nearest3d": _upsample,
    "max_pool2d_with_indices": _max_pool,
}
"""By torch's name: what writes an operation down; given the recorder, what torch found, and what torch was given."""
