import pytest
from matplotlib.patches import Circle, FancyBboxPatch

from lits_toolkit.errors import SettingError
from lits_toolkit.figures import diagrams
from lits_toolkit.figures.drawn import new_axes


def test_a_box_holds_its_words():
    figure, panel = diagrams.new_panel(None, 4, 2)
    lines = ["1×1×1 transposed convolution, stride 1×2×2", "BN · hard sigmoid", "1280 × 8 × 128 × 128"]
    size = diagrams.box_size(lines)
    diagrams.draw_box(panel, (2, 1), size, lines, diagrams.BLUE)
    figure.draw_without_rendering()
    (box,) = [patch for patch in panel.patches if isinstance(patch, FancyBboxPatch)]
    edge = box.get_window_extent()
    for text in panel.texts:
        words = text.get_window_extent()
        assert edge.x0 < words.x0 < words.x1 < edge.x1
        assert edge.y0 < words.y0 < words.y1 < edge.y1


def test_a_circles_sign_stays_inside_it():
    _, panel = diagrams.new_panel(None, 2, 1)
    for place, sign in ((0.5, "+"), (1.5, "×")):
        diagrams.draw_joint(panel, (place, 0.5), 0.1, sign)
    assert len([patch for patch in panel.patches if isinstance(patch, Circle)]) == 2
    for line in panel.lines:
        nearest = 0.5 if line.get_xdata()[0] < 1 else 1.5
        across, along = line.get_xdata() - nearest, line.get_ydata() - 0.5
        assert max(across**2 + along**2) < 0.1**2


def test_a_panel_is_the_callers_where_one_is_given():
    figure, axes = new_axes(1, 2, inches=(4, 2))
    assert diagrams.new_panel(axes[1], 3, 1)[0] is figure
    with pytest.raises(SettingError, match="1 panels"):
        diagrams.new_panel(axes, 3, 1)
