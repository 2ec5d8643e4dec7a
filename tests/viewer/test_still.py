import io

import numpy as np
import pytest
from matplotlib import image

from lits_toolkit.viewer.blend import PREDICTION, REFERENCE
from lits_toolkit.viewer.still import draw_still


def drawn(hu, masks=(), **settings):
    settings = {"spacing_mm": (1.0, 1.0), "window": (-100, 100), "opacity": 0.5, "title": "a case"} | settings
    return draw_still(hu, masks, [REFERENCE, PREDICTION][: len(masks)], **settings)


def pixels(png):
    return image.imread(io.BytesIO(png), format="png")[..., :3]


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0), (2.0, 1.0), (1.0, 2.5)])
def test_the_body_keeps_its_proportions(spacing_mm):
    black = pixels(drawn(np.full((60, 60), -1000, np.int16), spacing_mm=spacing_mm)).max(-1) == 0
    rows, columns = np.nonzero(black.mean(1) > 0.3)[0], np.nonzero(black.mean(0) > 0.3)[0]
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(spacing_mm[0] / spacing_mm[1], rel=0.02)


def test_a_reference_is_blue_and_a_prediction_red():
    left, right = np.zeros((2, 40, 40), np.uint8)
    left[10:30, 5:15] = 2
    right[10:30, 25:35] = 2
    red, _, blue = np.moveaxis(pixels(drawn(np.full((40, 40), -1000, np.int16), [left, right])), -1, 0)
    middle = red.shape[1] // 2
    rows = slice(40, -60)  # without title and legend
    assert (blue - red)[rows, :middle].max() > 0.4
    assert (blue - red)[rows, :middle].min() >= 0
    assert (red - blue)[rows, middle:].max() > 0.4
    assert (red - blue)[rows, middle:].min() >= 0


def test_a_noisy_slice_of_a_ct_stays_small():
    noise = np.random.default_rng(0).normal(50, 12, (512, 512)).astype(np.int16)
    assert len(drawn(noise, window=(-150, 250))) < 500_000


def test_masks_of_nothing_can_be_drawn():
    assert drawn(np.zeros((5, 4), np.int16), [np.zeros((5, 4), np.uint8)]).startswith(b"\x89PNG")
