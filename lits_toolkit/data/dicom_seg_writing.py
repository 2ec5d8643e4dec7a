"""A mask as a DICOM-SEG of the series that it was drawn on, by highdicom, for a PACS and its viewers."""

import io
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pydicom

from lits_toolkit.data.case import LIVER, TUMOR, Grid
from lits_toolkit.data.dicom import read_headers
from lits_toolkit.data.planes import arrange
from lits_toolkit.errors import GeometryError, InputError, OutputError, require_extra
from lits_toolkit.files import replacing

PACKAGE = "lits-toolkit"


def write_dicom_seg(
    mask: np.ndarray, grid: Grid, series: tuple[str | Path, str], path: str | Path, method: str, overwrite: bool = False
) -> None:
    """Write the segments Liver (mask ≥ 1, tumours included) and Tumor of a (z, y, x) mask, referring to its CT.

    Slices that the series lacks, and reading had filled, have no image to refer to and are left out.

    Args:
        mask: (z, y, x) uint8 on `grid`.
        grid: Of the series, as `read_dicom` gives it.
        series: The folder or zip file of the CT, and its SeriesInstanceUID ("" where it is the only one there).
        path: The file to write.
        method: What drew it, in words for the viewer: the models' names.
        overwrite: Replace a file that is there.

    Raises:
        SettingError: highdicom is not installed.
        InputError: The series cannot be read.
        GeometryError: `grid` is not the series'.
        OutputError: The file is there already, or cannot be written.
    """
    require_extra("highdicom", "seg")
    import highdicom
    from pydicom.sr.codedict import codes

    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already: give another name, or --overwrite")
    place, images = Path(series[0]), _images(Path(series[0]), series[1], grid)
    stored = grid.from_axial(mask)
    numbers = sorted(images)
    frames = np.stack([stored[:, :, number].T for number in numbers])
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=method, family=codes.cid7162.ArtificialIntelligence, version=version(PACKAGE)
    )
    described = [
        highdicom.seg.SegmentDescription(
            number, label, category, kind, "AUTOMATIC", algorithm,
            tracking_id=label, tracking_uid=highdicom.UID(), anatomic_regions=where,
        )
        for number, (label, category, kind, where) in enumerate((
            ("Liver", codes.SCT.AnatomicalStructure, codes.SCT.Liver, None),
            ("Tumor", codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Neoplasm, [codes.SCT.Liver]),
        ), start=1)
    ]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of attributes that the CT's own writer left out
        try:
            dataset = highdicom.seg.Segmentation(
                [images[number] for number in numbers],
                np.stack([frames >= LIVER, frames == TUMOR], axis=-1).astype(np.uint8),
                highdicom.seg.SegmentationTypeValues.BINARY,
                described,
                highdicom.UID(), 100, highdicom.UID(), 1, PACKAGE, PACKAGE, version(PACKAGE), "0",
                content_label="LIVER_TUMOR",
            )  # fmt: skip
        except (AttributeError, KeyError, ValueError, TypeError) as error:
            raise InputError(f"{place}: its headers do not suffice for a DICOM-SEG ({error})") from error
        written = io.BytesIO()
        dataset.save_as(written)
    with replacing(path) as partial:
        partial.write_bytes(written.getvalue())


def _images(place: Path, series: str, grid: Grid) -> dict[int, pydicom.Dataset]:
    """The headers of a series by the number of their slice along the grid's k; of identical ones the first."""
    headers = read_headers(place, series)
    own, numbers = arrange([plane for plane, _ in headers], place)
    if own.shape != grid.shape or not np.allclose(own.affine, grid.affine, atol=1e-3):
        raise GeometryError(f"{place}: expected the series that the mask lies on, found another grid")
    images: dict[int, pydicom.Dataset] = {}
    for number, (_, header) in zip(numbers.tolist(), headers, strict=True):
        images.setdefault(number, header)
    return images
