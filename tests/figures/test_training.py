import numpy as np
import pandas as pd
import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import new_axes
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
            "phase": "train",
            "dice_per_case": dice,
            "dice_small": np.nan,
            "dice_medium": np.nan,
            "dice_large": np.nan,
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
    best = drawn.data[drawn.data["kept"] & (drawn.data["curve"] == "validation_loss")].set_index("stage")
    assert best["epoch"].to_dict() == {"liver": epochs, "tumor": 1}
    assert drawn.figure.axes[2].get_title(loc="left") == f"kept: epoch {epochs}, Dice per case {liver[-1]:.3f}"
    assert drawn.figure.axes[3].get_title(loc="left") == f"kept: epoch 1, Dice per case {tumor[0]:.3f}"
    assert not any(ax.texts or ax.get_legend() for ax in drawn.figure.axes)  # nothing lies over a curve
    assert [text.get_text() for text in drawn.figure.legends[0].get_texts()] == [
        "training",
        "validation",
        "per case",
    ]
    assert len(drawn.data) == 2 * 3 * epochs
    assert_legible(drawn)


def test_curves_are_drawn_in_the_order_of_the_epochs():
    shuffled = history("liver", [0.1, 0.2, 0.3]).iloc[[2, 0, 1]]
    loss = draw_training_curves(shuffled, "phantom cohort").figure.axes[0]
    assert loss.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert loss.get_ylim()[0] == 0


def test_without_a_validation_loss_no_epoch_is_the_best():
    drawn = draw_training_curves(history("tumor", [np.nan, np.nan]).assign(validation_loss=np.nan), "phantom cohort")
    assert not drawn.data["kept"].any()


def test_an_empty_history_is_told():
    with pytest.raises(InputError, match=r"history\.csv"):
        draw_training_curves(history("liver", []), "phantom cohort")


def test_what_was_not_measured_is_not_drawn_and_size_groups_are(assert_legible):
    rows = history("tumor", [np.nan, 0.5, np.nan, 0.6]).assign(dice_small=[np.nan, 0.1, np.nan, 0.2])
    drawn = draw_training_curves(rows, "phantom cohort")
    lines = {line.get_label(): line.get_xydata().tolist() for line in drawn.figure.axes[1].lines}
    assert lines["per case"] == [[2, 0.5], [4, 0.6]]
    assert lines["small tumours"] == [[2, 0.1], [4, 0.2]]
    assert "large tumours" not in lines
    assert drawn.data["value"].notna().all()
    assert_legible(drawn)


def test_one_model_with_every_curve_has_room_for_its_legend(assert_legible):
    dice = {f"dice_{group}": [0.2, 0.4] for group in ("small", "medium", "large")}
    drawn = draw_training_curves(history("tumor", [0.3, 0.5]).assign(**dice), "phantom cohort")
    assert len(drawn.figure.legends[0].get_texts()) == 6
    assert_legible(drawn)


def test_averaged_epochs_branch_off_and_their_average_may_be_kept(assert_legible):
    trained = history("tumor", [0.1, 0.2, 0.3])
    branch = trained.iloc[:2].assign(phase="swa", epoch=[4, 5], validation_loss=[0.3, 0.1], dice_per_case=np.nan)
    average = trained.iloc[:1].assign(
        phase="average", epoch=5, train_loss=np.nan, validation_loss=0.2, dice_per_case=0.4
    )
    drawn = draw_training_curves(pd.concat([trained, branch, average]), "phantom cohort")
    assert drawn.figure.axes[1].get_title(loc="left") == "kept: the average (SWA), Dice per case 0.400"
    assert set(drawn.data[drawn.data["kept"]]["phase"]) == {"average"}  # no moving weights, however low their loss
    loss = drawn.figure.axes[0]
    assert [[4, 0.3], [5, 0.1]] in [line.get_xydata().tolist() for line in loss.lines]
    assert [[5, 0.2]] in [line.get_xydata().tolist() for line in loss.lines]
    assert_legible(drawn)


def test_of_many_models_three_stand_side_by_side(assert_legible):
    dice = [0.1, 0.2]
    models = [history("tumor", dice).assign(model=f"3d-mobilenet_v2-{number}") for number in range(4)]
    drawn = draw_training_curves(pd.concat(models), "phantom cohort")
    assert_legible(drawn)
    spots = [ax.get_subplotspec() for ax in drawn.figure.axes]
    assert [(spot.rowspan.start, spot.colspan.start) for spot in spots] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (3, 0)
    ]  # fmt: skip
    titles = {ax.get_title(loc="left"): spot.rowspan.start for ax, spot in zip(drawn.figure.axes, spots, strict=True)}
    assert titles["Tumour stage\n3d-mobilenet_v2-3"] == 2


def test_axes_that_are_given_are_of_losses_and_then_of_dice():
    _, axes = new_axes(2, 2, inches=(6, 4))
    both = pd.concat([history("liver", [0.5]), history("tumor", [0.5])])
    draw_training_curves(both, "phantom cohort", axes)
    assert [ax.get_ylim()[1] for ax in axes[2:]] == [1, 1]
    assert [ax.get_ylabel() for ax in axes] == ["loss", "", "Dice, whole validation cases", ""]
