import numpy as np
import pytest
from scipy import signal

from lits_toolkit.errors import InputError
from lits_toolkit.figures.convolutions import draw_convolution_2d, draw_convolution_3d
from lits_toolkit.models.convolutions import ball, change_along_z, named_kernel


def array(data, part, axes):
    own = data[data["part"] == part]
    values = np.empty([own[axis].max() + 1 for axis in axes])
    values[tuple(own[axis] for axis in axes)] = own["value"]
    return values


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("name", ["sobel", "mean", "laplacian"])
def test_in_2d_the_framed_cells_are_those_that_the_framed_result_comes_from(assert_legible, name, size):
    image, kernel = ball(size + 4, size + 4), named_kernel(name, size)
    drawn = draw_convolution_2d(image, kernel, place=(1, 2))
    assert_legible(drawn)
    result = array(drawn.data, "result", "yx")
    np.testing.assert_allclose(result, signal.correlate(image, kernel, "valid"), atol=1e-9)
    framed = drawn.data[drawn.data["framed"]]
    covered = framed[framed["part"] == "image"]["value"].to_numpy()
    assert covered.tolist() == image[1 : 1 + size, 2 : 2 + size].ravel().tolist()
    (shown,) = framed[framed["part"] == "result"]["value"]
    assert shown == pytest.approx(covered @ kernel.ravel()) == pytest.approx(result[1, 2])
    assert not framed["part"].eq("kernel").any()


def test_the_sum_is_written_out():
    drawn = draw_convolution_2d(ball(7, 7), named_kernel("sobel"))
    texts = [text.get_text() for text in drawn.figure.axes[0].texts]
    (words,) = [text for text in texts if text.endswith("= 24")]
    terms = words.removesuffix(" = 24").replace("−", "-").replace("(", "").replace(")", "").split(" + ")
    assert sum(np.prod([float(factor) for factor in term.split(" · ")]) for term in terms) == 24


def test_in_3d_the_kernel_covers_slices_too(assert_legible):
    volume, kernel = ball(5, 6, 6), change_along_z()
    drawn = draw_convolution_3d(volume, kernel, place=(1, 0, 2))
    assert_legible(drawn)
    result = array(drawn.data, "result", "zyx")
    np.testing.assert_allclose(result, signal.correlate(volume, kernel, "valid"), atol=1e-9)
    framed = drawn.data[drawn.data["framed"]]
    assert framed[framed["part"] == "image"].groupby("z").size().to_dict() == {1: 9, 2: 9, 3: 9}
    assert framed[framed["part"] == "result"]["value"].tolist() == [result[1, 0, 2]]


def test_in_3d_each_slice_of_the_result_stands_below_the_middle_of_those_that_it_comes_from():
    drawn = draw_convolution_3d(ball(5, 6, 6), change_along_z())
    images = [image.get_extent() for image in drawn.figure.axes[0].get_images()]
    slices, results = images[:5], images[-3:]
    for z, (left, right, *_) in enumerate(results):
        assert (left + right) / 2 == pytest.approx(sum(slices[z + 1][:2]) / 2)


def test_a_place_beyond_the_image_is_told():
    with pytest.raises(InputError, match="no place"):
        draw_convolution_2d(ball(7, 7), named_kernel("mean"), place=(5, 0))
    with pytest.raises(InputError, match="no place"):
        draw_convolution_3d(ball(2, 6, 6), change_along_z())
