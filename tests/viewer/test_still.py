import io

import numpy as np
import pytest
from matplotlib import image
from matplotlib.axes import Axes

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


def test_nothing_is_cut_off(made_case):
    case, prediction = made_case
    masks = [case.reference[24], prediction[24]]
    settings = {"spacing_mm": (1.6, 0.8), "window": (-1350, 150), "title": "test-volume-123, slice 24 of 0–1039"}
    picture = pixels(drawn(case.volume[24], masks, **settings))
    assert picture[:, :2].min() == picture[:, -2:].min() == 1
    assert picture[:2].min() == picture[-2:].min() == 1


def test_outlines_fade_with_the_opacity_and_stay_without_the_fill():
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 2
    black = np.full((40, 40), -1000, np.int16)
    rows = slice(40, -80)  # without title and legend

    def blue(**settings):
        return pixels(drawn(black, [mask], **settings))[rows, :, 2]

    filled, outlined = blue(opacity=0.5), blue(opacity=0.5, filled=False)
    middle = tuple(side // 2 for side in filled.shape)
    assert filled[middle] == pytest.approx(0.5, abs=0.01)
    assert outlined[middle] == 0
    sides = slice(middle[1] - 200, middle[1] - 50)  # the left side of the square, without letters
    level = slice(middle[0] - 20, middle[0] - 10)
    strong, faint, none = (
        blue(opacity=opacity, filled=False)[level, sides].max() for opacity in (0.5, 0.2, 0.0)
    )  # fmt: skip
    assert strong == pytest.approx(1, abs=0.02)
    assert faint == pytest.approx(1 - 0.6**2, abs=0.05)  # two lines of 0.4: a tumour's is a liver's as well
    assert none == 0


@pytest.mark.parametrize(("window", "words"), [((-150, 250), "abdomen: −150 to 250 HU"), ((-50, 110), "−50 to 110 HU")])
def test_the_window_is_told_with_the_name_of_its_preset(monkeypatch, window, words):
    titles = []
    monkeypatch.setattr(Axes, "set_title", lambda self, title, **_: titles.append(title))
    drawn(np.zeros((5, 5), np.int16), window=window)
    assert titles == [f"a case, {words}"]


def test_a_noisy_slice_of_a_ct_stays_small():
    noise = np.random.default_rng(0).normal(50, 12, (512, 512)).astype(np.int16)
    assert len(drawn(noise, window=(-150, 250))) < 500_000


def test_masks_of_nothing_can_be_drawn():
    assert drawn(np.zeros((5, 4), np.int16), [np.zeros((5, 4), np.uint8)]).startswith(b"\x89PNG")
