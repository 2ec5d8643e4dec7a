"""The convolutional blocks of the encoder, in 2D or 3D (dissertation §2.1.8 to §2.1.12, Figures 2.5 to 2.10).

`dimensions` is 2 or 3 throughout; a kernel k means k×k or k×k×k. Every convolution before a batch normalisation is
without bias. A new block is one function or class that takes a `BlockShape`, and one entry in `BLOCKS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

CONV: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
CONV_TRANSPOSED: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
BATCH_NORM: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "swish": nn.SiLU,
    "h-swish": nn.Hardswish,
}
"""The dissertation's (§2.2.5, Figure 2.12). h-swish is x · ReLU6(x + 3) / 6; Equation 2.5 prints it otherwise."""


@dataclass(frozen=True)
class BlockShape:
    """What an encoder asks of one block."""

    dimensions: int
    features_in: int
    features_out: int
    kernel: int
    stride: tuple[int, ...]
    expansion: int = 1
    """Of the features within an inverted residual; the other blocks have none."""
    se_squeeze: float = 0.25
    """Share of the features that the squeeze leaves; 0 leaves squeeze-and-excitation out."""

    @property
    def keeps_shape(self) -> bool:
        """Whether what comes out can be added to what goes in."""
        return self.features_in == self.features_out and all(step == 1 for step in self.stride)


def convolution(
    dimensions: int,
    features_in: int,
    features_out: int,
    kernel: int | Sequence[int],
    stride: int | Sequence[int] = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = nn.SiLU,
) -> nn.Sequential:
    """Convolution with "same" padding, batch normalisation and, unless None, an activation."""
    padding = kernel // 2 if isinstance(kernel, int) else tuple(size // 2 for size in kernel)
    layers: list[nn.Module] = [
        CONV[dimensions](features_in, features_out, kernel, stride, padding, groups=groups, bias=False),
        BATCH_NORM[dimensions](features_out),
    ]
    if activation is not None:
        layers.append(activation(inplace=True))
    return nn.Sequential(*layers)


class SqueezeExcitation(nn.Module):
    """Scale each feature by a gate computed from the means of all features (Hu et al. 2018; dissertation §2.1.8)."""

    def __init__(
        self,
        dimensions: int,
        features: int,
        squeezed: int,
        activation: type[nn.Module] = nn.SiLU,
        gate: type[nn.Module] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.space = tuple(range(2, 2 + dimensions))
        self.squeeze = CONV[dimensions](features, squeezed, 1)
        self.excite = CONV[dimensions](squeezed, features, 1)
        self.activation = activation()
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features, [z,] y, x) in and out."""
        means = x.mean(self.space, keepdim=True)
        return x * self.gate(self.excite(self.activation(self.squeeze(means))))


class InvertedResidual(nn.Module):
    """Expand, depthwise, squeeze-excitation, project (Sandler et al. 2018, as in EfficientNet).

    No expansion convolution where the ratio is 1; a residual connection where input and output agree in shape. The
    squeeze is a share of the block's *input* features.
    """

    def __init__(self, shape: BlockShape, activation: type[nn.Module], se: Callable[..., nn.Module]) -> None:
        super().__init__()
        dimensions, features_in = shape.dimensions, shape.features_in
        features = features_in * shape.expansion
        layers: list[nn.Module] = []
        if shape.expansion != 1:
            layers.append(convolution(dimensions, features_in, features, 1, activation=activation))
        layers.append(
            convolution(dimensions, features, features, shape.kernel, shape.stride, features, activation=activation)
        )
        if shape.se_squeeze > 0:
            layers.append(se(dimensions, features, max(1, int(features_in * shape.se_squeeze))))
        layers.append(convolution(dimensions, features, shape.features_out, 1, activation=None))
        self.layers = nn.Sequential(*layers)
        self.residual = shape.keeps_shape

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features_in, [z,] y, x) to (batch, features_out, [z / stride,] y / stride, x / stride)."""
        return x + self.layers(x) if self.residual else self.layers(x)


def mobilenet_v2(shape: BlockShape) -> nn.Module:
    """The inverted residual with swish, as EfficientNet has it (§2.1.11, §2.1.13)."""
    return InvertedResidual(shape, nn.SiLU, SqueezeExcitation)


def mobilenet_v3(shape: BlockShape) -> nn.Module:
    """The inverted residual with h-swish, and a gate of pieces of lines (Howard et al. 2019; §2.1.11)."""

    def se(dimensions: int, features: int, squeezed: int) -> nn.Module:
        return SqueezeExcitation(dimensions, features, squeezed, nn.ReLU, nn.Hardsigmoid)

    return InvertedResidual(shape, nn.Hardswish, se)


class ShuffleNetV2(nn.Module):
    """Two branches, joined and shuffled (Ma et al. 2018; dissertation §2.1.12, Figure 2.10).

    Where the shape is kept, half of the features pass untouched. Otherwise both branches see all of them. Squeeze and
    excitation act on the joined branches, before the shuffle.
    """

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        dimensions, kernel, stride = shape.dimensions, shape.kernel, shape.stride
        half = shape.features_out // 2
        self.splits = shape.keeps_shape
        taken = half if self.splits else shape.features_in
        self.branch = nn.Sequential(
            convolution(dimensions, taken, half, 1, activation=nn.ReLU),
            convolution(dimensions, half, half, kernel, stride, half, activation=None),
            convolution(dimensions, half, half, 1, activation=nn.ReLU),
        )
        self.shortcut = (
            nn.Identity()
            if self.splits
            else nn.Sequential(
                convolution(dimensions, taken, taken, kernel, stride, taken, activation=None),
                convolution(dimensions, taken, half, 1, activation=nn.ReLU),
            )
        )
        squeezed = max(1, int(shape.features_in * shape.se_squeeze))
        self.se: nn.Module = (
            SqueezeExcitation(dimensions, shape.features_out, squeezed, nn.ReLU)
            if shape.se_squeeze > 0
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features_in, [z,] y, x) to (batch, features_out, [z / stride,] y / stride, x / stride)."""
        kept, changed = x.chunk(2, 1) if self.splits else (x, x)
        return shuffle(self.se(torch.cat([self.shortcut(kept), self.branch(changed)], 1)), 2)


def shuffle(x: Tensor, groups: int) -> Tensor:
    """Mix the features of `groups` equal groups: the first of each, the second of each (§2.1.12, Figure 2.9).

    Features are the last axis meanwhile, so that what lies in memory with channels last stays so.
    """
    return x.movedim(1, -1).unflatten(-1, (groups, -1)).transpose(-1, -2).flatten(-2).movedim(-1, 1)


class DepthwiseSpatiotemporalSeparate(nn.Module):
    """A branch along z beside one within the slice, both depthwise, mixed by a pointwise convolution.

    (Zhang et al. 2019; dissertation §2.1.9, Figure 2.6.) For k = 3 and c features the convolutions have 2c² + 12c
    weights. The squeeze is a share of the block's *output* features.
    """

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        features, k = shape.features_in, shape.kernel

        def branch(kernel: tuple[int, int, int]) -> nn.Module:
            return convolution(3, features, features, kernel, shape.stride, features, activation=nn.ReLU)

        self.temporal, self.spatial = branch((k, 1, 1)), branch((1, k, k))
        self.mix = convolution(3, 2 * features, shape.features_out, 1, activation=nn.ReLU)
        squeezed = max(1, int(shape.features_out * shape.se_squeeze))
        self.se: nn.Module = (
            SqueezeExcitation(3, shape.features_out, squeezed, nn.ReLU) if shape.se_squeeze > 0 else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features_in, z, y, x) to (batch, features_out, z / stride, y / stride, x / stride)."""
        return self.se(self.mix(torch.cat([self.temporal(x), self.spatial(x)], 1)))


@dataclass(frozen=True)
class Block:
    """A kind of block, and what goes with it in the rest of the network."""

    build: Callable[[BlockShape], nn.Module]
    activation: type[nn.Module]
    """Of stem, head and decoder."""


BLOCKS: dict[str, Block] = {
    "mobilenet_v2": Block(mobilenet_v2, nn.SiLU),
    "mobilenet_v3": Block(mobilenet_v3, nn.Hardswish),
    "shufflenet_v2": Block(ShuffleNetV2, nn.ReLU),
    "dsts": Block(DepthwiseSpatiotemporalSeparate, nn.ReLU),
}
