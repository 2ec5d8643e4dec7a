"""What augmentation does to a slice: each transformation at its extreme, and random ones (Figure 3.2, Table 3.1)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from lits_toolkit.data.augmentation import (
    UNCHANGED,
    Augmentation,
    Movement,
    displacements,
    draw_movement,
    move,
    sources,
)
from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.data.network_grid import WINDOW, Window
from lits_toolkit.data.prepared import PreparedCase, normalise, to_hu
from lits_toolkit.errors import InputError
from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.panels import (
    AxialSlice,
    around_inches,
    bottom_legend,
    line_key,
    name_panel,
    outline,
    panel_inches,
    show_slice,
)
from lits_toolkit.figures.style import FAINT, LABEL_COLORS, house_style
from lits_toolkit.study.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NOISE_SHOWN = 20
"""Times the noise is drawn: 2 HU are half a percent of the grey scale, which no eye sees."""
_COLUMNS, _COMBINATIONS = 4, 4
_GRID_PIXELS = 32
_PIXELS = ("liver_pixels", "tumor_pixels")


def take_prepared_slice(case: PreparedCase, z: int) -> AxialSlice:
    """Slice `z` of a prepared case, back in HU, with its mask where it has one, shown whole.

    Raises InputError if there is no such slice.
    """
    slices, height, width = case.shape
    if not 0 <= z < slices:
        raise InputError(f"{case.name} has no slice {z}: it has the slices 0 to {slices - 1}")
    hu = to_hu(case.volume_slices(z, z + 1)[0], case.window)
    _, *spacing_mm = case.metadata["spacing_mm"]
    mask = case.mask_slices(z, z + 1)[0] if case.has_mask else None
    return AxialSlice(case.name, z, hu, tuple(spacing_mm), (slice(0, height), slice(0, width)), mask)


def augmentation_table(settings: Augmentation | None = None) -> Table:
    """Table 3.1 and what is drawn for each sample; its data is text: transformation, range, unit, printed, note."""
    settings = settings or Augmentation()

    def within(reach: float) -> str:
        return f"[{-reach:g}, {reach:g}]"

    rows = [
        ("rotation", within(settings.rotation_degrees), "degrees", "[-15, 15]", "above 0 anti-clockwise"),
        ("shearing", within(settings.shear_degrees), "degrees", "[-10, 10]", "above 0 the upper part to the right"),
        (
            "translation",
            within(settings.translation_pixels),
            "pixels",
            "[-16, 16]",
            "of the 256 × 256 input, along x and y each; above 0 to the right, down",
        ),
        (
            "random intensity noise",
            within(100 * settings.noise),
            "% of the window",
            "[-0.5, 0.5]",
            f"printed without a unit, as less than 2 HU: ±{400 * settings.noise:g} HU of a window of 400",
        ),
        ("scaling", within(settings.scale_percent), "% of the side", "[-12.5, 12.5]", "above 0 larger"),
        ("flipping", f"{100 * settings.flip:g}", "% of the samples", "", "left and right; named in the text"),
        (
            "elastic",
            within(settings.elastic_pixels),
            "pixels",
            "",
            f"in {100 * settings.elastic_share:g} % of the samples (10 % in the text); control points every "
            f"{settings.elastic_spacing:g} pixels, along x and y each; reach and spacing are ours",
        ),
    ]
    data = pd.DataFrame(rows, columns=["transformation", "range", "unit", "printed", "note"])
    text = data.rename(columns={"range": "range here"}).set_index("transformation")
    return Table("Table 3.1 · ranges of augmentation, as printed and here", data, text)


@house_style()
def draw_augmentation(
    piece: AxialSlice,
    label: str,
    settings: Augmentation | None = None,
    seed: int = 0,
    window: Window = WINDOW,
    axes: "Sequence[Axes] | None" = None,
) -> Drawn:
    """One slice as prepared, under each transformation at the end of its range, and under four random combinations.

    `piece` is a slice on the network's grid, as `take_prepared_slice` gives it, and `window` its HU; `settings` are
    those of Table 3.1 by default. The fine lines were straight and 32 pixels apart before. The data has a row per
    panel: panel, rotation_degrees, shear_degrees, scale_percent, right_pixels, down_pixels, flipped, elastic_pixels
    (the largest displacement along x or y), noise_hu (as drawn), and liver_pixels (mask ≥ 1) and tumor_pixels, <NA>
    without a mask.
    """
    settings = settings or Augmentation()
    panels = list(_panels(settings, torch.Generator().manual_seed(seed)))
    low, high = window
    image = torch.from_numpy(normalise(piece.image, window))[None, None]
    labels = np.zeros_like(piece.image) if piece.reference is None else piece.reference
    masks = torch.from_numpy(np.stack([labels >= LIVER, labels == TUMOR]).astype(np.uint8))[None]
    random = np.random.default_rng(seed)

    height, width = panel_inches([piece], _COLUMNS)
    rows = -(-len(panels) // _COLUMNS)
    figure, drawn_on = use_axes(
        axes, len(panels), rows=rows, columns=_COLUMNS, inches=(width * _COLUMNS, height * rows + around_inches())
    )
    table = []
    for ax, (title, movement, noise) in zip(drawn_on, panels, strict=True):
        moved, (liver, tumor) = (part[0].numpy() for part in move(image, masks, movement))
        shown = moved[0] * (high - low) + low + random.uniform(-1, 1, liver.shape) * noise * (high - low)
        show_slice(ax, replace(piece, image=shown), piece.part_mm)
        name_panel(ax, title)
        _show_grid(ax, (sources(movement, len(liver))[0].numpy() + 1) * (len(liver) / 2) - 0.5)
        outline(ax, liver > 0, LABEL_COLORS["liver"], 1.0)
        outline(ax, tumor > 0, LABEL_COLORS["tumor"], 1.0)
        pixels = [pd.NA] * 2 if piece.reference is None else [int(liver.sum()), int(tumor.sum())]
        table.append(
            _row(title, movement) | {"noise_hu": noise * (high - low)} | dict(zip(_PIXELS, pixels, strict=True))
        )
    keys = [line_key(FAINT, f"straight before, {_GRID_PIXELS} pixels apart", linewidth=0.6)]
    if piece.reference is not None:
        keys = [line_key(LABEL_COLORS["liver"], "liver"), line_key(LABEL_COLORS["tumor"], "tumour"), *keys]
    figure.suptitle(f"Augmentation · {label}, {piece.case}, slice {piece.z}", wrap=True)
    bottom_legend(figure, keys)
    return Drawn(figure, pd.DataFrame(table).astype(dict.fromkeys(_PIXELS, "Int64")))


def _panels(settings: Augmentation, generator: torch.Generator) -> Iterator[tuple[str, Movement, float]]:
    """Title, movement and noise (of the normalised intensity) of each panel."""
    still = draw_movement(1, UNCHANGED, generator)

    def only(**parts: Any) -> Movement:
        return replace(still, **{name: torch.tensor(values) for name, values in parts.items()})  # type: ignore[arg-type]

    deformed = draw_movement(1, replace(settings, rotation_degrees=0, shear_degrees=0, translation_pixels=0,
                                        scale_percent=0, flip=0, elastic_share=1), generator)  # fmt: skip
    turn, push, grow, shift = (
        settings.rotation_degrees,
        settings.shear_degrees,
        settings.scale_percent,
        settings.translation_pixels,
    )
    yield "as prepared", still, 0
    yield "flipped", only(flipped=[True]), 0
    yield f"elastic, up to {settings.elastic_pixels:g} pixels", deformed, 0
    yield f"noise of ±{400 * settings.noise:g} HU, {_NOISE_SHOWN} times", still, _NOISE_SHOWN * settings.noise
    for sign in (1, -1):
        yield f"rotation {_signed(sign * turn)}°", only(rotation_degrees=[sign * turn]), 0
    for sign in (1, -1):
        yield f"shearing {_signed(sign * push)}°", only(shear_degrees=[sign * push]), 0
    for sign in (1, -1):
        yield f"scaling {_signed(sign * grow)} %", only(scale_percent=[sign * grow]), 0
    yield f"translation, {shift:g} pixels right", only(shift_pixels=[[shift, 0.0]]), 0
    yield f"translation, {shift:g} pixels down", only(shift_pixels=[[0.0, shift]]), 0
    for number in range(1, _COMBINATIONS + 1):
        yield f"random {number}", draw_movement(1, settings, generator), settings.noise


def _signed(value: float) -> str:
    return f"{value:+g}".replace("-", "−")


def _row(title: str, movement: Movement) -> dict[str, Any]:
    right, down = (movement.shift_pixels[0] + 0.0).tolist()
    return {
        "panel": title,
        "rotation_degrees": movement.rotation_degrees.item() + 0.0,  # no -0.0
        "shear_degrees": movement.shear_degrees.item() + 0.0,
        "scale_percent": movement.scale_percent.item() + 0.0,
        "right_pixels": right,
        "down_pixels": down,
        "flipped": bool(movement.flipped.item()),
        "elastic_pixels": float(displacements(movement, 256).abs().max()) if len(movement.deformed) else 0.0,
    }


def _show_grid(ax: "Axes", places: np.ndarray) -> None:
    """Lines along which the (2, y, x) pixel that a new pixel comes from has the same x, or the same y."""
    size = places.shape[-1]
    levels = np.arange(0, size + 1, size * _GRID_PIXELS / 256) - 0.5
    for along in places:
        ax.contour(along, levels, colors="white", linewidths=0.5, linestyles="solid", alpha=0.35)
