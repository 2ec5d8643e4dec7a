"""How training went: losses and validation Dice per epoch, one column of panels per stage."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.style import FAINT, STAGE_NAMES, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING, VALIDATION = "#9a9a9a", "#5e3c99"


@house_style()
def draw_training_curves(history: pd.DataFrame, label: str, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """Loss in training and validation (above) and validation Dice (below), for each model, with the epoch that is kept.

    `history` holds the rows of one or several `history.csv`, told apart by the columns stage and model; each pair
    makes a column of panels, so `axes`, where given, are the upper row and then the lower. The data is tidy:
    stage, model, epoch, curve ("train_loss" | "validation_loss" | "validation_dice"), value, best (bool: the
    epoch of the lowest validation loss).
    Raises InputError if the history has no epoch.
    """
    if history.empty:
        raise InputError("the training history has no epoch: expected the rows of at least one history.csv")
    models = list(history[["stage", "model"]].drop_duplicates().itertuples(index=False, name=None))
    count = len(models)
    figure, panels = use_axes(
        axes, 2 * count, rows=2, columns=count, inches=(max(4.6 * count, 5.5), 5.8), share_y=False
    )
    parts = []
    for column, (stage, model) in enumerate(models):
        rows = history[(history["stage"] == stage) & (history["model"] == model)].sort_values("epoch")
        loss, dice = panels[column], panels[count + column]
        parts.append(_curves(rows))
        _draw_losses(loss, rows)
        _draw_dice(dice, rows)
        loss.set_title(f"{STAGE_NAMES.get(stage, stage).capitalize()} · {model}")
        if column == 0:
            loss.set_ylabel("loss")
            dice.set_ylabel("Dice, validation slices")
    figure.legend(handles=panels[0].get_lines()[:2], loc="outside lower center", ncols=2)
    figure.suptitle(f"Training · {label}")
    return Drawn(figure, pd.concat(parts, ignore_index=True))


def _draw_losses(ax: "Axes", rows: pd.DataFrame) -> None:
    marker = "o" if len(rows) < 3 else None
    ax.plot(rows["epoch"], rows["train_loss"], color=TRAINING, marker=marker, label="training")
    ax.plot(rows["epoch"], rows["validation_loss"], color=VALIDATION, marker=marker, label="validation")
    ax.set_ylim(0, max(rows[["train_loss", "validation_loss"]].max().max() * 1.1, 1e-9))
    _mark_best(ax, rows, "validation_loss")
    _count_epochs(ax, rows)


def _draw_dice(ax: "Axes", rows: pd.DataFrame) -> None:
    marker = "o" if len(rows) < 3 else None
    ax.plot(rows["epoch"], rows["validation_dice"], color=VALIDATION, marker=marker)
    ax.set_ylim(0, 1)
    ax.set_xlabel("epoch")
    _count_epochs(ax, rows)
    best = _mark_best(ax, rows, "validation_dice")
    if best is not None:
        ax.set_title(f"kept: epoch {best['epoch']:.0f}, Dice {best['validation_dice']:.3f}", fontsize=9)


def _mark_best(ax: "Axes", rows: pd.DataFrame, curve: str) -> pd.Series | None:
    best = _best(rows)
    if best is not None:
        ax.plot(best["epoch"], best[curve], "o", color=VALIDATION, markersize=7, clip_on=False)
        ax.axhline(best[curve], color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    return best


def _count_epochs(ax: "Axes", rows: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    first, last = rows["epoch"].min(), rows["epoch"].max()
    margin = max((last - first) * 0.03, 0.5)
    ax.set_xlim(first - margin, last + margin)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _curves(rows: pd.DataFrame) -> pd.DataFrame:
    curves = ["train_loss", "validation_loss", "validation_dice"]
    tidy = rows.melt(["stage", "model", "epoch"], curves, "curve", "value")
    best = _best(rows)
    tidy["best"] = False if best is None else tidy["epoch"] == best["epoch"]
    return tidy


def _best(rows: pd.DataFrame) -> pd.Series | None:
    loss = rows["validation_loss"]
    return None if loss.isna().all() else rows.iloc[int(loss.fillna(math.inf).argmin())]
