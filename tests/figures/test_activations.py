import pytest

from lits_toolkit.figures.activations import LOSS_NAMES, PANELS, draw_activations, draw_losses
from lits_toolkit.study.concepts import OBJECTS, activation_curves, loss_curves


def test_each_function_with_its_derivative_in_a_panel_of_its_own(assert_legible):
    curves = activation_curves(count=161)
    drawn = draw_activations(curves)
    assert_legible(drawn)
    assert [ax.get_title(loc="left") for ax in drawn.figure.axes] == list(PANELS)
    assert len(drawn.data) == len(curves)
    for ax, name in zip(drawn.figure.axes, PANELS, strict=True):
        own = curves[curves["function"] == name]
        lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
        assert list(lines["function"]) == own["value"].tolist()
        assert list(lines["derivative"]) == own["derivative"].tolist()
        low, high = ax.get_ylim()
        assert own["derivative"].between(low, high).all()


def test_the_lowest_value_is_marked_where_a_function_goes_below_zero():
    lowest = draw_activations(activation_curves()).data.query("lowest").set_index("function")
    assert lowest["value"].to_dict() == pytest.approx({"swish": -0.2785, "h-swish": -0.375}, abs=1e-4)
    assert lowest["x"].to_dict() == pytest.approx({"swish": -1.28, "h-swish": -1.5}, abs=1e-9)


def test_a_line_for_each_size_in_each_loss(assert_legible):
    curves = loss_curves(steps=2)
    drawn = draw_losses(curves)
    assert_legible(drawn)
    assert [ax.get_title(loc="left") for ax in drawn.figure.axes] == list(LOSS_NAMES.values())
    for ax, loss in zip(drawn.figure.axes, LOSS_NAMES, strict=True):
        for line, group in zip(ax.get_lines(), OBJECTS, strict=True):
            own = curves[(curves["loss"] == loss) & (curves["size_group"] == group)]
            assert list(line.get_ydata()) == own["value"].tolist()
            assert list(line.get_xdata()) == [0, 100]
            assert group in line.get_label()
            assert 0 <= own["value"].max() <= ax.get_ylim()[1]
