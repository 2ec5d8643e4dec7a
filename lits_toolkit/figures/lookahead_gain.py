"""What Lookahead is good for (§3.1.9): the same noisy steps with it and without, and the learning rates it bears."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, legend_below, use_axes
from lits_toolkit.figures.lookahead import LEARNING_RATE, NOISE, START, STEEPNESS, valley
from lits_toolkit.figures.points import tick_in_words
from lits_toolkit.figures.style import FAINT, PAGE_INCHES, SMALL, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

COLORS = {"SGD alone": "#0072b2", "fast weights": "#8a8a8a", "slow weights": "#d55e00"}
RATES = (0.02, 0.05, 0.08, 0.11, 0.14, 0.17, 0.2, 0.21, 0.22, 0.23, 0.24)


def compare_lookahead(
    learning_rates: Sequence[float] = RATES, steps: int = 5, rate: float = 0.5, cycles: int = 12, seeds: int = 200
) -> pd.DataFrame:
    """The loss in the valley of `figures.lookahead` after each step, by SGD inside Lookahead and by SGD alone.

    Both start at one place and meet the same noise. Columns: learning_rate, weights ("SGD alone" | "fast weights" |
    "slow weights"), step, loss, the mean over the seeds. The slow weights have a row after each cycle only.
    Raises SettingError as `Lookahead`.
    """
    import torch

    random = torch.Generator().manual_seed(0)
    noise = NOISE * torch.randn(steps * cycles, seeds, 2, generator=random, dtype=torch.float64)
    rows: list[tuple[float, str, int, float]] = []
    for learning_rate in learning_rates:
        fast, slow = _losses(noise, learning_rate, steps, rate)
        alone, _ = _losses(noise, learning_rate, 1, 1.0)
        for weights, losses in (("SGD alone", alone), ("fast weights", fast), ("slow weights", slow)):
            rows += [(learning_rate, weights, step, loss) for step, loss in losses]
    return pd.DataFrame(rows, columns=["learning_rate", "weights", "step", "loss"])


def _losses(
    noise: "Tensor", learning_rate: float, steps: int, rate: float
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """Of the fast weights after each step, before they are set back, and of the slow ones after each cycle."""
    import torch

    from lits_toolkit.training.lookahead import Lookahead

    points = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64).repeat(noise.shape[1], 1))
    inside = torch.optim.SGD([points], learning_rate)
    optimizer = Lookahead(inside, steps, rate)
    fast: list[tuple[int, float]] = []
    slow = [(0, float(valley(*START)))]

    def loss() -> float:
        return float(valley(*points.detach().T).mean())

    inside.register_step_post_hook(lambda *_: fast.append((optimizer.fast_steps + 1, loss())))
    for own in noise:
        optimizer.zero_grad()
        valley(*points.T).sum().backward()
        assert points.grad is not None
        points.grad += own
        optimizer.step()
        if optimizer.fast_steps % steps == 0:
            slow.append((optimizer.fast_steps, loss()))
    return fast, slow


@house_style()
def draw_lookahead_gain(
    gain: pd.DataFrame, learning_rate: float = LEARNING_RATE, axes: "Sequence[Axes] | None" = None
) -> Drawn:
    """Loss after each step at one learning rate, and after the last step at each of them.

    `gain` is from `compare_lookahead`; of its learning rates the one nearest to `learning_rate` is shown step by step.
    The data is its rows that are drawn, with panel ("steps" | "rates"). Raises InputError if it is empty.
    """
    from matplotlib.ticker import MaxNLocator

    if gain.empty:
        raise InputError("there is no loss to draw: expected at least one learning rate and one seed")
    rates = gain["learning_rate"].unique()
    nearest = rates[np.abs(rates - learning_rate).argmin()]
    by_step = gain[gain["learning_rate"] == nearest]
    last = gain[gain["step"] == gain["step"].max()]
    last = last[last["weights"] != "fast weights"]
    figure, (left, right) = use_axes(axes, 2, columns=2, inches=(PAGE_INCHES, 3.3))
    for weights, color in COLORS.items():
        own = by_step[by_step["weights"] == weights]
        marker = "o" if weights == "slow weights" else None
        width = 1.2 if weights == "fast weights" else 2.2
        left.plot(own["step"], own["loss"], color=color, marker=marker, markersize=5, linewidth=width, label=weights)
        end = last[last["weights"] == weights]
        if len(end):
            right.plot(end["learning_rate"], end["loss"], color=color, marker="o", markersize=5, linewidth=2.2)
    right.axvline(2 / STEEPNESS, color=FAINT, linewidth=1, linestyle=(0, (3, 2)))
    right.annotate(
        "SGD alone\nleaves the valley",
        (2 / STEEPNESS, 0.97), (-6, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
        ha="right", va="top", fontsize=SMALL, color=FAINT,
    )  # fmt: skip
    left.set(xlabel="fast steps", ylabel="mean loss", title=f"learning rate {nearest:g}")
    right.set(xlabel="learning rate", ylabel="mean loss", title=f"after {last['step'].max()} steps")
    for ax in (left, right):
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(tick_in_words)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    settled = last[last["learning_rate"] < 2 / STEEPNESS]["loss"]
    if len(settled):  # beyond, the losses have no end
        right.set_ylim(0.5 * settled.min(), 20 * settled.max())
    legend_below(figure, left.get_lines())
    figure.suptitle("Lookahead in a narrow valley", wrap=True)
    return Drawn(figure, pd.concat([by_step.assign(panel="steps"), last.assign(panel="rates")], ignore_index=True))
