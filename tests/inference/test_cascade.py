import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from lits_toolkit.data.network_grid import from_network_grid
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.inference.cascade import Thresholds, find_liver, find_tumor, predict_mask, thresholds_of
from lits_toolkit.inference.runtimes import Runner, open_model
from lits_toolkit.models.storage import Model


class Brighter(nn.Module):
    """A stand-in network: sure of the object wherever the middle slice lies between two HU of the window."""

    dimensions = 2

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = (low + 200) / 400, (high + 200) / 400
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        middle = x[:, 4]
        sure = 20 * ((middle > self.low) & (middle < self.high)).float() - 10
        return torch.stack([torch.zeros_like(sure), sure], 1)


def runner(stage: str, low: float, high: float, size: int = 64) -> Runner:
    return open_model(model(stage, low, high, size))


def model(stage, low, high, size=64):
    return Model(Brighter(low, high), {"name": "x", "stage": stage, "window": [-200, 200], "size": size})


@pytest.fixture
def ct():
    volume = np.full((6, 64, 64), -100, np.int16)
    volume[1:5, 10:50, 10:50] = 100  # the liver
    volume[0:6, 56:62, 56:62] = 100  # as bright, but smaller and apart
    volume[2:4, 20:28, 20:28] = 20  # a tumour
    volume[2:4, 2:6, 2:6] = 20  # as dark, but outside
    liver = np.zeros(volume.shape, bool)
    liver[1:5, 10:50, 10:50] = True
    return volume, liver


def test_the_largest_component_is_the_liver_and_tumours_lie_inside(ct):
    volume, liver = ct
    mask = predict_mask(volume, runner("tumor", 0, 60), runner("liver", 0, 150))
    expected = liver.astype(np.uint8)
    expected[2:4, 20:28, 20:28] = 2
    np.testing.assert_array_equal(mask, expected)
    assert mask.dtype == np.uint8


def test_with_a_given_liver_no_first_stage_is_needed(ct):
    volume, liver = ct
    mask = predict_mask(volume, runner("tumor", 0, 60), liver=liver)
    np.testing.assert_array_equal(mask >= 1, liver)
    assert (mask == 2).sum() == 2 * 8 * 8


def test_a_component_that_is_never_sure_goes(ct):
    volume, liver = ct
    mask = predict_mask(volume, runner("tumor", 0, 60), liver=liver, thresholds=Thresholds(tumor_component=1))
    assert not (mask == 2).any()


def test_the_mask_has_the_cts_size_when_the_network_has_another(ct):
    volume, liver = ct
    mask = predict_mask(volume, runner("tumor", 0, 60, size=32), runner("liver", 0, 150, size=32))
    assert mask.shape == volume.shape
    assert ((mask >= 1) == liver).mean() > 0.98


def test_neither_or_both_livers_are_an_error(ct):
    with pytest.raises(SettingError):
        predict_mask(ct[0], runner("tumor", 0, 60))
    with pytest.raises(SettingError):
        predict_mask(ct[0], runner("tumor", 0, 60), runner("liver", 0, 150), ct[1])


def test_no_liver_no_tumour():
    mask = predict_mask(np.full((4, 64, 64), -100, np.int16), runner("tumor", -150, 60), runner("liver", 0, 150))
    assert not mask.any()


@pytest.mark.parametrize("size", [32, 64, 96])
def test_a_ct_that_is_not_square_keeps_its_proportions(ct, size):
    volume, liver = ct[0][:, :, :53], ct[1][:, :, :53]
    mask = predict_mask(volume, runner("tumor", 0, 60, size), runner("liver", 0, 150, size))
    assert mask.shape == volume.shape
    assert ((mask >= 1) == liver).mean() > 0.97
    assert np.abs(np.argwhere(mask == 2).mean(axis=0) - [2.5, 23.5, 23.5]).max() < 1


def test_thresholds_are_the_models_own_and_the_defaults_elsewhere():
    liver, tumor = model("liver", 0, 150), model("tumor", 0, 60)
    assert thresholds_of(tumor, liver, None) == Thresholds()
    liver.description["thresholds"] = {"liver": 0.25}
    tumor.description["thresholds"] = {"tumor_component": 0.9}
    assert thresholds_of(tumor, liver) == Thresholds(0.25, 0.5, 0.9)
    assert thresholds_of(tumor) == Thresholds(0.5, 0.5, 0.9)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"liver": 0.5}, "liver is no threshold of the tumor stage"),
        ({"tumor": 1.5}, r"threshold tumor: expected a number from 0 to 1, found 1\.5"),
        ({"tumor": "0.5"}, "found '0.5'"),
        ({"tumor": float("nan")}, "found nan"),
    ],
)
def test_a_models_threshold_that_is_none_is_told(held, said):
    tumor = model("tumor", 0, 60)
    tumor.description["thresholds"] = held
    with pytest.raises(InputError, match=said):
        thresholds_of(tumor)


def test_a_models_own_threshold_is_what_its_mask_is_cut_at(ct):
    volume, liver = ct
    tumor = model("tumor", 0, 60)
    assert (predict_mask(volume, open_model(tumor), liver=liver) == 2).any()
    tumor.description["thresholds"] = {"tumor_component": 1}
    assert not (predict_mask(volume, open_model(tumor), liver=liver) == 2).any()


@pytest.mark.parametrize("shape", [(19, 40, 40), (19, 33, 50), (19, 96, 64), (19, 16, 13)])
def test_slab_by_slab_gives_what_the_whole_volume_gives(shape):
    """Beside the plain way: everything at the CT's resolution at once."""
    random = np.random.default_rng(0)
    of_liver, of_tumor = (
        (1 / (1 + np.exp(-30 * ndimage.gaussian_filter(noise, 1.5)))).astype(np.float32)
        for noise in random.normal(size=(2, 19, 32, 32))
    )
    of_liver[[3, 4, 17]] = 0.01
    thresholds = Thresholds(0.4, 0.55, 0.8)
    whole = from_network_grid(of_liver, shape)
    labels, _ = ndimage.label(whole > thresholds.liver)
    expected = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    liver = find_liver(of_liver, shape, thresholds)
    np.testing.assert_array_equal(liver, expected)
    whole = from_network_grid(of_tumor, shape)
    labels, count = ndimage.label((whole > thresholds.tumor) & liver)
    sure = [number for number in range(1, count + 1) if whole[labels == number].max() >= thresholds.tumor_component]
    assert 0 < len(sure) < count
    np.testing.assert_array_equal(find_tumor(of_tumor, liver, thresholds), np.isin(labels, sure))
