"""What a network costs: parameters, multiply-accumulates and bytes, counted without computing anything."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from lits_toolkit.data.sampling import REACH
from lits_toolkit.models.machine import Machine

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Cost:
    """Of one pass of one input."""

    parameters: int
    macs: int
    """Multiply-accumulates of all convolutions; normalisation, activations and biases are not counted."""


def input_shape(dimensions: int, size: int = 256) -> tuple[int, ...]:
    """(batch, channels, [z,] y, x) of one input: nine slices as channels in 2D, a block of eight in 3D."""
    seen = REACH[dimensions].seen
    channels = (seen,) if dimensions == 2 else (1, seen)
    return (1, *channels, size, size)


def count(network: "nn.Module", shape: tuple[int, ...]) -> Cost:
    """Count one pass of an input of that shape by `torch.utils.flop_counter`, which has two FLOPs to a MAC.

    A network made under `torch.device("meta")` has shapes and no numbers: counting it takes no time and no memory.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    parameters = sum(parameter.numel() for parameter in network.parameters())
    device = next(network.parameters()).device
    with torch.no_grad(), _convolutions_alone(network), FlopCounterMode(display=False) as counter:
        network.eval()(torch.empty(shape, device=device))
    return Cost(parameters, counter.get_total_flops() // 2)


@dataclass(frozen=True)
class ConvolutionCost:
    """Of one convolution in one pass."""

    part: str
    """Of the network, as `parts` names it."""
    macs: int
    bytes: int
    """Of its input, weights and output in float32, each moved once."""

    def seconds(self, machine: Machine) -> float:
        """What it takes at least: it computes while it moves bytes, so the longer of the two."""
        return max(self.compute_s(machine), self.memory_s(machine))

    def compute_s(self, machine: Machine) -> float:
        """At the rate of large matrix products."""
        return 2 * self.macs / machine.flops_per_s

    def memory_s(self, machine: Machine) -> float:
        """At the rate of a large copy."""
        return self.bytes / machine.bytes_per_s


def parts(network: "nn.Module") -> "Iterator[tuple[str, nn.Module]]":
    """What a network is made of, in order: "stem", "encoder 1" to "encoder 7", "head", "decoder 1", …, "output"."""
    from torch import nn

    for name, child in network.named_children():
        if isinstance(child, nn.ModuleList):
            yield from ((f"{name} {number}", each) for number, each in enumerate(child, 1))
        else:
            yield name, child


def count_convolutions(network: "nn.Module", shape: tuple[int, ...]) -> list[ConvolutionCost]:
    """Each convolution of one pass of an input of that shape; as `count`, without computing anything on "meta".

    Normalisation, activations, sums and concatenations count nothing, as if each were fused into the convolution before
    it: a runtime can get near that, while torch's eager mode reads and writes every one of them. Squeeze-and-excitation
    cannot be fused away entirely, and a cache may keep what two neighbours share: the bytes are no exact bound.
    """
    import torch

    found: list[ConvolutionCost] = []

    def hook(part: str) -> Any:
        def note(layer: Any, inputs: Any, output: Any) -> None:
            # in a transposed convolution each value of the input meets the weights, else each of the output
            places = (inputs[0] if layer.transposed else output).shape
            macs = places[0] * prod(places[2:]) * layer.weight.numel()
            values = inputs[0].numel() + layer.weight.numel() + output.numel()
            found.append(ConvolutionCost(part, macs, 4 * values))

        return note

    hooks = [
        layer.register_forward_hook(hook(name))
        for name, part in parts(network)
        for layer in part.modules()
        if isinstance(layer, torch.nn.modules.conv._ConvNd)
    ]
    try:
        with torch.no_grad(), _convolutions_alone(network):
            network.eval()(torch.empty(shape, device=next(network.parameters()).device))
    finally:
        for each in hooks:
            each.remove()
    return found


@contextmanager
def _convolutions_alone(network: "nn.Module") -> Iterator[None]:
    """Pass over normalisations and activations: they keep the shape and count nothing, yet take most of the time."""
    from torch.nn import Hardsigmoid, Hardswish, ReLU, Sigmoid, SiLU
    from torch.nn.modules.batchnorm import _BatchNorm

    kinds = (_BatchNorm, Hardsigmoid, Hardswish, ReLU, Sigmoid, SiLU)
    passed_over = [layer for layer in network.modules() if isinstance(layer, kinds)]
    for layer in passed_over:
        vars(layer)["forward"] = lambda x: x
    try:
        yield
    finally:
        for layer in passed_over:
            del vars(layer)["forward"]
