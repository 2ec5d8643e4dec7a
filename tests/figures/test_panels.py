from itertools import pairwise

import numpy as np
import pytest

from lits_toolkit.figures.drawn import new_axes
from lits_toolkit.figures.panels import (
    WINDOW_HU,
    AxialSlice,
    fill,
    grid_columns,
    largest_mm,
    mark,
    name_panel,
    outline,
    panel_inches,
    show_slice,
)
from lits_toolkit.figures.style import COLUMN_INCHES, PAGE_INCHES


def piece(height, width, spacing_mm, part=None):
    part = part or (slice(0, height), slice(0, width))
    return AxialSlice("volume-0", 3, np.zeros((height, width), np.int16), spacing_mm, part)


@pytest.fixture
def ax():
    return new_axes(inches=(4, 4))[1][0]


def test_a_pixel_is_as_high_and_wide_as_its_spacing(ax):
    shown = piece(20, 30, (1.5, 0.5))
    show_slice(ax, shown, shown.part_mm)
    assert ax.get_aspect() == 3
    assert ax.images[0].get_clim() == WINDOW_HU


def test_the_bar_is_fifty_millimetres(ax):
    shown = piece(200, 200, (0.8, 0.8))
    show_slice(ax, shown, shown.part_mm)
    left, right = ax.lines[0].get_xdata()
    assert (right - left) * 0.8 == pytest.approx(50)


def test_panels_have_one_scale_around_the_middle_of_the_part(ax):
    small, large = piece(40, 40, (2, 2), (slice(10, 20), slice(20, 30))), piece(100, 50, (1, 1))
    size = largest_mm([small, large])
    assert size == (100, 50)
    show_slice(ax, small, size)
    bottom, top = ax.get_ylim()
    left, right = ax.get_xlim()
    assert ((bottom - top) * 2, (right - left) * 2) == size
    assert ((bottom + top) / 2, (left + right) / 2) == (14.5, 24.5)


def test_an_outline_closes_at_the_pictures_edge(ax):
    region = np.zeros((6, 8), bool)
    region[:2, :3] = True
    outline(ax, region, "red", 1)
    (path,) = ax.collections[0].get_paths()
    assert np.array_equal(path.vertices[0], path.vertices[-1])
    assert path.get_extents().bounds == (-0.5, -0.5, 3, 2)


def test_nothing_is_drawn_around_nothing(ax):
    outline(ax, np.zeros((4, 4), bool), "red", 1)
    assert not ax.collections


def test_only_the_region_is_tinted(ax):
    region = np.eye(4, dtype=bool)
    fill(ax, region, "red", 0.4)
    opacity = np.asarray(ax.images[0].get_array())[..., 3]
    assert np.array_equal(opacity > 0, region)


@pytest.mark.parametrize("is_round", [True, False])
def test_a_mark_is_as_wide_as_high_in_millimetres(ax, is_round):
    mark(ax, (slice(4, 6), slice(10, 14)), (2.0, 1.0), "red", round=is_round)
    (form,) = ax.patches
    assert form.get_height() * 2 == pytest.approx(form.get_width() * 1)
    assert form.get_width() > 4
    middle = form.get_center()
    assert tuple(middle) == pytest.approx((11.5, 4.5))


def test_grids_stay_readable():
    assert [grid_columns(count) for count in (1, 3, 4, 5, 6, 7, 24, 25, 131)] == [1, 3, 4, 3, 3, 4, 4, 5, 5]


def test_panels_share_the_page_and_none_is_wider_than_a_column():
    widths = [panel_inches([piece(60, 80, (1, 1))], columns)[1] for columns in (1, 2, 3, 4, 5)]
    assert widths == pytest.approx([COLUMN_INCHES, COLUMN_INCHES, *(PAGE_INCHES / columns for columns in (3, 4, 5))])


def test_a_long_name_is_parted_where_its_panel_ends():
    figure, panels = new_axes(1, 4, inches=(PAGE_INCHES, 2))
    for ax in panels:
        name_panel(ax, "a-case-with-a-name-of-many-letters, slice 123\n12 hits, 3 misses")
    figure.draw_without_rendering()
    boxes = [ax.title.get_window_extent() for ax in panels]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert panels[0].get_title().endswith("\n12 hits, 3 misses")
