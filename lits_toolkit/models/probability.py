"""A network as it predicts: images to the probability of the second class, in fewer operations than in training."""

from typing import Any

import torch
from torch import Tensor, nn

from lits_toolkit.models.network import EfficientUNet, Network, Output, centre


def probability_network(network: Network) -> nn.Module:
    """(b, 9, y, x) float32 to the probability (b, 1, y, x), in 3D (b, 1, 8, y, x) to (b, 4, y, x), float32.

    A network of another kind has its softmax behind it; of an `EfficientUNet` the output is merged. It shares the
    other weights with `network`, and is on its device and in its mode.
    """
    return _Merged(network) if isinstance(network, EfficientUNet) else _Softmax(network)


class _Softmax(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        probability = self.network(image).float().softmax(1)
        return probability[:, 1:] if image.ndim == 4 else probability[:, 1]


class _Merged(nn.Module):
    """Nothing but sums stands between the last features and the softmax of two classes, which is a sigmoid of their
    difference: one feature, scaled up, and one weighted sum of the image's slices give the same number.

    What is saved is as large as the image: a tenth of a network's time.
    """

    def __init__(self, network: EfficientUNet) -> None:
        super().__init__()
        self.network = network
        weight, bias, direct = _merged_weights(network.output)
        self.up = _doubling_to_one_feature(weight, bias)
        self.direct = nn.Buffer(direct)

    def forward(self, image: Tensor) -> Tensor:
        difference = self.up(self.network.decode(image))
        # without the axis of features, of which there is one, OpenVINO adds planes and not pixel by pixel
        difference = difference.squeeze(1) + (centre(image, difference) * self.direct).sum(1)
        probability = torch.sigmoid(difference.float())
        return probability.unsqueeze(1) if image.ndim == 4 else probability


@torch.no_grad()
def _merged_weights(output: Output) -> tuple[Tensor, Tensor, Tensor]:
    """Of the second class's logit less the first's: the transposed convolution's weight (features, 1, [1,] 2, 2) and
    bias (1,), and what each of the image's slices is weighted by, (slices, 1, 1) or (1, 1, 1, 1)."""
    up: Any = output.up
    classify: Any = output.classify
    difference = (classify.weight[1] - classify.weight[0]).double()
    of_features, of_image = difference[: up.out_channels].flatten(), difference[up.out_channels :]
    weight = torch.einsum("io...,o->i...", up.weight.double(), of_features)[:, None]
    bias = up.bias.double() @ of_features + classify.bias[1] - classify.bias[0]
    kind = up.weight.dtype
    return weight.to(kind), bias[None].to(kind), of_image.to(kind)


def _doubling_to_one_feature(weight: Tensor, bias: Tensor) -> nn.Module:
    """A transposed convolution; in 2D as a convolution to the four pixels of each, which runtimes are better at."""
    features = len(weight)
    kind: Any = {"device": weight.device, "dtype": weight.dtype}
    if weight.ndim == 4:
        corners = nn.Conv2d(features, 4, 1, **kind)
        corners.load_state_dict({"weight": weight.flatten(1).T[..., None, None], "bias": bias.expand(4)})
        return nn.Sequential(corners, nn.PixelShuffle(2))
    up = nn.ConvTranspose3d(features, 1, (1, 2, 2), (1, 2, 2), **kind)
    up.load_state_dict({"weight": weight, "bias": bias})
    return up
