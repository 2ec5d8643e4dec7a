import torch
from torch import nn

from lits_toolkit.models.comparators.han2017 import Han2017


def test_thirty_two_layers_and_about_24_million_parameters():
    network = Han2017()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 32
    assert abs(sum(parameter.numel() for parameter in network.parameters()) / 24e6 - 1) < 0.06


def test_it_sees_the_middle_five_of_nine_slices():
    torch.manual_seed(0)
    network = Han2017().eval()
    given = torch.rand(1, 9, 32, 32)
    changed = []
    with torch.inference_mode():
        expected = network(given)
        for channel in range(9):
            other = given.clone()
            other[:, channel] += 1
            changed.append(not torch.equal(network(other), expected))
    assert changed == [False, False, True, True, True, True, True, False, False]


def test_long_connections_concatenate_and_short_ones_add():
    network = Han2017().eval()
    joined = []
    for level in network.join:
        level.register_forward_hook(lambda _, given, __: joined.append(given[0].shape[1:]))
    network(torch.rand(1, 9, 32, 32))
    assert joined == [(1024, 4, 4), (512, 8, 8), (256, 16, 16), (128, 32, 32)]
    level = network.deepest
    x = torch.rand(1, 512, 2, 2)
    widened = level.widen(x)
    torch.testing.assert_close(level(x), torch.relu(widened + level.residual(widened)))
