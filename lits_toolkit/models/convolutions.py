"""Convolutions small enough to be followed number by number, whole and separable (dissertation §2.1.5, §2.1.6).

As in every network the kernel is not mirrored. It is placed only where all of it lies in the image, so that k cells
along an axis of n leave n − k + 1 results. Images and kernels are float64, channels first where there are several.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lits_toolkit.errors import SettingError, nearest
from lits_toolkit.models.blocks import shuffle

KernelName = Literal["sobel", "mean", "laplacian"]


def named_kernel(name: str, size: int = 3) -> np.ndarray:
    """A well-known kernel, (size, size): whole numbers, none larger than it must be.

    "sobel" (the change along x, smoothed along y) and "mean" (the sum, here not divided) are products of a column and
    a row, "laplacian" (what the centre has less than all around it) is none.
    Raises SettingError for another name, or a size that is not odd and 3 at least.
    """
    if size < 3 or size % 2 == 0:
        raise SettingError(f"kernel size {size}: expected an odd number, 3 at least")
    if name not in _KERNELS:
        raise SettingError(f"no kernel is called {name!r}; {nearest(name, _KERNELS)} of {', '.join(_KERNELS)}")
    return _KERNELS[name](size)


def ball(*shape: int) -> np.ndarray:
    """An image or volume of whole numbers from 0 to 9, `shape`: bright in the middle, dark at its sides."""
    axes = np.ogrid[tuple(slice(-(n - 1) / 2, n / 2) for n in shape)]
    square = sum((axis / (n / 3.2)) ** 2 for axis, n in zip(axes, shape, strict=True))
    return np.round(9 * np.exp(-(np.asarray(square) ** 1.5)))


def change_along_z() -> np.ndarray:
    """A kernel (3, 3, 3) that only a 3D network can have: the next slice less the one before."""
    return np.stack([-np.ones((3, 3)), np.zeros((3, 3)), np.ones((3, 3))])


def depthwise_example() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (3, 5, 5), depthwise (3, 3, 3) and pointwise (2, 3) kernels for `depthwise_then_pointwise`."""
    image = np.stack([ball(5, 5), ball(5, 9)[:, :5], ball(9, 5)[:5]])
    depthwise = np.stack([named_kernel("sobel"), named_kernel("sobel").T, named_kernel("mean")])
    return image, depthwise, np.array([[1.0, 1.0, 0.0], [0.0, -1.0, 2.0]])


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The results of a kernel at each of its places, ([z − k + 1,] y − k + 1, x − k + 1), by conv2d or conv3d."""
    function = {2: functional.conv2d, 3: functional.conv3d}[image.ndim]
    return function(_tensor(image)[None, None], _tensor(kernel)[None, None])[0, 0].numpy()


def nearest_product(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The column (k, 1) and row (1, k) whose product is nearest to a kernel (k, k), by its largest singular value.

    Of a kernel that is a product the two are exact; the smallest number of the column is 1, or −1.
    """
    left, values, right = np.linalg.svd(kernel)
    column, row = left[:, 0], values[0] * right[0]
    scale = np.abs(column[np.abs(column) > 1e-9]).min() * np.sign(column.sum() or 1)
    return (column / scale)[:, None], (row * scale)[None, :]


def depthwise_then_pointwise(
    image: np.ndarray, depthwise: np.ndarray, pointwise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A depthwise separable convolution of an image (c_i, y, x), with what lies between its halves.

    Args:
        image: The channels.
        depthwise: A kernel for each of them, (c_i, k, k).
        pointwise: What each result takes of each channel, (c_o, c_i).

    Returns:
        The channels after their own kernels, (c_i, y − k + 1, x − k + 1), and the results, (c_o, …).
    """
    between = functional.conv2d(_tensor(image)[None], _tensor(depthwise)[:, None], groups=len(image))
    return between[0].numpy(), functional.conv2d(between, _tensor(pointwise)[:, :, None, None])[0].numpy()


def full_convolution(image: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """A conventional convolution of an image (c_i, y, x) with kernels (c_o, c_i, k, k): the results, (c_o, …)."""
    return functional.conv2d(_tensor(image)[None], _tensor(kernels))[0].numpy()


class _Interlace(nn.Module):
    """From the order of channels in, then out, to that of channels out, then in: a channel shuffle."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features, y, x) in and out."""
        return shuffle(x, self.groups)


def convolution_kinds(kernel: int, channels_in: int, channels_out: int) -> dict[str, nn.Module]:
    """The three convolutions of Table 2.2 as modules, without bias: (batch, c_i, y, x) to (batch, c_o, y', x').

    Spatially separable means there that the kernel from any channel to any other is the product of a column and a row
    of its own. Torch has that as two grouped convolutions with the channels interlaced between them.
    """
    pairs = channels_in * channels_out
    return {
        "conventional": nn.Conv2d(channels_in, channels_out, kernel, bias=False),
        "spatially separable": nn.Sequential(
            nn.Conv2d(channels_in, pairs, (kernel, 1), groups=channels_in, bias=False),
            _Interlace(channels_in),
            nn.Conv2d(pairs, channels_out, (1, kernel), groups=channels_out, bias=False),
        ),
        "depthwise separable": nn.Sequential(
            nn.Conv2d(channels_in, channels_in, kernel, groups=channels_in, bias=False),
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
        ),
    }


def _sobel(size: int) -> np.ndarray:
    smooth = difference = np.ones(1)
    for _ in range(size - 1):
        smooth = np.convolve(smooth, [1, 1])
    for step in [[-1, 0, 1]] + [[1, 1]] * (size - 3):
        difference = np.convolve(difference, step)
    return np.outer(smooth, difference)


def _laplacian(size: int) -> np.ndarray:
    kernel = np.ones((size, size))
    kernel[size // 2, size // 2] = 1 - size**2
    return kernel


_KERNELS: dict[str, Callable[[int], np.ndarray]] = {
    "sobel": _sobel,
    "mean": lambda size: np.ones((size, size)),
    "laplacian": _laplacian,
}


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float64))
