import numpy as np
import pytest

from lits_toolkit.errors import SettingError
from lits_toolkit.figures.masks import draw_with_masks
from lits_toolkit.figures.panels import AxialSlice


@pytest.fixture
def make_slice():
    def make(case="volume-0", reference=True):
        mask = np.zeros((60, 80), np.uint8)
        mask[10:50, 10:60] = 1
        mask[20:26, 20:30] = 2
        mask[40, 40] = 2
        part = (slice(0, 60), slice(0, 80))
        return AxialSlice(case, 3, np.full((60, 80), 40, np.int16), (2.0, 2.0), part, mask if reference else None)

    return make


@pytest.mark.parametrize("count", [1, 2, 4])
def test_each_slice_has_its_mask_and_a_circle_around_each_tumor(make_slice, assert_legible, count):
    names = [f"volume-{number}" for number in range(count)]
    notes = ["small, high contrast\n592 voxels, −52 HU"] * count
    drawn = draw_with_masks([make_slice(name) for name in names], "A title", notes)
    assert drawn.data["case"].tolist() == names
    assert drawn.data["tumors"].tolist() == [2] * count
    slices, masks = drawn.figure.axes[:count], drawn.figure.axes[count:]
    for ax, beside in zip(slices, masks, strict=True):
        assert ax.get_title().endswith("\n" + notes[0])
        assert len(ax.patches) == 2
        assert not beside.patches
        np.testing.assert_array_equal(beside.images[0].get_array(), make_slice().reference)
        shown = beside.images[0].to_rgba(np.array([0, 1, 2]))
        assert shown[:, 0] == pytest.approx([0, 0.5, 1], abs=0.01)
    assert_legible(drawn)


def test_a_circle_goes_around_the_whole_tumor(make_slice):
    circle = draw_with_masks([make_slice()], "A title").figure.axes[0].patches[0]
    assert circle.center == (24.5, 22.5)
    corners = [(19.5, 19.5), (29.5, 25.5)]
    assert all(np.hypot((x - 24.5) / circle.width, (y - 22.5) / circle.height) < 0.5 for x, y in corners)


def test_without_a_reference_it_says_so(make_slice, assert_legible):
    drawn = draw_with_masks([make_slice(reference=False)], "A title")
    assert drawn.data["tumors"].isna().tolist() == [True]
    assert drawn.figure.axes[1].texts[0].get_text() == "no reference mask"
    assert_legible(drawn)


def test_without_a_slice_it_says_so(assert_legible):
    drawn = draw_with_masks([], "A title")
    assert drawn.data.empty
    assert drawn.figure.axes[0].texts[0].get_text() == "no tumour in any reference mask"
    assert_legible(drawn)


def test_it_takes_two_axes_per_slice(make_slice):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = list(figure.subplots(1, 2))
    assert draw_with_masks([make_slice()], "A title", axes=axes).figure is figure
    with pytest.raises(SettingError, match="4 panels"):
        draw_with_masks([make_slice(), make_slice()], "A title", axes=axes)
