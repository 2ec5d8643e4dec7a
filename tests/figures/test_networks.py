import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.networks import draw_encoders, draw_network
from lits_toolkit.models.encoders import encoders
from lits_toolkit.models.structure import parts_of, trace_model


@pytest.mark.parametrize("name", ["2d-mobilenet_v2-default", "3d-dsts-bottom", "han2017"])
def test_rows_are_sizes_and_no_two_parts_share_a_place(name, assert_legible):
    drawn = draw_network(parts_of(trace_model(name)), name)
    assert_legible(drawn, on_a_page=name in encoders())
    assert not drawn.data.duplicated(["row", "column"]).any()
    for row, own in drawn.data.groupby("row"):
        assert {shape[-1] for shape in own["shape"]} == {256 // 2**row}


def test_the_u_goes_down_on_the_left_and_up_on_the_right():
    drawn = draw_network(parts_of(trace_model("2d-mobilenet_v2-default")), "2d")
    places = drawn.data.set_index("part")[["column", "row"]].apply(tuple, axis=1)
    assert places["input"] == (0, 0)
    assert places["encoder 5"] == (2, 4)
    assert places["head"] == (4, 5)
    assert [places[f"decoder {n}"] for n in range(1, 5)] == [(4, 4), (4, 3), (4, 2), (4, 1)]
    assert places["output"] == (4, 0)
    assert drawn.data["parameters"].sum() / 1e6 == pytest.approx(4.64, abs=0.005)  # Table 4.2, its row found again


def test_the_way_down_ends_before_the_decoder_and_names_its_shortcuts(assert_legible):
    names = ("2d-mobilenet_v2-default", "3d-mobilenet_v2-default")
    drawn = draw_encoders({name: parts_of(trace_model(name)) for name in names})
    assert_legible(drawn)
    for name in names:
        own = drawn.data[drawn.data["network"] == name].set_index("part")["decoder"]
        assert list(own.index)[-1] == "head"
        assert own[own != ""].to_dict() == {
            "input": "output",
            "encoder 1": "decoder 4",
            "encoder 2": "decoder 3",
            "encoder 3": "decoder 2",
            "encoder 5": "decoder 1",
        }


def test_a_sheet_for_each_slice():
    drawn = draw_encoders({"3D": parts_of(trace_model("3d-mobilenet_v2-default"))})
    from matplotlib.patches import Rectangle

    sheets = [patch for patch in drawn.figure.axes[0].patches if type(patch) is Rectangle]
    assert len(sheets) == 4 * 8 + 4 + 5 * 2  # input, stem, layers 1 and 2; layer 3; layers 4 to 7 and the head


def test_without_parts_nothing_is_drawn():
    with pytest.raises(InputError, match="no part to draw"):
        draw_network([], "none")
    with pytest.raises(InputError, match="no network to draw"):
        draw_encoders({})
