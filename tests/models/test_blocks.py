import pytest
import torch

from lits_toolkit.models.blocks import MobileNetV2, SqueezeExcitation


@pytest.mark.parametrize("dimensions", [2, 3])
def test_squeeze_excitation_is_a_gate_per_feature(dimensions):
    torch.manual_seed(0)
    gate = SqueezeExcitation(dimensions, 6, 2)
    x = torch.rand(2, 6, *(4,) * dimensions)
    means = x.flatten(2).mean(-1)
    squeezed = torch.nn.functional.silu(means @ gate.squeeze.weight.flatten(1).T + gate.squeeze.bias)
    weights = torch.sigmoid(squeezed @ gate.excite.weight.flatten(1).T + gate.excite.bias)
    torch.testing.assert_close(gate(x), x * weights.reshape(2, 6, *(1,) * dimensions))


@pytest.mark.parametrize(
    ("features_out", "stride", "residual"), [(8, (1, 1), True), (12, (1, 1), False), (8, (2, 2), False)]
)
def test_residual_only_where_shapes_agree(features_out, stride, residual):
    block = MobileNetV2(2, 8, features_out, 3, stride, 6, 0.25).eval()
    assert block.residual is residual
    x = torch.rand(1, 8, 16, 16)
    added = x if residual else 0
    torch.testing.assert_close(block(x), block.layers(x) + added)
    assert block(x).shape == (1, features_out, 16 // stride[0], 16 // stride[1])


def test_parameters_by_hand():
    # expand 8→48 and its norm, depthwise 3×3, squeeze to 2 and back with biases, project 48→8
    by_hand = 8 * 48 + 2 * 48 + 9 * 48 + 2 * 48 + (48 * 2 + 2) + (2 * 48 + 48) + 48 * 8 + 2 * 8
    block = MobileNetV2(2, 8, 8, 3, (1, 1), 6, 0.25)
    assert sum(parameter.numel() for parameter in block.parameters()) == by_hand
