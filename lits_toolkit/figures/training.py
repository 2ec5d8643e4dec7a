"""How training goes: losses and the Dice of whole validation cases per epoch, one column of panels per model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.style import SIZE_GROUP_COLORS, STAGE_NAMES, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING, VALIDATION, PER_CASE = "#9a9a9a", "#5e3c99", "#1a1a1a"
LOSSES = {"train_loss": TRAINING, "validation_loss": VALIDATION}
DICE = {"dice_per_case": PER_CASE, **{f"dice_{group}": color for group, color in SIZE_GROUP_COLORS.items()}}
_NAMES = {
    "train_loss": "training",
    "validation_loss": "validation",
    "dice_per_case": "per case",
    **{f"dice_{group}": f"{group} tumours" for group in SIZE_GROUP_COLORS},
}
_SOLID, _DOTTED = "-", (0, (1, 1.2))


@house_style()
def draw_training_curves(history: pd.DataFrame, label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Loss in training and validation (above), Dice of whole validation cases (below), and the weights that are kept.

    `history` holds the rows of one or several `history.csv`, told apart by the columns stage and model; each pair
    makes a column of panels, so `axes`, where given, are the upper row and then the lower. Epochs whose weights are
    averaged (SWA) are dotted, and their average is a diamond. The data is tidy: stage, model, phase ("train" | "swa" |
    "average"), epoch, curve ("train_loss" | "validation_loss" | "dice_per_case" | "dice_small" | …), value (never NaN),
    kept (bool: the row with the lowest validation loss, of single epochs and the average).
    Raises InputError if the history has no epoch.
    """
    if history.empty:
        raise InputError("the training history has no epoch: expected the rows of at least one history.csv")
    models = list(history[["stage", "model"]].drop_duplicates().itertuples(index=False, name=None))
    count = len(models)
    figure, panels = use_axes(
        axes, 2 * count, rows=2, columns=count, inches=(max(4.6 * count, 5.5), 6.2), share_y=False
    )
    tidy = _tidy(history)
    for column, (stage, model) in enumerate(models):
        rows = tidy[(tidy["stage"] == stage) & (tidy["model"] == model)]
        loss, dice = panels[column], panels[count + column]
        _draw(loss, rows, LOSSES)
        _draw(dice, rows, DICE)
        drawn = rows[rows["curve"].isin(list(LOSSES))]["value"]
        loss.set_ylim(0, max(drawn.max() * 1.1, 1e-9) if len(drawn) else 1)
        dice.set_ylim(0, 1)
        dice.set_xlabel("epoch")
        loss.set_title(f"{STAGE_NAMES.get(stage, stage).capitalize()} · {model}")
        dice.set_title(_kept(rows), fontsize=9)
        if column == 0:
            loss.set_ylabel("loss")
            dice.set_ylabel("Dice, whole validation cases")
    handles = {line.get_label(): line for panel in panels for line in panel.get_lines()}
    names = [name for name in _NAMES.values() if name in handles]
    figure.legend(
        [handles[name] for name in names],
        names,
        loc="outside lower center",
        ncols=min(len(names), 3 if count == 1 else 6),
    )
    figure.suptitle(f"Training · {label}")
    return Drawn(figure, tidy)


def _draw(ax: "Axes", rows: pd.DataFrame, colors: dict[str, str]) -> None:
    from matplotlib.ticker import MaxNLocator

    for curve, color in colors.items():
        own = rows[rows["curve"] == curve]
        for phase, line in (("train", _SOLID), ("swa", _DOTTED)):
            part = own[own["phase"] == phase]
            if len(part):
                marker = "o" if len(part) < 3 or curve in DICE else None
                name = _NAMES[curve] if phase == "train" else f"_{curve}"
                ax.plot(
                    part["epoch"], part["value"], color=color, linestyle=line, marker=marker, markersize=4, label=name
                )
        average = own[own["phase"] == "average"]
        ax.plot(average["epoch"], average["value"], "D", color=color, markersize=5, label=f"_{curve}")
        kept = own[own["kept"]]
        if len(kept) and curve != "train_loss":
            ax.plot(kept["epoch"], kept["value"], "o", color=color, markersize=9, fillstyle="none", clip_on=False)
    if len(rows):
        first, last = rows["epoch"].min(), rows["epoch"].max()
        margin = max((last - first) * 0.03, 0.5)
        ax.set_xlim(first - margin, last + margin)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _kept(rows: pd.DataFrame) -> str:
    kept = rows[rows["kept"]]
    if kept.empty:
        return ""
    epoch, average = kept["epoch"].iloc[0], kept["phase"].iloc[0] == "average"
    dice = kept[kept["curve"] == "dice_per_case"]["value"]
    name = "the average (SWA)" if average else f"epoch {epoch:.0f}"
    return f"kept: {name}" + (f", Dice per case {dice.iloc[0]:.3f}" if len(dice) else "")


def _tidy(history: pd.DataFrame) -> pd.DataFrame:
    curves = [curve for curve in (*LOSSES, *DICE) if curve in history.columns]
    history = history.assign(kept=False).reset_index(drop=True)
    for _, rows in history[history["phase"] != "swa"].groupby(["stage", "model"], sort=False):
        if rows["validation_loss"].notna().any():
            history.loc[rows["validation_loss"].idxmin(), "kept"] = True
    tidy = history.melt(["stage", "model", "phase", "epoch", "kept"], curves, "curve", "value").dropna(subset="value")
    return tidy.sort_values(["stage", "model", "curve", "epoch"], kind="stable", ignore_index=True)
