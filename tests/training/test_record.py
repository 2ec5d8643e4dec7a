import math

import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.training.record import losses, phase_rows, read_history, write_history


def row(epoch, phase, loss, **more):
    return {"epoch": epoch, "phase": phase, "train_loss": 0.5, "validation_loss": loss, "learning_rate": 1e-3,
            "seconds": 2.0, "dice_per_case": math.nan, "dice_small": math.nan, "dice_medium": math.nan,
            "dice_large": math.nan, **more}  # fmt: skip


@pytest.fixture
def rows():
    return [row(1, "train", 0.9), row(2, "train", 0.7, dice_per_case=0.25), row(3, "swa", 0.8), row(3, "average", 0.6)]


def test_the_history_is_read_back_number_for_number(rows, tmp_path):
    write_history(tmp_path, rows)
    found = read_history(tmp_path)
    for written, read in zip(rows, found, strict=True):
        assert written.keys() == read.keys()
        for name, value in written.items():
            assert type(read[name]) is type(value)
            assert read[name] == value or (math.isnan(value) and math.isnan(read[name]))
    assert read_history(tmp_path / "nowhere") == []


@pytest.mark.parametrize("text", ["epoch,train_loss\n1,0.5\n", "no history\nat all\n"])
def test_a_history_of_another_version_is_told(text, tmp_path):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(InputError, match=r"history\.csv: expected the columns epoch, phase, .*--overwrite"):
        read_history(tmp_path)


def test_phases_are_told_apart(rows):
    assert losses(rows) == [0.9, 0.7]
    assert [found["validation_loss"] for found in phase_rows(rows, "average")] == [0.6]
