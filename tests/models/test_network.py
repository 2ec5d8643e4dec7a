import pytest
import torch

from lits_toolkit.errors import SettingError
from lits_toolkit.models.catalogue import build_model, model_names

SHAPES = {2: ((1, 9, 64, 96), (1, 2, 64, 96)), 3: ((1, 1, 8, 64, 64), (1, 2, 4, 64, 64))}


@pytest.mark.parametrize("name", model_names())
def test_shapes_and_a_gradient_for_every_parameter(name):
    torch.manual_seed(0)
    network = build_model(name)
    given, expected = SHAPES[network.dimensions]
    logits = network(torch.rand(given))
    assert logits.shape == expected
    (logits * torch.randn_like(logits)).sum().backward()
    dead = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    assert dead == []


@pytest.mark.parametrize("name", ["2d-mobilenet_v2-top", "3d-mobilenet_v2-top"])
def test_evaluation_is_deterministic_and_each_sample_on_its_own(name):
    torch.manual_seed(0)
    network = build_model(name).eval()
    images = torch.rand(3, *SHAPES[network.dimensions][0][1:])
    with torch.inference_mode():
        together = network(images)
        torch.testing.assert_close(network(images), together, rtol=0, atol=0)
        torch.testing.assert_close(network(images[1:2]), together[1:2], rtol=1e-4, atol=1e-5)


def test_channels_last_gives_the_same():
    torch.manual_seed(0)
    network = build_model("2d-mobilenet_v2-top").eval()
    images = torch.rand(2, 9, 64, 64)
    with torch.inference_mode():
        expected = network(images)
        found = network.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_raw_middle_slices_reach_the_output_of_a_3d_network():
    torch.manual_seed(0)
    network = build_model("3d-mobilenet_v2-top").eval()
    images = torch.rand(1, 1, 8, 32, 32)
    seen = []
    network.output.classify.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0][:, -1:]))
    network(images)
    torch.testing.assert_close(seen[0], images[:, :, 2:6])


def test_a_size_that_does_not_fit_names_the_one_to_pad_to():
    with pytest.raises(SettingError, match="pad to 128×96"):
        build_model("2d-mobilenet_v2-top")(torch.rand(1, 9, 100, 96))
