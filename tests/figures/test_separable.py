import numpy as np
import pytest
from scipy import signal

from lits_toolkit.errors import InputError
from lits_toolkit.figures.separable import draw_depthwise_separable, draw_spatially_separable
from lits_toolkit.models.convolutions import ball, depthwise_example, named_kernel


def values(drawn, part):
    return drawn.data[drawn.data["part"] == part]["value"].to_numpy()


def texts(drawn):
    return [text.get_text() for text in drawn.figure.axes[0].texts]


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("name", ["sobel", "mean"])
def test_column_and_then_row_give_what_their_product_gives(assert_legible, name, size):
    image, kernel = ball(6, 6), named_kernel(name, size)
    drawn = draw_spatially_separable(image, kernel)
    assert_legible(drawn)
    expected = signal.correlate(image, kernel, "valid").ravel()
    np.testing.assert_allclose(values(drawn, "whole"), expected, atol=1e-9)
    np.testing.assert_allclose(values(drawn, "separable"), expected, atol=1e-9)
    np.testing.assert_allclose(np.outer(values(drawn, "column"), values(drawn, "row")), kernel, atol=1e-9)
    assert any("both results agree" in text for text in texts(drawn))


def test_a_kernel_that_is_no_product_is_told_with_the_difference(assert_legible):
    drawn = draw_spatially_separable(ball(6, 6), named_kernel("laplacian"))
    assert_legible(drawn)
    apart = np.abs(values(drawn, "separable") - values(drawn, "whole")).max()
    assert apart > 1
    assert any(text.endswith(f"differ by up to {apart:.3g}") for text in texts(drawn))


def test_weights_and_products_are_counted():
    words = texts(draw_spatially_separable(ball(6, 6), named_kernel("sobel")))
    # 4 × 6 results of a column, 4 × 4 of a row, of 3 products each; 4 × 4 of a whole kernel, of 9
    for count in ("column\n3 weights", "between\n72 products", "result\n48 products", "kernel\n9 weights",
                  "result\n144 products"):  # fmt: skip
        assert count in words


def test_depthwise_and_pointwise_give_what_one_convolution_gives(assert_legible):
    image, depthwise, pointwise = depthwise_example()
    drawn = draw_depthwise_separable(image, depthwise, pointwise)
    assert_legible(drawn)
    between = [signal.correlate(a, b, "valid") for a, b in zip(image, depthwise, strict=True)]
    expected = np.tensordot(pointwise, between, 1).ravel()
    np.testing.assert_allclose(values(drawn, "separable"), expected)
    np.testing.assert_allclose(values(drawn, "whole"), expected)
    of_second = drawn.data.query("part == 'whole' and channel == 1")
    assert of_second["value"].tolist() == expected[9:].tolist()
    weights = len(values(drawn, "depthwise")) + len(values(drawn, "pointwise")), len(values(drawn, "kernels"))
    assert weights == (33, 54)
    assert "33 weights for the results of 54" in drawn.figure.get_suptitle()


def test_channels_of_any_numbers_that_agree(assert_legible):
    random = np.random.default_rng(0)
    image, depthwise = random.integers(0, 10, (4, 5, 5)), random.integers(-2, 3, (4, 3, 3))
    assert_legible(draw_depthwise_separable(image, depthwise, random.integers(-2, 3, (3, 4))))
    with pytest.raises(InputError, match="4 channels, 4 kernels, 3 weights"):
        draw_depthwise_separable(image, depthwise, np.ones((2, 3)))
