"""What a cohort consists of: voxels per label, and tumours per size group (Figures 3.7 and 4.4 of the dissertation)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.panels import say
from lits_toolkit.figures.points import spread, tick_in_words
from lits_toolkit.figures.style import (
    FAINT,
    INK,
    LABEL_COLORS,
    LABEL_NAMES,
    PAGE_INCHES,
    SIZE_GROUP_COLORS,
    SIZE_GROUP_RANGES,
    SMALL,
    house_style,
)
from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEWEST_FOR_A_BOX = 5


@house_style()
def draw_label_counts(cases: pd.DataFrame, label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Voxels per label and case on a logarithmic scale: over all slices (left) and over slices with liver (right).

    `cases` is the first table of `lits_toolkit.study.cohort.describe_cohort`; `label` names the cohort in the title.
    Each point is a case. From five cases on there is a box: quartiles, the median (written beside it), whiskers to
    the farthest case within 1.5 box lengths. A label of which a case has no voxel has no place on a logarithmic
    scale: such cases are counted below.
    A cohort without any reference mask gets a picture that says so.
    The data has the columns case, slices ("all" | "liver"), label, voxels.
    """
    figure, (everywhere, in_liver) = use_axes(axes, 2, columns=2, inches=(PAGE_INCHES, 3.4), share_y=True)
    data = _label_counts(cases)
    figure.suptitle(f"Voxels per label · {label}, {counted(data['case'].nunique(), 'case')}", wrap=True)
    if data.empty:
        say((everywhere, in_liver), "no case has a reference mask")
        return Drawn(figure, data)
    for ax, slices, title in (
        (everywhere, "all", "All slices"),
        (in_liver, "liver", "Slices with liver"),
    ):
        ax.set_yscale("log")
        for place, name in enumerate(LABEL_COLORS):
            voxels = data.loc[(data["slices"] == slices) & (data["label"] == name), "voxels"].to_numpy(float)
            seen = np.sort(voxels[voxels > 0])
            color = LABEL_COLORS[name]
            size = 16 if len(seen) >= _FEWEST_FOR_A_BOX else 40
            ax.scatter(place + spread(len(seen), 0.36), seen, s=size, color=color, alpha=0.75, linewidths=0, zorder=3)
            if len(seen) >= _FEWEST_FOR_A_BOX:
                _box(ax, seen, place, color)
                ax.annotate(
                    _in_words(float(np.median(seen))),
                    (place + 0.3, np.median(seen)),
                    (3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=SMALL,
                )
        ax.minorticks_off()
        ax.yaxis.set_major_formatter(tick_in_words)
        ax.set_xticks(range(len(LABEL_COLORS)), [_label_tick(data, slices, name) for name in LABEL_COLORS])
        ax.set_xlim(-0.6, len(LABEL_COLORS) - 0.4)
        ax.set_title(title)
        ax.tick_params(axis="x", length=0)
    known = data.loc[data["voxels"] > 0, "voxels"]
    if len(known):
        lowest, highest = np.floor(np.log10(known.min() * 0.9)), np.ceil(np.log10(known.max() * 1.1))
        everywhere.set_ylim(10**lowest, 10**highest)
    everywhere.set_ylabel("voxels per case")
    return Drawn(figure, data)


@house_style()
def draw_size_groups(lesions: pd.DataFrame, label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Tumours per size group: how many there are (left) and what volume they make up together (right).

    `lesions` is the second table of `lits_toolkit.study.cohort.describe_cohort`; `label` names the cohort.
    The data has a row per group: size_group, lesions, volume_ml, voxels, share_of_lesions, share_of_volume (0 to 1).
    """
    from matplotlib.ticker import MaxNLocator

    figure, (by_number, by_volume) = use_axes(axes, 2, columns=2, inches=(PAGE_INCHES, 3.3))
    data = _group_totals(lesions)
    figure.suptitle(f"Tumours per size group · {label}, {counted(len(lesions), 'tumour')}", wrap=True)
    if lesions.empty:
        say((by_number, by_volume), "no tumour in any reference mask")
        return Drawn(figure, data)
    for ax, column, share, title, unit, form in (
        (by_number, "lesions", "share_of_lesions", "By number", "tumours", "{:,.0f}"),
        (by_volume, "volume_ml", "share_of_volume", "By volume", "volume, all tumours together (ml)", "{:,.1f}"),
    ):
        bars = ax.bar(data["size_group"], data[column], color=[SIZE_GROUP_COLORS[group] for group in SIZE_GROUPS])
        for bar, value, part in zip(bars, data[column], data[share], strict=True):
            text = form.format(value).replace(",", " ") + f"\n{part:.0%}" if value else "none"
            place = (bar.get_x() + bar.get_width() / 2, value)
            ax.annotate(text, place, (0, 3), textcoords="offset points", ha="center", va="bottom")
        ranges = [f"{group}\n{SIZE_GROUP_RANGES[group].removesuffix(' voxels')}" for group in SIZE_GROUPS]
        ax.set_xticks(range(len(SIZE_GROUPS)), ranges)
        ax.set_xlabel("size of a tumour (voxels)")
        ax.tick_params(axis="x", length=0)
        ax.set_ylim(0, max(data[column].max() * 1.2, 1e-9))
        ax.set_ylabel(unit)
        ax.set_title(title)
    by_number.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    return Drawn(figure, data)


def _label_counts(cases: pd.DataFrame) -> pd.DataFrame:
    columns = {f"{name}_voxels": ("all", name) for name in LABEL_COLORS}
    columns |= {f"{name}_voxels_liver_slices": ("liver", name) for name in LABEL_COLORS}
    known = cases.dropna(subset=list(columns))
    parts = [
        pd.DataFrame({"case": known["case"], "slices": slices, "label": name, "voxels": known[column].astype("int64")})
        for column, (slices, name) in columns.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _label_tick(data: pd.DataFrame, slices: str, name: str) -> str:
    voxels = data.loc[(data["slices"] == slices) & (data["label"] == name), "voxels"]
    without = int((voxels == 0).sum())
    return LABEL_NAMES[name] + (f"\n(none in {counted(without, 'case')})" if without else "")


def _in_words(voxels: float) -> str:
    return f"{voxels / 1e6:.1f} million" if voxels >= 1e6 else f"{float(f'{voxels:.2g}'):,.0f}".replace(",", " ")


def _box(ax: "Axes", values: np.ndarray, place: int, color: str) -> None:
    line = {"color": INK, "linewidth": 1.1}
    ax.boxplot(
        values,
        positions=[place],
        widths=0.56,
        showfliers=False,  # each case is drawn as a point already
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": color, "alpha": 0.22, "edgecolor": FAINT},
        medianprops=line | {"linewidth": 1.8},
        whiskerprops=line,
        capprops=line,
    )


def _group_totals(lesions: pd.DataFrame) -> pd.DataFrame:
    grouped = lesions.groupby("size_group", observed=False)
    totals = pd.DataFrame(
        {"lesions": grouped.size(), "volume_ml": grouped["volume_ml"].sum(), "voxels": grouped["voxels"].sum()}
    ).reindex(pd.Index(SIZE_GROUPS, name="size_group"), fill_value=0)
    for column, share in (("lesions", "share_of_lesions"), ("volume_ml", "share_of_volume")):
        totals[share] = totals[column] / max(totals[column].sum(), 1e-9)
    return totals.reset_index()
