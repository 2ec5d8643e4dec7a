"""What a network or a block is made of: its operations as they run, so that a diagram shows what is there.

torch runs the module once and each of its operations is written down, with what it was given. A module that was made
under `torch.device("meta")` has shapes and no numbers: that takes no time and no memory. A block of your own needs
nothing here; an operation that has no name in `KINDS` has torch's.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from lits_toolkit.errors import SettingError
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.cost import input_shape

INPUT = "input"
KINDS = {
    "add": "sum",
    "mul": "product",
    "cat": "concatenation",
    "split": "split",
    "mean": "mean",
    "slice": "crop",
    "addmm": "linear",
    "upsample_nearest2d": "upsampling",
    "upsample_nearest3d": "upsampling",
    "max_pool2d_with_indices": "maximum pooling",
    "max_pool3d_with_indices": "maximum pooling",
    "_softmax": "softmax",
    "native_batch_norm": "BN",
    "_native_batch_norm_legit_no_training": "BN",
    "cudnn_batch_norm": "BN",
    "relu": "ReLU",
    "hardtanh": "ReLU6",
    "silu": "swish",
    "hardswish": "h-swish",
    "sigmoid": "sigmoid",
    "hardsigmoid": "hard sigmoid",
    "permute": "shuffle",
    "transpose": "shuffle",
    **dict.fromkeys(("alias", "detach", "clone", "view", "_unsafe_view", "squeeze", "unsqueeze"), "reshape"),
}
"""By torch's name; the activations under the dissertation's (§2.2.5)."""
CONVOLUTION, TRANSPOSED = "convolution", "transposed convolution"
_FOLLOWING = ("BN", "ReLU", "ReLU6", "swish", "h-swish", "sigmoid", "hard sigmoid")


@dataclass(frozen=True)
class Operation:
    """One step of a module's forward pass; its number is its place in the list."""

    kind: str
    inputs: tuple[int, ...]
    """The numbers of the operations whose results it takes; weights are none."""
    shape: tuple[int, ...]
    """(features, [z,] y, x) of its result; of a split, of one part."""
    places: tuple[str, ...] = ()
    """The modules within which it runs, the outermost first, as `named_modules` has them: "encoder.2", …"""
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    groups: int = 1
    then: tuple[str, ...] = ()
    """Normalisation and activation, which take this convolution's result alone."""
    parameters: int = 0
    macs: int = 0
    """Multiply-accumulates for one input."""


@dataclass(frozen=True)
class Part:
    """A part of a network, as `cost.parts` names it, or an operation between two parts."""

    name: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    blocks: int
    """Of the encoder's layers: how many one after the other; 0 elsewhere."""
    convolutions: int
    kernel: tuple[int, ...]
    """The largest of its convolutions, along each axis."""
    parameters: int
    macs: int


def trace(module: nn.Module, *shapes: tuple[int, ...]) -> list[Operation]:
    """The operations of one pass of inputs of these shapes, (batch, features, [z,] y, x) each, in their order.

    The first are the inputs, the last is the result. A batch normalisation and an activation belong to the convolution
    before them; reordering without a change of shape, as ShuffleNet's, is one "shuffle".
    """
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    inputs = [torch.empty(shape, device=device) for shape in shapes]
    with torch.no_grad(), _Recorder(module, inputs) as recorder:
        module.eval()(*inputs)
    return _tidy(recorder.operations)


@cache
def trace_model(name: str) -> tuple[Operation, ...]:
    """The operations of a network of the catalogue for one input of 256 × 256; SettingError as `build_model`."""
    with torch.device("meta"):
        network = build_model(name)
    return tuple(trace(network, input_shape(network.dimensions)))


def within(operations: Sequence[Operation], place: str) -> list[Operation]:
    """The operations of one module, such as "encoder.1.0", with what it is given as inputs.

    Raises SettingError, with the places there are beside it, for one that does not run.
    """
    own = [number for number, operation in enumerate(operations) if place in operation.places]
    if not own:
        parent = place.rpartition(".")[0]
        beside = {name for each in operations for name in each.places if name.rpartition(".")[0] == parent}
        raise SettingError(f"no module {place!r} runs in this network; expected one of {', '.join(sorted(beside))}")
    given = dict.fromkeys(n for number in own for n in operations[number].inputs if n not in own)
    taken = [Operation(INPUT, (), operations[number].shape) for number in given]
    return taken + _renumbered([operations[number] for number in own], [*given, *own])


def parts_of(operations: Sequence[Operation]) -> list[Part]:
    """A network's operations taken together by the parts in which they run; the first is the image."""
    runs = [list(run) for _, run in groupby(enumerate(operations), lambda each: each[1].places[:1] or (each[0],))]
    part_of = {number: place for place, run in enumerate(runs) for number, _ in run}
    found = []
    for place, run in enumerate(runs):
        own = [operation for _, operation in run]
        given = dict.fromkeys(part_of[number] for operation in own for number in operation.inputs)
        blocks = {each.places[1] for each in own if len(each.places) > 2 and each.places[1].split(".")[-1].isdigit()}
        found.append(
            Part(
                _part_name(own[0]),
                tuple(number for number in given if number != place),
                own[-1].shape,
                len(blocks),
                sum(each.kind in (CONVOLUTION, TRANSPOSED) for each in own),
                tuple(max(sizes) for sizes in zip(*(each.kernel for each in own if each.kernel), strict=True)),
                sum(each.parameters for each in own),
                sum(each.macs for each in own),
            )
        )
    return found


def _part_name(operation: Operation) -> str:
    if not operation.places:
        return operation.kind
    name, _, number = operation.places[0].rpartition(".")
    return f"{name} {int(number) + 1}" if name else number


class _Recorder(TorchDispatchMode):
    """Runs torch's operations and writes each down; keeps every tensor, since it is told from others by identity."""

    def __init__(self, module: nn.Module, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.operations = [Operation(INPUT, (), tuple(each.shape[1:])) for each in inputs]
        self.known = {id(each): (number, each) for number, each in enumerate(inputs)}
        self.places: list[str] = []
        self.counted: set[int] = set()
        """Weights that belong to an operation already: those of a module that runs twice count once."""
        self.hooks = [hook for name, each in module.named_modules() if name for hook in self._follow(name, each)]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: torch would import its compiler, which takes seconds, to keep it away from here."""
        return False

    def _follow(self, name: str, module: nn.Module) -> list[Any]:
        enter, leave = (lambda *_: self.places.append(name)), (lambda *_: self.places.remove(name))
        return [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self.hooks:
            hook.remove()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        results = result if isinstance(result, tuple | list) else (result,)
        given = [part for each in args for part in (each if isinstance(each, tuple | list) else (each,))]
        numbers = [self.known[id(each)][0] for each in given if id(each) in self.known]
        if numbers:  # else of weights alone
            operation = self._describe(func, args, given, numbers, results[0])
            self.known |= {id(each): (len(self.operations), each) for each in results}
            self.operations.append(operation)
        return result

    def _describe(self, func: Any, args: tuple, given: list, numbers: list[int], result: Tensor) -> Operation:
        name = func.overloadpacket.__name__.removesuffix("_")
        weights = {id(each): each.numel() for each in given if isinstance(each, nn.Parameter)}
        fresh = {key: count for key, count in weights.items() if key not in self.counted}
        self.counted |= set(fresh)
        flops = flop_registry.get(func.overloadpacket)
        operation = Operation(
            KINDS.get(name, name.replace("_", " ").strip()),
            tuple(dict.fromkeys(numbers)),
            tuple(result.shape[1:]),
            tuple(self.places),
            parameters=sum(fresh.values()),
            macs=flops(*args, out_val=result) // 2 // len(result) if flops else 0,
        )
        if name == "convolution":
            _, weight, _, stride, _, _, transposed, _, groups = args
            kind = TRANSPOSED if transposed else CONVOLUTION
            return replace(operation, kind=kind, kernel=tuple(weight.shape[2:]), stride=tuple(stride), groups=groups)
        if "pool" in name and len(args) > 2:
            return replace(operation, kernel=tuple(args[1]), stride=tuple(args[2] or args[1]))
        return operation


def _tidy(operations: list[Operation]) -> list[Operation]:
    """Take together what is one thing to a reader."""
    for join in (_join_moves, _drop_moves, _join_following):
        operations = _joined(operations, join)
    return [
        replace(each, kind="reshape")
        if each.kind == "shuffle" and each.shape != operations[each.inputs[0]].shape
        else each
        for each in operations
    ]


def _join_moves(before: Operation, after: Operation, alone: bool) -> Operation | None:
    """Several steps that only reorder values are one."""
    if not (alone and {before.kind, after.kind} <= {"shuffle", "reshape"}):
        return None
    return replace(before, kind="shuffle" if "shuffle" in (before.kind, after.kind) else "reshape", shape=after.shape)


def _drop_moves(before: Operation, after: Operation, alone: bool) -> Operation | None:
    """What is cut or put into another form and is as it was."""
    return before if after.kind in ("reshape", "crop") and before.shape == after.shape else None


def _join_following(before: Operation, after: Operation, alone: bool) -> Operation | None:
    """A batch normalisation and an activation belong to the convolution before them."""
    if not (alone and after.kind in _FOLLOWING and before.kind in (CONVOLUTION, TRANSPOSED, "linear")):
        return None
    return replace(before, then=(*before.then, after.kind), parameters=before.parameters + after.parameters)


def _joined(operations: list[Operation], join: Callable[..., Operation | None]) -> list[Operation]:
    """Put each operation of one input into the one before it where `join` makes one of the two."""
    takers = Counter(number for operation in operations for number in operation.inputs)
    becomes: list[int] = []
    kept: list[Operation] = []
    for operation in operations:
        inputs = tuple(becomes[number] for number in operation.inputs)
        alone = len(inputs) == 1 and takers[operation.inputs[0]] == 1
        one = join(kept[inputs[0]], operation, alone) if len(inputs) == 1 else None
        if one is None:
            kept.append(replace(operation, inputs=inputs))
            becomes.append(len(kept) - 1)
        else:
            kept[inputs[0]] = one
            becomes.append(inputs[0])
    return kept


def _renumbered(operations: Sequence[Operation], numbers: Sequence[int]) -> list[Operation]:
    """The operations with inputs by their place in `numbers` instead of by these numbers."""
    place = {number: position for position, number in enumerate(numbers)}
    return [replace(each, inputs=tuple(place[given] for given in each.inputs)) for each in operations]
