import numpy as np
import pytest
from matplotlib.colors import to_hex

from lits_toolkit.figures.drawn import new_axes
from lits_toolkit.figures.grids import (
    CELL_INCHES,
    NEGATIVE,
    POSITIVE,
    cell_inches,
    inches,
    show_grid,
    shown_number,
    tidy,
)
from lits_toolkit.figures.style import PAGE_INCHES


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-12.0, "−12"), (3.0000000001, "3"), (0.25, "0.2"), (-0.87, "−0.9"), (0.031, "0.03")],
)
def test_numbers_are_as_short_as_they_can_be(value, text):
    assert shown_number(value) == text


def test_each_number_stands_in_its_cell_with_a_tint_of_its_sign():
    _, (ax,) = new_axes(inches=(3, 3))
    values = np.array([[4.0, -4.0, 0.0], [2.0, 1.0, -1.0]])
    show_grid(ax, values, left=10, top=20)
    words = {text.get_text(): text.get_position() for text in ax.texts}
    assert words["−4"] == pytest.approx((11.5, 20.5), abs=0.1)
    assert words["−1"] == pytest.approx((12.5, 21.5), abs=0.1)
    (image,) = ax.get_images()
    assert image.get_extent() == [10, 13, 22, 20]
    colors = image.get_array()
    assert to_hex(colors[0, 2]) == "#ffffff"
    for place, hue in (((0, 0), POSITIVE), ((0, 1), NEGATIVE)):
        nearest = min((POSITIVE, NEGATIVE), key=lambda c: np.abs(_rgb(c) - colors[place]).sum())
        assert nearest == hue
    assert (colors[1, 0] > colors[0, 0]).any()  # the smaller number is the paler


@pytest.mark.parametrize(("cell", "written"), [(0.31, 4), (0.2, 0)])
def test_numbers_of_which_one_is_wider_than_a_cell_are_left_to_their_tints(cell, written):
    _, (ax,) = new_axes(inches=(3, 3))
    show_grid(ax, np.array([[1.0, -120.0], [2.0, 0.0]]), left=0, top=0, cell=cell)
    assert len(ax.texts) == written


def test_cells_are_as_large_as_the_page_lets_them_be():
    assert cell_inches(10) == CELL_INCHES
    assert cell_inches(60) < CELL_INCHES
    assert inches(60, 10)[0] == pytest.approx(PAGE_INCHES)


def _rgb(color):
    return np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])


@pytest.mark.parametrize(("shape", "axes"), [((2, 3), ["y", "x"]), ((2, 3, 4), ["z", "y", "x"])])
def test_tidy_has_a_row_for_each_number_with_its_place(shape, axes):
    values = np.arange(np.prod(shape)).reshape(shape)
    rows = tidy("kernel", values)
    assert list(rows) == [*axes, "part", "value"]
    assert all(values[tuple(row[axis] for axis in axes)] == row["value"] for row in rows.to_dict("records"))
    assert len(rows) == values.size
