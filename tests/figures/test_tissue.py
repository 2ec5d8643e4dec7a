import numpy as np
import pandas as pd
import pytest

from lits_toolkit.figures.tissue import draw_tissues
from lits_toolkit.study.tissue import TISSUE_COLUMNS


@pytest.fixture
def make_tissues():
    def make(count):
        middles = {"air": -1000, "fat": -100, "liver": 100, "tumor": 60, "bone": 400}
        rows = [
            (f"volume-{case}", tissue, hu + case, hu + case - 10, hu + case + 20, 1000)
            for case in range(count)
            for tissue, hu in middles.items()
        ]
        return pd.DataFrame(rows, columns=list(TISSUE_COLUMNS))

    return make


@pytest.mark.parametrize("count", [1, 3, 131])
def test_own_values_stand_beside_the_published(make_tissues, assert_legible, count):
    drawn = draw_tissues(make_tissues(count), "phantom cohort")
    data = drawn.data.set_index("tissue")
    assert len(data) == 10
    middle = (count - 1) / 2
    assert data.loc["fat"].tolist() == [-100, -100, -100 + middle, -110 + middle, -80 + middle, count]
    assert data.loc["liver", ["hu", "cases"]].tolist() == [100 + middle, count]
    assert np.isnan(data.loc["liver", "published_low"])
    assert data.loc["muscle", ["published_low", "cases"]].tolist() == [40, 0]
    assert_legible(drawn)


def test_each_case_is_a_point_at_its_own_value(make_tissues):
    ax = draw_tissues(make_tissues(2), "phantom cohort").figure.axes[0]
    points = [
        collection.get_offsets()[:, 0].tolist() for collection in ax.collections if len(collection.get_offsets()) == 2
    ]
    assert points == [[-1000, -999], [-100, -99], [100, 101], [60, 61], [400, 401]]


def test_the_published_ones_are_named_as_the_dissertations(make_tissues):
    legend = draw_tissues(make_tissues(2), "phantom cohort").figure.legends[0]
    assert legend.get_texts()[0].get_text() == "dissertation, Table 2.1"


def test_a_cohort_of_which_nothing_is_known_shows_the_published_ones(make_tissues, assert_legible):
    drawn = draw_tissues(make_tissues(0), "phantom cohort")
    assert drawn.data["cases"].sum() == 0
    assert drawn.data["published_low"].notna().sum() == 8
    assert_legible(drawn)
