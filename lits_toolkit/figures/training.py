"""How training goes: losses and the Dice of whole validation cases per epoch, one column of panels per model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, legend_below, new_axes, use_axes
from lits_toolkit.figures.style import BETWEEN_INCHES, PAGE_INCHES, SIZE_GROUP_COLORS, SMALL, STAGE_NAMES, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINING, VALIDATION, PER_CASE = "#9a9a9a", "#5e3c99", "#1a1a1a"
LOSSES = {"train_loss": TRAINING, "validation_loss": VALIDATION}
DICE = {"dice_per_case": PER_CASE, **{f"dice_{group}": color for group, color in SIZE_GROUP_COLORS.items()}}
_NAMES = {
    "train_loss": "training",
    "validation_loss": "validation",
    "dice_per_case": "per case",
    **{f"dice_{group}": f"{group} tumours" for group in SIZE_GROUP_COLORS},
}
_MOST_COLUMNS = 3
_SOLID, _DOTTED = "-", (0, (1, 1.2))


@house_style()
def draw_training_curves(history: pd.DataFrame, label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Loss in training and validation (above), Dice of whole validation cases (below), and the weights that are kept.

    `history` holds the rows of one or several `history.csv`, told apart by the columns stage and model; each pair
    makes a column of panels, of which up to three stand side by side; `axes`, where given, are all of losses, then all
    of Dice. Epochs whose weights are averaged (SWA) are dotted, and their average is a diamond. The data is tidy:
    stage, model, phase ("train" | "swa" | "average"), epoch, curve ("train_loss" | "validation_loss" | "dice_per_case"
    | "dice_small" | …), value (never NaN), kept (bool: the row with the lowest validation loss, of single epochs and
    the average).
    Raises InputError if the history has no epoch.
    """
    if history.empty:
        raise InputError("the training history has no epoch: expected the rows of at least one history.csv")
    models = list(history[["stage", "model"]].drop_duplicates().itertuples(index=False, name=None))
    count = len(models)
    columns = min(count, _MOST_COLUMNS)
    figure, panels = use_axes(axes, 2 * count) if axes is not None else _new_panels(count, columns)
    tidy = _tidy(history)
    for number, (stage, model) in enumerate(models):
        rows = tidy[(tidy["stage"] == stage) & (tidy["model"] == model)]
        loss, dice = panels[number], panels[count + number]
        _draw(loss, rows, LOSSES)
        _draw(dice, rows, DICE)
        drawn = rows[rows["curve"].isin(list(LOSSES))]["value"]
        loss.set_ylim(0, max(drawn.max() * 1.1, 1e-9) if len(drawn) else 1)
        dice.set_ylim(0, 1)
        dice.set_xlabel("epoch")
        loss.set_title(f"{STAGE_NAMES.get(stage, stage).capitalize()}{' · ' if columns < 3 else chr(10)}{model}")
        dice.set_title(_kept(rows), fontsize=SMALL)
        if number % columns == 0:
            loss.set_ylabel("loss")
            dice.set_ylabel("Dice, whole validation cases")
    handles = {line.get_label(): line for panel in panels for line in panel.get_lines()}
    names = [name for name in _NAMES.values() if name in handles]
    legend_below(figure, [handles[name] for name in names])
    figure.suptitle(f"Training · {label}", wrap=True)
    return Drawn(figure, tidy)


def _new_panels(count: int, columns: int) -> "tuple[Figure, list[Axes]]":
    """Panels for the losses of so many models, and then those for their Dice, which stand below them."""
    lines = -(-count // columns)
    width = PAGE_INCHES if columns > 1 else BETWEEN_INCHES
    figure, panels = new_axes(2 * lines, columns, inches=(width, 0.5 + 4.3 * lines))
    places = [2 * columns * (number // columns) + number % columns for number in range(count)]
    chosen = [panels[place] for place in places] + [panels[place + columns] for place in places]
    for ax in set(panels) - set(chosen):
        ax.remove()
    return figure, chosen


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
