"""Draw the pictures of docs/doctor.md: phantoms in which each fault is planted. `python docs/doctor_pictures.py`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from lits_toolkit.data.case import LIVER, TUMOR, Case, Grid
from lits_toolkit.data.phantom import make_phantom
from lits_toolkit.figures.drawn import Drawn, new_axes, png_bytes
from lits_toolkit.figures.panels import WINDOW_HU, fill, outline
from lits_toolkit.figures.style import LABEL_COLORS, MISS, house_style
from lits_toolkit.files import replacing

FOLDER = Path(__file__).parent / "doctor"
MOST_BYTES = 58_000
NAN_HU = 4000
"""Stands for NaN, which an int16 volume cannot hold; drawn yellow."""


def main() -> None:
    """Write every picture."""
    case = make_phantom(1, seed=0, size=192, slices=80)
    for name, (faulty, caption, plane) in _faults(case).items():
        drawn = draw_fault(case, faulty, caption, plane)
        with replacing(FOLDER / f"{name}.png") as partial:
            partial.write_bytes(png_bytes(drawn, MOST_BYTES))
        print(FOLDER / f"{name}.png")


@house_style()
def draw_fault(sound: Case, faulty: Case, caption: str, plane: str = "axial") -> Drawn:
    """The sound phantom beside the faulty one, in an "axial" or a "coronal" plane through the liver, in mm."""
    import pandas as pd

    figure, panels = new_axes(1, 2, inches=(5.6, 2.9 if plane == "axial" else 2.7))
    black = -2048 if faulty.volume.min() < -1024 else WINDOW_HU[0]  # so that padding differs from air
    rows = []
    for ax, case, title in zip(panels, (sound, faulty), ("sound", caption), strict=True):
        hu, mask, (down, across), extent = _cut(case, plane)
        ax.imshow(hu, "gray", vmin=black, vmax=WINDOW_HU[1])
        fill(ax, hu == NAN_HU, MISS, 1.0)
        ax.set_aspect(down / across)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        outline(ax, mask >= LIVER, LABEL_COLORS["liver"], 1.4)
        fill(ax, mask == TUMOR, LABEL_COLORS["tumor"], 0.6)
        ax.set_title(title, loc="center", fontsize=9)
        ax.set_xlabel(
            f"{extent[1]:.0f} mm wide, {extent[0]:.0f} mm {'deep' if plane == 'axial' else 'high'}", fontsize=8
        )
        rows.append({"case": title, "liver_pixels": int((mask >= LIVER).sum()), "wide_mm": extent[1]})
    return Drawn(figure, pd.DataFrame(rows))


def _cut(case: Case, plane: str) -> tuple[np.ndarray, np.ndarray, tuple[float, float], tuple[float, float]]:
    assert case.reference is not None
    z, y, x = case.spacing_mm
    if plane == "axial":
        k = len(case.volume) // 2
        hu, mask, step = case.volume[k], case.reference[k], (y, x)
    else:
        j = int(0.47 * case.volume.shape[1])
        hu, mask, step = case.volume[::-1, j], case.reference[::-1, j], (z, x)  # the head above
    return hu, mask, step, (hu.shape[0] * step[0], hu.shape[1] * step[1])


def _faults(case: Case) -> dict[str, tuple[Case, str, str]]:
    assert case.reference is not None
    volume, mask = case.volume, case.reference
    _, y, x = case.spacing_mm
    outside = np.hypot(*np.ogrid[-96:96, -96:96]) > 96
    padded = np.where(outside, np.int16(-2048), volume)
    nan = volume.copy()
    nan[:, :, :18] = NAN_HU
    stray = mask.copy()
    rows, columns = np.ogrid[:192, :192]
    stray[38:43, np.hypot((rows - 105) * y, (columns - 130) * x) < 12] = TUMOR
    one_mm = Grid(case.grid.shape, np.diag([-1.0, -1.0, 1.0, 1.0]))
    metal = volume.copy()
    metal[:, np.hypot((rows - 125) * y, (columns - 96) * x) < 9] = 3071
    turned = [ndimage.rotate(array, 15, (0, 2), reshape=False, order=0, cval=cval) for array, cval in
              ((volume, -1024), (mask, 0))]  # fmt: skip
    larger = ndimage.zoom(mask, (1, 1.25, 1.25), order=0)[:, 24:216, 24:216]
    lost = list(range(34, 50))
    short = replace(case, volume=np.delete(volume, lost, 0), reference=np.delete(mask, lost, 0))
    twice = [*range(40), *[40] * 10, *range(40, 80)]
    return {
        "padding": (replace(case, volume=padded), "padding of -2048 HU, black", "axial"),
        "not-finite": (replace(case, volume=nan), "NaN at the edge, yellow", "axial"),
        "not-hu": (replace(case, volume=(volume + 1024).astype(np.int16)), "intercept of -1024 missing", "axial"),
        "saturated": (replace(case, volume=metal), "metal at 3071 HU", "axial"),
        "not-axial": (replace(case, volume=turned[0], reference=turned[1]), "slices turned by 15°", "coronal"),
        "mask-geometry": (replace(case, reference=larger), "another pixel size in the mask's affine", "axial"),
        "no-liver": (replace(case, reference=np.zeros_like(mask)), "an empty mask", "axial"),
        "duplicate": (
            replace(case, volume=volume[..., ::-1], reference=mask[..., ::-1]),
            "the same CT, mirrored, as patient_1",
            "axial",
        ),
        "slices-missing": (short, "16 slices missing", "coronal"),
        "slices-repeated": (replace(case, volume=volume[twice], reference=mask[twice]), "a slice ten times", "coronal"),
        "spacing-implausible": (replace(case, grid=one_mm), "as 1 × 1 × 1 mm", "coronal"),
        "liver-left": (replace(case, volume=volume[..., ::-1], reference=mask[..., ::-1]), "mirrored", "axial"),
        "back-to-front": (replace(case, volume=volume[:, ::-1], reference=mask[:, ::-1]), "front is back", "axial"),
        "upside-down": (replace(case, volume=volume[::-1], reference=mask[::-1]), "upside down", "coronal"),
        "mask-flipped": (replace(case, reference=mask[..., ::-1]), "mask flipped left–right", "axial"),
        "mask-shifted": (replace(case, reference=np.roll(mask, round(20 / y), 1)), "mask 20 mm too far back", "axial"),
        "mask-misfit": (replace(case, reference=np.roll(mask, -round(90 / x), 2)), "mask beside the patient", "axial"),
        "tumor-outside-liver": (replace(case, reference=stray), "a lesion outside the liver", "axial"),
        "liver-cut": (replace(case, volume=volume[:44], reference=mask[:44]), "the scan ends in the liver", "coronal"),
    }


if __name__ == "__main__":
    main()
