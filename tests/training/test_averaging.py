import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.training.averaging import WeightAverage, renew_batch_norm


def make_network(dimensions=2):
    torch.manual_seed(0)
    conv, norm = ((nn.Conv2d, nn.BatchNorm2d), (nn.Conv3d, nn.BatchNorm3d))[dimensions - 2]
    return nn.Sequential(norm(2), conv(2, 3, 3), norm(3, momentum=0.03), nn.ReLU(), nn.Dropout(0.5), conv(3, 2, 1))


def filled(network, value):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)
    return network


def test_the_mean_by_hand():
    network, average = make_network(), WeightAverage()
    for value in (1.0, 2.0, 6.0):
        average.update(filled(network, value))
    assert average.count == 3
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    average.apply_to(filled(network, -1))
    for parameter in network.parameters():
        np.testing.assert_allclose(parameter.detach(), 3, rtol=1e-6)
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())


def test_the_mean_of_one_is_itself_and_a_copy():
    network, average = make_network(), WeightAverage()
    weights = [parameter.detach().clone() for parameter in network.parameters()]
    average.update(network)
    average.apply_to(filled(network, 7))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), weights, strict=True))


def test_resumed_from_safetensors_it_is_bit_for_bit_the_same():
    random = torch.Generator().manual_seed(1)
    states = [[torch.randn(p.shape, generator=random) for p in make_network().parameters()] for _ in range(7)]

    def add(average, network, state):
        with torch.no_grad():
            for parameter, value in zip(network.parameters(), state, strict=True):
                parameter.copy_(value)
        average.update(network)

    network, whole, begun, resumed = make_network(), WeightAverage(), WeightAverage(), WeightAverage()
    for state in states:
        add(whole, network, state)
    for state in states[:3]:
        add(begun, network, state)
    kept = begun.state_dict()
    resumed.load_state_dict(load(save(kept)))
    for state in states[3:]:
        add(resumed, network, state)
    assert resumed.count == 7
    for name, mean in whole.mean.items():
        assert torch.equal(resumed.mean[name], mean)
    whole.apply_to(network)
    for number, parameter in enumerate(network.parameters()):
        expected = np.mean([state[number].double().numpy() for state in states], axis=0)
        np.testing.assert_allclose(parameter.detach(), expected, atol=1e-6)


def test_loaded_means_are_copies():
    first, second = WeightAverage(), WeightAverage()
    first.update(filled(make_network(), 1.0))
    second.load_state_dict(first.state_dict())
    second.update(filled(make_network(), 3.0))
    assert {float(mean.min()) for mean in first.mean.values()} == {1}
    assert {float(mean.max()) for mean in second.mean.values()} == {2}


def test_nothing_to_average_is_told():
    with pytest.raises(SettingError, match="expected at least one epoch's"):
        WeightAverage().apply_to(make_network())


def batches_of(dimensions, counts=(4, 4, 1)):
    random = torch.Generator().manual_seed(2)
    return [torch.randn(count, 2, *(5,) * dimensions, generator=random) * count + count for count in counts]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_statistics_are_those_of_all_images(dimensions):
    network, batches = make_network(dimensions), batches_of(dimensions)
    network.load_state_dict({k: v + 5 if "running" in k else v for k, v in network.state_dict().items()})
    renew_batch_norm(network, batches)
    first, second = network[0], network[2]
    images = torch.cat(batches).double().numpy()
    others = tuple(axis for axis in range(images.ndim) if axis != 1)
    np.testing.assert_allclose(first.running_mean, images.mean(others), rtol=1e-5)
    within = [batch.double().numpy().var(others, ddof=1) for batch in batches]
    np.testing.assert_allclose(first.running_var, np.average(within, axis=0, weights=[4, 4, 1]), rtol=1e-5)
    assert first.num_batches_tracked == second.num_batches_tracked == 3
    hidden = []  # what the second normalisation sees: each batch normalised by its own statistics, then convolved
    for batch in batches:
        values = batch.double()
        deviation = (values.var(others, correction=0, keepdim=True) + first.eps).sqrt()
        normal = (values - values.mean(others, keepdim=True)) / deviation
        hidden.append(network[1].double()(normal).detach().numpy())
    network.float()
    means = [values.mean(others) for values in hidden]
    np.testing.assert_allclose(second.running_mean, np.average(means, axis=0, weights=[4, 4, 1]), atol=1e-5)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_equal_batches_give_what_torch_gives(dimensions):
    ours, theirs, batches = make_network(dimensions), make_network(dimensions), batches_of(dimensions, (3, 3, 3))
    renew_batch_norm(ours, batches)
    torch.optim.swa_utils.update_bn(batches, theirs)
    for name, buffer in theirs.named_buffers():
        np.testing.assert_allclose(ours.get_buffer(name), buffer, rtol=1e-5, atol=1e-6)


def test_modes_momenta_and_weights_are_left_as_they_were():
    network = make_network()
    network.eval()
    network[4].train()
    modes = [module.training for module in network.modules()]
    weights = [parameter.detach().clone() for parameter in network.parameters()]
    renew_batch_norm(network, batches_of(2))
    assert [module.training for module in network.modules()] == modes
    assert (network[0].momentum, network[2].momentum) == (0.1, 0.03)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), weights, strict=True))


def test_an_error_on_the_way_leaves_modes_and_momenta():
    network = make_network()
    with pytest.raises(RuntimeError):
        renew_batch_norm(network, [torch.zeros(1, 3, 5, 5)])
    assert all(module.training for module in network.modules())
    assert (network[0].momentum, network[2].momentum) == (0.1, 0.03)


def test_a_network_without_norms_and_a_lack_of_batches():
    renew_batch_norm(nn.Conv2d(2, 2, 1), [])
    with pytest.raises(InputError, match="expected at least one"):
        renew_batch_norm(make_network(), [])
