from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.case import Case, CaseFiles, Grid
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.phantom import make_phantom


@dataclass(frozen=True)
class Ward:
    """A folder of phantom files, into which a test plants its fault."""

    folder: Path
    case: Case

    def files(self, name="volume-7", volume=None, mask=None, grid=None):
        """Write the case, or what is given in its place, and return where."""
        grid = grid or self.case.grid
        ct, reference = (self.folder / f"{stem}.nii" for stem in (name, name.replace("volume", "segmentation")))
        volume = self.case.volume if volume is None else volume
        mask = self.case.reference if mask is None else mask
        if volume.dtype.kind == "f":
            save(ct, grid.from_axial(volume), grid.affine)
        else:
            write_volume(volume, grid, ct, overwrite=True)
        if mask.dtype.kind == "f":
            save(reference, grid.from_axial(mask), grid.affine)
        else:
            write_mask(mask, grid, reference, overwrite=True)
        return CaseFiles(name, ct, reference)


def save(path, array, affine):
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def with_affine(grid, affine):
    return Grid(grid.shape, np.asarray(affine, float))


@pytest.fixture(scope="session")
def phantom():
    """A patient who fills the slices, at a resolution of 3 and 4 mm."""
    return make_phantom(1, seed=0, size=112, slices=56)


@pytest.fixture
def ward(tmp_path, phantom):
    (tmp_path / "ward").mkdir()
    return Ward(tmp_path / "ward", replace(phantom, name="volume-7"))
