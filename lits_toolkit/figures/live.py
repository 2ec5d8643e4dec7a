"""The training curves as they grow, in a notebook."""

from typing import Any

import pandas as pd

from lits_toolkit.figures.training import draw_training_curves
from lits_toolkit.words import duration


class LiveCurves:
    """Called with the rows of `history.csv` after each epoch, it draws them over what it drew before.

    `train_in_study(study, chosen, each_epoch=LiveCurves(chosen.stage, chosen.model, study.label, chosen.epochs))`.
    Above the curves stands how long the rest of the epochs will take. What stays in the notebook, executed or reopened,
    is the last picture. Outside a notebook nothing is shown.
    """

    def __init__(self, stage: str, model: str, label: str, epochs: int) -> None:
        self.stage = stage
        self.model = model
        self.label = label
        self.epochs = epochs
        self.shown: Any = None
        self.left: Any = None

    def __call__(self, history: list[dict[str, Any]]) -> None:
        """Draw the epochs so far."""
        from IPython.display import Markdown, display

        left = Markdown(time_left(history, self.epochs))
        table = pd.DataFrame(history).assign(stage=self.stage, model=self.model)
        drawn = draw_training_curves(table, self.label)
        if self.shown is None:
            self.left, self.shown = display(left, display_id=True), display(drawn, display_id=True)
        else:
            self.left.update(left)
            self.shown.update(drawn)


def time_left(history: list[dict[str, Any]], epochs: int) -> str:
    """How many of the epochs are done and how long the others will take, by the mean of those in the history."""
    seconds = [row["seconds"] for row in history if row["phase"] == "train"]
    left = epochs - len(seconds)
    done = f"{len(seconds)} of {epochs} epochs in {duration(sum(seconds))}"
    return done + (f"; about {duration(left * sum(seconds) / len(seconds))} to go, if all are needed" if left else "")
