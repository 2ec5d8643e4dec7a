"""The convolutional blocks of the encoder, in 2D or 3D.

`dimensions` is 2 or 3 throughout; a kernel k means k×k or k×k×k. Every convolution before a batch
normalisation is without bias.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

CONV: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
CONV_TRANSPOSED: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
BATCH_NORM: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def convolution(
    dimensions: int,
    features_in: int,
    features_out: int,
    kernel: int,
    stride: int | Sequence[int] = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = nn.SiLU,
) -> nn.Sequential:
    """Convolution with "same" padding, batch normalisation and, unless None, an activation."""
    layers: list[nn.Module] = [
        CONV[dimensions](features_in, features_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        BATCH_NORM[dimensions](features_out),
    ]
    if activation is not None:
        layers.append(activation(inplace=True))
    return nn.Sequential(*layers)


class SqueezeExcitation(nn.Module):
    """Scale each feature by a gate computed from the means of all features (Hu et al. 2018; dissertation §2.1.8)."""

    def __init__(self, dimensions: int, features: int, squeezed: int) -> None:
        super().__init__()
        self.space = tuple(range(2, 2 + dimensions))
        self.squeeze = CONV[dimensions](features, squeezed, 1)
        self.excite = CONV[dimensions](squeezed, features, 1)
        self.activation = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features, [z,] y, x) in and out."""
        means = x.mean(self.space, keepdim=True)
        return x * torch.sigmoid(self.excite(self.activation(self.squeeze(means))))


class MobileNetV2(nn.Module):
    """Inverted residual: expand, depthwise, squeeze-excitation, project (Sandler et al. 2018, as in EfficientNet).

    No expansion convolution where the ratio is 1; a residual connection where input and output agree in shape.
    The squeeze is a share `se_squeeze` of the block's input features; 0 leaves the gate out.
    """

    def __init__(
        self,
        dimensions: int,
        features_in: int,
        features_out: int,
        kernel: int,
        stride: Sequence[int],
        expansion: int,
        se_squeeze: float,
    ) -> None:
        super().__init__()
        features = features_in * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(convolution(dimensions, features_in, features, 1))
        layers.append(convolution(dimensions, features, features, kernel, tuple(stride), groups=features))
        if se_squeeze > 0:
            layers.append(SqueezeExcitation(dimensions, features, max(1, int(features_in * se_squeeze))))
        layers.append(convolution(dimensions, features, features_out, 1, activation=None))
        self.layers = nn.Sequential(*layers)
        self.residual = features_in == features_out and all(step == 1 for step in stride)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features_in, [z,] y, x) to (batch, features_out, [z / stride,] y / stride, x / stride)."""
        return x + self.layers(x) if self.residual else self.layers(x)


BLOCKS: dict[str, type[nn.Module]] = {"mobilenet_v2": MobileNetV2}
