"""Folders of masks that are scored against a cohort of two cases, small enough to count by hand."""

import numpy as np
import pytest

from lits_toolkit.data.case import Grid
from lits_toolkit.data.nifti import write_mask, write_volume

GRID = Grid((40, 30, 6), np.diag([-1.0, -1.0, 2.0, 1.0]))
SMALL, OTHER, MEDIUM = np.s_[0:2, 25:29, 30:35], np.s_[5:6, 25:29, 0:5], np.s_[0:5, 0:20, 0:20]
"""40, 20 and 2000 voxels."""
HALF = np.s_[0:5, 0:20, 0:10]


def liver_with(*boxes):
    """A mask that is liver but for the tumours of the given (z, y, x) slices."""
    mask = np.ones(GRID.axial_shape, np.uint8)
    for box in boxes:
        mask[box] = 2
    return mask


@pytest.fixture
def folders(tmp_path):
    """cohort: volume-1 with a medium and a small tumour, volume-2 with a small one.

    2d-mobilenet_v2-top finds all of it, mine half the medium one and a false alarm.
    """
    masks = {
        "cohort": ((MEDIUM, SMALL), (SMALL,)),
        "2d-mobilenet_v2-top": ((MEDIUM, SMALL), (SMALL,)),
        "mine": ((HALF,), (OTHER,)),
    }
    for folder, cases in masks.items():
        for number, boxes in enumerate(cases, start=1):
            write_mask(liver_with(*boxes), GRID, tmp_path / folder / f"segmentation-{number}.nii.gz")
            if folder == "cohort":
                volume = np.full(GRID.axial_shape, 100, np.int16)
                volume[liver_with(*boxes) == 2] = 60
                write_volume(volume, GRID, tmp_path / folder / f"volume-{number}.nii.gz")
    return tmp_path
