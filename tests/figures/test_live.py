import math

import IPython.display
import pytest

from lits_toolkit.figures.live import LiveCurves

ROW = {"phase": "train", "train_loss": 1.0, "validation_loss": 1.1, "dice_per_case": math.nan, "learning_rate": 1e-3,
       "seconds": 40.0}  # fmt: skip


def test_each_epoch_is_drawn_over_the_last(monkeypatch):
    """The first picture is shown, the next ones take its place."""
    shown, updated = [], []

    class Handle:
        def update(self, drawn):
            updated.append(drawn)

    def display(drawn, display_id):
        assert display_id is True
        shown.append(drawn)
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    live = LiveCurves("tumor", "2d-mobilenet_v2-top", "phantom cohort", epochs=3)
    rows = [{**ROW, "epoch": epoch, "validation_loss": 1.1 / epoch} for epoch in (1, 2, 3)]
    for count in (1, 2, 3):
        live(rows[:count])
    assert (len(shown), len(updated)) == (2, 4)
    assert [text.data for text in (shown[0], *updated[::2])] == [
        "1 of 3 epochs in 40 s; about 80 s to go, if all are needed",
        "2 of 3 epochs in 80 s; about 40 s to go, if all are needed",
        "3 of 3 epochs in 2 min",
    ]
    losses = updated[-1].data.query("curve == 'validation_loss'")
    assert losses["value"].tolist() == pytest.approx([1.1, 0.55, 1.1 / 3])
    assert "phantom cohort" in updated[-1].figure.get_suptitle()
