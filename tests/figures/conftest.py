"""Tables as a study makes them, small enough to count by hand, and a check that nothing written lies over another."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from lits_toolkit.figures.style import PAGE_INCHES, SMALL


@pytest.fixture
def make_lesions():
    """A lesion table from (case, voxels, dice) with dice None for a false alarm."""

    def make(*rows):
        table = [
            {
                "case": case,
                "kind": "reference" if dice is not None else "false alarm",
                "lesion": number,
                "size_group": "small" if voxels < 1000 else "medium" if voxels <= 10_000 else "large",
                "voxels": voxels,
                "volume_ml": voxels * 0.002,
                "dice": np.nan if dice is None else dice,
                "detected": bool(dice),
            }
            for number, (case, voxels, dice) in enumerate(rows, start=1)
        ]
        return pd.DataFrame(table)

    return make


@pytest.fixture
def make_scores():
    """A case table from (case, mean lesion voxels or None, tumour Dice or None where nothing was predicted)."""

    def make(*rows):
        table = [
            {
                "case": case,
                "lesions": 0 if voxels is None else 2,
                "lesions_predicted": 0 if dice is None else 1,
                "mean_lesion_voxels": np.nan if voxels is None else voxels,
                "tumor_dice": dice or 0.0,
                "tumor_voe": 1.0 if dice is None else 1 - dice / (2 - dice),
                "tumor_rvd": -1.0 if dice is None else 0.25,
                "tumor_assd_mm": np.nan if dice is None else 1.5,
            }
            for case, voxels, dice in rows
        ]
        return pd.DataFrame(table)

    return make


@pytest.fixture
def assert_legible():
    """Assert that a figure is printed as it is: no text over another, beyond the edge, or too small for a journal."""

    def check(drawn, on_a_page=True):
        from matplotlib.text import Text

        figure = drawn.figure
        figure.draw_without_rendering()
        beyond = set(_ticks_beyond_the_limits(figure))
        texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text not in beyond]
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_visible()]
        edge = figure.bbox.padded(1)
        assert not on_a_page or figure.get_size_inches()[0] <= PAGE_INCHES, "wider than a page"
        for text in texts:
            assert text.get_fontsize() >= SMALL, f"{text.get_text()!r} has {text.get_fontsize()} points"
            assert "^" not in text.get_text(), f"{text.get_text()!r} has smaller letters above the line"
        for words, box in boxes:
            assert edge.x0 <= box.x0 <= box.x1 <= edge.x1, f"{words!r} is cut off"
            assert edge.y0 <= box.y0 <= box.y1 <= edge.y1, f"{words!r} is cut off"
        for (one, a), (other, b) in combinations(boxes, 2):
            across = min(a.x1, b.x1) - max(a.x0, b.x0)
            along = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert across <= 1 or along <= 1, f"{one!r} lies over {other!r}"

    return check


def _ticks_beyond_the_limits(figure):
    """An axis has ticks beyond its limits, too, which are never drawn."""
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high or not axis.get_visible():
                    yield from (tick.label1, tick.label2)
