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
        _write(name, draw_fault(case, faulty, caption, plane))
    labels = _labels_as_volume(case)
    for name, (faulty, caption) in _label_faults(case).items():
        _write(name, draw_fault(labels, _labels_as_volume(faulty), caption))


def _write(name: str, drawn: Drawn) -> None:
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
    other = make_phantom(2, seed=0, size=192, slices=80)
    every_other = (np.arange(80) % 8 < 4)[:, None, None]
    localiser = volume.copy()
    localiser[38:42] = volume[::-1, 90][np.linspace(0, 79, 192).astype(int)]  # a coronal plane among axial ones
    read = np.arange(80)[:, None, None] >= 38
    uneven = np.repeat(np.arange(80), np.where(np.arange(80) % 9 == 4, 3, 1))
    frames = np.full_like(volume, WINDOW_HU[0])
    for row in range(3):
        for column in range(3):
            frames[40, 64 * row : 64 * row + 64, 64 * column : 64 * column + 64] = volume[
                8 * (3 * row + column) + 4, ::3, ::3
            ]
    pair = np.concatenate([volume[:, ::2, ::2], other.volume[:, ::2, ::2]], 2).repeat(2, 1)
    noise = np.random.default_rng(0).integers(*WINDOW_HU, volume.shape).astype(np.int16)
    coarse = mask[:, 6::12, 6::12].repeat(12, 1).repeat(12, 2)
    lost = list(range(34, 50))
    short = replace(case, volume=np.delete(volume, lost, 0), reference=np.delete(mask, lost, 0))
    twice = [*range(40), *[40] * 10, *range(40, 80)]
    blank = np.zeros_like(mask)
    return {
        "unreadable": (
            replace(case, volume=np.where(read, volume, np.int16(WINDOW_HU[0])), reference=mask * read),
            "cut off",
            "coronal",
        ),
        "wrong-rank": (replace(case, volume=pair, reference=blank), "two phases in one file", "axial"),
        "compression": (replace(case, volume=noise, reference=blank), "compressed: no plug-in reads it", "axial"),
        "multi-frame": (replace(case, volume=frames, reference=blank), "all slices in one file", "axial"),
        "mixed-slices": (replace(case, volume=localiser, reference=blank), "a coronal plane among the slices", "axial"),
        "uneven-slices": (replace(case, volume=volume[uneven], reference=mask[uneven]), "uneven distances", "coronal"),
        "conflicting-slices": (
            replace(case, volume=np.where(every_other, volume, other.volume)),
            "two series at the same places",
            "coronal",
        ),
        "no-orientation": (
            replace(case, volume=volume[:, ::-1, ::-1], reference=mask[:, ::-1, ::-1]),
            "which way up? the header does not say",
            "axial",
        ),
        "mask-shape": (replace(case, reference=coarse), "a mask of 16 × 16 pixels", "axial"),
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


def _labels_as_volume(case: Case) -> Case:
    """The mask itself as a grey picture: label 0 black, 1 grey, 2 light, 3 white."""
    assert case.reference is not None
    low, high = WINDOW_HU
    shown = low + (high - low) * np.clip(case.reference.astype(np.float32) / 3, 0, 1)
    return replace(case, volume=shown.astype(np.int16), reference=np.zeros(case.reference.shape, np.uint8))


def _label_faults(case: Case) -> dict[str, tuple[Case, str]]:
    assert case.reference is not None
    mask = case.reference
    soft = ndimage.uniform_filter(mask.astype(np.float32), (1, 9, 9))
    rows, columns = np.ogrid[:192, :192]
    spleen = np.hypot((rows - 105) / 22, (columns - 148) / 11) < 1
    more = np.where(spleen & (mask == 0), 3, mask)
    return {
        "labels-not-integer": (replace(case, reference=soft), "labels between 0, 1 and 2"),
        "labels-rounded": (replace(case, reference=mask * np.float32(0.9999)), "1 is 0.9999, 2 is 1.9998"),
        "labels-unknown": (replace(case, reference=more), "a label 3, white"),
        "segments-left-out": (replace(case, reference=more), "a further organ, white, not taken"),
    }


if __name__ == "__main__":
    main()
