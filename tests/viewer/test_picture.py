"""The picture of a view: its numbers against the masks, and what is drawn where, in the figure's own artists."""

import dataclasses
import io

import numpy as np
import pytest
from matplotlib import image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.figures.style import FALSE_ALARM, HIT, MISS
from lits_toolkit.viewer.blend import PREDICTION, REFERENCE, blend_heat, prediction_layers
from lits_toolkit.viewer.picture import draw_view
from lits_toolkit.viewer.still import still_png
from lits_toolkit.viewer.view import PLANES, View

SHAPE = (12, 30, 40)
SPACING = {"axial": (1.5, 1.0), "coronal": (3.0, 1.0), "sagittal": (3.0, 1.5)}


@pytest.fixture
def case():
    affine = np.array([[-1, 0, 0, 0], [0, -1.5, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]], float)
    return Case("volume-7", np.full(SHAPE, -1000, np.int16), Grid((40, 30, 12), affine))


@pytest.fixture
def masks():
    """A reference with two lesions; a prediction that finds one in part and has another; a second that is empty."""
    reference, prediction, empty = np.zeros((3, *SHAPE), np.uint8)
    reference[2:10, 5:25, 5:35] = prediction[2:10, 5:25, 5:35] = 1
    reference[4:8, 8:12, 8:16] = 2
    prediction[4:8, 8:12, 12:20] = 2
    reference[6, 20, 10:12] = 2
    prediction[4:6, 20:22, 30:33] = 2
    return [reference, prediction, empty]


LAYERS = [REFERENCE, *prediction_layers(["a", "b"])]
VIEW = View(cursor=(5, 10, 13))


def draw(case, masks, **change):
    return draw_view(case, LAYERS[: len(masks)], masks, dataclasses.replace(VIEW, **change))


def painted(drawn):
    return [ax.images[0].get_array() for ax in drawn.figure.axes]


@pytest.mark.parametrize("plane", PLANES)
def test_a_panel_has_the_proportions_of_the_body(case, masks, plane):
    [ax] = draw(case, masks, plane=plane).figure.axes
    rows, columns = ax.images[0].get_array().shape[:2]
    down, across = SPACING[plane]
    width, height = ax.figure.get_size_inches() * ax.get_position().size
    assert height / width == pytest.approx(rows * down / (columns * across))
    assert ax.get_xlim() == (0, columns)
    assert ax.get_ylim() == (rows, 0)


def test_three_planes_have_one_scale_and_lines_that_cross_at_the_cursor(case, masks):
    axial, coronal, sagittal = draw(case, masks, layout="planes").figure.axes
    inches = [ax.figure.get_size_inches() * ax.get_position().size for ax in (axial, coronal, sagittal)]
    scales = [
        inches[at] / [(x1 - x0) * across, (y1 - y0) * down]
        for at, (ax, (down, across)) in enumerate(zip((axial, coronal, sagittal), SPACING.values(), strict=True))
        for (x0, x1), (y1, y0) in [(ax.get_xlim(), ax.get_ylim())]
    ]
    np.testing.assert_allclose(scales, scales[0][0])
    crosses = [(ax.lines[1].get_xdata()[0], ax.lines[0].get_ydata()[0]) for ax in (axial, coronal, sagittal)]
    z, y, x = VIEW.cursor
    assert crosses == [(x + 0.5, y + 0.5), (x + 0.5, 12 - z - 0.5), (y + 0.5, 12 - z - 0.5)]
    letters = [{text.get_text() for text in ax.texts} for ax in (axial, coronal, sagittal)]
    assert [found & set("APRLSI") for found in letters] == [set("APRL"), set("SIRL"), set("SIAP")]


def test_compared_models_have_a_panel_each_with_the_reference(case, masks):
    drawn = draw(case, masks, layout="compare")
    assert drawn.data["layer"].tolist() == ["Reference", "a", "Reference", "b"]
    assert [ax.get_title() for ax in drawn.figure.axes] == [
        "a\ntumour Dice of this slice 0.46",  # 2 · 16 of 32 + 38 pixels
        "b\ntumour Dice of this slice 0.00",
    ]
    assert len(draw(case, masks, layout="compare", shown=("Reference", "b")).figure.axes) == 1
    assert draw(case, masks, layout="compare", shown=("Reference",)).data["layer"].tolist() == ["Reference"]


@pytest.mark.parametrize(("plane", "axis"), [("axial", 0), ("coronal", 1), ("sagittal", 2)])
def test_the_data_are_the_slices_pixels_and_dice(case, masks, plane, axis):
    data = draw(case, masks, plane=plane).data
    reference, *_ = pieces = [mask.take(VIEW.cursor[axis], axis=axis) for mask in masks]
    assert data["slice"].tolist() == [VIEW.cursor[axis]] * 3
    for row, piece in zip(data.itertuples(), pieces, strict=True):
        assert (row.liver_pixels, row.tumor_pixels) == ((piece >= 1).sum(), (piece == 2).sum())
    assert data.loc[0, ["liver_dice", "tumor_dice"]].isna().all()
    for at, piece in enumerate(pieces[1:], start=1):
        for column, label in (("liver_dice", 1), ("tumor_dice", 2)):
            one, other = reference >= label, piece >= label
            assert data.loc[at, column] == pytest.approx(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_masks_are_filled_in_their_colors_and_only_those_that_are_on(case, masks):
    [both] = painted(draw(case, masks[:2]))
    assert both[10, 9, 2] > both[10, 9, 0]  # reference only: bluer
    assert both[10, 17, 0] > both[10, 17, 2]  # prediction only: redder
    [outlined] = painted(draw(case, masks[:2], filled=False))
    assert not outlined.any()
    one = draw(case, masks[:2], shown=("a",))
    assert one.data["layer"].tolist() == ["a"]
    assert painted(one)[0][10, 9, 2] < both[10, 9, 2]


def test_errors_have_the_colors_of_hit_miss_and_false_alarm(case, masks):
    [pixels] = painted(draw(case, masks, errors=True, opacity=1.0))
    for column, color in ((13, HIT), (9, MISS), (18, FALSE_ALARM)):
        np.testing.assert_array_equal(pixels[10, column], np.rint(np.multiply(to_rgb(color), 255)))
    assert not pixels[15, 20].any()  # liver
    [without_reference] = painted(draw(case, masks, errors=True, shown=("a",)))
    assert without_reference[10, 18, 0] > without_reference[10, 18, 2]


@pytest.mark.parametrize("as_bytes", [True, False])
def test_heat_is_that_of_the_panels_own_model(case, masks, as_bytes):
    probability = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)
    given = {"a": probability if as_bytes else probability / 255}
    view = dataclasses.replace(VIEW, heat=True, layout="compare")
    one, other = painted(draw_view(case, LAYERS, masks, view, given))
    expected = blend_heat(case.volume[5], probability[5], view.window, view.opacity)
    np.testing.assert_array_equal(one, expected)
    assert one[0, 0].any()
    assert not other[0, 0].any()


def numbers(drawn):
    return [{text.get_text() for text in ax.texts if text.get_text().isdigit()} for ax in drawn.figure.axes]


def test_lesions_are_numbered_where_the_slice_cuts_them(case, masks):
    assert numbers(draw(case, masks[:2], numbers=True)) == [{"1", "3"}]
    assert numbers(draw(case, masks[:2], numbers=True, cursor=(6, 10, 13))) == [{"1", "2"}]
    assert numbers(draw(case, masks[:2], numbers=True, plane="coronal", cursor=(5, 20, 13))) == [{"2", "3"}]
    assert numbers(draw(case, masks[:2])) == [set()]
    [ax] = draw(case, masks[:2], numbers=True).figure.axes
    corners = {text.get_text(): text.xy for text in ax.texts if text.get_text().isdigit()}
    assert corners == {"1": (16, 8), "3": (33, 20)}  # right and upper end of the lesions' pixels


@pytest.mark.parametrize(
    ("view", "limits"),
    [
        ({"zoom": 2.0}, (10, 30, 22.5, 7.5)),
        ({"zoom": 2.0, "middle": (9.0, 0.0, 39.0)}, (20, 40, 15, 0)),
        ({"zoom": 4.0, "middle": (9.0, 14.5, 19.5)}, (15, 25, 18.75, 11.25)),
        ({"zoom": 2.0, "plane": "coronal", "middle": (5.5, 0.0, 9.5)}, (0, 20, 9, 3)),
    ],
)
def test_a_zoomed_view_shows_its_part(case, masks, view, limits):
    [ax] = draw(case, masks, **view).figure.axes
    assert (*ax.get_xlim(), *ax.get_ylim()) == limits


def test_three_planes_are_zoomed_about_one_place(case, masks):
    axial, coronal, sagittal = draw(case, masks, layout="planes", zoom=3.0, middle=(5.5, 9.5, 29.5)).figure.axes
    limits = [(*ax.get_xlim(), *ax.get_ylim()) for ax in (axial, coronal, sagittal)]
    x, y, z = (30 - 20 / 3, 30 + 20 / 3), (10 - 5, 10 + 5), (6 - 2, 6 + 2)  # from the feet: as far from the head
    expected = [(*x, *y[::-1]), (*x, *z[::-1]), (*y, *z[::-1])]
    np.testing.assert_allclose(limits, expected)


def test_the_bar_is_50_mm_long(case, masks):
    case = dataclasses.replace(case, grid=Grid((40, 30, 12), case.grid.affine * [5, 5, 5, 1]))
    [ax] = draw(case, masks).figure.axes
    (bar,) = ax.lines
    assert np.ptp(bar.get_xdata()) * 40 * 5 == pytest.approx(50)
    assert "50 mm" in {text.get_text() for text in ax.texts}


def test_outlines_fade_with_the_opacity(case, masks):
    for opacity, seen in ((0.5, 1.0), (0.2, 0.4), (0.0, 0.0)):
        [ax] = draw(case, masks[:1], filled=False, opacity=opacity).figure.axes
        alphas = [line.get_colors()[0][3] for line in ax.collections if isinstance(line, LineCollection)]
        assert alphas == pytest.approx([seen, seen])


@pytest.mark.parametrize(("window", "words"), [((-150, 250), "abdomen: −150 to 250 HU"), ((-50, 110), "−50 to 110 HU")])
def test_the_window_is_told_with_the_name_of_its_preset(case, masks, window, words):
    drawn = draw(case, masks, window=window)
    assert drawn.figure.texts[0].get_text() == f"volume-7, axial slice 5 of 0–11, {words}"


@pytest.mark.parametrize("layout", ["single", "planes", "compare"])
@pytest.mark.parametrize("change", [{}, {"errors": True}, {"filled": False, "numbers": True}])
def test_nothing_is_cut_off_and_nothing_lies_on_another(made_case, layout, change):
    case, prediction = made_case
    names = ["2d-mobilenet_v2-default", "3d-shufflenet_v2-bottom", "c", "d"]
    layers = [REFERENCE, *prediction_layers(names)]
    view = View(cursor=(24, 30, 28), layout=layout, **change)
    drawn = draw_view(case, layers, [case.reference, *[prediction] * 4], view)
    picture = image.imread(io.BytesIO(still_png(drawn)), format="png")[..., :3]
    for edge in (picture[:, :2], picture[:, -2:], picture[:2], picture[-2:]):
        assert edge.min() == 1
    figure = drawn.figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    legend = figure.legends[0].get_window_extent(renderer)
    panels = [ax.get_tightbbox(renderer) for ax in figure.axes]
    caption = figure.texts[0].get_window_extent(renderer)
    for box in panels:
        assert not box.overlaps(legend)
        assert not box.overlaps(caption)
    assert not any(one.overlaps(other) for at, one in enumerate(panels) for other in panels[:at])


def test_a_noisy_slice_of_a_ct_stays_small():
    noise = np.random.default_rng(0).normal(50, 12, (1, 512, 512)).astype(np.int16)
    case = Case("noise", noise, Grid((512, 512, 1), np.diag([-0.7, -0.7, 1, 1])))
    assert len(still_png(draw_view(case, [], [], View()))) < 500_000


def test_masks_of_nothing_can_be_drawn(case):
    empty = np.zeros(SHAPE, np.uint8)
    drawn = draw_view(case, [REFERENCE, PREDICTION], [empty, empty], View(errors=True, numbers=True, layout="planes"))
    assert still_png(drawn).startswith(b"\x89PNG")
