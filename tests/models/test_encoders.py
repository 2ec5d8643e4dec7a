"""The tables, held against what the text says of them."""

from dataclasses import replace

import pytest

from lits_toolkit.models.encoders import encoders


def test_nine_configurations_in_2d_and_twelve_in_3d_from_twenty_one_tables():
    found = encoders()
    assert [sum(encoder.dimensions == d for encoder in found.values()) for d in (2, 3)] == [9, 12]
    assert sorted(int(encoder.table.removeprefix("A.")) for encoder in found.values()) == list(range(3, 24))
    assert all(name == f"{e.dimensions}d-{e.block}-{e.layout}" for name, e in found.items())


@pytest.mark.parametrize("printed", [False, True])
def test_each_has_seven_layers_that_fit_each_other(printed):
    for encoder in encoders(printed).values():
        assert len(encoder.layers) == 7
        for layer, following in zip(encoder.layers, encoder.layers[1:], strict=False):
            assert layer.features_out == following.features_in
        assert all(len(layer.stride) == encoder.dimensions for layer in encoder.layers)


def test_y_and_x_are_halved_four_times_and_z_at_layers_three_and_four():
    for encoder in encoders().values():
        halved = [number for number, layer in enumerate(encoder.layers, 1) if layer.stride[-1] == 2]
        assert halved == [2, 3, 4, 6]
        if encoder.dimensions == 3:
            assert [number for number, layer in enumerate(encoder.layers, 1) if layer.stride[0] == 2] == [3, 4]


def test_efficientnet_b0_is_the_default_of_mobilenet_v2():
    layers = encoders()["2d-mobilenet_v2-default"].layers
    assert [layer.repetitions for layer in layers] == [1, 2, 2, 3, 3, 4, 1]  # Tan and Le 2019, Table 1
    assert [layer.kernel for layer in layers] == [3, 3, 5, 3, 5, 5, 3]
    assert [layer.features_out for layer in layers] == [16, 24, 40, 80, 112, 192, 320]
    assert [layer.expansion for layer in layers] == [1, 6, 6, 6, 6, 6, 6]


def test_what_is_printed_differs_where_the_design_says():
    ours, printed = encoders(), encoders(printed=True)
    assert list(ours) == list(printed)
    differing = {name for name in ours if ours[name] != printed[name]}
    shuffled = {f"3d-shufflenet_v2-{layout}" for layout in ("top", "default", "bottom")}
    assert differing == {"2d-mobilenet_v2-top", "2d-mobilenet_v3-top"} | shuffled
    for name, expansion in (("2d-mobilenet_v2-top", 6), ("2d-mobilenet_v3-top", 4)):
        first, *further = ours[name].layers
        assert first.expansion == expansion
        assert printed[name].layers == (replace(first, expansion=1), *further)
    assert [printed[f"3d-shufflenet_v2-{layout}"].table for layout in ("top", "default", "bottom")] == [
        "A.20",
        "A.18",
        "A.19",
    ]
    assert [ours[f"3d-shufflenet_v2-{layout}"].table for layout in ("top", "default", "bottom")] == [
        "A.18",
        "A.19",
        "A.20",
    ]
