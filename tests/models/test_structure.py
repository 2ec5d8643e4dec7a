import pytest
import torch
from torch import nn

from lits_toolkit.errors import SettingError
from lits_toolkit.models.blocks import BLOCKS, BlockShape, DepthwiseSpatiotemporalSeparate, SqueezeExcitation
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.cost import count_convolutions, input_shape
from lits_toolkit.models.structure import parts_of, trace, trace_model, within


def kinds(operations):
    return [operation.kind for operation in operations]


def total(operations, what):
    return sum(getattr(operation, what) for operation in operations)


def test_an_inverted_residual_operation_by_operation():
    block = BLOCKS["mobilenet_v2"].build(BlockShape(2, 8, 8, 5, (1, 1), expansion=6))
    image, expand, depthwise, mean, squeeze, excite, weighed, project, added = trace(block, (1, 8, 16, 12))
    assert (image.kind, image.shape) == ("input", (8, 16, 12))
    assert (expand.kernel, expand.groups, expand.then, expand.shape) == ((1, 1), 1, ("BN", "swish"), (48, 16, 12))
    assert (depthwise.kernel, depthwise.stride, depthwise.groups) == ((5, 5), (1, 1), 48)
    assert (mean.kind, mean.shape) == ("mean", (48, 1, 1))
    assert (squeeze.shape, squeeze.then) == ((2, 1, 1), ("swish",))
    assert (excite.shape, excite.then) == ((48, 1, 1), ("sigmoid",))
    assert (weighed.kind, weighed.inputs) == ("product", (2, 5))
    assert (project.then, project.shape) == (("BN",), (8, 16, 12))
    assert (added.kind, added.inputs) == ("sum", (0, 7))
    assert expand.parameters == 8 * 48 + 2 * 48  # its normalisation's included
    assert depthwise.macs == 16 * 12 * 48 * 25


def test_without_equal_shapes_nothing_is_added_and_the_stride_is_told():
    block = BLOCKS["mobilenet_v3"].build(BlockShape(2, 8, 12, 3, (2, 2), expansion=6))
    operations = trace(block, (1, 8, 16, 16))
    assert "sum" not in kinds(operations)
    assert operations[2].stride == (2, 2)
    assert operations[2].shape == (48, 8, 8)
    assert operations[1].then == ("BN", "h-swish")
    assert operations[5].then == ("hard sigmoid",)


def test_the_shuffle_is_one_operation_after_the_halves_are_joined():
    block = BLOCKS["shufflenet_v2"].build(BlockShape(3, 8, 8, 3, (1, 1, 1)))
    operations = trace(block, (1, 8, 4, 6, 6))
    assert kinds(operations) == [
        "input", "split", *3 * ["convolution"], "concatenation", "mean", *2 * ["convolution"], "product", "shuffle"
    ]  # fmt: skip
    assert operations[1].shape == (4, 4, 6, 6)
    assert operations[5].inputs == (1, 4)


def test_a_shuffle_of_a_cube_is_still_one():
    """Where features, z, y and x are equally many, no shape tells one step of it from the next."""
    block = BLOCKS["shufflenet_v2"].build(BlockShape(3, 8, 8, 3, (1, 1, 1)))
    assert kinds(trace(block, (1, 8, 8, 8, 8))).count("shuffle") == 1


def test_both_branches_of_dsts_take_the_input():
    operations = trace(DepthwiseSpatiotemporalSeparate(BlockShape(3, 6, 8, 3, (1, 1, 1))), (1, 6, 4, 8, 8))
    assert [(each.inputs, each.kernel) for each in operations[1:3]] == [((0,), (3, 1, 1)), ((0,), (1, 3, 3))]
    assert operations[3].inputs == (1, 2)
    assert operations[3].shape == (12, 4, 8, 8)


def test_an_activation_after_a_sum_stands_alone():
    assert kinds(within(trace_model("han2017"), "down.0"))[-2:] == ["sum", "ReLU"]


def test_a_block_of_your_own_needs_no_entry_anywhere():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.twice = nn.Conv2d(4, 4, 3, padding=1)
            self.never = nn.Conv2d(4, 4, 1)

        def forward(self, x):
            return torch.sin(self.twice(self.twice(x)))

    own = Own()
    operations = trace(own, (1, 4, 5, 5))
    assert kinds(operations) == ["input", "convolution", "convolution", "sin"]
    assert total(operations, "parameters") == 4 * 4 * 9 + 4  # weights that are used twice count once
    assert total(operations, "macs") == 2 * 25 * 4 * 4 * 9
    assert not own.twice._forward_hooks


@pytest.mark.parametrize(
    "name", ["2d-mobilenet_v2-top", "2d-shufflenet_v2-default", "3d-mobilenet_v3-bottom", "3d-dsts-top", "han2017"]
)
def test_all_that_a_network_costs_is_in_its_operations(name):
    operations = trace_model(name)
    with torch.device("meta"):
        network = build_model(name)
    assert total(operations, "parameters") == sum(parameter.numel() for parameter in network.parameters())
    counted = count_convolutions(network, input_shape(network.dimensions))
    assert total(operations, "macs") == sum(each.macs for each in counted)
    parts = parts_of(operations)
    assert total(parts, "parameters") == total(operations, "parameters")
    for part in parts:
        if not part.name.startswith("pool"):
            assert part.macs == sum(each.macs for each in counted if each.part == part.name), part.name


def test_a_2d_networks_parts_by_the_appendix():
    parts = {part.name: part for part in parts_of(trace_model("2d-mobilenet_v2-default"))}
    assert [parts[f"encoder {n}"].shape for n in range(1, 8)] == [
        (16, 128, 128), (24, 64, 64), (40, 32, 32), (80, 16, 16), (112, 16, 16), (192, 8, 8), (320, 8, 8)
    ]  # fmt: skip
    assert [parts[f"encoder {n}"].blocks for n in range(1, 8)] == [1, 2, 2, 3, 3, 4, 1]
    assert [parts[f"encoder {n}"].kernel[0] for n in range(1, 8)] == [3, 3, 5, 3, 5, 5, 3]
    names = list(parts)
    shortcuts = {part.name: [names[given] for given in part.inputs] for part in parts.values()}
    assert shortcuts["decoder 1"] == ["head", "encoder 5"]
    assert shortcuts["decoder 4"] == ["decoder 3", "encoder 1"]
    assert shortcuts["output"] == ["decoder 4", "input"]


def test_a_3d_networks_z_is_halved_twice_and_doubled_once():
    parts = {part.name: part.shape for part in parts_of(trace_model("3d-dsts-top"))}
    z = [shape[1] for name, shape in parts.items()]
    assert z == [8, 8, 8, 8, 4, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4]
    assert parts["upsampling"] == (112, 4, 16, 16)


def test_one_module_alone_has_what_it_is_given_as_inputs():
    stage = within(trace_model("2d-mobilenet_v2-default"), "decoder.0")
    assert [(each.kind, each.shape) for each in stage[:2]] == [("input", (1280, 8, 8)), ("input", (112, 16, 16))]
    assert kinds(stage[2:]) == ["transposed convolution", "concatenation", "convolution", "convolution"]
    assert stage[3].inputs == (2, 1)
    se = within(trace(nn.Sequential(SqueezeExcitation(2, 6, 2)), (1, 6, 4, 4)), "0")
    assert se == [
        type(each)(**(vars(each) | {"places": mine.places}))
        for each, mine in zip(trace(SqueezeExcitation(2, 6, 2), (1, 6, 4, 4)), se, strict=True)
    ]


def test_a_module_that_does_not_run_is_told_with_those_beside_it():
    with pytest.raises(SettingError, match=r"no module 'encoder\.9' runs.*encoder\.0, encoder\.1"):
        within(trace_model("2d-mobilenet_v2-default"), "encoder.9")
