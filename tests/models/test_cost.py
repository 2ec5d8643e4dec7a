import pytest
import torch
from torch import nn

from lits_toolkit.models.catalogue import build_model, describe_model, model_names
from lits_toolkit.models.cost import ConvolutionCost, count, count_convolutions, input_shape, parts
from lits_toolkit.models.machine import Machine

# Table 4.2, its rows of the MobileNets by the configuration that they belong to
PUBLISHED_FLOPS_MILLIONS = {
    "2d-mobilenet_v2-top": 123.89,  # A.5 with expansion 6 in layer 1
    "2d-mobilenet_v2-default": 107.14,
    "2d-mobilenet_v2-bottom": 104.80,
    "2d-mobilenet_v3-top": 113.72,  # A.8 with expansion 4
    "2d-mobilenet_v3-default": 103.01,
    "2d-mobilenet_v3-bottom": 103.06,
}


def on_meta(name):
    with torch.device("meta"):
        return build_model(name).eval()


@pytest.mark.parametrize("name", PUBLISHED_FLOPS_MILLIONS)
def test_the_published_flops_are_what_the_old_counter_saw(name):
    """It skipped most convolutions and counted normalisation: every published figure follows, to the printed digit."""
    network = on_meta(name)
    counted = []
    for place, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(lambda _, __, out: counted.append(2 * out.numel()))
        elif isinstance(module, nn.ConvTranspose2d):
            module.register_forward_hook(
                lambda m, given, out: counted.append(given[0][0, 0].numel() * m.weight.numel() + out.numel())
            )
        elif place.startswith("decoder") and isinstance(module, nn.SiLU | nn.Hardswish):
            module.register_forward_hook(lambda _, __, out: counted.append(out.numel()))
    network.head[0].register_forward_hook(lambda m, _, out: counted.append(out[0, 0].numel() * m.weight.numel()))
    network.output.classify.register_forward_hook(  # of one class, and its bias
        lambda m, _, out: counted.append(out[0, 0].numel() * (m.in_channels + 1))
    )
    network(torch.empty(input_shape(2), device="meta"))
    assert round(sum(counted) / 1e6, 2) == PUBLISHED_FLOPS_MILLIONS[name]
    assert describe_model(name).published_flops_millions == PUBLISHED_FLOPS_MILLIONS[name]


@pytest.mark.parametrize("name", model_names())
def test_macs_by_the_definition(name):
    """Of each convolution: its outputs, times what each is a sum of."""
    network = on_meta(name)
    counted = []
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d | nn.ConvTranspose3d):
            module.register_forward_hook(lambda m, given, _: counted.append(given[0][0, 0].numel() * m.weight.numel()))
        elif isinstance(module, nn.Conv2d | nn.Conv3d):
            module.register_forward_hook(lambda m, _, out: counted.append(out[0, 0].numel() * m.weight.numel()))
    network(torch.empty(input_shape(network.dimensions), device="meta"))
    assert describe_model(name).macs == sum(counted)


def test_macs_grow_with_the_area_and_parameters_do_not():
    network = on_meta("2d-mobilenet_v3-top")
    small, large = (count(network, input_shape(2, size)) for size in (128, 256))
    assert small.parameters == large.parameters
    assert large.macs == pytest.approx(4 * small.macs, rel=5e-3)  # but for squeeze-and-excitation, which sees means


def test_the_real_networks_cost_what_the_design_says():
    giga = {name: describe_model(name).macs / 1e9 for name in model_names()}
    assert all(0.2 <= value <= 0.8 for name, value in giga.items() if name.startswith("2d"))
    assert all(0.79 <= value <= 1.7 for name, value in giga.items() if name.startswith("3d"))


@pytest.mark.parametrize("name", model_names())
def test_the_convolutions_together_have_the_networks_macs(name):
    """The catalogue has them from torch's own counter."""
    network = on_meta(name)
    costs = count_convolutions(network, input_shape(network.dimensions))
    assert sum(cost.macs for cost in costs) == describe_model(name).macs
    named = [part for part, _ in parts(network)]
    assert {cost.part for cost in costs} <= set(named)
    assert len(set(named)) == len(named)


def test_counting_leaves_the_network_as_it_was():
    torch.manual_seed(0)
    network, image = build_model("2d-mobilenet_v3-top").eval(), torch.rand(input_shape(2, 32))
    before = network(image)
    count(network, image.shape)
    count_convolutions(network, image.shape)
    assert torch.equal(network(image), before)


def test_bytes_are_those_of_input_weights_and_output():
    """The stem of 2D: 3 × 3, stride 2, 9 → 32; the output's transposed one doubles 16 → 8; both by hand."""
    costs = count_convolutions(on_meta("2d-mobilenet_v2-default"), (2, 9, 64, 64))
    assert costs[0] == ConvolutionCost(
        "stem", 2 * 32 * 32 * 32 * 9 * 9, 4 * (2 * 9 * 64 * 64 + 32 * 9 * 9 + 2 * 32 * 32 * 32)
    )
    up = costs[-2]
    assert up == ConvolutionCost("output", 2 * 32 * 32 * 16 * 8 * 4, 4 * (2 * 16 * 32**2 + 16 * 8 * 4 + 2 * 8 * 64**2))


def test_the_floor_is_the_longer_of_computing_and_moving():
    machine = Machine("", 1, 1, "", flops_per_s=100.0, bytes_per_s=10.0)
    assert ConvolutionCost("", macs=100, bytes=10).seconds(machine) == 2.0
    assert ConvolutionCost("", macs=1, bytes=50).seconds(machine) == 5.0


def test_parts_have_the_names_of_the_dissertations_figure():
    named = [part for part, _ in parts(on_meta("3d-dsts-top"))]
    layers = [f"encoder {number}" for number in range(1, 8)]
    assert named == ["stem", *layers, "head", *[f"decoder {number}" for number in range(1, 5)], "output"]
