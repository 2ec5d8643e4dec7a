"""The network that won LiTS at ISBI 2017 (X. Han, arXiv:1704.07239; dissertation §2.3): the dissertation's baseline.

Known are: 2.5D with five slices in and the middle one out, long connections that concatenate as in U-Net, short ones
that add as in ResNet, 32 layers, about 24 million parameters. The widths are our reading of that.
"""

import torch
from torch import Tensor, nn

from lits_toolkit.data.sampling import REACH
from lits_toolkit.models.blocks import convolution
from lits_toolkit.models.network import CLASSES, Network, require_size

CONTEXT = 2
"""Slices on either side of the middle one."""
WIDTHS = (64, 128, 256, 512)
"""Features at each resolution, from the image's own down; the deepest has the last once more."""
HALVINGS = len(WIDTHS)


class Han2017(Network):
    """Four levels down and four up; (batch, 9, y, x) float32 to logits (batch, 2, y, x), as the 2D networks.

    It looks at the middle five of the nine slices. y and x are multiples of 16; SettingError otherwise.
    """

    dimensions = 2

    def __init__(self) -> None:
        super().__init__()
        into = (2 * CONTEXT + 1, *WIDTHS[:-1])
        self.down = nn.ModuleList(Level(features, width) for features, width in zip(into, WIDTHS, strict=True))
        self.deepest = Level(WIDTHS[-1], WIDTHS[-1])
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList()
        self.join = nn.ModuleList()
        features = WIDTHS[-1]
        for skip, width in zip(reversed(WIDTHS), (*reversed(WIDTHS[:-1]), WIDTHS[0]), strict=True):
            self.up.append(nn.Sequential(nn.Upsample(scale_factor=2), _convolution(features, skip)))
            self.join.append(Level(2 * skip, width))
            features = width
        self.classify = nn.Conv2d(features, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Nine slices to the logits of the middle one."""
        require_size(x, 2**HALVINGS)
        unused = REACH[2].context - CONTEXT
        x = x[:, unused:-unused]
        skips = []
        for level in self.down:
            skips.append(level(x))
            x = self.pool(skips[-1])
        x = self.deepest(x)
        for up, join, skip in zip(self.up, self.join, reversed(skips), strict=True):
            x = join(torch.cat([skip, up(x)], 1))
        return self.classify(x)


class Level(nn.Module):
    """A convolution to the level's width, then a residual unit of two."""

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        self.widen = _convolution(features_in, features_out)
        self.residual = nn.Sequential(
            _convolution(features_out, features_out),
            convolution(2, features_out, features_out, 3, activation=None),
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features_in, y, x) to (batch, features_out, y, x)."""
        x = self.widen(x)
        return self.activation(x + self.residual(x))


def _convolution(features_in: int, features_out: int) -> nn.Module:
    return convolution(2, features_in, features_out, 3, activation=nn.ReLU)
