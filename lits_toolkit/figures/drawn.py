"""What every plotting function returns, and how a picture is saved."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.errors import SettingError
from lits_toolkit.figures.style import DPI, house_style
from lits_toolkit.files import replacing

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BYTES = 300_000
PAD_INCHES = 0.06
"""Around each panel with its letters."""
_PURE_HUES = 24
_KEY_INCHES, _LETTER_INCHES = 0.55, 0.063
"""What a legend's entry takes beside its words, and the mean width of a letter in it."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure together with the data that it shows, so that tests and readers can look at the numbers."""

    figure: "Figure"
    data: pd.DataFrame
    """Tidy: one row for each thing that is drawn, after selection and ordering."""

    def __repr__(self) -> str:
        width, height = self.figure.get_size_inches()
        return f"Drawn({width:.1f} × {height:.1f} inches, {len(self.data)} rows of data)"

    def _repr_png_(self) -> bytes:
        """What Jupyter shows when the picture is a cell's last expression: the same bytes that are saved."""
        return png_bytes(self)


def new_axes(
    rows: int = 1, columns: int = 1, *, inches: tuple[float, float], share_x: bool = False, share_y: bool = False
) -> tuple["Figure", list["Axes"]]:
    """Make a figure of its own, outside pyplot: nothing to close, and Jupyter does not show it twice."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=inches, dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=PAD_INCHES, h_pad=PAD_INCHES))
    axes = figure.subplots(rows, columns, sharex=share_x, sharey=share_y, squeeze=False)
    return figure, list(axes.ravel())


def use_axes(axes: "Sequence[Axes] | Axes | None", count: int, **layout: object) -> tuple["Figure", list["Axes"]]:
    """Return the caller's axes and their figure, or new ones made by `new_axes(**layout)`.

    Raises SettingError if there are not `count` of them.
    """
    if axes is None:
        return new_axes(**layout)  # type: ignore[arg-type]
    given = list(axes) if isinstance(axes, Sequence) else [axes]
    if len(given) != count:
        raise SettingError(f"this figure has {count} panels: expected as many axes, got {len(given)}")
    return given[0].get_figure(root=True), given  # type: ignore[return-value]


def legend_below(figure: "Figure", keys: "Sequence[Artist]", labels: Sequence[str] | None = None) -> None:
    """A legend below the panels, in as few lines as the figure's width allows; `labels` in place of the keys' own."""
    words = [str(key.get_label()) for key in keys] if labels is None else list(labels)
    columns = _columns_that_fit([len(label) for label in words], figure.get_size_inches()[0])
    figure.legend(list(keys), words, loc="outside lower center", ncols=columns)


def _columns_that_fit(lengths: Sequence[int], inches: float) -> int:
    """In how many columns entries of so many letters stand, in the fewest lines of so many inches."""
    import numpy as np

    for lines in range(1, len(lengths)):
        columns = -(-len(lengths) // lines)
        longest = [part.max() for part in np.array_split(np.array(lengths), columns)]  # as matplotlib parts them
        if sum(_KEY_INCHES + _LETTER_INCHES * letters for letters in longest) <= inches:
            return columns
    return 1


def png_bytes(drawn: Drawn, most_bytes: int = MOST_BYTES) -> bytes:
    """Render as PNG, the same bytes whenever and wherever it is called with the same data.

    The noise of a CT hardly compresses. A picture above `most_bytes` gets a palette, of fewer and fewer greys, which
    no eye tells from the original; only if that does not do, fewer pixels.
    """
    dpi = float(DPI)
    while True:
        full = io.BytesIO()
        with house_style():
            # Without the version of matplotlib in the file, a picture changes only if its pixels do.
            drawn.figure.savefig(full, format="png", dpi=dpi, metadata={"Software": None})
        if full.tell() <= most_bytes:
            return full.getvalue()
        for greys in (64, 40, 28):
            small = _with_palette(full, greys, dpi)
            if len(small) <= most_bytes:
                return small
        if dpi < DPI / 2:
            return small
        dpi *= min(0.95, 0.98 * (most_bytes / len(small)) ** 0.5)


def pdf_bytes(drawn: Drawn) -> bytes:
    """Render as PDF, the same bytes whenever it is called with the same data."""
    full = io.BytesIO()
    with house_style():
        drawn.figure.savefig(full, format="pdf", metadata={"CreationDate": None})
    return full.getvalue()


def _with_palette(png: io.BytesIO, greys: int, dpi: float) -> bytes:
    """The picture with at most 256 colours: evenly spaced greys, and the rest for what has a hue.

    A palette chosen over all pixels would spend itself on the greys and dull the few coloured lines; one over all
    hues, on a tint over a CT's noise. So the hues farthest from each other, as pure lines are, are kept as they are.
    """
    import numpy as np
    from PIL import Image
    from scipy.spatial import KDTree

    with Image.open(png) as image:
        colors = np.asarray(image.convert("RGB"))
    is_grey = np.ptp(colors, axis=2) < 6
    indices = np.round(colors[..., 1] * ((greys - 1) / 255)).astype(np.uint8)
    palette = np.repeat(np.round(np.linspace(0, 255, greys)).astype(np.uint8)[:, None], 3, axis=1)
    if not is_grey.all():
        packed, place = np.unique(colors[~is_grey] @ np.array([1 << 16, 1 << 8, 1]), return_inverse=True)
        hues = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1).astype(np.uint8)
        pure = _far_apart(hues, _PURE_HUES)
        cut = Image.fromarray(colors[~is_grey][None]).quantize(
            3 * greys - len(pure), method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
        own = np.concatenate([pure, np.array(cut.getpalette(), np.uint8).reshape(-1, 3)])
        indices[~is_grey] = KDTree(own).query(hues)[1][place] + greys
        palette = np.concatenate([palette, own])
    small = Image.fromarray(indices, mode="P")
    small.putpalette(palette.ravel().tolist())
    output = io.BytesIO()
    small.save(output, format="PNG", optimize=True, dpi=(dpi, dpi))
    return output.getvalue()


def _far_apart(colors: "np.ndarray", count: int) -> "np.ndarray":
    """At most `count` of (n, 3) colours: each time the one farthest from those before, the first from the mean."""
    import numpy as np

    places = colors.astype(float)
    distances = np.linalg.norm(places - places.mean(axis=0), axis=1)
    chosen: list[int] = []
    while len(chosen) < min(count, len(colors)):
        chosen.append(int(distances.argmax()))
        nearest = np.linalg.norm(places - places[chosen[-1]], axis=1)
        distances = nearest if len(chosen) == 1 else np.minimum(distances, nearest)
    return colors[chosen]


def save_figure(drawn: Drawn, folder: str | Path, name: str) -> Path:
    """Save as `folder/name.png` (200 dpi, below 300 kB, reproducible to the byte) and return the path.

    Beside it, for print, `folder/name.pdf`: lines and letters as such, images as they are. Raises OutputError where
    the folder cannot be written.
    """
    path = Path(folder) / f"{name.removesuffix('.png')}.png"
    with replacing(path) as partial:
        partial.write_bytes(png_bytes(drawn))
    with replacing(path.with_suffix(".pdf")) as partial:
        partial.write_bytes(pdf_bytes(drawn))
    return path
