import pandas as pd
import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.cost import draw_costs


def costs(*names):
    parts = [name.split("-") for name in names]
    return pd.DataFrame(
        {
            "model": names,
            "block": [block for _, block, _ in parts],
            "layout": [layout for *_, layout in parts],
            "parameters_printed": 3_760_000,
            "flops_printed": 123_890_000,
            "parameters": 3_760_010,
            "macs": 760_000_000,
        }
    )


def test_a_mark_as_counted_and_one_as_printed_for_each_network(assert_legible):
    given = costs("2d-mobilenet_v2-top", "3d-dsts-bottom", "3d-own-wide")
    drawn = draw_costs(given)
    assert_legible(drawn)
    assert len(drawn.figure.axes) == 2
    found = drawn.data.set_index(["model", "source"])
    assert len(found) == 6
    assert found.loc[("2d-mobilenet_v2-top", "counted"), "operations_millions"] == 760
    assert found.loc[("2d-mobilenet_v2-top", "printed"), "operations_millions"] == pytest.approx(123.89)
    assert found.loc[("3d-own-wide", "printed"), "parameters_millions"] == pytest.approx(3.76)
    for ax, networks in zip(drawn.figure.axes, (1, 2), strict=True):
        assert len(ax.lines) == 3 * networks  # a line and two marks


def test_networks_of_one_kind_have_one_panel(assert_legible):
    drawn = draw_costs(costs("2d-mobilenet_v2-top"))
    assert_legible(drawn)
    assert [ax.get_title(loc="left") for ax in drawn.figure.axes] == ["2D networks"]
    with pytest.raises(InputError, match="no cost of any network"):
        draw_costs(costs("2d-mobilenet_v2-top").iloc[:0])
