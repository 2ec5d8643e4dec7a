"""The network: an EfficientNet-like encoder in a U-Net, one definition for 2D and 3D (dissertation §3.1.4, §3.1.5)."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from lits_toolkit.data.sampling import REACH
from lits_toolkit.errors import SettingError
from lits_toolkit.models.blocks import BLOCKS, CONV, CONV_TRANSPOSED, BlockShape, convolution
from lits_toolkit.models.encoders import Encoder, EncoderLayer

HEAD_EXPANSION = 4
SKIP_LAYERS = (5, 3, 2, 1)
"""The encoder layers, counted from 1, whose outputs the four decoder stages take, the deepest first."""
CLASSES = 2


class Network(nn.Module):
    """What every network of the catalogue is, the comparators included.

    2D: (batch, 9, y, x) float32 in [0, 1] to logits (batch, 2, y, x) of the middle slice.
    3D: (batch, 1, 8, y, x) to logits (batch, 2, 4, y, x) of the middle four slices.
    The second class is the stage's own (liver or tumour); its probability is the softmax over the two.
    """

    dimensions: int
    """2 or 3."""


class EfficientUNet(Network):
    """Stem, encoder, head, decoder and output, of one configuration, with weights from torch's global generator.

    y and x are multiples of 32; SettingError names the size to pad to otherwise.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.dimensions = dimensions = encoder.dimensions
        layers, activation = encoder.layers, BLOCKS[encoder.block].activation
        channels = REACH[2].seen if dimensions == 2 else 1
        stride = (2,) * dimensions if dimensions == 2 else (1, 2, 2)
        self.stem = convolution(dimensions, channels, layers[0].features_in, 3, stride, activation=activation)
        self.encoder = nn.ModuleList(_encoder_layer(dimensions, encoder.block, layer) for layer in layers)
        head = layers[-1].features_out * HEAD_EXPANSION
        self.head = convolution(dimensions, layers[-1].features_out, head, 1, activation=activation)
        widths = [layers[layer - 1].features_out for layer in SKIP_LAYERS]
        self.decoder = nn.ModuleList(
            DecoderStage(dimensions, features, width, activation)
            for features, width in zip([head, *widths[:-1]], widths, strict=True)
        )
        self.output = Output(dimensions, widths[-1], channels)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits; shapes as the class says."""
        return self.output(self.decode(x), x)

    def decode(self, x: Tensor) -> Tensor:
        """Images to the features that the output is given, of half their y and x."""
        require_size(x, 32)
        features = self.stem(x)
        outputs = []
        for encode in self.encoder:
            features = encode(features)
            outputs.append(features)
        features = self.head(features)
        for number, (stage, layer) in enumerate(zip(self.decoder, SKIP_LAYERS, strict=True)):
            features = stage(features, outputs[layer - 1])
            if number == 0 and self.dimensions == 3:
                # the only upsampling along z: from the encoder's 2 slices to the 4 that are asked for
                features = functional.interpolate(features, scale_factor=(2, 1, 1), mode="nearest")
        return features


class DecoderStage(nn.Module):
    """Double y and x, concatenate the encoder's skip, mix by a depthwise-separable convolution."""

    def __init__(self, dimensions: int, features_in: int, features_out: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.up = _doubling(dimensions, features_in, features_out)
        self.mix = nn.Sequential(
            CONV[dimensions](2 * features_out, 2 * features_out, 3, padding=1, groups=2 * features_out, bias=False),
            *convolution(dimensions, 2 * features_out, features_out, 1, activation=activation),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(b, features_in, [z,] y, x) and the skip (b, features_out, [z,] 2y, 2x) to the skip's shape."""
        x = self.up(x)
        return self.mix(torch.cat([x, centre(skip, x)], dim=1))


class Output(nn.Module):
    """Back to the image's size; the raw image is concatenated before the last 1×1 convolution."""

    def __init__(self, dimensions: int, features_in: int, channels: int) -> None:
        super().__init__()
        self.up = _doubling(dimensions, features_in, features_in // 2)
        self.classify = CONV[dimensions](features_in // 2 + channels, CLASSES, 1)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Decoder features and the image to logits."""
        x = self.up(x)
        return self.classify(torch.cat([x, centre(image, x)], dim=1))


def _encoder_layer(dimensions: int, block: str, layer: EncoderLayer) -> nn.Sequential:
    first = BlockShape(
        dimensions,
        layer.features_in,
        layer.features_out,
        layer.kernel,
        layer.stride,
        layer.expansion,
        layer.se_squeeze,
    )
    further = replace(first, features_in=layer.features_out, stride=(1,) * dimensions)
    return nn.Sequential(*(BLOCKS[block].build(shape) for shape in (first, *(layer.repetitions - 1) * [further])))


def _doubling(dimensions: int, features_in: int, features_out: int) -> nn.Module:
    step = (2,) * dimensions if dimensions == 2 else (1, 2, 2)
    return CONV_TRANSPOSED[dimensions](features_in, features_out, step, step)


def centre(skip: Tensor, like: Tensor) -> Tensor:
    """Crop a 3D skip along z to the centre slices that `like` has; a 2D skip fits as it is."""
    if skip.ndim == 4:
        return skip
    extra = (skip.shape[2] - like.shape[2]) // 2
    return skip[:, :, extra : extra + like.shape[2]]


def require_size(x: Tensor, multiple: int) -> None:
    """Raise SettingError, naming the size to pad to, where y or x of an image is no multiple of `multiple`."""
    rows, columns = x.shape[-2:]
    if rows % multiple or columns % multiple:
        fit = tuple(-(-size // multiple) * multiple for size in (rows, columns))
        raise SettingError(
            f"expected y and x in multiples of {multiple}, found {rows}×{columns}: pad to {fit[0]}×{fit[1]}"
        )
