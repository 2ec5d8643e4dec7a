"""Diagrams of whole networks by the resolution of their parts (the dissertation's Figures 2.7, 3.3 and 3.4)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lits_toolkit.errors import InputError
from lits_toolkit.figures import diagrams
from lits_toolkit.figures.blocks import amount
from lits_toolkit.figures.drawn import Drawn
from lits_toolkit.figures.style import FAINT, INK, house_style
from lits_toolkit.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lits_toolkit.models.structure import Part

FILLS = {
    "stem": diagrams.GREEN,
    "encoder": diagrams.BLUE,
    "head": diagrams.ORANGE,
    "decoder": diagrams.PURPLE,
    "output": diagrams.GREY,
}
SPACE, DOWN, LEAST = 0.32, 0.92, 1.0
"""Inches between parts where the page has room, from row to row, and of a box's width at least."""
LEGEND = "in each box: the shape that comes out (features×{}y×x), then parameters · MACs of the part"


@house_style()
def draw_network(parts: "Sequence[Part]", name: str, ax: "Axes | None" = None) -> Drawn:
    """Draw a network as a U, a row for each size in y and x: down on the left, up on the right, shortcuts across.

    `parts` are from `models.structure.parts_of`. A box says the shape that comes out, (features, [z,] y, x), and what
    the part costs; a network of the catalogue fits on a page. The data has a row for each part: part, blocks, kernel,
    shape, inputs, parameters, macs, and its place in the U: row, column. Raises InputError without a part.
    """
    if not parts:
        raise InputError("no part to draw: expected those of a network")
    places = _places(parts)
    contents = [_words(part) for part in parts]
    widest = max(diagrams.box_size(lines, LEAST)[0] for lines in contents)
    columns, rows = (max(place[axis] for place in places) + 1 for axis in (0, 1))
    across = widest + max(0.5 * SPACE, min(SPACE, (diagrams.WIDEST - columns * widest) / max(columns - 1, 1)))
    figure, panel = diagrams.new_panel(ax, across * (columns - 1) + widest, diagrams.HEAD + DOWN * (rows - 1) + 0.8)
    centres = [(widest / 2 + across * column, diagrams.HEAD + 0.35 + DOWN * row) for column, row in places]
    sizes = [diagrams.box_size(lines, widest) for lines in contents]
    for number, (part, lines, centre, size) in enumerate(zip(parts, contents, centres, sizes, strict=True)):
        diagrams.draw_box(panel, centre, size, lines, FILLS.get(part.name.split()[0], diagrams.WHITE))
        for given in part.inputs:
            between = any(places[given][0] < x < places[number][0] and y == places[number][1] for x, y in places)
            route = _over if between else _straight
            points = route(centres[given], sizes[given], centre, size)
            diagrams.draw_arrow(panel, points, INK if given == number - 1 else diagrams.SHORTCUT)
    parameters, macs = sum(part.parameters for part in parts), sum(part.macs for part in parts)
    words = f"{name}: {amount(parameters)} parameters, {amount(macs)} MACs"
    diagrams.heading(panel, words, f"{_legend(parts)} · shortcuts in blue")
    return Drawn(figure, _table(parts).assign(column=[x for x, _ in places], row=[y for _, y in places]))


@house_style()
def draw_encoders(networks: "Mapping[str, Sequence[Part]]", ax: "Axes | None" = None) -> Drawn:
    """Draw the way down of several networks side by side, as in Figure 3.4: how each layer changes what it is given.

    Beside each box a pile of as many sheets as it has slices, the larger the more pixels; arrows to the right are
    shortcuts to the decoder. `networks` are lists of parts by the networks' names. The data has the parts that are
    drawn, up to the first that is larger than the one before: network, and as of `draw_network`; decoder, the part
    that a shortcut leads to. Raises InputError without a network.
    """
    if not networks:
        raise InputError("no network to draw: expected at least one list of parts")
    shown = {name: parts[: _way_down(parts)] for name, parts in networks.items()}
    words = {name: [_words(part) for part in parts] for name, parts in shown.items()}
    width = max(diagrams.box_size(lines)[0] for each in words.values() for lines in each)
    pile, arrow, gap, down, top = 1.0, 1.05, 0.25, 0.76, 1.12
    one = pile + width + arrow
    most = max(map(len, shown.values()))
    figure, panel = diagrams.new_panel(ax, len(shown) * one + gap * (len(shown) - 1), top + down * (most - 0.5))
    legend = _legend(max(shown.values(), key=lambda parts: len(parts[0].shape)))
    diagrams.heading(panel, "The way down: a sheet for each slice, its side by the logarithm of y and x", legend)
    tables = []
    for place, (name, parts) in enumerate(shown.items()):
        axis = place * (one + gap) + pile + width / 2
        diagrams.title(panel, (axis, 0.66), name)
        leads_to = [_shortcut(networks[name], number, len(parts)) for number in range(len(parts))]
        largest = parts[0].shape[-1]
        for number, (part, lines) in enumerate(zip(parts, words[name], strict=True)):
            centre, size = (axis, top + down * number), diagrams.box_size(lines, width)
            diagrams.draw_box(panel, centre, size, lines, FILLS.get(part.name.split()[0], diagrams.WHITE))
            _draw_pile(panel, (axis - width / 2 - pile / 2, centre[1]), part.shape, largest)
            if number:
                above = top + down * (number - 1) + diagrams.box_size(words[name][number - 1])[1] / 2
                diagrams.draw_arrow(panel, [(axis, above), (axis, centre[1] - size[1] / 2)])
            if leads_to[number]:
                edge = axis + width / 2
                diagrams.draw_arrow(panel, [(edge, centre[1]), (edge + 0.25, centre[1])], diagrams.SHORTCUT)
                diagrams.write(panel, (edge + 0.3, centre[1]), [leads_to[number]], align="left")
        tables.append(_table(parts).assign(network=name, decoder=leads_to))
    return Drawn(figure, pd.concat(tables, ignore_index=True))


def _places(parts: "Sequence[Part]") -> list[tuple[int, int]]:
    """Column and row of each: the next row is that of half the size; parts of one size go to the right."""
    sizes = sorted({part.shape[-1] for part in parts}, reverse=True)
    places: list[tuple[int, int]] = []
    column = 0
    for part in parts:
        row = sizes.index(part.shape[-1])
        column += bool(places) and row == places[-1][1]
        places.append((column, row))
    return places


def _straight(
    start: diagrams.Point, start_size: tuple[float, float], end: diagrams.Point, end_size: tuple[float, float]
) -> list[diagrams.Point]:
    if start[1] == end[1]:
        return [(start[0] + start_size[0] / 2, start[1]), (end[0] - end_size[0] / 2, end[1])]
    sign = 1 if end[1] > start[1] else -1
    return [(start[0], start[1] + sign * start_size[1] / 2), (end[0], end[1] - sign * end_size[1] / 2)]


def _over(
    start: diagrams.Point, start_size: tuple[float, float], end: diagrams.Point, end_size: tuple[float, float]
) -> list[diagrams.Point]:
    """Above the boxes between two of one row."""
    above = min(start[1], end[1]) - DOWN / 2 + 0.08
    out = start[0] + 0.3 * start_size[0]
    return [(out, start[1] - start_size[1] / 2), (out, above), (end[0], above), (end[0], end[1] - end_size[1] / 2)]


def _legend(parts: "Sequence[Part]") -> str:
    return LEGEND.format("z×" if len(parts[0].shape) == 4 else "")


def _words(part: "Part") -> list[str]:
    shape = "×".join(map(str, part.shape))
    if not part.convolutions:
        return [part.name, shape]
    kernel = "×".join(map(str, part.kernel))
    made = f"{counted(part.blocks, 'block')}, {kernel}" if part.blocks else counted(part.convolutions, "convolution")
    return [part.name, made, shape, f"{amount(part.parameters)} · {amount(part.macs)}"]


def _way_down(parts: "Sequence[Part]") -> int:
    """How many parts there are before the first that is larger than the one before."""
    larger = [number for number in range(1, len(parts)) if parts[number].shape[-1] > parts[number - 1].shape[-1]]
    return larger[0] if larger else len(parts)


def _shortcut(parts: "Sequence[Part]", number: int, end: int) -> str:
    """The part of the way up, beyond the one that comes next anyway, that takes what this one gives."""
    takers = [part.name for place, part in enumerate(parts) if place >= end and number in part.inputs]
    return takers[0] if takers and number != end - 1 else ""


def _draw_pile(ax: "Axes", centre: diagrams.Point, shape: Sequence[int], largest: int) -> None:
    """A sheet for each slice along z, or one, with a side by the logarithm of its pixels."""
    from math import log2

    from matplotlib.patches import Rectangle

    sheets = shape[1] if len(shape) == 4 else 1
    side = max(0.08, 0.52 - 0.085 * log2(largest / shape[-1]))
    step = 0.035
    x, y = (place - (side + step * (sheets - 1)) / 2 for place in centre)
    for sheet in range(sheets):
        corner = (x + step * (sheets - 1 - sheet), y + step * sheet)
        ax.add_patch(
            Rectangle(corner, side, side, facecolor="#f7f7f7", edgecolor=FAINT, linewidth=0.7, zorder=3 + sheet / 99)
        )


def _table(parts: "Sequence[Part]") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "part": [part.name for part in parts],
            "convolutions": [part.convolutions for part in parts],
            "blocks": [part.blocks for part in parts],
            "kernel": [part.kernel for part in parts],
            "shape": [part.shape for part in parts],
            "inputs": [part.inputs for part in parts],
            "parameters": [part.parameters for part in parts],
            "macs": [part.macs for part in parts],
        }
    )
