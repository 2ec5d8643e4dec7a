import numpy as np
import pandas as pd
import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.training import draw_training_curves


def history(stage, dice, kept=None):
    """The loss falls to the last epoch, or is lowest in the epoch `kept`."""
    epochs = np.arange(1, len(dice) + 1)
    return pd.DataFrame(
        {
            "stage": stage,
            "model": "2d-mobilenet_v2-top",
            "epoch": epochs,
            "train_loss": 1 / epochs,
            "validation_loss": 1.1 / epochs if kept is None else 0.2 + np.abs(epochs - kept),
            "validation_dice": dice,
        }
    )


@pytest.mark.parametrize("epochs", [1, 2, 40])
def test_both_stages_have_their_column_and_best_epoch(assert_legible, epochs):
    liver, tumor = np.linspace(0.5, 0.95, epochs), np.linspace(0.4, 0.1, epochs)
    drawn = draw_training_curves(
        pd.concat([history("liver", liver), history("tumor", tumor, kept=1)]), "phantom cohort"
    )
    assert [ax.get_title(loc="left") for ax in drawn.figure.axes[:2]] == [
        "Liver stage · 2d-mobilenet_v2-top",
        "Tumour stage · 2d-mobilenet_v2-top",
    ]
    best = drawn.data[drawn.data["best"] & (drawn.data["curve"] == "validation_loss")].set_index("stage")
    assert best["epoch"].to_dict() == {"liver": epochs, "tumor": 1}
    assert drawn.figure.axes[2].get_title(loc="left") == f"kept: epoch {epochs}, Dice {liver[-1]:.3f}"
    assert drawn.figure.axes[3].get_title(loc="left") == f"kept: epoch 1, Dice {tumor[0]:.3f}"
    assert not any(ax.texts or ax.get_legend() for ax in drawn.figure.axes)  # nothing lies over a curve
    assert [text.get_text() for text in drawn.figure.legends[0].get_texts()] == ["training", "validation"]
    assert len(drawn.data) == 2 * 3 * epochs
    assert_legible(drawn)


def test_curves_are_drawn_in_the_order_of_the_epochs():
    shuffled = history("liver", [0.1, 0.2, 0.3]).iloc[[2, 0, 1]]
    loss = draw_training_curves(shuffled, "phantom cohort").figure.axes[0]
    assert loss.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert loss.get_ylim()[0] == 0


def test_without_a_validation_loss_no_epoch_is_the_best():
    drawn = draw_training_curves(history("tumor", [np.nan, np.nan]).assign(validation_loss=np.nan), "phantom cohort")
    assert not drawn.data["best"].any()


def test_an_empty_history_is_told():
    with pytest.raises(InputError, match=r"history\.csv"):
        draw_training_curves(history("liver", []), "phantom cohort")
