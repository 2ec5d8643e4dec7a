"""Which slices of a cohort show what makes its tumours hard to find (Figure 3.6 of the dissertation), by numbers."""

import pandas as pd

CHALLENGES = ("noise", "small, high contrast", "many tumours", "small, low contrast")


def choose_challenges(tissues: pd.DataFrame, lesions: pd.DataFrame) -> pd.DataFrame:
    """Choose a slice for each of the dissertation's four challenges, by a rule in place of an eye.

    Args:
        tissues: The first table of `lits_toolkit.study.tissue.measure_hu`.
        lesions: The second; lesions without a contrast are left out.

    Returns:
        A row per challenge (none without lesions): challenge, case, z, why. The slices are those with most of

        - *noise*: the largest lesion of the case whose liver has the widest spread of HU: noise, streaks, vessels;
        - *small, high contrast* and *small, low contrast*: the small lesion that differs most, least from its liver;
        - *many tumours*: the largest lesion of the case with the most.

        Of the small lesions the larger half is looked at, since the contrast of a few voxels is chance; without
        any, all lesions are.
    """
    known = lesions.dropna(subset=["contrast_hu"])
    liver = tissues[(tissues["tissue"] == "liver") & tissues["case"].isin(known["case"])].set_index("case")
    if known.empty:
        return pd.DataFrame(columns=["challenge", "case", "z", "why"])
    small = known[known["size_group"] == "small"]
    small = small[small["voxels"] >= small["voxels"].median()] if len(small) else known
    small = small.sort_values("contrast_hu", key=abs)
    spread = (liver["hu_high"] - liver["hu_low"]).sort_values()
    counts = known["case"].value_counts(sort=False).sort_values()
    chosen = (
        (_largest(known, spread.index[-1]), f"liver: 90 % within {spread.iloc[-1]:.0f} HU"),
        (small.iloc[-1], _difference(small.iloc[-1])),
        (_largest(known, counts.index[-1]), f"{counts.iloc[-1]} in this case"),
        (small.iloc[0], _difference(small.iloc[0])),
    )
    rows = [(name, row["case"], int(row["z"]), why) for name, (row, why) in zip(CHALLENGES, chosen, strict=True)]
    return pd.DataFrame(rows, columns=["challenge", "case", "z", "why"])


def _largest(lesions: pd.DataFrame, case: object) -> pd.Series:
    return lesions[lesions["case"] == case].sort_values("voxels").iloc[-1]


def _difference(lesion: pd.Series) -> str:
    return f"{lesion['voxels']} voxels, {lesion['contrast_hu']:+.0f} HU".replace("-", "−")
