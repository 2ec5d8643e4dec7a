"""What is written of a prediction beside its mask: the case's own JSON, and the probability of tumour."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from scipy.spatial.distance import pdist

from lits_toolkit.data.case import LIVER, TUMOR, Grid, mask_file_name
from lits_toolkit.data.layouts import PROBABILITIES
from lits_toolkit.data.network_grid import slabs_from_network_grid
from lits_toolkit.data.nifti import write_probability
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import read_json, replacing
from lits_toolkit.metrics.boxes import bounding_box
from lits_toolkit.metrics.lesions import find_lesions

Probability = Literal["uint8", "float16"]
"""How the probability of tumour is written: in 255 steps as NIfTI on the CT's grid, or as a NumPy array (z, y, x)."""


@dataclass(frozen=True)
class FoundLesion:
    """One tumour of a predicted mask."""

    lesion: int
    """Its number, from 1."""
    voxels: int
    volume_ml: float
    longest_mm: float
    """The longest line between corners of its pixels in one axial slice, as radiologists measure."""
    centre_mm: tuple[float, float, float]
    """The mean of its voxels in NIfTI's millimetres: they grow to the patient's right, front and head."""


@dataclass(frozen=True)
class Prediction:
    """One predicted case: what is in the JSON beside its mask."""

    case: str
    mask: str
    """File name of the mask."""
    liver_ml: float
    """Tumours included."""
    tumor_ml: float
    burden: float | None
    """Tumour to liver, tumours included; None without a liver."""
    lesions: list[FoundLesion]
    warnings: list[str]
    seconds: dict[str, float]
    """By part: read, resize, liver network, liver mask, tumor network, tumor mask, measure, write."""
    models: dict[str, dict[str, Any]]
    """By stage: name, versions, runtime; empty for a liver that is the reference's."""
    thresholds: dict[str, float]
    box: bool
    """Whether the tumour stage saw the liver's box alone."""
    method: str
    """A fingerprint of the models and settings in `predictions.json`."""
    source: list[list[Any]]
    """Path, size and time of change of the files that were read, by which another CT of the same name is noticed."""


def record_name(case: str) -> str:
    """The JSON beside a case's mask.

    Examples:
        >>> record_name("volume-7")
        'segmentation-7.json'
    """
    return mask_file_name(case).removesuffix(".nii.gz") + ".json"


def seg_name(case: str) -> str:
    """The DICOM-SEG beside a case's mask.

    Examples:
        >>> seg_name("patient_a")
        'segmentation-patient_a.dcm'
    """
    return mask_file_name(case).removesuffix(".nii.gz") + ".dcm"


def read_prediction(path: Path) -> Prediction | None:
    """The JSON beside a mask; None where there is none, or one of another form."""
    try:
        row = read_json(path)
        lesions = [FoundLesion(**lesion | {"centre_mm": tuple(lesion["centre_mm"])}) for lesion in row.pop("lesions")]
        return Prediction(lesions=lesions, **row)
    except (InputError, KeyError, TypeError, AttributeError):
        return None


def probability_name(case: str, kind: Probability) -> str:
    """Where a case's probability is, below the folder of its mask; as `lits figures` and the browser read it.

    Examples:
        >>> probability_name("volume-7", "uint8")
        'probabilities/volume-7.nii.gz'
    """
    if kind not in get_args(Probability):
        raise SettingError(f"probability: expected {' or '.join(get_args(Probability))}, found {kind!r}")
    return f"{PROBABILITIES}/{case}{'.nii.gz' if kind == 'uint8' else '.npy'}"


def measure_mask(mask: np.ndarray, grid: Grid) -> tuple[float, float, list[FoundLesion]]:
    """Liver (tumours included) and tumour of a (z, y, x) uint8 mask in ml, and its lesions."""
    voxel_ml = float(np.prod(grid.spacing_mm)) / 1000
    liver = np.count_nonzero(mask >= LIVER)
    tumor = mask == TUMOR
    box = bounding_box(tumor)
    lesions = find_lesions(tumor[box])
    _, y_mm, x_mm = grid.spacing_mm
    first = np.array([side.start for side in box])
    found = []
    for number, (inside, voxels, centroid) in enumerate(
        zip(lesions.boxes, lesions.voxels.tolist(), lesions.centroids, strict=True), start=1
    ):
        z, y, x = centroid + first
        centre = tuple(float(value) for value in (grid.axial_affine @ (x, y, z, 1))[:3])
        longest = max(_longest(plane, y_mm, x_mm) for plane in lesions.labels[inside] == number)
        found.append(FoundLesion(number, voxels, voxels * voxel_ml, longest, centre))  # type: ignore[arg-type]
    return liver * voxel_ml, sum(lesion.volume_ml for lesion in found), found


def write_tumor_probability(probability: np.ndarray, grid: Grid, path: Path, kind: Probability) -> None:
    """Write (z, size, size) float32 on the network's grid onto the CT's, a few slices at a time.

    A file that is there is replaced. Raises OutputError where it cannot be written.
    """
    shape = grid.axial_shape
    slabs = slabs_from_network_grid(probability, shape, np.arange(len(probability)))
    if kind == "uint8":
        steps = np.empty(shape, np.uint8)
        for slices, slab in slabs:
            steps[slices] = np.rint(slab * 255)
        write_probability(steps, grid, path, overwrite=True)
        return
    with replacing(path) as partial, partial.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)), "fortran_order": False, "shape": shape}
        )
        for _, slab in slabs:
            file.write(slab.astype(np.float16).tobytes())


def _longest(plane: np.ndarray, y_mm: float, x_mm: float) -> float:
    """The longest line between corners of a (y, x) bool plane's pixels, in mm; 0 where it has none."""
    rows = np.flatnonzero(plane.any(axis=1))
    if not rows.size:
        return 0.0
    left, right = plane[rows].argmax(axis=1), plane.shape[1] - plane[rows, ::-1].argmax(axis=1)
    corners = [np.column_stack([y * y_mm, x * x_mm]) for y in (rows, rows + 1) for x in (left, right)]
    return float(pdist(np.unique(np.concatenate(corners), axis=0)).max())
