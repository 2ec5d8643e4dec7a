import numpy as np
import pytest
import torch

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.storage import save_model
from lits_toolkit.training import livers
from lits_toolkit.training.livers import predict_livers, read_liver

NAME = "2d-mobilenet_v2-default"


class Bright(torch.nn.Module):
    """Sure of the liver where the middle slice is above 0 HU."""

    dimensions = 2

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x):
        sure = 20 * (x[:, 4] > 0.5).float() - 10
        return torch.stack([torch.zeros_like(sure), sure], 1)


@pytest.fixture
def case(tmp_path):
    volume = np.full((6, 64, 64), -100, np.int16)
    volume[1:5, 8:40, 8:40] = 100
    volume[0:6, 56:60, 56:60] = 100  # as bright, apart, smaller
    write_prepared(Case("a", volume, Grid((64, 64, 6), np.eye(4)), (volume > 0).astype(np.uint8)),
                   tmp_path / "a.b2nd", size=64)  # fmt: skip
    return PreparedCase(tmp_path / "a.b2nd")


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A folder whose weights are looked at by their hash alone."""
    folder = tmp_path / "model"
    save_model(folder, build_model(NAME), {"name": NAME, "stage": "liver", "window": [-200, 200], "size": 32})
    from lits_toolkit.models.storage import Model, load_model

    monkeypatch.setattr(livers, "load_model", lambda path: Model(Bright(), load_model(path).description))
    return folder


def test_the_largest_bright_piece_is_the_liver_and_is_read_back(case, model):
    (place,) = predict_livers(model, [case])
    found = read_liver(place)
    expected = np.zeros((6, 64, 64), bool)
    expected[1:5, 8:40, 8:40] = True
    assert found.dtype == bool
    np.testing.assert_array_equal(found, expected)  # its edges lie on even pixels: half the size loses nothing


def test_what_the_same_weights_found_is_kept_and_others_find_it_anew(case, model, monkeypatch):
    asked, find = [], livers._find_liver
    monkeypatch.setattr(livers, "_find_liver", lambda model, case: asked.append(case.name) or find(model, case))
    (place,) = predict_livers(model, [case])
    before = place.stat().st_mtime_ns
    assert predict_livers(model, [case]) == [place]
    assert (asked, place.stat().st_mtime_ns) == (["a"], before)
    save_model(model, build_model(NAME), {"name": NAME, "stage": "liver", "window": [-200, 200], "size": 32})
    predict_livers(model, [case])
    assert asked == ["a", "a"]
    place.write_bytes(b"half a file")
    predict_livers(model, [case])
    assert asked == ["a", "a", "a"]
    assert read_liver(place).any()


def test_a_model_of_the_other_stage_or_window_is_refused(case, model):
    description = {"name": NAME, "stage": "liver", "window": [-100, 200], "size": 32}
    save_model(model, build_model(NAME), description)
    with pytest.raises(SettingError, match=r"window \(-100, 200\), found \(-200, 200\)"):
        predict_livers(model, [case])
    save_model(model, build_model(NAME), description | {"stage": "tumor"})
    with pytest.raises(SettingError, match="found the tumor stage's"):
        predict_livers(model, [case])


def test_a_file_that_is_no_liver_is_told(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(InputError, match=r"a\.npz is no liver"):
        read_liver(tmp_path / "a.npz")
