import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage, signal

from lits_toolkit.errors import SettingError
from lits_toolkit.models.convolutions import (
    ball,
    change_along_z,
    convolution_kinds,
    convolve,
    depthwise_example,
    depthwise_then_pointwise,
    full_convolution,
    named_kernel,
    nearest_product,
)


def test_the_kernels_are_those_of_the_books():
    assert named_kernel("sobel").tolist() == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    assert named_kernel("sobel", 5)[2].tolist() == [-6, -12, 0, 12, 6]
    assert named_kernel("laplacian").tolist() == [[1, 1, 1], [1, -8, 1], [1, 1, 1]]
    assert named_kernel("mean", 5).tolist() == [[1] * 5] * 5


@pytest.mark.parametrize("size", [3, 5, 7])
def test_what_looks_for_changes_sees_none_in_a_flat_image(size):
    for name in ("sobel", "laplacian"):
        assert named_kernel(name, size).sum() == 0
    slope = np.broadcast_to(np.arange(size), (size, size))
    assert (named_kernel("sobel", size) * slope).sum() > 0


@pytest.mark.parametrize(("name", "size", "words"), [("sobl", 3, "'sobel'"), ("mean", 4, "odd"), ("mean", 1, "odd")])
def test_an_unknown_kernel_or_size_is_told(name, size, words):
    with pytest.raises(SettingError, match=words):
        named_kernel(name, size)


def test_a_ball_is_bright_in_the_middle_and_the_same_from_all_sides():
    volume = ball(5, 6, 7)
    assert volume.shape == (5, 6, 7)
    assert (volume.max(), volume[0, 0, 0]) == (9, 0)
    assert np.array_equal(volume, volume.round())
    for axis in range(3):
        assert np.array_equal(volume, np.flip(volume, axis))


@pytest.mark.parametrize("shape", [(6, 7), (4, 5, 6)])
def test_a_convolution_is_scipys_correlation_where_all_of_the_kernel_lies_inside(shape):
    random = np.random.default_rng(0)
    image, kernel = random.normal(size=shape), random.normal(size=(3,) * len(shape))
    np.testing.assert_allclose(convolve(image, kernel), signal.correlate(image, kernel, "valid"), atol=1e-12)


def test_the_kernel_along_z_is_the_slice_after_less_the_one_before():
    volume = ball(5, 6, 6)
    sums = np.array([ndimage.uniform_filter(piece, 3)[1:-1, 1:-1] * 9 for piece in volume])
    np.testing.assert_allclose(convolve(volume, change_along_z()), sums[2:] - sums[:-2], atol=1e-9)


@given(arrays(float, 3, elements=st.integers(-4, 4)), arrays(float, 3, elements=st.integers(-4, 4)))
def test_a_product_is_taken_apart_exactly_and_applied_in_turn(column, row):
    kernel = np.outer(column, row)
    if not kernel.any():
        return
    apart = nearest_product(kernel)
    np.testing.assert_allclose(apart[0] @ apart[1], kernel, atol=1e-9)
    image = np.arange(30.0).reshape(5, 6) % 7
    in_turn = convolve(convolve(image, apart[0]), apart[1])
    np.testing.assert_allclose(in_turn, signal.correlate(image, kernel, "valid"), atol=1e-8)


def test_the_sobel_kernel_comes_apart_in_whole_numbers():
    column, row = nearest_product(named_kernel("sobel"))
    np.testing.assert_allclose(column.T, [[1, 2, 1]])
    np.testing.assert_allclose(row, [[-1, 0, 1]], atol=1e-12)


def test_no_product_is_nearer_to_a_kernel_that_is_none():
    kernel = named_kernel("laplacian")
    column, row = nearest_product(kernel)
    distance = np.linalg.norm(kernel - column @ row)
    assert distance == pytest.approx(np.linalg.svd(kernel, compute_uv=False)[1])
    random = np.random.default_rng(0)
    for _ in range(200):
        other_column, other_row = (part + 0.1 * random.normal(size=part.shape) for part in (column, row))
        assert np.linalg.norm(kernel - other_column @ other_row) >= distance - 1e-9


def test_depthwise_then_pointwise_is_channel_by_channel_and_then_a_weighted_sum():
    image, depthwise, pointwise = depthwise_example()
    between, results = depthwise_then_pointwise(image, depthwise, pointwise)
    expected = np.stack([signal.correlate(a, b, "valid") for a, b in zip(image, depthwise, strict=True)])
    np.testing.assert_allclose(between, expected)
    np.testing.assert_allclose(results, np.tensordot(pointwise, expected, 1))


def test_a_full_convolution_with_the_products_gives_the_same():
    image, depthwise, pointwise = depthwise_example()
    _, results = depthwise_then_pointwise(image, depthwise, pointwise)
    kernels = np.einsum("oi,iyx->oiyx", pointwise, depthwise)
    np.testing.assert_allclose(full_convolution(image, kernels), results)


@pytest.mark.parametrize(("kernel", "channels_in", "channels_out"), [(3, 4, 6), (5, 3, 2), (7, 1, 5)])
def test_the_three_kinds_have_the_weights_of_table_2_2_and_one_shape(kernel, channels_in, channels_out):
    kinds = convolution_kinds(kernel, channels_in, channels_out)
    counted = {name: sum(p.numel() for p in module.parameters()) for name, module in kinds.items()}
    assert counted == {
        "conventional": kernel**2 * channels_in * channels_out,
        "spatially separable": 2 * kernel * channels_in * channels_out,
        "depthwise separable": kernel**2 * channels_in + channels_in * channels_out,
    }
    for module in kinds.values():
        assert module(torch.zeros(1, channels_in, 9, 10)).shape == (1, channels_out, 10 - kernel, 11 - kernel)


def test_spatially_separable_is_a_product_of_its_own_for_each_pair_of_channels():
    kinds = convolution_kinds(3, 2, 4)
    separable, conventional = kinds["spatially separable"], kinds["conventional"]
    columns = separable[0].weight.detach().reshape(2, 4, 3)  # channel in, channel out, y
    rows = separable[2].weight.detach().reshape(4, 2, 3)  # channel out, channel in, x
    with torch.no_grad():
        conventional.weight.copy_(torch.einsum("ioy,oix->oiyx", columns, rows))
    x = torch.randn(2, 2, 6, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(separable(x), conventional(x))
