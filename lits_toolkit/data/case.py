"""A case: one CT volume with its geometry and, where known, its reference mask."""

from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

BACKGROUND, LIVER, TUMOR = 0, 1, 2

_AXIAL = axcodes2ornt(("L", "P", "S"))


@dataclass(frozen=True, eq=False)
class Grid:
    """The voxel grid of a file as it is stored, and the way between it and our axial arrays.

    Axial arrays are (z, y, x): z from feet to head, y from front to back, x from the patient's right to left.
    """

    shape: tuple[int, int, int]
    """Voxels along the file's own axes (i, j, k)."""
    affine: np.ndarray
    """(4, 4) float64, from (i, j, k) to millimetres in the RAS world of NIfTI."""
    header: nib.Nifti1Header | None = field(default=None, repr=False)
    """The file's header, which a mask written onto this grid gets back."""

    @property
    def orientation(self) -> str:
        """Where the axes i, j, k point to, for example "LPS"."""
        return "".join(nib.aff2axcodes(self.affine))

    @property
    def axial_affine(self) -> np.ndarray:
        """(4, 4) float64, from axial indices in the order (x, y, z) to RAS millimetres."""
        return self.affine @ inv_ornt_aff(self._to_axial_ornt, self.shape)

    @property
    def axial_shape(self) -> tuple[int, int, int]:
        """The shape (z, y, x) of an axial array on this grid."""
        sizes = dict(zip(self._to_axial_ornt[:, 0].astype(int), self.shape, strict=True))
        return sizes[2], sizes[1], sizes[0]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels along (z, y, x), in mm."""
        x, y, z = nib.affines.voxel_sizes(self.axial_affine)
        return float(z), float(y), float(x)

    @property
    def stored_spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels along the file's own axes (i, j, k), in mm."""
        i, j, k = nib.affines.voxel_sizes(self.affine)
        return float(i), float(j), float(k)

    def to_axial(self, array: np.ndarray) -> np.ndarray:
        """From the file's (i, j, k) to a C-contiguous (z, y, x) array; flips and transposes only."""
        return np.ascontiguousarray(apply_orientation(array, self._to_axial_ornt).transpose(2, 1, 0))

    def from_axial(self, array: np.ndarray) -> np.ndarray:
        """The exact inverse of `to_axial`."""
        ornt = ornt_transform(_AXIAL, io_orientation(self.affine))
        return apply_orientation(array.transpose(2, 1, 0), ornt)

    @property
    def _to_axial_ornt(self) -> np.ndarray:
        return ornt_transform(io_orientation(self.affine), _AXIAL)


@dataclass(frozen=True)
class Note:
    """Something that reading noticed and could live with: slices missing from a series, rescaled labels."""

    code: str
    """The doctor's code for it."""
    message: str


@dataclass(frozen=True, eq=False)
class Stored:
    """Voxels as they are stored, before anything is rounded, clipped or turned."""

    voxels: np.ndarray
    """Along the file's own axes (i, j, k), any real type, slope and intercept applied."""
    grid: Grid
    path: Path
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class CaseFiles:
    """A case found on disk, of which no voxel has been read."""

    name: str
    """The volume's file name without its endings, or its folder's name: "volume-7", "patient_a", "3Dircadb1.4"."""
    volume: Path
    """A NIfTI file, or a folder or zip file of DICOM slices; a path may go on inside a zip file."""
    reference: Path | None = None
    """A NIfTI file, a DICOM-SEG, or a folder or zip file of 3D-IRCADb-01's masks."""
    series: str = ""
    """The SeriesInstanceUID, where `volume` is a folder of DICOM series."""


@dataclass(frozen=True, eq=False)
class Case:
    """A case in memory."""

    name: str
    volume: np.ndarray
    """(z, y, x) int16, in HU."""
    grid: Grid
    reference: np.ndarray | None = None
    """(z, y, x) uint8: 0 background, 1 liver, 2 tumour; None where no expert drew one."""
    files: CaseFiles | None = None
    """Where the case was read from; None for one made in memory."""

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels along (z, y, x), in mm."""
        return self.grid.spacing_mm


def mask_file_name(case_name: str) -> str:
    """The name under which a mask of a case is written, after the LiTS convention.

    Examples:
        >>> mask_file_name("volume-7"), mask_file_name("test-volume-7"), mask_file_name("patient_a")
        ('segmentation-7.nii.gz', 'test-segmentation-7.nii.gz', 'segmentation-patient_a.nii.gz')
    """
    if "volume-" in case_name:
        return case_name.replace("volume-", "segmentation-", 1) + ".nii.gz"
    return f"segmentation-{case_name}.nii.gz"
