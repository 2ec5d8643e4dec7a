"""The network: an EfficientNet-like encoder in a U-Net, one definition for 2D and 3D (dissertation §3.1.4, §3.1.5)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lits_toolkit.errors import SettingError
from lits_toolkit.models.blocks import BLOCKS, CONV, CONV_TRANSPOSED, convolution
from lits_toolkit.models.encoders import EncoderLayer

CONTEXT_2D = 4
"""In 2D a slice is seen with this many neighbours on either side, as channels."""
SLICES_IN_3D, SLICES_OUT_3D = 8, 4
"""In 3D a block of 8 slices gives the masks of its middle 4."""
HEAD_EXPANSION = 4
SKIP_LAYERS = (5, 3, 2, 1)
"""The encoder layers, counted from 1, whose outputs the four decoder stages take, the deepest first."""
CLASSES = 2


def build_network(dimensions: int, block: str, encoder: tuple[EncoderLayer, ...]) -> "Network":
    """The network of one configuration, with fresh weights from torch's global generator."""
    return Network(dimensions, block, encoder)


class Network(nn.Module):
    """Stem, encoder, head, decoder and output.

    2D: (batch, 9, y, x) float32 in [0, 1] to logits (batch, 2, y, x) of the middle slice.
    3D: (batch, 1, 8, y, x) to logits (batch, 2, 4, y, x) of the middle four slices.
    y and x are multiples of 32; SettingError names the size to pad to otherwise.
    The second class is the stage's own (liver or tumour); its probability is the softmax over the two.
    """

    def __init__(self, dimensions: int, block: str, encoder: tuple[EncoderLayer, ...]) -> None:
        super().__init__()
        self.dimensions = dimensions
        channels = 2 * CONTEXT_2D + 1 if dimensions == 2 else 1
        stride = (2,) * dimensions if dimensions == 2 else (1, 2, 2)
        self.stem = convolution(dimensions, channels, encoder[0].features_in, 3, stride)
        self.encoder = nn.ModuleList(_encoder_layer(dimensions, block, layer) for layer in encoder)
        head = encoder[-1].features_out * HEAD_EXPANSION
        self.head = convolution(dimensions, encoder[-1].features_out, head, 1)
        widths = [encoder[layer - 1].features_out for layer in SKIP_LAYERS]
        self.decoder = nn.ModuleList(
            DecoderStage(dimensions, features, width)
            for features, width in zip([head, *widths[:-1]], widths, strict=True)
        )
        self.output = Output(dimensions, widths[-1], channels)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits; shapes as the class says."""
        _check_size(x)
        image, features = x, self.stem(x)
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
        return self.output(features, image)


class DecoderStage(nn.Module):
    """Double y and x, concatenate the encoder's skip, mix by a depthwise-separable convolution."""

    def __init__(self, dimensions: int, features_in: int, features_out: int) -> None:
        super().__init__()
        self.up = _doubling(dimensions, features_in, features_out)
        self.mix = nn.Sequential(
            CONV[dimensions](2 * features_out, 2 * features_out, 3, padding=1, groups=2 * features_out, bias=False),
            *convolution(dimensions, 2 * features_out, features_out, 1),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(b, features_in, [z,] y, x) and the skip (b, features_out, [z,] 2y, 2x) to the skip's shape."""
        x = self.up(x)
        return self.mix(torch.cat([x, _centre(skip, x)], dim=1))


class Output(nn.Module):
    """Back to the image's size; the raw image is concatenated before the last 1×1 convolution."""

    def __init__(self, dimensions: int, features_in: int, channels: int) -> None:
        super().__init__()
        self.up = _doubling(dimensions, features_in, features_in // 2)
        self.classify = CONV[dimensions](features_in // 2 + channels, CLASSES, 1)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Decoder features and the image to logits."""
        x = self.up(x)
        return self.classify(torch.cat([x, _centre(image, x)], dim=1))


def _encoder_layer(dimensions: int, block: str, layer: EncoderLayer) -> nn.Sequential:
    unit = (1,) * dimensions
    return nn.Sequential(
        *(
            BLOCKS[block](
                dimensions,
                layer.features_in if number == 0 else layer.features_out,
                layer.features_out,
                layer.kernel,
                layer.stride if number == 0 else unit,
                layer.expansion,
                layer.se_squeeze,
            )
            for number in range(layer.repetitions)
        )
    )


def _doubling(dimensions: int, features_in: int, features_out: int) -> nn.Module:
    step = (2,) * dimensions if dimensions == 2 else (1, 2, 2)
    return CONV_TRANSPOSED[dimensions](features_in, features_out, step, step)


def _centre(skip: Tensor, like: Tensor) -> Tensor:
    """Crop a 3D skip along z to the centre slices that `like` has; a 2D skip fits as it is."""
    if skip.ndim == 4:
        return skip
    extra = (skip.shape[2] - like.shape[2]) // 2
    return skip[:, :, extra : extra + like.shape[2]]


def _check_size(x: Tensor) -> None:
    y, x_size = x.shape[-2:]
    if y % 32 or x_size % 32:
        fit = tuple(-(-size // 32) * 32 for size in (y, x_size))
        raise SettingError(f"expected y and x in multiples of 32, found {y}×{x_size}: pad to {fit[0]}×{fit[1]}")
