"""Diagrams of blocks as their modules compute them (the dissertation's Figures 2.4 to 2.6, 2.8 and 2.10)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures import diagrams
from lits_toolkit.figures.drawn import Drawn
from lits_toolkit.figures.layout import Layout, lay_out
from lits_toolkit.figures.style import INK, house_style
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lits_toolkit.models.structure import Operation

BELOW, FORK = 0.3, 0.1
"""Inches below a box, to the next one, and to where a connection leaves the others."""
TITLE, HEAD, GAP = 0.3, 0.42, 0.35
RADIUS, LEAST = 0.11, 1.12
"""Of a circle; the least width of a box, so that most are of one."""
JOINTS = {"sum": "+", "product": "×"}
_AXES = ("z", "y", "x")


@house_style()
def draw_blocks(blocks: "Mapping[str, Sequence[Operation]]", heading: str, ax: "Axes | None" = None) -> Drawn:
    """Draw each block from top to bottom, side by side, under the name that it is given here.

    `blocks` are from `models.structure.trace` or `within`. A box says kernel, stride and groups of a convolution, what
    follows it, and the shape that comes out, (features, [z,] y, x). The data has a row for each box: block, box,
    operation, kernel, stride, groups, then, shape, inputs, parameters, macs, and its centre x, y in inches.
    Raises InputError without a block.
    """
    if not blocks:
        raise InputError("no block to draw: expected at least one list of operations")
    words = {name: [_words(number, block) for number in range(len(block))] for name, block in blocks.items()}
    sizes = {
        name: [_size(each, lines) for each, lines in zip(blocks[name], words[name], strict=True)] for name in words
    }
    placed = {
        name: lay_out([each.inputs for each in block], [(width, height + BELOW) for width, height in sizes[name]])
        for name, block in blocks.items()
    }
    costs = {name: _cost(block) for name, block in blocks.items()}
    # a title is as wide as its words, half of them on either side of the axis
    half = {name: max(0.082 * len(name), diagrams.CHARACTER * len(costs[name])) / 2 for name in blocks}
    lefts = {name: max(half[name], -each.left) for name, each in placed.items()}
    rights = {name: max(half[name], each.right) for name, each in placed.items()}
    width = sum(lefts.values()) + sum(rights.values()) + GAP * (len(blocks) - 1)
    figure, panel = diagrams.new_panel(ax, width, TITLE + HEAD + max(each.height for each in placed.values()))
    rows: list[dict] = []
    edge = 0.0
    for name, block in blocks.items():
        axis = edge + lefts[name]
        diagrams.title(panel, (axis, TITLE + 0.16), name, costs[name])
        rows += _draw_block(panel, (axis, TITLE + HEAD), block, placed[name], words[name], sizes[name], name)
        edge = axis + rights[name] + GAP
    diagrams.heading(panel, heading)
    return Drawn(figure, pd.DataFrame(rows))


def _draw_block(
    ax: "Axes",
    origin: tuple[float, float],
    block: "Sequence[Operation]",
    placed: Layout,
    words: Sequence[Sequence[str]],
    sizes: Sequence[tuple[float, float]],
    name: str,
) -> list[dict]:
    # a box stands at the top of its place, with the space below
    centres = {number: (origin[0] + x, origin[1] + y - BELOW / 2) for number, (x, y) in placed.centres.items()}
    rows = []
    for number, (operation, lines, size) in enumerate(zip(block, words, sizes, strict=True)):
        if operation.kind in JOINTS:
            diagrams.draw_joint(ax, centres[number], RADIUS, JOINTS[operation.kind])
        elif operation.kind == "input":
            diagrams.write(ax, centres[number], lines)
        else:
            diagrams.draw_box(ax, centres[number], size, lines, _fill(operation, block))
        for given in operation.inputs:
            lane = placed.lanes.get((given, number))
            several = sum(given in each.inputs for each in block) > 1
            points = _route(centres[given], sizes[given], centres[number], size, several, lane, origin[0])
            diagrams.draw_arrow(ax, points, INK if lane is None else diagrams.SHORTCUT)
        rows.append(
            {
                "block": name,
                "box": number,
                "operation": operation.kind,
                "kernel": operation.kernel,
                "stride": operation.stride,
                "groups": operation.groups,
                "then": operation.then,
                "shape": operation.shape,
                "inputs": operation.inputs,
                "parameters": operation.parameters,
                "macs": operation.macs,
                "x": centres[number][0],
                "y": centres[number][1],
            }
        )
    x, y = centres[len(block) - 1]
    bottom = y + sizes[-1][1] / 2
    diagrams.draw_arrow(ax, [(x, bottom), (x, bottom + BELOW - 0.04)])
    return rows


def _route(
    start: tuple[float, float],
    start_size: tuple[float, float],
    end: tuple[float, float],
    end_size: tuple[float, float],
    several: bool,
    lane: float | None,
    axis: float,
) -> list[tuple[float, float]]:
    """From the bottom of a box to the top of the next, or by a lane into its side."""
    bottom, top = start[1] + start_size[1] / 2, end[1] - end_size[1] / 2
    if lane is not None:
        fork, across = bottom + FORK, axis + lane
        return [(start[0], fork), (across, fork), (across, end[1]), (end[0] + end_size[0] / 2, end[1])]
    if abs(start[0] - end[0]) < 1e-6:
        return [(start[0], bottom), (end[0], top)]
    turn = bottom + FORK if several else top - 2 * FORK
    return [(start[0], bottom), (start[0], turn), (end[0], turn), (end[0], top)]


def _size(operation: "Operation", lines: Sequence[str]) -> tuple[float, float]:
    return (2 * RADIUS, 2 * RADIUS) if operation.kind in JOINTS else diagrams.box_size(lines, LEAST)


def _words(number: int, block: "Sequence[Operation]") -> list[str]:
    """What stands in a box."""
    operation = block[number]
    words = [_name(operation, block)]
    if operation.then:
        words.append(" · ".join(operation.then))
    return [*words, shape_in_words(operation.shape)]


def _name(operation: "Operation", block: "Sequence[Operation]") -> str:
    if not operation.inputs:
        return operation.kind
    given = block[operation.inputs[0]].shape
    if operation.kind == "mean":
        axes = [
            axis for axis, before, after in zip(_AXES[-len(given) + 1 :], given[1:], operation.shape[1:], strict=True)
            if before != after
        ]  # fmt: skip
        return f"mean over {', '.join(axes)}"
    if operation.kind == "split":
        return "split in two" if given[0] == 2 * operation.shape[0] else "split"
    if not operation.kernel:
        return operation.kind
    kind = operation.kind
    if operation.groups > 1:
        kind = "depthwise" if operation.groups == given[0] else f"{kind}, {operation.groups} groups"
    stride = "" if set(operation.stride) <= {1} else f", stride {_once(operation.stride)}"
    return f"{'×'.join(map(str, operation.kernel))} {kind}{stride}"


def _fill(operation: "Operation", block: "Sequence[Operation]") -> str:
    if not operation.kernel:
        return diagrams.GREY if operation.kind in ("mean", "maximum pooling") else diagrams.WHITE
    if operation.groups > 1:
        return diagrams.ORANGE
    if operation.kind == "transposed convolution":
        return diagrams.PURPLE
    return diagrams.BLUE if set(operation.kernel) == {1} else diagrams.GREEN


def _cost(block: "Sequence[Operation]") -> str:
    parameters = counted(sum(each.parameters for each in block), "parameter")
    return f"{parameters}, {amount(sum(each.macs for each in block))} MACs"


def _once(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))


def shape_in_words(shape: Sequence[int]) -> str:
    """(features, [z,] y, x) as text.

    Examples:
        >>> shape_in_words((24, 64, 64)), shape_in_words((16, 8, 128, 128)), shape_in_words((6, 1, 1))
        ('24 × 64 × 64', '16 × 8 × 128 × 128', '6 × 1 × 1')
    """
    return " × ".join(map(str, shape))


def amount(number: int) -> str:
    """A count with three digits.

    Examples:
        >>> amount(556), amount(1728), amount(33_600_000), amount(6_040_000_000)
        ('556', '1.73 k', '33.6 M', '6.04 G')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return str(number)
