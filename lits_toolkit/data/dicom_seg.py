"""DICOM-SEG: the segments of liver and tumours as one mask (DICOM PS3.3, A.51 and C.8.20)."""

import re
from pathlib import Path

import numpy as np
from pydicom import Dataset

from lits_toolkit.data.case import LIVER, TUMOR, Grid, Note, Stored
from lits_toolkit.data.dicom import damage_told, read_dataset, read_pixels
from lits_toolkit.data.planes import Plane, arrange, read_plane
from lits_toolkit.errors import GeometryError, InputError

OFF_GRID_VOXELS = 0.1
"""How far a segment's pixel may be from a voxel of the CT: positions are written as rounded decimals."""

_TUMOR = re.compile(r"tumou?r|lesion|\bmass\b|metasta|neoplas|cancer|carcinoma|\bhcc\b", re.IGNORECASE)
_LIVER = re.compile(r"liver|hepatic parenchyma", re.IGNORECASE)


def read_dicom_seg(path: str | Path, grid: Grid | None = None) -> Stored:
    """A segmentation as a mask on the CT's grid: segments named liver are 1, those named tumour, lesion or mass 2.

    Without `grid` the mask lies on the grid of its own frames, which often hold only the slices with a segment.
    Other segments are left out, and a Note names them. InputError where the file is no segmentation or has no segment
    of liver or tumour, GeometryError where a frame lies off the CT's voxels.
    """
    path = Path(path)
    with damage_told(path):
        return _mask(_read(path), path, grid)


def read_dicom_seg_grid(path: str | Path) -> Grid:
    """The voxel grid of a segmentation's own frames; raises as `read_dicom_seg` does."""
    path = Path(path)
    with damage_told(path):
        return arrange(_planes(_read(path, pixels=False), path), path)[0]


def _mask(dataset: Dataset, path: Path, grid: Grid | None) -> Stored:
    labels = _labels(dataset, path)
    planes = _planes(dataset, path)
    grid = arrange(planes, path)[0] if grid is None else grid
    frames = read_pixels(dataset, path).reshape(len(planes), *planes[0].shape)
    threshold = int(dataset.get("MaximumFractionalValue") or 1) / 2 if _type(dataset) == "FRACTIONAL" else 0
    voxels = np.zeros(grid.shape, np.uint8)
    for plane, frame, segment in zip(planes, frames, _segments(dataset), strict=True):
        kinds = labels.items() if segment is None else [(segment, labels.get(segment, 0))]
        for number, label in kinds:
            if label:
                _put(voxels, frame == number if segment is None else frame > threshold, label, plane, grid, path)
    others = [name for number, name in _names(dataset).items() if number not in labels]
    message = f"{path}: neither liver nor tumour, and left out: {', '.join(others)}"
    return Stored(voxels, grid, path, (Note("segments-left-out", message),) if others else ())


def _read(path: Path, pixels: bool = True) -> Dataset:
    try:
        dataset = read_dataset(path.read_bytes(), path, pixels)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if dataset.get("Modality") != "SEG":
        raise InputError(
            f"{path}: expected a DICOM segmentation, found {dataset.get('Modality') or 'another DICOM file'}; "
            "of a CT series give the folder"
        )
    return dataset


def _type(dataset: Dataset) -> str:
    return str(dataset.get("SegmentationType") or "BINARY")


def _names(dataset: Dataset) -> dict[int, str]:
    return {int(item.SegmentNumber): str(item.get("SegmentLabel") or "") for item in dataset.get("SegmentSequence", [])}


def _labels(dataset: Dataset, path: Path) -> dict[int, int]:
    """The number of each segment of liver or tumour → its label in a mask."""
    labels = {}
    for item in dataset.get("SegmentSequence", []):
        codes = [code.get("CodeMeaning", "") for code in item.get("SegmentedPropertyTypeCodeSequence", [])]
        told = " ".join(map(str, (item.get("SegmentLabel", ""), *codes)))
        if _TUMOR.search(told) or _LIVER.search(told):
            labels[int(item.SegmentNumber)] = TUMOR if _TUMOR.search(told) else LIVER
    if not labels:
        names = ", ".join(_names(dataset).values()) or "none"
        raise InputError(f"{path}: expected a segment of the liver or a tumour, found {names}", "labels-unknown")
    return labels


def _planes(dataset: Dataset, path: Path) -> list[Plane]:
    """Where each frame lies: every attribute stands in its own group or in the shared one."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    shape = (int(dataset.Rows), int(dataset.Columns))
    planes = []
    for frame in dataset.get("PerFrameFunctionalGroupsSequence") or []:
        position, orientation, measures = (
            (frame.get(name) or shared.get(name) or [Dataset()])[0]
            for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
        )
        planes.append(read_plane(position, orientation, measures, shape, path))
    if not planes:
        raise InputError(f"{path}: expected frames with their positions, found none")
    return planes


def _segments(dataset: Dataset) -> list[int | None]:
    """The segment of each frame; None where the pixels themselves are segment numbers (a label map)."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    if _type(dataset) == "LABELMAP":
        return [None] * len(dataset.PerFrameFunctionalGroupsSequence)
    name = "SegmentIdentificationSequence"
    return [
        int((frame.get(name) or shared[name].value)[0].ReferencedSegmentNumber)
        for frame in dataset.PerFrameFunctionalGroupsSequence
    ]


def _put(voxels: np.ndarray, where: np.ndarray, label: int, plane: Plane, grid: Grid, path: Path) -> None:
    """Set a frame's pixels in the mask; the higher label wins, so that a tumour is not hidden by its liver."""
    to_voxels = np.linalg.inv(grid.affine) @ np.diag([-1.0, -1.0, 1.0, 1.0])
    rows, columns = np.nonzero(where)
    steps = np.stack([plane.along_column * plane.spacing_mm[0], plane.along_row * plane.spacing_mm[1]])
    exact = np.column_stack([rows, columns]) @ (steps @ to_voxels[:3, :3].T)
    exact += to_voxels[:3, :3] @ plane.position + to_voxels[:3, 3]
    index = np.rint(exact).astype(int)
    if index.size == 0:
        return
    off = float(np.abs(exact - index).max())
    if off > OFF_GRID_VOXELS or (index < 0).any() or (index >= grid.shape).any():
        raise GeometryError(
            f"{path}: a frame at {plane.position.round(2).tolist()} mm does not lie on the CT's voxels "
            f"(up to {off:.2f} of a voxel off, or outside it); expected the CT that it was drawn on"
        )
    place = tuple(index.T)
    voxels[place] = np.maximum(voxels[place], label)
