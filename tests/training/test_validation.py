import math

import nibabel as nib
import numpy as np
import pytest
import torch

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.errors import InputError
from lits_toolkit.models.storage import Model
from lits_toolkit.training.validation import measure_dice


class Between(torch.nn.Module):
    """Sure of the object where the middle slice lies between two HU."""

    dimensions = 2

    def __init__(self, low, high):
        super().__init__()
        self.low, self.high = (low + 200) / 400, (high + 200) / 400
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x):
        sure = 20 * ((x[:, 4] > self.low) & (x[:, 4] < self.high)).float() - 10
        return torch.stack([torch.zeros_like(sure), sure], 1)


def model(stage, low, high):
    return Model(Between(low, high), {"name": "x", "stage": stage, "window": [-200, 200], "size": 64,
                                      "settings": {"combine": "none"}})  # fmt: skip


@pytest.fixture
def cases(tmp_path):
    """Two cases: a liver of 100 HU, with two small tumours and a medium one in the first, none in the second. Of the
    tumours the expert drew one that is as bright as the liver, and of the medium one only a half."""
    found = []
    for name, tumours in (("volume-0", True), ("volume-1", False)):
        hu, mask = np.full((64, 64, 20), -100, np.int16), np.zeros((64, 64, 20), np.uint8)
        hu[4:60, 4:60, 2:18], mask[4:60, 4:60, 2:18] = 100, 1
        if tumours:
            hu[8:16, 8:16, 4:8], mask[8:16, 8:16, 4:8] = 20, 2  # 256 voxels, found
            mask[40:44, 8:12, 4:8] = 2  # 64 voxels, missed
            hu[20:40, 20:40, 4:12], mask[20:40, 20:40, 4:8] = 20, 2  # 1600 voxels, found with as many too many
        for kind, array in (("volume", hu), ("segmentation", mask)):
            nib.save(nib.Nifti1Image(array, np.diag([-1, -1, 2, 1])), tmp_path / f"{kind}-{name[-1]}.nii.gz")
        found.append(CaseFiles(name, tmp_path / f"{name}.nii.gz", tmp_path / f"segmentation-{name[-1]}.nii.gz"))
    return found


def test_by_case_and_by_size_group_as_counted_by_hand(cases):
    dice = measure_dice(model("tumor", 0, 50), cases)
    voxels, found, both = 256 + 64 + 1600, 256 + 3200, 256 + 1600
    assert dice.dice_per_case == pytest.approx((2 * both / (voxels + found) + 1) / 2)  # 1: the second has none
    assert dice.dice_small == pytest.approx((1 + 0) / 2)
    assert dice.dice_medium == pytest.approx(2 * 1600 / (1600 + 3200))
    assert math.isnan(dice.dice_large)


def test_of_the_liver_stage_the_liver_is_measured(cases):
    dice = measure_dice(model("liver", 50, 150), cases)
    liver = 56 * 56 * 16
    dark = 256 + 3200
    assert dice.dice_per_case == pytest.approx((2 * (liver - dark) / (2 * liver - dark) + 1) / 2)
    assert math.isnan(dice.dice_small)


def test_inside_a_predicted_liver_what_lies_outside_is_missed(cases, tmp_path):
    liver = np.zeros((20, 64, 64), bool)
    liver[:, :18, :18] = True  # holds the first tumour alone
    np.savez(tmp_path / "liver.npz", liver=np.packbits(liver), shape=liver.shape, made_by=np.array(""))
    dice = measure_dice(model("tumor", 0, 50), cases[:1], [tmp_path / "liver.npz"])
    assert dice.dice_per_case == pytest.approx(2 * 256 / (256 + 64 + 1600 + 256))
    assert (dice.dice_small, dice.dice_medium) == (0.5, 0)


def test_nothing_is_measured_without_cases_and_a_case_without_reference_is_told(cases):
    assert not measure_dice(model("tumor", 0, 50), []).measured
    with pytest.raises(InputError, match="volume-0 has no reference"):
        measure_dice(model("tumor", 0, 50), [CaseFiles("volume-0", cases[0].volume)])
