"""Diagrams of steps: the way from a CT to its mask, and the cascade (the dissertation's Figures 3.1 and 2.11)."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.data.combination import combine
from lits_toolkit.data.network_grid import WINDOW
from lits_toolkit.data.prepared import normalise
from lits_toolkit.data.reading import read_case, read_mask
from lits_toolkit.errors import InputError
from lits_toolkit.figures import diagrams
from lits_toolkit.figures.drawn import Drawn
from lits_toolkit.figures.panels import AxialSlice
from lits_toolkit.figures.slices import busiest_slice, take_slice
from lits_toolkit.figures.style import INK, LABEL_COLORS, house_style
from lits_toolkit.study.pairs import pair_masks
from lits_toolkit.study.workspace import RUN, Workspace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE, SPACE, BETWEEN = 0.56, 0.17, 0.38
"""Inches above the first row, from box to box, from row to row."""
DATA, WORK, NETWORK = diagrams.WHITE, diagrams.BLUE, diagrams.GREEN
RADIUS, INSET = 0.13, 0.06
"""Of a circle; from a box's edge to its picture."""


@dataclass(frozen=True)
class Step:
    """A box of a diagram of steps."""

    name: str
    lines: tuple[str, ...]
    place: tuple[int, int]
    """Column and row."""
    after: tuple[str, ...] = ()
    """The names of the steps whose results it takes."""
    function: str = ""
    """Of ours that does it, by its whole name; none of data."""
    section: str = ""
    """Of the dissertation."""
    fill: str = DATA
    joint: str = ""
    """The sign of a circle that is drawn in the box's place, its words below."""


_DATA, _CASCADE = "lits_toolkit.data.", "lits_toolkit.inference.cascade."
_UNET = "lits_toolkit.models.network.EfficientUNet"
PIPELINE = (
    Step("CT", ("CT volume", "(z, y, x), HU"), (0, 0)),
    Step("read", ("read and turn",), (1, 0), ("CT",), _DATA + "reading.read_case", "", WORK),
    Step("resize", ("clamp, resize",), (2, 0), ("read",), _DATA + "network_grid.to_network_grid", "§3.1.1", WORK),
    Step("scale", ("scale to [0, 1]",), (3, 0), ("resize",), _DATA + "prepared.normalise", "§3.1.1", WORK),
    Step("slices", ("take slices",), (1, 1), ("scale",), _DATA + "sampling.sample", "§3.1.2", WORK),
    Step("vary", ("vary (training)",), (2, 1), ("slices",), _DATA + "augmentation.augment", "§3.1.3", WORK),
    Step("liver network", ("liver network",), (3, 1), ("vary",), _UNET, "§3.1.4", NETWORK),
    Step("largest", ("largest", "component"), (4, 1), ("liver network",), _CASCADE + "find_liver", "§3.1.6", WORK),
    Step("liver", ("liver", "(z, y, x), bool"), (5, 1), ("largest",)),
    Step("combine", ("CT in the liver",), (0, 2), ("scale", "liver"), _DATA + "combination.combine", "§3.1.7", WORK),
    Step("slices in it", ("take slices",), (1, 2), ("combine",), _DATA + "sampling.sample", "§3.1.2", WORK),
    Step("vary in it", ("vary (training)",), (2, 2), ("slices in it",), _DATA + "augmentation.augment", "§3.1.3", WORK),
    Step("tumour network", ("tumour network",), (3, 2), ("vary in it",), _UNET, "§3.1.4", NETWORK),
    Step("sure", ("sure", "components"), (4, 2), ("tumour network",), _CASCADE + "find_tumor", "§3.1.8", WORK),
    Step("mask", ("mask", "1 liver,", "2 tumour"), (5, 2), ("sure",)),
)


def take_example(study: Workspace, run: str = RUN) -> AxialSlice | None:
    """The first held-out case's slice with the most tumour and what a run predicts there; None where there is none."""
    if not study.exists:
        return None
    with suppress(InputError):
        for pair in pair_masks(study.predictions(run), study.data, study.held_out[:1]):
            case = read_case(study.case(pair.case))
            return take_slice(case, busiest_slice(case), read_mask(pair.prediction))
    return None


@house_style()
def draw_pipeline(example: AxialSlice | None = None, label: str = "", ax: "Axes | None" = None) -> Drawn:
    """The whole method, as in Figure 3.1: what is done, by which function, and where the dissertation has it.

    With a slice and its prediction, from `take_example`, the CT, the liver, the CT in it and the mask are shown as
    well; `label` names the cohort. The data has a row for each box: step, words, function, section, after, column, row,
    pictured.
    """
    explanation, pictures = "what is done, by which function, and its section", {}
    if example is not None and example.prediction is not None:
        explanation += f" · pictures: {example.case}, slice {example.z}, {label}, as predicted"
        pictures = _pictures(example, example.prediction)
    height, width = example.part_mm if example else (1.0, 1.0)
    return _draw(PIPELINE, "From a CT to its mask", explanation, ax, pictures, height / width)


def _pictures(piece: AxialSlice, mask: np.ndarray) -> dict[str, np.ndarray]:
    """By step, (y, x, 3) in [0, 1], of the slice's part; the CT in the window that the networks see."""
    from matplotlib.colors import to_rgb

    scaled, found = normalise(np.clip(piece.image, *WINDOW), WINDOW)[piece.part], mask[piece.part]
    colored = np.zeros((*found.shape, 3))
    colored[found >= LIVER] = to_rgb(LABEL_COLORS["liver"])
    liver = colored.copy()
    colored[found == TUMOR] = to_rgb(LABEL_COLORS["tumor"])
    grey = {"CT": scaled, "combine": combine(scaled, found >= LIVER, "mask")}
    return {step: np.stack([image] * 3, axis=-1) for step, image in grey.items()} | {"liver": liver, "mask": colored}


@house_style()
def draw_cascade(ax: "Axes | None" = None) -> Drawn:
    """Two networks, the second of which sees the CT inside what the first found, in the manner of Figure 2.11.

    Thresholds are the defaults. The data is as of `draw_pipeline`.
    """
    from lits_toolkit.inference.cascade import Thresholds

    least = Thresholds()
    above_liver, above_tumor = f"above {least.liver:g},", f"above {least.tumor:g},"
    steps = (
        Step("CT", ("CT", "(z, y, x)"), (0, 0)),
        Step("liver network", ("liver network",), (1, 0), ("CT",), _CASCADE + "liver_probability", "", NETWORK),
        Step("liver's probability", ("probability", "of liver"), (2, 0), ("liver network",)),
        Step(
            "largest", (above_liver, "the largest", "component"), (3, 0), ("liver's probability",),
            _CASCADE + "find_liver", "", WORK,
        ),
        Step("liver", ("liver", "yes or no"), (4, 0), ("largest",)),
        Step("combine", (), (4, 1), ("liver", "CT"), _DATA + "combination.combine", joint="×"),
        Step("tumour network", ("tumour network",), (3, 1), ("combine",), _CASCADE + "tumor_probability", "", NETWORK),
        Step("tumour's probability", ("probability", "of tumour"), (2, 1), ("tumour network",)),
        Step(
            "sure", (above_tumor, "components that", f"reach {least.tumor_component:g}"), (1, 1),
            ("tumour's probability",), _CASCADE + "find_tumor", "", WORK,
        ),
        Step("mask", ("mask", "1 liver,", "2 tumour"), (0, 1), ("sure",)),
    )  # fmt: skip
    return _draw(steps, "The cascade", "each stage is trained by itself; the second sees zero outside the liver", ax)


def _draw(
    steps: tuple[Step, ...],
    heading: str,
    explanation: str,
    ax: "Axes | None",
    pictures: Mapping[str, np.ndarray] | None = None,
    ratio: float = 1.0,
) -> Drawn:
    """`ratio` is of the pictures' height to their width."""
    pictures, words = pictures or {}, {step.name: _words(step) for step in steps}
    width = max(diagrams.box_size(lines)[0] for lines in words.values())
    picture = width - 2 * INSET, ratio * (width - 2 * INSET)
    heights = {
        name: diagrams.box_size(lines)[1] + (picture[1] + INSET if name in pictures else 0)
        for name, lines in words.items()
    }
    height = max(heights.values())
    across, down = (max(step.place[axis] for step in steps) + 1 for axis in (0, 1))
    around = 0.12
    figure, panel = diagrams.new_panel(
        ax, across * (width + SPACE) - SPACE + around, TITLE + down * (height + BETWEEN) - BETWEEN + 0.05
    )
    diagrams.heading(panel, heading, explanation)
    centres, sizes = {}, {}
    for step in steps:
        column, row = step.place
        centres[step.name] = width / 2 + column * (width + SPACE), TITLE + height / 2 + row * (height + BETWEEN)
        sizes[step.name] = (2 * RADIUS, 2 * RADIUS) if step.joint else (width, heights[step.name])
    for step in steps:
        centre, size = centres[step.name], sizes[step.name]
        if step.joint:
            diagrams.draw_joint(panel, centre, RADIUS, step.joint)
            diagrams.write(panel, (centre[0], centre[1] + RADIUS + 0.1), [step.function.rsplit(".", 1)[-1]])
        elif step.name in pictures:
            diagrams.draw_box(panel, centre, size, (), step.fill)
            middle = centre[1] - size[1] / 2 + INSET + picture[1] / 2
            _show(panel, (centre[0], middle), picture, pictures[step.name])
            below = centre[0], centre[1] + (picture[1] + INSET) / 2
            diagrams.write(panel, below, words[step.name], dark=len(step.lines))
        else:
            diagrams.draw_box(panel, centre, size, words[step.name], step.fill, len(step.lines))
        turning = [name for name in step.after if centres[name][1] != centre[1] and centres[name][0] != centre[0]]
        for name in step.after:
            gap = centres[name][1] + height / 2 + BETWEEN / 3
            if step.joint and name in turning:  # round everything, into the circle's other side
                right, top = centre[0] + width / 2 + around, TITLE - 0.12
                start = centres[name]
                points = [(start[0], start[1] - sizes[name][1] / 2), (start[0], top), (right, top), (right, centre[1]),
                          (centre[0] + RADIUS, centre[1])]  # fmt: skip
            elif name in turning:
                shift = 0.3 * (turning.index(name) - (len(turning) - 1) / 2)
                points = [
                    (centres[name][0], centres[name][1] + sizes[name][1] / 2),
                    (centres[name][0], gap),
                    (centre[0] + shift, gap),
                    (centre[0] + shift, centre[1] - size[1] / 2),
                ]
            else:
                points = _straight(centres[name], sizes[name], centre, size)
            diagrams.draw_arrow(panel, points, diagrams.SHORTCUT if name in turning else INK)
    table = [
        (step.name, " ".join(step.lines), step.function, step.section, step.after, *step.place, step.name in pictures)
        for step in steps
    ]
    columns = ["step", "words", "function", "section", "after", "column", "row", "pictured"]
    return Drawn(figure, pd.DataFrame(table, columns=columns))


def _show(panel: "Axes", centre: diagrams.Point, size: tuple[float, float], image: np.ndarray) -> None:
    (x, y), (width, height) = centre, size
    limits = panel.get_xlim(), panel.get_ylim()
    extent = (x - width / 2, x + width / 2, y + height / 2, y - height / 2)
    panel.imshow(image, extent=extent, aspect=panel.get_aspect(), interpolation="antialiased", zorder=4)
    panel.set(xlim=limits[0], ylim=limits[1])


def _straight(
    start: diagrams.Point, start_size: tuple[float, float], end: diagrams.Point, end_size: tuple[float, float]
) -> list[diagrams.Point]:
    """From the side, or the bottom, of a box to the next, in either direction."""
    along = 0 if start[1] == end[1] else 1
    sign = 1 if end[along] > start[along] else -1
    points = [list(start), list(end)]
    points[0][along] += sign * start_size[along] / 2
    points[1][along] -= sign * end_size[along] / 2
    return [(x, y) for x, y in points]


def _words(step: Step) -> list[str]:
    function = step.function.rsplit(".", 1)[-1]
    return [each for each in (*step.lines, function, step.section) if each]
