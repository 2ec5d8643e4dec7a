import math
from dataclasses import replace

import pytest

from lits_toolkit.errors import SettingError
from lits_toolkit.training.settings import QUICK, TrainSettings, make_settings


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("stage", "lesion", "one of liver, tumor"),
        ("slices", "some", "one of None, all, liver, tumor"),
        ("optimizer", "sgd", "one of radam, adamw"),
        ("schedule", "step", "one of plateau, cosine"),
        ("combine", "sum", "one of mask, add, none, centre"),
        ("precision", "fp16", "one of auto, fp32, bf16"),
        ("class_weights", (1.0, 2.0, 3.0), "two weights of 0 or more, training, or none"),
        ("class_weights", (-1.0, 2.0), "two weights of 0 or more, training, or none"),
        ("class_weights", "trainig", "two weights of 0 or more, training, or none"),
        ("lookahead_steps", 0, "at least 1"),
        ("lookahead_rate", 0.0, "a share above 0 and up to 1"),
        ("plateau_factor", 1.5, "a share above 0 and up to 1"),
        ("stop_after", 0, "none or at least 1"),
        ("swa_rate", 0.0, "more than 0"),
        ("swa_epochs", -1, "0 or more"),
        ("validate_every", -1, "0 or more"),
        ("gradient_clip", -1.0, "0 or more"),
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
        ("warm_up", -0.5, "0 or more"),
        ("crop", 50, "a multiple of 32"),
        ("crop", 0, "a multiple of 32"),
        ("seed", 2**32, "less than 2**32"),
    ],
)
def test_a_value_that_no_run_can_have_is_named(name, value, expected):
    with pytest.raises(SettingError) as told:
        TrainSettings(**{name: value})
    assert str(told.value) == f"{name}: expected {expected}, found {value}"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", "5", "a whole number"),
        ("epochs", 2.5, "a whole number"),
        ("epochs", True, "a whole number"),
        ("learning_rate", "1e-3", "a number"),  # so YAML reads it
        ("stop_after", 1.5, "a whole number or none"),
        ("augment", "no", "true or false"),
        ("flip", 1, "true, false or none"),
        ("loss", None, "a text"),
    ],
)
def test_a_value_of_another_type_is_told(name, value, expected):
    with pytest.raises(SettingError) as told:
        make_settings({name: value})
    assert str(told.value) == f"{name}: expected {expected}, found {value!r}"


def test_a_list_stands_for_a_tuple():
    assert make_settings({"class_weights": [1, 5.0]}) == TrainSettings(class_weights=(1, 5.0))


def test_what_can_be_run_is_allowed():
    TrainSettings(crop=96, warm_up=0, weight_decay=0, slices=None, epochs=1, class_weights=(0.1, 1), stop_after=None)


def test_only_the_tumour_stage_is_mirrored_unless_asked_otherwise():
    assert [TrainSettings(stage=stage).mirrors for stage in ("liver", "tumor")] == [False, True]
    assert [TrainSettings(stage=stage, flip=True).mirrors for stage in ("liver", "tumor")] == [True, True]


def test_the_slices_of_each_stage():
    assert [TrainSettings(stage=stage).designation for stage in ("liver", "tumor")] == ["all", "liver"]
    assert TrainSettings(slices="tumor").designation == "tumor"


def test_an_unknown_loss_names_the_nearest():
    with pytest.raises(SettingError, match="'dise'; the nearest is 'dice'"):
        TrainSettings(loss="cross_entropy+dise")


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(SettingError, match="no setting is called 'learnig_rate'; the nearest is 'learning_rate'"):
        make_settings({"learnig_rate": 1e-3})
    assert make_settings({"epochs": 7}) == TrainSettings(epochs=7)
    assert make_settings({"epochs": 7}, QUICK) == replace(QUICK, epochs=7)
