import math

import pytest

from lits_toolkit.errors import SettingError
from lits_toolkit.training.settings import TrainSettings


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("stage", "lesion", "one of liver, tumor"),
        ("slices", "some", "one of None, all, liver, tumor"),
        ("optimizer", "sgd", "one of adamw, radam"),
        ("combine", "add", "one of mask, centre"),
        ("gain", -0.1, "0 or more"),
        ("epochs", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
        ("reduce", 0, "at least 1"),
        ("cases_together", -3, "at least 1"),
        ("learning_rate", -1.0, "more than 0"),
        ("learning_rate", math.nan, "more than 0"),
        ("learning_rate", math.inf, "more than 0"),
        ("weight_decay", -1e-4, "0 or more"),
        ("workers", -1, "0 or more"),
        ("seed", -1, "0 or more"),
        ("warm_up", 1.5, "a share between 0 and 1"),
        ("crop", 50, "a multiple of 32"),
        ("crop", 0, "a multiple of 32"),
    ],
)
def test_a_value_that_no_run_can_have_is_named(name, value, expected):
    with pytest.raises(SettingError) as told:
        TrainSettings(**{name: value})
    assert str(told.value) == f"{name}: expected {expected}, found {value}"


def test_an_unknown_loss_is_told_with_the_nearest():
    with pytest.raises(SettingError, match="no loss is called 'jacard'; the nearest is 'jaccard'"):
        TrainSettings(loss="cross_entropy+jacard")


def test_what_can_be_run_is_allowed():
    TrainSettings(crop=96, warm_up=0, weight_decay=0, slices=None, epochs=1)


def test_only_the_tumour_stage_is_mirrored_unless_asked_otherwise():
    assert [TrainSettings(stage=stage).mirrors for stage in ("liver", "tumor")] == [False, True]
    assert [TrainSettings(stage=stage, flip=True).mirrors for stage in ("liver", "tumor")] == [True, True]


def test_the_slices_of_each_stage():
    assert [TrainSettings(stage=stage).designation for stage in ("liver", "tumor")] == ["all", "liver"]
    assert TrainSettings(slices="tumor").designation == "tumor"
