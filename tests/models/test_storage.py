import json

import pytest
import torch

from lits_toolkit.errors import InputError, OutputError
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.storage import load_model, save_model

DESCRIPTION = {"name": "2d-mobilenet_v2-top", "stage": "liver", "window": [-200, 200], "size": 64}


def test_what_is_saved_is_read_back(tmp_path):
    torch.manual_seed(0)
    network = build_model("2d-mobilenet_v2-top")
    save_model(tmp_path / "model", network, DESCRIPTION)
    model = load_model(tmp_path / "model")
    assert (model.name, model.stage, model.window, model.size) == ("2d-mobilenet_v2-top", "liver", (-200, 200), 64)
    assert not model.network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], tensor), name
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "weights.safetensors"]


def test_a_folder_without_a_model_says_what_makes_one(tmp_path):
    with pytest.raises(InputError, match="lits train"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["2d-mobilenet_v2-bottom", "3d-mobilenet_v2-top"])
def test_weights_of_another_network_are_an_error_that_names_the_file(tmp_path, name):
    save_model(tmp_path, build_model("2d-mobilenet_v2-top"), DESCRIPTION | {"name": name})
    with pytest.raises(InputError, match=r"weights\.safetensors.*" + name):
        load_model(tmp_path)


def test_damaged_weights_and_an_alien_description(tmp_path):
    save_model(tmp_path, build_model("2d-mobilenet_v2-top"), DESCRIPTION)
    (tmp_path / "weights.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"weights\.safetensors"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"name": "2d-mobilenet_v2-top"}))
    with pytest.raises(InputError, match="stage, window, size"):
        load_model(tmp_path)


def test_weights_that_find_no_room_leave_nothing(tmp_path, small_disk):
    with small_disk(), pytest.raises(OutputError, match=r"cannot write .*weights\.safetensors"):
        save_model(tmp_path / "model", build_model("2d-mobilenet_v2-top"), {"name": "x"})
    assert not list((tmp_path / "model").iterdir())
