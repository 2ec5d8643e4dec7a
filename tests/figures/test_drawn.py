import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lits_toolkit.errors import OutputError, SettingError
from lits_toolkit.figures.drawn import (
    MOST_BYTES,
    Drawn,
    legend_below,
    new_axes,
    png_bytes,
    save_figure,
    use_axes,
)
from lits_toolkit.figures.style import PAGE_INCHES, house_style


@pytest.fixture
def drawn():
    figure, (ax,) = new_axes(inches=(4, 3))
    ax.plot([0, 1], [0, 1], color="#1f8fff")
    return Drawn(figure, pd.DataFrame({"x": [0, 1]}))


@pytest.fixture
def noisy():
    """A CT's worth of noise, with a red line through it."""
    figure, (ax,) = new_axes(inches=(9, 6))
    ax.imshow(np.random.default_rng(0).normal(size=(700, 900)), cmap="gray")
    ax.axhline(350, color="#f5333f", linewidth=4)
    return Drawn(figure, pd.DataFrame())


def test_the_same_picture_has_the_same_bytes(drawn):
    assert png_bytes(drawn) == png_bytes(drawn)


def test_the_file_says_nothing_about_the_program_or_the_time(drawn):
    with Image.open(io.BytesIO(png_bytes(drawn))) as image:
        assert set(image.info) <= {"dpi"}


def test_a_saved_picture_is_what_jupyter_shows(drawn, tmp_path):
    path = save_figure(drawn, tmp_path / "new" / "folder", "01_line")
    assert path == tmp_path / "new" / "folder" / "01_line.png"
    assert path.read_bytes() == drawn._repr_png_()
    vector = path.with_suffix(".pdf").read_bytes()
    assert vector.startswith(b"%PDF")
    assert b"/Subtype /Image" not in vector
    assert vector == save_figure(drawn, tmp_path / "again", "01_line").with_suffix(".pdf").read_bytes()


def test_noise_is_made_to_fit_and_colors_survive(noisy):
    data = png_bytes(noisy)
    assert len(data) <= MOST_BYTES
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    assert np.abs(pixels - (0xF5, 0x33, 0x3F)).max(axis=1).min() <= 3


def test_a_short_line_keeps_its_color_beside_a_tint_over_noise():
    figure, (ax,) = new_axes(inches=(9, 6))
    ax.imshow(np.random.default_rng(0).normal(size=(700, 900)), cmap="gray")
    ax.axhspan(100, 600, color="#1f8fff", alpha=0.55)
    figure.legend(handles=[ax.plot([], [], color="#f5333f")[0]], labels=["predicted tumour"])
    with Image.open(io.BytesIO(png_bytes(Drawn(figure, pd.DataFrame())))) as image:
        assert image.mode == "P"
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    assert np.abs(pixels - (0xF5, 0x33, 0x3F)).max(axis=1).min() <= 3


def test_a_file_in_the_folders_place_is_told(drawn, tmp_path):
    (tmp_path / "figures").write_text("not a folder")
    with pytest.raises(OutputError, match="figures"):
        save_figure(drawn, tmp_path / "figures", "01_line")


def test_given_axes_are_used(drawn):
    ax = drawn.figure.axes[0]
    assert use_axes(ax, 1) == (drawn.figure, [ax])
    assert use_axes([ax], 1) == (drawn.figure, [ax])


def test_too_few_axes_are_told(drawn):
    with pytest.raises(SettingError, match=r"2 panels.*got 1"):
        use_axes(drawn.figure.axes, 2)


def test_a_drawn_figure_tells_its_size(drawn):
    assert repr(drawn) == "Drawn(4.0 × 3.0 inches, 2 rows of data)"


@pytest.mark.parametrize("count", [1, 2, 5, 9])
@pytest.mark.parametrize("letters", [4, 20, 60])
def test_a_legend_has_as_many_lines_as_its_words_need(assert_legible, count, letters):
    with house_style():
        figure, (ax,) = new_axes(inches=(PAGE_INCHES, 4))
        lines = [ax.plot([0, 1], label=f"{number}" * letters)[0] for number in range(count)]
        legend_below(figure, lines)
    assert_legible(Drawn(figure, pd.DataFrame()))
    texts = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    lines_used = len({round(box.y0) for box in texts})
    assert lines_used <= {4: 2, 20: -(-count // 3), 60: count}[letters]


def test_a_figure_that_no_journal_takes_is_not_called_legible(assert_legible):
    with house_style():
        wide, _ = new_axes(inches=(PAGE_INCHES + 0.1, 3))
        small, (ax,) = new_axes(inches=(3, 3))
        ax.text(0.5, 0.5, "small", fontsize=6.9)
        powers, (ax,) = new_axes(inches=(3, 3))
        ax.set(xscale="log", xlim=(1, 1000))
    for figure, told in ((wide, "wider than a page"), (small, "'small' has 6.9 points"), (powers, "above the line")):
        with pytest.raises(AssertionError, match=told):
            assert_legible(Drawn(figure, pd.DataFrame()))
