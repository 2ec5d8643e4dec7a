import matplotlib as mpl
from matplotlib.colors import to_rgb

from lits_toolkit.figures import style
from lits_toolkit.metrics.lesions import SIZE_GROUPS


def test_the_style_holds_inside_and_leaves_nothing_behind():
    before = dict(mpl.rcParams)
    with style.house_style():
        assert mpl.rcParams["axes.titlelocation"] == "left"
    assert dict(mpl.rcParams) == before


def test_the_readers_own_settings_do_not_shine_through():
    with mpl.rc_context({"lines.linestyle": "--", "axes.facecolor": "pink"}), style.house_style():
        assert mpl.rcParams["lines.linestyle"] == "-"
        assert mpl.rcParams["axes.facecolor"] == "white"


def test_every_size_group_has_a_color_and_a_range():
    assert tuple(style.SIZE_GROUP_COLORS) == tuple(style.SIZE_GROUP_RANGES) == SIZE_GROUPS


def test_larger_groups_are_darker_so_that_they_are_told_apart_in_grey():
    lightness = [sum(to_rgb(style.SIZE_GROUP_COLORS[group])) for group in SIZE_GROUPS]
    assert lightness == sorted(lightness, reverse=True)


def test_reference_is_blue_and_prediction_red():
    for color, strongest in ((style.REFERENCE, 2), (style.PREDICTION, 0)):
        channels = to_rgb(color)
        assert max(range(3), key=channels.__getitem__) == strongest
