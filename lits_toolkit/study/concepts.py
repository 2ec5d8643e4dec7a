"""What single parts of the networks do, as numbers: nothing trained, no data (dissertation §2.1.6 to §2.2.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.errors import SettingError
from lits_toolkit.study.table import Table
from lits_toolkit.training.losses import LOSSES, class_weights, cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

EXPRESSIONS = {
    "conventional": "k² · cᵢ · cₒ",
    "spatially separable": "2 · k · cᵢ · cₒ",
    "depthwise separable": "k² · cᵢ + cᵢ · cₒ",
}
"""Of Table 2.2."""
VOXELS = 4 * 256 * 256
"""What a 3D network predicts at a time: four slices."""
OBJECTS = {"small": 300, "medium": 3_000, "large": 30_000}
"""Voxels of an object, one of each size group."""


def convolution_table(channels_in: int = 32, channels_out: int = 64, kernels: Sequence[int] = (3, 5, 7)) -> Table:
    """Table 2.2: the weights of three 2D convolutions, as expressions and as counted in modules of torch.

    The data has the columns convolution, kernel, channels_in, channels_out, weights, and share, of the conventional
    one's. Raises SettingError where there is no kernel, or a number is not 1 at least.
    """
    from lits_toolkit.models.convolutions import convolution_kinds

    if not kernels or min(channels_in, channels_out, *kernels) < 1:
        raise SettingError(f"channels {channels_in} and {channels_out}, kernels {list(kernels)}: expected 1 at least")
    rows = []
    for kernel in kernels:
        kinds = convolution_kinds(kernel, channels_in, channels_out)
        weights = {name: sum(p.numel() for p in module.parameters()) for name, module in kinds.items()}
        rows += [(name, kernel, channels_in, channels_out, count, count / weights["conventional"])
                 for name, count in weights.items()]  # fmt: skip
    data = pd.DataFrame(rows, columns=["convolution", "kernel", "channels_in", "channels_out", "weights", "share"])
    counts = zip(data["weights"], data["share"], strict=True)
    words = [f"{count:,} ({100 * share:.3g} %)".replace(",", " ") for count, share in counts]
    text = data.assign(words=words).pivot_table(
        index="convolution", columns="kernel", values="words", aggfunc="first", sort=False
    )
    text.columns = pd.Index([f"k = {kernel}" for kernel in text.columns])
    text.insert(0, "expression", [EXPRESSIONS[name] for name in text.index])
    note = (
        f"Counted in torch, cᵢ = {channels_in}, cₒ = {channels_out}, without bias; in brackets the share of the "
        "conventional one. Spatially separable is a column and a row of its own for each pair of channels; a column "
        "for cᵢ → cₒ and then a row for cₒ → cₒ channels, as is often built, has k · cₒ · (cᵢ + cₒ)."
    )
    return Table("Table 2.2 · weights of 2D convolutions", data, text, note)


@dataclass(frozen=True, eq=False)
class Gated:
    """Features before and after squeeze-and-excitation, and the gates between."""

    names: tuple[str, ...]
    """Of the features."""
    before: np.ndarray
    """(image, feature, y, x) float32, ≥ 0."""
    gates: np.ndarray
    """(image, feature), in (0, 1)."""
    after: np.ndarray
    """As `before`."""


def squeeze_and_excite(images: np.ndarray | None = None, squeezed: int = 3, seed: int = 128) -> Gated:
    """The features that six well-known kernels find in images (image, y, x), before and after our own module.

    Without images they are a disc and stripes, of 18 × 18 pixels.

    The module is that of `models/blocks.py` with the dissertation's activations (§2.1.8: ReLU, sigmoid); its weights
    are drawn at random. A feature is what is above zero, and 1 at its highest over all images.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    from lits_toolkit.models.blocks import SqueezeExcitation
    from lits_toolkit.models.convolutions import ball, named_kernel

    if images is None:
        images = np.stack([ball(18, 18) > 4, np.broadcast_to(np.arange(18) % 8 > 3, (18, 18))])
    sobel, mean, laplacian = (named_kernel(name) for name in ("sobel", "mean", "laplacian"))
    kernels = {"smooth": mean, "left edges": sobel, "right edges": -sobel, "upper edges": sobel.T,
               "lower edges": -sobel.T, "outlines": -laplacian}  # fmt: skip
    stack = torch.from_numpy(np.stack(list(kernels.values()))).float()[:, None]
    before = functional.conv2d(torch.from_numpy(np.asarray(images, np.float32))[:, None], stack).relu()
    before = before / before.amax((0, 2, 3), keepdim=True).clamp_min(1e-9)
    module = SqueezeExcitation(2, len(kernels), squeezed, nn.ReLU, nn.Sigmoid)
    random = torch.Generator().manual_seed(seed)
    gates: list[Tensor] = []
    module.gate.register_forward_hook(lambda *call: gates.append(call[2]))
    with torch.no_grad():
        for parameter in module.parameters():
            spread = 4.0 if parameter.ndim > 1 else 0.5
            parameter.copy_(spread * torch.randn(parameter.shape, generator=random))
        after = module(before)
    return Gated(tuple(kernels), before.numpy(), gates[0].flatten(1).numpy(), after.numpy())


def activation_curves(low: float = -8.0, high: float = 8.0, count: int = 1601) -> pd.DataFrame:
    """The activations of §2.2.5 and both gates: columns function, x, value, derivative, the last by torch's autograd.

    The functions are those that the blocks are made of; "sigmoid" and "hard sigmoid" are what swish and h-swish
    multiply x with, and the gates of squeeze-and-excitation.
    """
    import torch
    from torch import nn

    from lits_toolkit.models.blocks import ACTIVATIONS

    names = {"relu": "ReLU", "relu6": "ReLU6"}
    functions: dict[str, type[nn.Module]] = {names.get(name, name): kind for name, kind in ACTIVATIONS.items()}
    functions |= {"sigmoid": nn.Sigmoid, "hard sigmoid": nn.Hardsigmoid}
    curves = []
    for name, kind in functions.items():
        x = torch.linspace(low, high, count, dtype=torch.float64, requires_grad=True)
        value = kind()(x)
        (derivative,) = torch.autograd.grad(value.sum(), x)
        columns = {"x": x, "value": value, "derivative": derivative}
        curves.append(pd.DataFrame({c: v.detach().numpy() for c, v in columns.items()}).assign(function=name))
    return pd.concat(curves, ignore_index=True)[["function", "x", "value", "derivative"]]


def loss_curves(confidence: float = 0.99, beside: float = 0.0, steps: int = 21) -> pd.DataFrame:
    """Each loss against the share of an object that is found, for a small, a medium and a large one.

    Four slices hold one object of `OBJECTS` voxels. Of it a share is found; nothing else is taken for an object. What
    the network says it says with probability `confidence`. `beside` is the share of the voxels that another object
    takes, all of which is found: as a large tumour that lies beside the small one in the same batch.
    Columns: loss (of `LOSSES`, and "weighted_cross_entropy" by the classes' voxels), size_group, voxels, found, value.
    Raises SettingError unless 0.5 < confidence < 1 and 0 ≤ beside ≤ 0.5.
    """
    import torch

    if not (0.5 < confidence < 1 and 0 <= beside <= 0.5):
        raise SettingError(f"confidence {confidence}, beside {beside}: expected 0.5 < confidence < 1, beside up to 0.5")
    other = round(beside * VOXELS)
    certain = float(np.log(confidence / (1 - confidence)))
    rows = []
    for group, voxels in OBJECTS.items():
        place = torch.arange(VOXELS)[None]
        targets = (place < other + voxels).long()
        weights = torch.tensor(class_weights([VOXELS - other - voxels, other + voxels]))
        for share in np.linspace(0, 1, steps):
            found = place < other + round(share * voxels)
            # the second logit is what is added to the first, 0
            logits = torch.stack([torch.zeros(1, VOXELS), torch.where(found, certain, -certain)], 1)
            values = {name: LOSSES[name](logits, targets) for name in ("cross_entropy", "dice", "jaccard")}
            values["weighted_cross_entropy"] = cross_entropy(logits, targets, weights)
            rows += [(loss, group, voxels, share, float(value)) for loss, value in values.items()]
    return pd.DataFrame(rows, columns=["loss", "size_group", "voxels", "found", "value"])
