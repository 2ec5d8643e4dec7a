import statistics

from lits_toolkit.models.encoders import encoders
from lits_toolkit.models.published_time import published_times


def test_every_configuration_has_a_row_in_the_catalogues_order():
    assert list(published_times()) == list(encoders())
    assert {(name[0], row.table) for name, row in published_times().items()} == {("2", "4.4"), ("3", "4.5")}


def test_rows_as_printed():
    first, last = published_times()["2d-mobilenet_v2-top"], published_times()["3d-dsts-bottom"]
    assert (first.training_s, first.training_stdev_s, first.prediction_s) == (0.345, 0.047, 0.114)
    assert (last.training_s, last.prediction_s, last.prediction_stdev_s) == (1.713, 0.454, 0.001)


def test_what_is_printed_as_na_is_none():
    missing = [name for name, row in published_times().items() if row.training_s is None]
    assert missing == ["3d-dsts-default"]
    assert published_times()["3d-dsts-default"].prediction_s is None


def test_3d_takes_about_four_times_as_long_as_the_text_says():
    """§4.1.2: "an increase in training and prediction time of about 4 times"; of a slice each, not of a block."""
    mean = {
        d: statistics.mean(row.training_s for name, row in published_times().items() if name[0] == d and row.training_s)
        for d in "23"
    }
    assert 3.5 < mean["3"] / mean["2"] < 4.7


def test_training_takes_longer_than_prediction():
    assert all(row.training_s > 2 * row.prediction_s for row in published_times().values() if row.training_s)
