"""What a cohort consists of: one table of its cases, one of its lesions."""

from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np
import pandas as pd

from lits_toolkit.data.case import BACKGROUND, LIVER, TUMOR, CaseFiles
from lits_toolkit.data.reading import read_grid, read_mask
from lits_toolkit.metrics.lesions import find_lesions, size_group

LABELS = {"background": BACKGROUND, "liver": LIVER, "tumor": TUMOR}

CASE_COLUMNS = (
    "case",
    "slices",
    "height",
    "width",
    "spacing_z_mm",
    "spacing_y_mm",
    "spacing_x_mm",
    *(f"{name}_voxels" for name in LABELS),
    "liver_slices",
    *(f"{name}_voxels_liver_slices" for name in LABELS),
    "lesions",
)
LESION_COLUMNS = ("case", "lesion", "voxels", "volume_ml", "size_group")

Row = dict[str, Any]


def describe_cohort(cases: Sequence[CaseFiles], n_jobs: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count the voxels of each label and the lesions of a cohort, from its reference masks; no CT is read.

    Args:
        cases: Where the cases are; of one without a reference only shape and spacing are told.
        n_jobs: Cases read at a time, each in a process of its own; -1 for as many as there are processors.

    Returns:
        cases: One row per case, with the columns CASE_COLUMNS. The counts are of the labels (liver is mask == 1), over
            all slices and over the `liver_slices`, which have any voxel of liver or tumour; <NA> without a reference.
        lesions: One row per lesion, with the columns LESION_COLUMNS, `lesion` counting from 1 within its case.

    Raises:
        InputError: A file cannot be read as a CT or mask.
        GeometryError: A mask does not lie on its CT's voxel grid.
    """
    rows = joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(_describe)(case) for case in cases)
    counts = [column for column in CASE_COLUMNS if column.endswith(("voxels", "slices")) or column == "lesions"]
    table = pd.DataFrame([case for case, _ in rows], columns=list(CASE_COLUMNS)).astype(dict.fromkeys(counts, "Int64"))
    lesions = [lesion for _, found in rows for lesion in found]
    return table, pd.DataFrame(lesions, columns=list(LESION_COLUMNS))


def _describe(case: CaseFiles) -> tuple[Row, list[Row]]:
    grid = read_grid(case.volume, case.series)
    shape = dict(zip(("slices", "height", "width"), grid.axial_shape, strict=True))
    spacing = dict(zip(("spacing_z_mm", "spacing_y_mm", "spacing_x_mm"), grid.spacing_mm, strict=True))
    row: Row = {"case": case.name, **shape, **spacing}
    if case.reference is None:
        return row, []
    mask = read_mask(case.reference, grid)
    with_liver = (mask != BACKGROUND).any(axis=(1, 2))
    for suffix, part in (("", mask), ("_liver_slices", mask[with_liver])):
        row |= {f"{name}_voxels{suffix}": int(np.count_nonzero(part == label)) for name, label in LABELS.items()}
    sizes = find_lesions(mask == TUMOR).voxels.tolist()
    voxel_ml = float(np.prod(grid.spacing_mm)) / 1000
    lesions = [
        {
            "case": case.name,
            "lesion": number,
            "voxels": voxels,
            "volume_ml": voxels * voxel_ml,
            "size_group": size_group(voxels),
        }
        for number, voxels in enumerate(sizes, start=1)
    ]
    return row | {"liver_slices": int(with_liver.sum()), "lesions": len(sizes)}, lesions
