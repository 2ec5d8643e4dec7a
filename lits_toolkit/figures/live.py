"""The training curves as they grow, in a notebook."""

from typing import Any

import pandas as pd

from lits_toolkit.figures.training import draw_training_curves


class LiveCurves:
    """Called with the rows of `history.csv` after each epoch, it draws them over what it drew before.

    `train_in_study(study, settings, each_epoch=LiveCurves(settings.stage, settings.model, study.label))`. What stays in
    the notebook, executed or reopened, is the last picture. Outside a notebook nothing is shown.
    """

    def __init__(self, stage: str, model: str, label: str) -> None:
        self.stage = stage
        self.model = model
        self.label = label
        self.shown: Any = None

    def __call__(self, history: list[dict[str, Any]]) -> None:
        """Draw the epochs so far."""
        from IPython.display import display

        table = pd.DataFrame(history).assign(stage=self.stage, model=self.model)
        drawn = draw_training_curves(table, self.label)
        if self.shown is None:
            self.shown = display(drawn, display_id=True)
        else:
            self.shown.update(drawn)
