import pytest
import torch

from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.probability import probability_network


@pytest.mark.parametrize(
    ("name", "shape"),
    [("2d-shufflenet_v2-default", (2, 9, 64, 32)), ("3d-dsts-bottom", (1, 1, 8, 32, 32)), ("han2017", (1, 9, 32, 32))],
)
def test_it_is_the_softmax_of_the_networks_logits(name, shape):
    """In float64, whose softmax is rounded to float32 alone, and in float32."""
    torch.manual_seed(0)
    network = build_model(name).eval()
    image = torch.rand(shape)
    with torch.no_grad():
        expected = network.double()(image.double()).softmax(1)[:, 1]
        if network.dimensions == 2:
            expected = expected[:, None]
        assert expected.std() > 1e-3
        in_double = probability_network(network)(image.double())
        torch.testing.assert_close(in_double.double(), expected, rtol=1e-7, atol=1e-7)
        torch.testing.assert_close(probability_network(network.float())(image).double(), expected, rtol=0, atol=1e-5)


def test_training_goes_on_with_the_network_that_was_given():
    network = build_model("2d-shufflenet_v2-default").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    probability_network(network)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
