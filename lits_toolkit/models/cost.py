"""What a network costs: parameters and multiply-accumulates, counted without computing anything."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lits_toolkit.data.sampling import REACH

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
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.empty(shape, device=device))
    return Cost(parameters, counter.get_total_flops() // 2)
