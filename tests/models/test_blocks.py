import pytest
import torch
from torch import nn
from torch.nn import functional

from lits_toolkit.models.blocks import (
    ACTIVATIONS,
    BLOCKS,
    BlockShape,
    DepthwiseSpatiotemporalSeparate,
    InvertedResidual,
    ShuffleNetV2,
    SqueezeExcitation,
    shuffle,
)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("dimensions", [2, 3])
def test_squeeze_excitation_is_a_gate_per_feature(dimensions):
    torch.manual_seed(0)
    gate = SqueezeExcitation(dimensions, 6, 2)
    x = torch.rand(2, 6, *(4,) * dimensions)
    means = x.flatten(2).mean(-1)
    squeezed = functional.silu(means @ gate.squeeze.weight.flatten(1).T + gate.squeeze.bias)
    weights = torch.sigmoid(squeezed @ gate.excite.weight.flatten(1).T + gate.excite.bias)
    torch.testing.assert_close(gate(x), x * weights.reshape(2, 6, *(1,) * dimensions))


def test_activations_by_their_definitions():
    x = torch.linspace(-8, 8, 101)
    relu6 = x.clamp(0, 6)
    expected = {
        "relu": x.clamp(min=0),
        "relu6": relu6,
        "swish": x / (1 + torch.exp(-x)),  # Equation 2.4
        "h-swish": x * (x + 3).clamp(0, 6) / 6,
    }
    assert set(expected) == set(ACTIVATIONS)
    for name, values in expected.items():
        torch.testing.assert_close(ACTIVATIONS[name]()(x), values)


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3"])
@pytest.mark.parametrize(
    ("features_out", "stride", "residual"), [(8, (1, 1), True), (12, (1, 1), False), (8, (2, 2), False)]
)
def test_residual_only_where_shapes_agree(name, features_out, stride, residual):
    block = BLOCKS[name].build(BlockShape(2, 8, features_out, 3, stride, expansion=6)).eval()
    assert block.residual is residual
    x = torch.rand(1, 8, 16, 16)
    torch.testing.assert_close(block(x), block.layers(x) + (x if residual else 0))
    assert block(x).shape == (1, features_out, 16 // stride[0], 16 // stride[1])


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3"])
def test_parameters_of_an_inverted_residual_by_hand(name):
    # expand 8→48 and its norm, depthwise 3×3, squeeze to a quarter of 8 and back with biases, project 48→8
    by_hand = 8 * 48 + 2 * 48 + 9 * 48 + 2 * 48 + (48 * 2 + 2) + (2 * 48 + 48) + 48 * 8 + 2 * 8
    assert count(BLOCKS[name].build(BlockShape(2, 8, 8, 3, (1, 1), expansion=6))) == by_hand
    # without expansion and gate: depthwise and project alone
    bare = BlockShape(2, 8, 8, 3, (1, 1), expansion=1, se_squeeze=0)
    assert count(BLOCKS[name].build(bare)) == 9 * 8 + 2 * 8 + 8 * 8 + 2 * 8


def test_the_two_mobilenets_differ_in_activation_and_gate():
    kinds = {}
    for name in ("mobilenet_v2", "mobilenet_v3"):
        block = BLOCKS[name].build(BlockShape(2, 8, 8, 3, (1, 1), expansion=6))
        assert isinstance(block, InvertedResidual)
        kinds[name] = {type(module) for module in block.modules()}
    assert kinds["mobilenet_v2"] - kinds["mobilenet_v3"] == {nn.SiLU, nn.Sigmoid}
    assert kinds["mobilenet_v3"] - kinds["mobilenet_v2"] == {nn.Hardswish, nn.ReLU, nn.Hardsigmoid}


def test_shuffling_takes_the_groups_in_turn():
    x = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert shuffle(x, 2).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    assert shuffle(x, 3).flatten().tolist() == [0, 2, 4, 1, 3, 5]  # Figure 2.9
    torch.testing.assert_close(shuffle(shuffle(x, 2), 3), x)


@pytest.mark.parametrize(("dimensions", "memory_format"), [(2, torch.channels_last), (3, torch.channels_last_3d)])
def test_shuffling_keeps_channels_last(dimensions, memory_format):
    x = torch.rand(2, 6, *(4,) * dimensions)
    found = shuffle(x.contiguous(memory_format=memory_format), 2)
    assert found.is_contiguous(memory_format=memory_format)
    assert torch.equal(found, torch.stack([x[:, :3], x[:, 3:]], 2).flatten(1, 2))


def test_half_of_the_features_pass_a_shufflenet_block_untouched():
    torch.manual_seed(0)
    block = ShuffleNetV2(BlockShape(2, 8, 8, 3, (1, 1), se_squeeze=0)).eval()
    x = torch.rand(2, 8, 6, 6)
    out = block(x)
    torch.testing.assert_close(out[:, 0::2], x[:, :4])
    torch.testing.assert_close(out[:, 1::2], block.branch(x[:, 4:]))


@pytest.mark.parametrize(("features_out", "stride"), [(8, (2, 2)), (12, (1, 1)), (12, (2, 2))])
def test_a_shufflenet_block_that_changes_shape_sends_all_features_both_ways(features_out, stride):
    torch.manual_seed(0)
    block = ShuffleNetV2(BlockShape(2, 8, features_out, 3, stride, se_squeeze=0)).eval()
    x = torch.rand(2, 8, 6, 6)
    out = block(x)
    assert out.shape == (2, features_out, 6 // stride[0], 6 // stride[1])
    torch.testing.assert_close(out[:, 0::2], block.shortcut(x))
    torch.testing.assert_close(out[:, 1::2], block.branch(x))


def test_parameters_of_shufflenet_blocks_by_hand():
    kept = 4 * 4 + 2 * 4 + 9 * 4 + 2 * 4 + 4 * 4 + 2 * 4 + (8 * 2 + 2) + (2 * 8 + 8)
    assert count(ShuffleNetV2(BlockShape(2, 8, 8, 3, (1, 1)))) == kept
    branch = 8 * 6 + 2 * 6 + 9 * 6 + 2 * 6 + 6 * 6 + 2 * 6
    shortcut = 9 * 8 + 2 * 8 + 8 * 6 + 2 * 6
    assert count(ShuffleNetV2(BlockShape(2, 8, 12, 3, (2, 2)))) == branch + shortcut + (12 * 2 + 2) + (2 * 12 + 12)


def test_the_gate_of_a_shufflenet_block_acts_before_the_shuffle():
    torch.manual_seed(0)
    block = ShuffleNetV2(BlockShape(2, 8, 8, 3, (1, 1))).eval()
    x = torch.rand(2, 8, 6, 6)
    joined = torch.cat([x[:, :4], block.branch(x[:, 4:])], 1)
    torch.testing.assert_close(block(x), shuffle(block.se(joined), 2))


@pytest.mark.parametrize("features", [3, 10])
def test_dsts_has_2cc_and_12c_weights_for_a_kernel_of_three(features):
    block = DepthwiseSpatiotemporalSeparate(BlockShape(3, features, features, 3, (1, 1, 1), se_squeeze=0))
    weights = sum(module.weight.numel() for module in block.modules() if isinstance(module, nn.Conv3d))
    assert weights == 2 * features**2 + 12 * features


def test_one_branch_of_dsts_sees_along_z_and_the_other_within_the_slice():
    block = DepthwiseSpatiotemporalSeparate(BlockShape(3, 1, 4, 5, (1, 1, 1))).eval()
    point = torch.zeros(1, 1, 9, 9, 9)
    point[..., 4, 4, 4] = 1
    for branch, shape in ((block.temporal, (5, 1, 1)), (block.spatial, (1, 5, 5))):
        nn.init.ones_(branch[0].weight)
        reached = torch.nonzero(branch(point)[0, 0])
        assert tuple((reached.max(0).values - reached.min(0).values + 1).tolist()) == shape
    assert block(point).shape == (1, 4, 9, 9, 9)
    assert block.se.squeeze.out_channels == 1  # a quarter of the four that come out


def test_dsts_with_a_stride():
    block = DepthwiseSpatiotemporalSeparate(BlockShape(3, 2, 4, 3, (1, 2, 2))).eval()
    assert block(torch.rand(1, 2, 4, 8, 8)).shape == (1, 4, 4, 4, 4)
