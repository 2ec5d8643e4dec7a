"""How bright the tissues of a cohort are in HU, beside what is published (Table 2.1), and how its tumours stand out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import edt
import joblib
import numpy as np
import pandas as pd

from lits_toolkit.data.case import LIVER, TUMOR, Case, CaseFiles
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import InputError
from lits_toolkit.metrics.lesions import Lesions, find_lesions, size_group

TISSUES = {
    "air": "highest peak from −1100 to −800 HU without the CT's lowest value (padding), spread: width at half height",
    "fat": "highest peak from −180 to −40 HU, spread: width at half height",
    "liver": "median of the reference's liver without tumours, spread: from the 5th to the 95th percentile",
    "tumor": "median of the reference's tumours, spread: from the 5th to the 95th percentile",
    "bone": "median of all voxels above 300 HU, dense contrast agent too, spread: from the 5th to the 95th percentile",
}
"""Tissue → how it is measured. Air, fat and bone need no reference mask."""

PEAKS_HU = {"air": (-1100, -800), "fat": (-180, -40)}
BONE_HU = 300
RING_MM = 10.0
"""A tumour's contrast is taken against the liver within this distance."""

TISSUE_COLUMNS = ("case", "tissue", "hu", "hu_low", "hu_high", "voxels")
CONTRAST_COLUMNS = ("case", "lesion", "z", "voxels", "size_group", "hu", "contrast_hu")

_LOWEST = int(np.iinfo(np.int16).min)
_BIN_HU = 5
_PIECE = 2**20
_LABELS = {"liver": LIVER, "tumor": TUMOR}

Row = dict[str, Any]


@dataclass(frozen=True)
class Spread:
    """The HU of one tissue in one CT."""

    hu: float
    hu_low: float
    hu_high: float
    voxels: int
    """From `hu_low` to `hu_high` of a peak, in all for a region."""


def published_hu() -> pd.DataFrame:
    """HU of tissues as the dissertation prints them (Tustumi, UNICAMP 2020, Table 2.1).

    Columns: tissue, hu_low, hu_high, equal where one value is printed; hu_high is NaN for bone, printed as "> 150".
    """
    with files("lits_toolkit.study").joinpath("published_hu.csv").open() as lines:
        return pd.read_csv(lines, dtype={"hu_low": float, "hu_high": float})


def measure_hu(cases: Sequence[CaseFiles], n_jobs: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the tissues and the tumours' contrast in every CT.

    Args:
        cases: Where the cases are; of one without a reference only air, fat and bone are measured.
        n_jobs: Cases read at a time, each in a process of its own; -1 for as many as there are processors.

    Returns:
        tissues: A row per case and tissue that it shows, with the columns TISSUE_COLUMNS: what `TISSUES` says.
        lesions: A row per lesion, with the columns CONTRAST_COLUMNS: `z` is the slice with most of it, `hu` its mean,
            `contrast_hu` that mean less the mean of the liver within 10 mm of it (NaN where there is none).

    Raises:
        InputError: A file cannot be read as a CT or mask.
        GeometryError: A mask does not lie on its CT's voxel grid.
    """
    measured = joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(_measure)(case) for case in cases)
    tissues = [row for rows, _ in measured for row in rows]
    lesions = [row for _, rows in measured for row in rows]
    return pd.DataFrame(tissues, columns=list(TISSUE_COLUMNS)), pd.DataFrame(lesions, columns=list(CONTRAST_COLUMNS))


def measure_contrast(cases: Sequence[CaseFiles], n_jobs: int = 1) -> pd.DataFrame:
    """Only the second table of `measure_hu`: the contrast of every lesion; cases without a reference have none.

    Raises:
        InputError: A file cannot be read as a CT or mask.
        GeometryError: A mask does not lie on its CT's voxel grid.
    """
    measured = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_read_contrasts)(case) for case in cases if case.reference is not None
    )
    return pd.DataFrame([row for rows in measured for row in rows], columns=list(CONTRAST_COLUMNS))


def with_contrast(lesions: pd.DataFrame, contrasts: pd.DataFrame) -> pd.DataFrame:
    """The reference lesions of a score table, each with its HU and its contrast.

    Args:
        lesions: The table lesions.csv of a run.
        contrasts: From `measure_contrast` or `measure_hu`, of the same references.

    Returns:
        The rows of `lesions` whose kind is "reference", with the columns `hu` and `contrast_hu` besides.

    Raises:
        InputError: A lesion was not measured, or has another size there: it is of another reference.
    """
    known = contrasts[["case", "lesion", "voxels", "hu", "contrast_hu"]]
    own = lesions[lesions["kind"] == "reference"]
    table = own.merge(known, "left", ["case", "lesion", "voxels"], indicator="_from")
    other = sorted(set(table.loc[table["_from"] != "both", "case"]))
    if other:
        raise InputError(
            f"expected the contrasts of the references that were scored, found others for {', '.join(other)}"
        )
    return table.drop(columns="_from")


def hu_peak(counts: np.ndarray, between_hu: tuple[int, int]) -> Spread | None:
    """The highest peak of a histogram within a range of HU.

    `counts` is int64 (65536,): the voxels of each HU from −32768. They are taken together by fives, around the
    multiples of 5 HU; the peak goes as far as these hold at least half as much as the highest. None where the highest
    is the first or last of the range: then it is the flank of something outside.
    """
    first, last = between_hu
    middles = np.arange(first, last + 1, _BIN_HU)
    bins = counts[first - _BIN_HU // 2 - _LOWEST :][: len(middles) * _BIN_HU].reshape(-1, _BIN_HU).sum(axis=1)
    top = int(bins.argmax())
    if top in (0, len(bins) - 1):
        return None
    beyond = np.flatnonzero(bins * 2 < bins[top])
    begin = beyond[beyond < top].max(initial=-1) + 1
    end = beyond[beyond > top].min(initial=len(bins))
    low, high = middles[begin], middles[end - 1]
    return Spread(float(middles[top]), float(low), float(high), int(bins[begin:end].sum()))


def hu_percentiles(counts: np.ndarray) -> Spread | None:
    """The lowest HU with at least 50, 5 and 95 % of the voxels at or below it; None without voxels.

    `counts` is as in `hu_peak`.
    """
    upto = np.cumsum(counts)
    if not upto[-1]:
        return None
    hu, low, high = (float(np.searchsorted(upto, part * upto[-1]) + _LOWEST) for part in (0.5, 0.05, 0.95))
    return Spread(hu, low, high, int(upto[-1]))


def count_hu(hu: np.ndarray) -> np.ndarray:
    """The voxels of each HU from −32768, int64 (65536,), of an int16 array of any shape."""
    counts = np.zeros(2**16, np.int64)
    for start in range(0, hu.size, _PIECE):  # a whole CT as int64 would be a gigabyte
        piece = hu.reshape(-1)[start : start + _PIECE]
        counts += np.bincount(piece.astype(np.int64) - _LOWEST, minlength=2**16)
    return counts


def _measure(files: CaseFiles) -> tuple[list[Row], list[Row]]:
    case = read_case(files)
    counts = count_hu(case.volume)
    counts[counts.nonzero()[0][0]] = 0
    spreads = {tissue: hu_peak(counts, between_hu) for tissue, between_hu in PEAKS_HU.items()}
    if case.reference is not None:
        spreads |= {
            tissue: hu_percentiles(count_hu(case.volume[case.reference == label])) for tissue, label in _LABELS.items()
        }
    counts[: BONE_HU + 1 - _LOWEST] = 0
    spreads["bone"] = hu_percentiles(counts)
    rows = [{"case": case.name, "tissue": tissue, **asdict(spread)} for tissue, spread in spreads.items() if spread]
    return rows, _contrasts(case)


def _read_contrasts(files: CaseFiles) -> list[Row]:
    return _contrasts(read_case(files))


def _contrasts(case: Case) -> list[Row]:
    if case.reference is None:
        return []
    lesions = find_lesions(case.reference == TUMOR)
    return [_contrast(case, case.reference, lesions, number) for number in range(1, len(lesions) + 1)]


def _contrast(case: Case, reference: np.ndarray, lesions: Lesions, number: int) -> Row:
    margins = [int(np.ceil(RING_MM / spacing)) for spacing in case.spacing_mm]
    box = tuple(
        slice(max(side.start - margin, 0), side.stop + margin)
        for side, margin in zip(lesions.boxes[number - 1], margins, strict=True)
    )
    hu, inside = case.volume[box], lesions.labels[box] == number
    near = edt.edt(np.ascontiguousarray(~inside), anisotropy=case.spacing_mm) <= RING_MM
    around = hu[near & (reference[box] == LIVER)]
    mean = float(hu[inside].mean())
    voxels = int(lesions.voxels[number - 1])
    return {
        "case": case.name,
        "lesion": number,
        "z": box[0].start + int(inside.sum(axis=(1, 2)).argmax()),
        "voxels": voxels,
        "size_group": size_group(voxels),
        "hu": mean,
        "contrast_hu": mean - float(around.mean()) if around.size else np.nan,
    }
