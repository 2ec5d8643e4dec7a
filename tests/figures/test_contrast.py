import numpy as np
import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.contrast import draw_dice_by_contrast


@pytest.fixture
def lesions(make_lesions):
    table = make_lesions(("a", 500, 0.6), ("a", 600, 0.0), ("b", 5000, 0.5), ("b", 20_000, 0.9))
    return table.assign(contrast_hu=[-30.0, 4.0, np.nan, 55.0])


def test_every_lesion_is_a_point_in_both_panels_where_it_has_a_contrast(lesions, assert_legible):
    drawn = draw_dice_by_contrast(lesions, "phantom cohort")
    assert drawn.data["dice"].tolist() == [0.6, 0, 0.5, 0.9]
    by_size, by_contrast = (
        np.ma.concatenate([points.get_offsets() for points in ax.collections]) for ax in drawn.figure.axes
    )
    assert sorted(map(tuple, by_size.tolist())) == [(500, 0.6), (600, 0), (5000, 0.5), (20_000, 0.9)]
    drawn_there = {(x, y) for x, y in by_contrast.tolist() if x is not None and not np.isnan(x)}
    assert drawn_there == {(-30, 0.6), (4, 0), (55, 0.9)}
    assert drawn.figure.axes[0].get_xscale() == "log"
    assert drawn.figure.axes[1].get_title(loc="left") == "against contrast (1 without liver around)"
    assert drawn.figure.get_suptitle() == "Dice of each tumour · phantom cohort, 4 tumours"
    assert_legible(drawn)


def test_without_a_tumour_it_is_told(lesions):
    with pytest.raises(InputError, match="no case has a tumour"):
        draw_dice_by_contrast(lesions.iloc[:0], "phantom cohort")
