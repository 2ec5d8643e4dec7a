from functools import cache

import pytest
import torch

from lits_toolkit.errors import SettingError
from lits_toolkit.models.catalogue import build_model, model_names
from lits_toolkit.models.cost import input_shape

NAMES = model_names()
OTHERS_SLOW = [pytest.param(name, marks=() if name.endswith("default") else pytest.mark.slow) for name in NAMES]
"""All networks, those of other layouts than the default in the slow suite."""


def logits_shape(batch, dimensions, size):
    return (batch, 2, size, size) if dimensions == 2 else (batch, 2, 4, size, size)


@cache
def evaluated(name):
    torch.manual_seed(0)
    return build_model(name).eval()


def images(name, size=64, batch=1):
    random = torch.Generator().manual_seed(1)
    return torch.rand((batch, *input_shape(evaluated(name).dimensions, size)[1:]), generator=random)


@pytest.mark.parametrize("name", OTHERS_SLOW)
def test_from_a_whole_slice_or_block_a_gradient_reaches_every_parameter(name):
    dead = None
    for seed in range(4):  # a gate squeezed to four features by ReLU may happen to be dead in one random network
        torch.manual_seed(seed)
        network = build_model(name)
        logits = network(images(name, 256))
        assert logits.shape == logits_shape(1, network.dimensions, 256)
        (logits * torch.randn_like(logits)).sum().backward()
        gradients = {key: value.grad for key, value in network.named_parameters()}
        assert all(gradient is None or torch.isfinite(gradient).all() for gradient in gradients.values())
        unreached = {key for key, gradient in gradients.items() if gradient is None or not gradient.abs().sum() > 0}
        dead = unreached if dead is None else dead & unreached
        if not dead:
            break
    assert not dead


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_is_deterministic_and_each_sample_on_its_own(name):
    network, given = evaluated(name), images(name, batch=3)
    with torch.inference_mode():
        together = network(given)
        torch.testing.assert_close(network(given), together, rtol=0, atol=0)
        torch.testing.assert_close(network(given[1:2]), together[1:2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_gives_the_same(name):
    network, given = evaluated(name), images(name, batch=2)
    layout = torch.channels_last if network.dimensions == 2 else torch.channels_last_3d
    with torch.inference_mode():
        expected = network(given)
        torch.manual_seed(0)
        other = build_model(name).eval().to(memory_format=layout)
        found = other(given.contiguous(memory_format=layout))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OTHERS_SLOW)
def test_an_exported_network_gives_the_same(name):
    network, given = evaluated(name), images(name)
    exported = torch.export.export(network, (given,)).module()
    with torch.inference_mode():
        torch.testing.assert_close(exported(given), network(given), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_size_that_does_not_fit_names_the_one_to_pad_to(name):
    with pytest.raises(SettingError, match=r"found 100×96: pad to (128|112)×96"):
        evaluated(name)(images(name, 100)[..., :96])


def test_the_raw_middle_slices_reach_the_output_of_a_3d_network():
    torch.manual_seed(0)
    network = build_model("3d-mobilenet_v2-top").eval()
    given = torch.rand(1, 1, 8, 32, 32)
    seen = []
    network.output.classify.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0][:, -1:]))
    network(given)
    torch.testing.assert_close(seen[0], given[:, :, 2:6])


def test_the_nine_slices_reach_the_output_of_a_2d_network():
    torch.manual_seed(0)
    network = build_model("2d-shufflenet_v2-top").eval()
    given = torch.rand(1, 9, 32, 32)
    seen = []
    network.output.classify.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0][:, 8:]))
    network(given)
    torch.testing.assert_close(seen[0], given)
