import pytest
import torch

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.storage import save_model
from lits_toolkit.training.settings import TrainSettings
from lits_toolkit.training.start import begin_with

DESCRIPTION = {"stage": "liver", "window": [-200, 200], "size": 64}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """…/models/liver with two networks of random weights."""
    folder = tmp_path_factory.mktemp("study") / "models"
    for name in ("2d-mobilenet_v2-default", "3d-mobilenet_v2-default"):
        save_model(folder / "liver" / name, build_model(name), DESCRIPTION | {"name": name})
    return folder


def begin(models, model, start_from):
    network = build_model(model)
    fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    begin_with(network, TrainSettings(model=model, start_from=str(start_from)), models / "tumor" / model)
    return fresh, network.state_dict()


@pytest.mark.parametrize("where", ["beside", "folder"])
def test_of_the_same_network_every_weight_is_taken(models, where):
    name = "2d-mobilenet_v2-default"
    start_from = f"liver/{name}" if where == "beside" else models / "liver" / name
    _, found = begin(models, name, start_from)
    from safetensors.torch import load_file

    expected = load_file(models / "liver" / name / "weights.safetensors")
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_of_another_network_the_encoder_is_taken_as_far_as_it_is_the_same(models):
    """The layouts of one block share most layers; decoder and head stay fresh."""
    from safetensors.torch import load_file

    fresh, found = begin(models, "2d-mobilenet_v2-top", "liver/2d-mobilenet_v2-default")
    other = load_file(models / "liver" / "2d-mobilenet_v2-default" / "weights.safetensors")
    encoder = [name for name in found if name.startswith(("stem.", "encoder."))]
    taken = [name for name in encoder if name in other and other[name].shape == found[name].shape]
    assert sum(found[name].numel() for name in taken) >= sum(found[name].numel() for name in encoder) / 2
    assert all(torch.equal(found[name], other[name]) for name in taken)
    assert all(torch.equal(found[name], fresh[name]) for name in found if name not in taken)


@pytest.mark.parametrize(("model", "start"), [("2d-mobilenet_v2-default", "3d-mobilenet_v2-default"),
                                              ("han2017", "2d-mobilenet_v2-default")])  # fmt: skip
def test_a_network_with_another_encoder_is_refused_and_named(models, model, start):
    with pytest.raises(SettingError, match=f"a model of {model}, or one with much the same encoder, found {start}"):
        begin(models, model, f"liver/{start}")


def test_a_folder_without_a_model_is_told(models, tmp_path):
    with pytest.raises(InputError, match=rf"found none in {models}/liver/nope nor in .*liver/nope"):
        begin(models, "2d-mobilenet_v2-default", "liver/nope")
    with pytest.raises(InputError, match=f"found none in {tmp_path}"):
        begin(models, "2d-mobilenet_v2-default", tmp_path)
