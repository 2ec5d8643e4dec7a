"""Diagrams of steps: the way from a CT to its mask, and the cascade (the dissertation's Figures 3.1 and 2.11)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.figures import diagrams
from lits_toolkit.figures.drawn import Drawn
from lits_toolkit.figures.style import INK, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE, SPACE, BETWEEN = 0.62, 0.24, 0.42
"""Inches above the first row, from box to box, from row to row."""
DATA, WORK, NETWORK = diagrams.WHITE, diagrams.BLUE, diagrams.GREEN
RADIUS = 0.13


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


@house_style()
def draw_pipeline(ax: "Axes | None" = None) -> Drawn:
    """The whole method, as in Figure 3.1: what is done, by which function, and where the dissertation has it.

    The data has a row for each box: step, words, function, section, after, column, row.
    """
    return _draw(PIPELINE, "From a CT to its mask", "what is done, by which function, and its section", ax)


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


def _draw(steps: tuple[Step, ...], heading: str, explanation: str, ax: "Axes | None") -> Drawn:
    words = {step.name: _words(step) for step in steps}
    width, height = (max(diagrams.box_size(lines)[axis] for lines in words.values()) for axis in (0, 1))
    across, down = (max(step.place[axis] for step in steps) + 1 for axis in (0, 1))
    around = 0.2
    figure, panel = diagrams.new_panel(
        ax, across * (width + SPACE) - SPACE + around, TITLE + down * (height + BETWEEN) - BETWEEN + 0.05
    )
    diagrams.heading(panel, heading, explanation)
    centres, sizes = {}, {}
    for step in steps:
        column, row = step.place
        centres[step.name] = width / 2 + column * (width + SPACE), TITLE + height / 2 + row * (height + BETWEEN)
        sizes[step.name] = (2 * RADIUS, 2 * RADIUS) if step.joint else (width, diagrams.box_size(words[step.name])[1])
    for step in steps:
        centre, size = centres[step.name], sizes[step.name]
        if step.joint:
            diagrams.draw_joint(panel, centre, RADIUS, step.joint)
            diagrams.write(panel, (centre[0], centre[1] + RADIUS + 0.1), [step.function.rsplit(".", 1)[-1]])
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
    table = [(step.name, " ".join(step.lines), step.function, step.section, step.after, *step.place) for step in steps]
    columns = ["step", "words", "function", "section", "after", "column", "row"]
    return Drawn(figure, pd.DataFrame(table, columns=columns))


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
