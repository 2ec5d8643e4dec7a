"""What preparing does to a case (dissertation §3.1.1): a slice before and after, the HU that are kept, its weight."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.data.case import Case
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import GeometryError
from lits_toolkit.figures.drawn import Drawn, use_axes
from lits_toolkit.figures.points import tick_in_words
from lits_toolkit.figures.style import INK, METHOD_COLORS, PAGE_INCHES, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN_HU = (-1000, 1500)
_BIN_HU = 20


def weight_table(cases: Sequence[PreparedCase]) -> pd.DataFrame:
    """What each prepared case weighs, a row per case.

    The columns: case, slices, matrix and prepared_matrix ("y × x"), files_mb (the CT and its mask as they were read;
    of DICOM not all), prepared_mb, float32_mb (the network's input for all slices, in memory).
    """
    rows = []
    for case in cases:
        slices, *matrix = case.metadata["original_shape"]
        rows.append(
            {
                "case": case.name,
                "slices": slices,
                "matrix": " × ".join(map(str, matrix)),
                "prepared_matrix": " × ".join(map(str, case.shape[1:])),
                "files_mb": sum(size for _, size, _ in case.metadata["source"]) / 1e6,
                "prepared_mb": case.path.stat().st_size / 1e6,
                "float32_mb": 4 * prod(case.shape) / 1e6,
            }
        )
    return pd.DataFrame(rows)


@house_style()
def draw_preparation(
    case: Case, prepared: PreparedCase, z: int, label: str, axes: "Sequence[Axes] | None" = None
) -> Drawn:
    """Slice `z` as the CT has it and as prepared, each with its own grey scale, and the HU of the whole case.

    Bars within the window are dark; what lies outside it is clamped to its ends. The data has a row per bar: hu (the
    lowest of 20; the outermost bars hold all beyond), voxels, kept (bool). GeometryError where `prepared` is of a CT
    of another shape.
    """
    if tuple(prepared.metadata["original_shape"]) != case.volume.shape:
        raise GeometryError(
            f"{prepared.path} was prepared from a CT of {prepared.metadata['original_shape']} voxels, "
            f"expected that of {case.name}, {list(case.volume.shape)}"
        )
    figure, (before, after, bars) = use_axes(axes, 3, columns=3, inches=(PAGE_INCHES, 3.3))
    low, high = prepared.window
    for ax, image, scale, spacing, title in (
        (before, case.volume[z], _SHOWN_HU, case.spacing_mm, "as in the CT, in HU"),
        (after, prepared.volume_slices(z, z + 1)[0], (0, 1), prepared.metadata["spacing_mm"], "prepared, from 0 to 1"),
    ):
        shown = ax.imshow(image, "gray", vmin=scale[0], vmax=scale[1], interpolation="nearest")
        ax.set(xticks=[], yticks=[], title=f"{' × '.join(map(str, image.shape))}\n{title}")
        ax.set_aspect(spacing[1] / spacing[2])
        ax.spines[:].set_visible(False)
        figure.colorbar(shown, ax=ax, orientation="horizontal", fraction=0.05, pad=0.02)
    data = _histogram(case.volume, (low, high))
    colors = np.where(data["kept"], METHOD_COLORS[2], "#c9c9c9")
    bars.bar(data["hu"], data["voxels"], width=_BIN_HU, align="edge", color=colors)
    bars.axvline(low, color=INK, linewidth=1)
    bars.axvline(high, color=INK, linewidth=1)
    bars.set_yscale("log")
    bars.minorticks_off()
    bars.yaxis.set_major_formatter(tick_in_words)
    share = data.loc[data["kept"], "voxels"].sum() / data["voxels"].sum()
    bars.set(
        xlabel="HU", ylabel=f"voxels per {_BIN_HU} HU", xlim=(_SHOWN_HU[0] - 2 * _BIN_HU, _SHOWN_HU[1] + 2 * _BIN_HU)
    )
    bars.set_ylim(bottom=1)
    bars.set_title(f"{100 * share:.0f} % of the voxels lie\nwithin {low} to {high} HU".replace("-", "−"))
    figure.suptitle(f"Preparing · {label}, {case.name}, slice {z}", wrap=True)
    return Drawn(figure, data)


def _histogram(volume: np.ndarray, window: tuple[int, int]) -> pd.DataFrame:
    """Voxels per bar of 20 HU, counted from the window's lowest HU, so that no bar lies across it."""
    first = window[0] - _BIN_HU * -(-(window[0] - _SHOWN_HU[0]) // _BIN_HU)
    edges = np.arange(first, _SHOWN_HU[1] + _BIN_HU, _BIN_HU)
    voxels, _ = np.histogram(np.clip(volume, edges[0], edges[-1] - 1), edges)
    hu = edges[:-1]
    return pd.DataFrame({"hu": hu, "voxels": voxels, "kept": (hu >= window[0]) & (hu < window[1])})
