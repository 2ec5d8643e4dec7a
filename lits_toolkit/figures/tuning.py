"""The sweep of thresholds on the validation cases, the default and what was chosen (after §3.1.6 and §3.1.8)."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.style import COLUMN_INCHES, FAINT, LABEL_COLORS, STAGE_NAMES, house_style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_MARKS = {"default": ("s", "default"), "chosen": ("o", "chosen")}


@house_style()
def draw_tuning(
    liver: pd.DataFrame | None, tumor: pd.DataFrame | None, label: str, axes: "Sequence[Axes] | Axes | None" = None
) -> Drawn:
    """Dice per case: of the liver over its threshold, and of the tumours over both of theirs as a map.

    Each is a stage's `tuning.csv`, or None where it has not been tuned, which leaves its panel out. In the map the
    triangle below the diagonal is empty: a component is always surer than the threshold it was cut at. The data is
    tidy: stage, liver, tumor, tumor_component (the thresholds, NaN where another stage's), dice_per_case, default,
    chosen.
    Raises InputError if neither stage has been tuned.
    """
    shown = {stage: sweep for stage, sweep in (("liver", liver), ("tumor", tumor)) if sweep is not None}
    if not shown:
        raise InputError("neither stage has been tuned: `lits tune` does that")
    inches = (COLUMN_INCHES * len(shown), 3.4)
    figure, panels = use_axes(axes, len(shown), columns=len(shown), inches=inches)
    for panel, (stage, sweep) in zip(panels, shown.items(), strict=True):
        if stage == "liver":
            _curve(panel, sweep)
        else:
            _map(panel, sweep)
        panel.set_title(f"{STAGE_NAMES[stage].capitalize()}: {_told(sweep)}")
        panel.legend(loc="lower center" if stage == "liver" else "lower right")
    figure.suptitle(f"Thresholds on the validation cases · {label}", wrap=True)
    columns = ["stage", "liver", "tumor", "tumor_component", "dice_per_case", "default", "chosen"]
    return Drawn(
        figure, pd.concat([sweep.assign(stage=stage) for stage, sweep in shown.items()]).reindex(columns=columns)
    )


def _curve(ax: "Axes", sweep: pd.DataFrame) -> None:
    ax.plot(sweep["liver"], sweep["dice_per_case"], color=LABEL_COLORS["liver"])
    for name, (marker, word) in _MARKS.items():
        row = sweep[sweep[name]]
        size, color = (9, FAINT) if name == "default" else (6, LABEL_COLORS["liver"])
        fill = "none" if name == "default" else "full"
        ax.plot(row["liver"], row["dice_per_case"], marker, color=color, markersize=size, fillstyle=fill, label=word)
    ax.set_xlim(0, 1)
    ax.set_ylim(min(sweep["dice_per_case"].min(), 0.9 * sweep["dice_per_case"].max()) - 0.01, 1)
    ax.set_xlabel("liver threshold (probability)")
    ax.set_ylabel("Dice per case")


def _map(ax: "Axes", sweep: pd.DataFrame) -> None:
    reachable = sweep[sweep["tumor_component"] >= sweep["tumor"]]
    grid = reachable.pivot_table(index="tumor_component", columns="tumor", values="dice_per_case")
    steps = grid.columns.to_numpy(float)
    half = np.diff(steps).min() / 2
    extent = (steps[0] - half, steps[-1] + half, steps[0] - half, steps[-1] + half)
    image = ax.imshow(grid.to_numpy(), origin="lower", extent=extent, cmap="cividis", interpolation="nearest")
    for name, (marker, word) in _MARKS.items():
        row = sweep[sweep[name]]
        ax.plot(row["tumor"], row["tumor_component"], marker, color="white", markeredgecolor="black",
                markersize=9 if name == "default" else 7, label=word)  # fmt: skip
    ax.grid(visible=False)
    ax.set_xlabel("tumour threshold (probability)")
    ax.set_ylabel("component threshold (highest probability)")
    ax.figure.colorbar(image, ax=ax, label="Dice per case", shrink=0.85)


def _told(sweep: pd.DataFrame) -> str:
    before, after = (float(sweep.loc[sweep[name], "dice_per_case"].iloc[0]) for name in _MARKS)
    return f"Dice {before:.3f} → {after:.3f}"
