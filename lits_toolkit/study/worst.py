"""Where to look first: missed and invented lesions and each case's worst slice, as places to go to in the browser."""

from collections.abc import Iterable, Sequence
from typing import Any

import joblib
import numpy as np
import pandas as pd

from lits_toolkit.data.case import TUMOR
from lits_toolkit.metrics.boxes import bounding_box
from lits_toolkit.metrics.slices import slice_dice, worst_slice
from lits_toolkit.metrics.surface import Spacing
from lits_toolkit.study.pairs import MaskPair, read_labels

PLACE_COLUMNS = ("case", "fate", "lesion", "z", "y", "x", "volume_ml", "dice")
_FATES = {"reference": "miss", "false alarm": "false alarm"}


def worst_places(lesions: pd.DataFrame, slices: pd.DataFrame | None = None) -> pd.DataFrame:
    """The missed and the invented lesions and, where given, the worst slices, the largest error first.

    Args:
        lesions: The table lesions.csv of a run.
        slices: From `worst_slices`.

    Returns:
        A row per place, with the columns PLACE_COLUMNS: `fate` "miss", "false alarm" or "worst slice"; `lesion` its
        number in its own mask, missing for a slice; (z, y, x) int64, the voxel next to the middle of what is wrong;
        `volume_ml` what is wrong there, by which the table is sorted: a whole lesion, or those voxels of the slice that
        are tumour in one mask only; `dice` 0 for a miss, NaN for a false alarm, the tumour's in the slice.
    """
    wrong = lesions[~lesions["detected"]]
    places = wrong.assign(
        fate=wrong["kind"].map(_FATES),
        **{axis: np.rint(wrong[axis].astype(float)).astype(np.int64) for axis in "zyx"},
    )
    table = places[list(PLACE_COLUMNS)].astype({"lesion": "Int64"})
    if slices is not None and len(slices):
        table = pd.concat([table, slices[list(PLACE_COLUMNS)]], ignore_index=True) if len(table) else slices
    return table.sort_values("volume_ml", ascending=False, kind="stable", ignore_index=True)


def hardest_lesion(lesions: pd.DataFrame, size_group: str = "large") -> pd.DataFrame:
    """The row of `lesions.csv` of that size group's reference lesion with the lowest Dice; none where there is none."""
    own = lesions[(lesions["kind"] == "reference") & (lesions["size_group"] == size_group)]
    return own.sort_values(["dice", "case", "lesion"], kind="stable").head(1)


def worst_slices(pairs: Sequence[MaskPair], n_jobs: int = 1) -> pd.DataFrame:
    """The worst axial slice of each case, as rows of `worst_places`; a case without a wrong voxel has none.

    The worst is that of the lowest tumour Dice and, of equal ones, the one with the most tumour, as in the browser.

    Args:
        pairs: From `pair_masks`.
        n_jobs: Cases read at a time, each in a process of its own; -1 for as many as there are processors.

    Raises:
        InputError: A file cannot be read as a mask.
    """
    rows = joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(read_worst_slice)(pair) for pair in pairs)
    return slice_table(rows)


def slice_table(rows: Iterable[dict[str, Any] | None]) -> pd.DataFrame:
    """The rows of `read_worst_slice` as the table that `worst_slices` gives."""
    found = [row for row in rows if row is not None]
    return pd.DataFrame(found, columns=list(PLACE_COLUMNS)).astype({"lesion": "Int64"})


def find_worst_slice(
    name: str, reference: np.ndarray, prediction: np.ndarray, spacing_mm: Spacing
) -> dict[str, Any] | None:
    """The worst axial slice of one case as a row of `worst_places`; None where no voxel of tumour is wrong.

    Args:
        name: What the row calls the case.
        reference: (z, y, x) mask of the expert: 0 background, 1 liver, 2 tumour.
        prediction: (z, y, x) mask of ours, likewise.
        spacing_mm: Distance of neighbouring voxels along (z, y, x).

    Raises:
        GeometryError: The masks differ in shape.
    """
    z = worst_slice(reference, prediction)
    if z is None:
        return None
    wrong = np.argwhere((reference[z] == TUMOR) != (prediction[z] == TUMOR))
    if not len(wrong):
        return None
    y, x = wrong[((wrong - wrong.mean(axis=0)) ** 2 * np.square(spacing_mm[1:])).sum(axis=1).argmin()]
    return {
        "case": name,
        "fate": "worst slice",
        "lesion": None,
        "z": z,
        "y": int(y),
        "x": int(x),
        "volume_ml": len(wrong) * float(np.prod(spacing_mm)) / 1000,
        "dice": float(slice_dice(reference[z : z + 1], prediction[z : z + 1], axis=0)[0, 1]),
    }


def read_worst_slice(pair: MaskPair) -> dict[str, Any] | None:
    """`find_worst_slice` of the masks on disk; InputError where one cannot be read."""
    reference, prediction = read_labels(pair.reference, pair.grid), read_labels(pair.prediction)
    box = bounding_box(reference, prediction)
    row = find_worst_slice(pair.case, reference[box], prediction[box], pair.spacing_mm)
    return row and row | {axis: row[axis] + side.start for axis, side in zip("zyx", box, strict=True)}
