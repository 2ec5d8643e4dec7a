"""Lookahead at work (Figure 3.5 of the dissertation): a path of our own optimizer in a valley of two weights."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.style import FAINT, INK, PAGE_INCHES, house_style
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAST, EARLIER, SLOW, CONTOUR = INK, "#8a8a8a", "#d55e00", "#d9d9d9"
START = (-4.0, 1.3)
STEEPNESS = 9.0
"""How much more the second weight matters than the first: steps go to and fro across the valley."""
LEARNING_RATE, NOISE = 0.205, 0.5


def lookahead_path(steps: int = 5, rate: float = 0.5, cycles: int = 8, seed: int = 0) -> pd.DataFrame:
    """Where SGD inside `Lookahead` goes on a quadratic whose gradients have noise, as those of batches have.

    A row for each position: weights ("fast" | "slow"), cycle and step (how many fast steps have been taken; the slow
    weights start at step 0), w1, w2, loss. The fast weights' last position in a cycle is that before they are set back
    to the slow ones. Raises SettingError as `Lookahead`.
    """
    import torch

    from lits_toolkit.training.lookahead import Lookahead

    point = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    inside = torch.optim.SGD([point], LEARNING_RATE)
    optimizer = Lookahead(inside, steps, rate)
    random = torch.Generator().manual_seed(seed)
    rows: list[tuple[str, int, int, float, float]] = [("slow", 0, 0, *START)]

    def note(weights: str, cycle: int) -> None:
        rows.append((weights, cycle, optimizer.fast_steps + (weights == "fast"), *point.tolist()))

    for cycle in range(cycles):
        hook = inside.register_step_post_hook(lambda *_, cycle=cycle: note("fast", cycle))
        for _ in range(steps):
            optimizer.zero_grad()
            valley(*point).backward()
            assert point.grad is not None
            point.grad += NOISE * torch.randn(2, generator=random, dtype=torch.float64)
            optimizer.step()
        hook.remove()
        note("slow", cycle + 1)
    path = pd.DataFrame(rows, columns=["weights", "cycle", "step", "w1", "w2"])
    return path.assign(loss=valley(path["w1"], path["w2"]))


@house_style()
def draw_lookahead(path: pd.DataFrame, axes: "Sequence[Axes] | None" = None) -> Drawn:
    """One cycle as in Figure 3.5, and the whole path, over lines of equal loss.

    `path` is from `lookahead_path`. Panel a: the fast weights after their steps; b: the slow weights follow by a
    share of the way; c: the next cycle's first step starts from there; d: every cycle. The data has the positions
    that each panel shows: the columns of `path`, and panel ("a" to "d").
    Raises InputError if the path has fewer than two cycles.
    """
    slow = path[path["weights"] == "slow"]
    if len(slow) < 3:
        raise InputError("the path ends in its first cycle: expected two cycles at least")
    first = path[path["cycle"] == 0]
    next_step = path[(path["cycle"] == 1) & (path["weights"] == "fast")][:1]
    shown = {
        "a": first,
        "b": pd.concat([first, slow[1:2]]),
        "c": pd.concat([first, slow[1:2], next_step]),
        "d": path,
    }
    steps, cycles = len(first) - 1, len(slow) - 1
    titles = (
        f"a · the fast weights after {counted(steps, 'step')}",
        f"b · the slow weights follow, {100 * _share(first, slow):.0f} % of the way",
        "c · the next cycle's first step starts from there",
        f"d · {cycles} cycles, {cycles * steps} steps",
    )
    figure, panels = use_axes(axes, 4, rows=2, columns=2, inches=(PAGE_INCHES, 5.7), share_x=True, share_y=True)
    limits = _limits(path)
    for ax, title, (panel, rows) in zip(panels, titles, shown.items(), strict=True):
        _draw_valley(ax, *limits)
        _draw_positions(ax, rows)
        if panel != "d":
            now = rows[rows["weights"] == "fast"].iloc[-1]
            ax.plot(now["w1"], now["w2"], color=FAST, marker="o", markersize=7, zorder=6)
        if panel == "b":
            ax.plot(*first.iloc[[0, -1]][["w1", "w2"]].T.to_numpy(), color=SLOW, linewidth=1.2, linestyle=(0, (3, 2.5)))
        ax.set_title(title)
        ax.label_outer()
    legend_below(figure, _keys())
    figure.suptitle("Lookahead · a made-up loss of two weights", wrap=True)
    return Drawn(figure, pd.concat([rows.assign(panel=panel) for panel, rows in shown.items()], ignore_index=True))


def _draw_positions(ax: "Axes", rows: pd.DataFrame) -> None:
    """Each cycle's fast weights as a line from the slow ones, earlier cycles fainter; the slow ones as one line."""
    slow, fast = (rows[rows["weights"] == weights] for weights in ("slow", "fast"))
    for cycle, steps in fast.groupby("cycle"):
        line = pd.concat([slow[slow["cycle"] == cycle], steps])
        color = FAST if cycle == fast["cycle"].max() else EARLIER
        ax.plot(line["w1"], line["w2"], color=color, linewidth=0.9, marker="o", markersize=3, zorder=3)
    ax.plot(slow["w1"], slow["w2"], color=SLOW, linewidth=2, marker="o", markersize=6.5, zorder=5)


def _draw_valley(ax: "Axes", across: tuple[float, float], along: tuple[float, float]) -> None:
    w1, w2 = np.meshgrid(np.linspace(*across, 200), np.linspace(*along, 200))
    ax.contour(w1, w2, valley(w1, w2), np.geomspace(0.05, 40, 12), colors=CONTOUR, linewidths=0.8, zorder=1)
    ax.plot(0, 0, color=FAINT, marker="+", markersize=9, zorder=2)
    ax.set(xlim=across, ylim=along, xlabel="weight 1", ylabel="weight 2", aspect="equal")
    ax.grid(False)


def _limits(path: pd.DataFrame) -> tuple[tuple[float, float], tuple[float, float]]:
    """Low and high of both weights, with the valley's floor and a margin."""
    w1, w2 = ((min(values.min(), 0) - 0.3, max(values.max(), 0) + 0.3) for values in (path["w1"], path["w2"]))
    return w1, w2


def _share(first: pd.DataFrame, slow: pd.DataFrame) -> float:
    """How far the slow weights go towards the fast ones, of the whole way."""
    start, end, reached = (row[["w1", "w2"]].to_numpy(float) for row in (slow.iloc[0], first.iloc[-1], slow.iloc[1]))
    return float(np.linalg.norm(reached - start) / np.linalg.norm(end - start))


def _keys() -> list:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=FAST, linewidth=0.9, marker="o", markersize=3, label="fast weights (SGD)"),
        Line2D([], [], color=EARLIER, linewidth=0.9, marker="o", markersize=3, label="of earlier cycles"),
        Line2D([], [], color=SLOW, linewidth=2, marker="o", markersize=6.5, label="slow weights"),
        Line2D([], [], color=CONTOUR, linewidth=0.8, label="equal loss"),
        Line2D([], [], color=FAINT, linestyle="none", marker="+", markersize=9, label="lowest loss"),
    ]


def valley(w1: Any, w2: Any) -> Any:
    """The loss of two weights, numbers, arrays or tensors alike: lowest, 0, where both are 0."""
    return (w1 * w1 + STEEPNESS * w2 * w2) / 2
