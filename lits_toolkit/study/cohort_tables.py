"""The dissertation's tables of what is in a cohort (Tables 2.1, 4.1, A.1 and A.2), a cohort of ours beside them."""

import pandas as pd

from lits_toolkit.data.dissertation import dissertation_cohort
from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.study.table import Table

NOT_LITS = "What is printed is of LiTS, where volumes of the same names are other CTs than these phantoms."

_LIMITS = ("v < 1000", "1000 ≤ v ≤ 10 000", "v > 10 000")


def hu_table(tissues: pd.DataFrame, label: str) -> Table:
    """Table 2.1: HU of each tissue as printed, and the cohort's.

    `tissues` is the data of `figures.tissue.draw_tissues`, which the table's data repeats.
    """
    text = pd.DataFrame(
        {
            "tissue": tissues["tissue"].replace("tumor", "tumour"),
            "dissertation": [
                _range(low, high) for low, high in zip(tissues["published_low"], tissues["published_high"], strict=True)
            ],
            f"{label}, median": [_whole(hu) for hu in tissues["hu"]],
            f"{label}, from … to": [
                _range(low, high) for low, high in zip(tissues["hu_low"], tissues["hu_high"], strict=True)
            ],
            "cases": tissues["cases"].astype(str),
        }
    ).set_index("tissue")
    note = "Printed are tissues without contrast agent; most CT of the liver are taken with it."
    return Table(f"Table 2.1 · HU of tissues, {label}", tissues, text, note)


def size_group_table(lesions: pd.DataFrame, label: str) -> Table:
    """Table 4.1: the limits of the size groups, and how many tumours of `describe_cohort` each has.

    Its data has the columns size_group, limits (as printed), tumors, voxels.
    """
    own = [lesions[lesions["size_group"] == group]["voxels"] for group in SIZE_GROUPS]
    data = pd.DataFrame(
        {
            "size_group": SIZE_GROUPS,
            "limits": _LIMITS,
            "tumors": [len(voxels) for voxels in own],
            "voxels": [int(voxels.sum()) for voxels in own],
        }
    )
    text = data.rename(columns={"limits": "voxels v, as printed", "tumors": "tumours here", "voxels": "voxels here"})
    return Table(f"Table 4.1 · size groups of tumours, {label}", data, text.astype(str).set_index("size_group"))


def volume_table(cases: pd.DataFrame, label: str) -> Table:
    """Tables A.1 and A.2: tumours and tumour voxels of each volume, as printed and in `describe_cohort`'s cases.

    Its data has the columns case, split ("train" | "validation" as printed, "" where it is none of them), and tumors
    and tumor_voxels, each also with printed_ before it; <NA> where there is no number. What is printed and not in the
    cohort comes last.
    """
    printed = pd.DataFrame(
        [(case.name, case.split, case.tumors, case.tumor_voxels) for case in dissertation_cohort()],
        columns=["case", "split", "printed_tumors", "printed_tumor_voxels"],
    )
    own = cases[["case", "lesions", "tumor_voxels"]].rename(columns={"lesions": "tumors"})
    data = own.merge(printed, "outer", on="case", sort=False)
    places = [*own["case"], *(name for name in printed["case"] if name not in set(own["case"]))]
    data = data.set_index("case").loc[places].reset_index().fillna({"split": ""})
    counts = ["tumors", "tumor_voxels", "printed_tumors", "printed_tumor_voxels"]
    data = data.astype(dict.fromkeys(counts, "Int64"))[["case", "split", *counts]]
    shown = {name: ["–" if pd.isna(value) else str(value) for value in data[name]] for name in counts}
    text = data.assign(**shown).rename(columns=lambda name: name.replace("_", " "))
    note = NOT_LITS if "phantom" in label and "dissertation" not in label else ""
    return Table(f"Tables A.1 and A.2 · tumours of each volume, {label}", data, text.set_index("case"), note)


def _range(low: float, high: float) -> str:
    if low != low:
        return "–"
    if high != high:
        return f"> {_whole(low)}"
    return _whole(low) if low == high else f"{_whole(low)} … {_whole(high)}"


def _whole(value: float) -> str:
    return "–" if value != value else f"{value:.0f}".replace("-", "−")
