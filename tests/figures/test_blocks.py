import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.blocks import draw_blocks
from lits_toolkit.models.blocks import BLOCKS, BlockShape
from lits_toolkit.models.structure import trace, trace_model, within

SHAPES = {2: (1, 16, 32, 32), 3: (1, 16, 4, 32, 32)}


def words(drawn):
    return [text.get_text() for text in drawn.figure.axes[0].texts]


@pytest.mark.parametrize(
    ("name", "dimensions"), [(name, 2) for name in list(BLOCKS)[:3]] + [(name, 3) for name in BLOCKS]
)
def test_every_block_is_drawn_with_all_of_its_parameters(name, dimensions, assert_legible):
    modules = {
        "basic": BLOCKS[name].build(BlockShape(dimensions, 16, 16, 3, (1,) * dimensions, 6)),
        "downsampling": BLOCKS[name].build(BlockShape(dimensions, 16, 24, 5, (2,) * dimensions, 6)),
    }
    drawn = draw_blocks({key: trace(module, SHAPES[dimensions]) for key, module in modules.items()}, name)
    assert_legible(drawn)
    for key, module in modules.items():
        own = drawn.data[drawn.data["block"] == key]
        assert own["parameters"].sum() == sum(parameter.numel() for parameter in module.parameters())


def test_boxes_say_kernel_stride_what_follows_and_the_shape(assert_legible):
    block = BLOCKS["mobilenet_v2"].build(BlockShape(2, 16, 24, 5, (2, 2), 6))
    drawn = draw_blocks({"mine": trace(block, SHAPES[2])}, "A heading")
    assert_legible(drawn)
    found = words(drawn)
    for expected in ("A heading", "mine", "5×5 depthwise, stride 2", "BN · swish", "96 × 16 × 16", "mean over y, x"):
        assert expected in found
    assert "24 × 16 × 16" in found


def test_what_passes_others_by_stands_beside_them():
    block = BLOCKS["mobilenet_v2"].build(BlockShape(2, 16, 16, 3, (1, 1), 6))
    drawn = draw_blocks({"mine": trace(block, SHAPES[2])}, "")
    assert list(drawn.data["operation"])[-1] == "sum"
    assert drawn.data["x"].nunique() == 1
    assert drawn.data["y"].is_monotonic_increasing
    blue = [line for line in drawn.figure.axes[0].lines if line.get_color() == "#0072b2"]
    boxes = max(patch.get_extents().x1 for patch in drawn.figure.axes[0].patches if patch.get_zorder() == 3)
    assert len(blue) == 2  # the residual and what is weighed
    assert all(max(line.get_xdata()) > drawn.data["x"].iloc[0] + 0.5 for line in blue)
    assert boxes > 0


def test_a_stage_of_the_decoder_has_two_inputs_and_one_of_no_operation_none(assert_legible):
    drawn = draw_blocks({"decoder 1": within(trace_model("3d-mobilenet_v2-default"), "decoder.0")}, "Decoder")
    assert_legible(drawn)
    assert list(drawn.data["operation"][:2]) == ["input", "input"]
    with pytest.raises(InputError, match="no block to draw"):
        draw_blocks({}, "")
