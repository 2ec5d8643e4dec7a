"""Where the boxes of a diagram stand: a graph of operations from top to bottom, in series or side by side.

Between two boxes through which everything passes there are branches: they stand side by side, and a connection that
passes all of them by has a lane of its own to their right. What is neither is one column with a lane for each
connection that skips a box, so that every graph has a drawing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

BRANCH_GAP = 0.3
LANE_GAP = 0.22
START, END = -1, -2
"""Before the inputs, and after the result."""


@dataclass(frozen=True)
class Layout:
    """Places in inches, x to the right of the diagram's axis, y downwards from its top."""

    centres: dict[int, tuple[float, float]]
    """Of each box."""
    lanes: dict[tuple[int, int], float]
    """x of the connections, from a box to another, that pass others by."""
    left: float = 0.0
    right: float = 0.0
    height: float = 0.0


@dataclass(frozen=True)
class _Graph:
    """Connections, and the sizes of boxes."""

    takers: Mapping[int, set[int]]
    sizes: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    """Width, and height with the space below."""

    def reaches(self, start: int, among: frozenset[int]) -> set[int]:
        """What of `among` is reached from a box through nothing else."""
        found: set[int] = set()
        ends = [start]
        while ends:
            further = (self.takers.get(ends.pop(), set()) & among) - found
            found |= further
            ends += further
        return found


def lay_out(inputs: Sequence[Sequence[int]], sizes: Sequence[tuple[float, float]]) -> Layout:
    """Place the boxes of a graph.

    Args:
        inputs: For each box, the numbers of those, earlier in the list, from which connections lead to it; none of an
            input. Every box but the last leads somewhere.
        sizes: Width and height of each, in inches, the height with the space below it.
    """
    takers: dict[int, set[int]] = {number: set() for number in (START, *range(len(inputs)))}
    for number, given in enumerate(inputs):
        for each in given or (START,):
            takers[each].add(number)
    takers[len(inputs) - 1].add(END)
    return _between(_Graph(takers, dict(enumerate(sizes))), START, END, frozenset(range(len(inputs))))


def _between(graph: _Graph, start: int, end: int, inside: frozenset[int]) -> Layout:
    """What lies between two boxes through which everything passes, the axis through both."""
    if not inside:
        return Layout({}, {})
    direct = end in graph.takers[start]
    # through a cut passes everything: without it the end is not reached
    cuts = [cut for cut in sorted(inside) if end not in graph.reaches(start, (inside | {end}) - {cut})]
    if cuts:
        stack = []
        for above, below in pairwise([start, *cuts, end]):
            between = graph.reaches(above, inside - set(cuts))
            stack.append(_between(graph, above, below, frozenset(between)))
            if below != end:
                width, height = graph.sizes[below]
                stack.append(Layout({below: (0.0, height / 2)}, {}, -width / 2, width / 2, height))
        return _one_above_the_other(stack)
    branches = _branches(graph, inside)
    if len(branches) == 1 and not direct:
        return _column(graph, start, end, inside)
    rest = _Graph({**graph.takers, start: graph.takers[start] - {end}}, graph.sizes)
    laid = _side_by_side([_between(rest, start, end, branch) for branch in branches])
    if not direct:
        return laid
    lane = laid.right + LANE_GAP
    return Layout(laid.centres, laid.lanes | {(start, end): lane}, laid.left, lane, laid.height)


def _branches(graph: _Graph, inside: frozenset[int]) -> list[frozenset[int]]:
    """Boxes that connections among them hold together, the first one's first."""
    branches: list[frozenset[int]] = []
    for number in sorted(inside):
        joined = [branch for branch in branches if any(number in graph.takers[each] for each in branch)]
        rest = [branch for branch in branches if branch not in joined]
        branches = [*rest, frozenset({number}).union(*joined)]
    return sorted(branches, key=min)


def _one_above_the_other(stack: Sequence[Layout]) -> Layout:
    centres: dict[int, tuple[float, float]] = {}
    lanes: dict[tuple[int, int], float] = {}
    y = 0.0
    for each in stack:
        centres |= {number: (x, y + down) for number, (x, down) in each.centres.items()}
        lanes |= each.lanes
        y += each.height
    return Layout(centres, lanes, min(each.left for each in stack), max(each.right for each in stack), y)


def _side_by_side(branches: Sequence[Layout]) -> Layout:
    """The axis in the middle; a single branch keeps its own."""
    if len(branches) == 1:
        return branches[0]
    height = max(each.height for each in branches)
    width = sum(each.right - each.left for each in branches) + BRANCH_GAP * (len(branches) - 1)
    centres: dict[int, tuple[float, float]] = {}
    lanes: dict[tuple[int, int], float] = {}
    edge = -width / 2
    for each in branches:
        axis, top = edge - each.left, (height - each.height) / 2
        centres |= {number: (axis + x, top + y) for number, (x, y) in each.centres.items()}
        lanes |= {ends: axis + x for ends, x in each.lanes.items()}
        edge = axis + each.right + BRANCH_GAP
    return Layout(centres, lanes, -width / 2, width / 2, height)


def _column(graph: _Graph, start: int, end: int, inside: frozenset[int]) -> Layout:
    """One box below the other in their order, and a lane for each connection that skips some."""
    order = [start, *sorted(inside), end]
    widths, heights = zip(*(graph.sizes[number] for number in order[1:-1]), strict=True)
    laid = _one_above_the_other(
        [
            Layout({number: (0.0, height / 2)}, {}, -width / 2, width / 2, height)
            for number, width, height in zip(order[1:-1], widths, heights, strict=True)
        ]
    )
    skipping = [
        (above, below)
        for place, above in enumerate(order[:-2])
        for below in order[place + 2 :]
        if below in graph.takers[above]
    ]
    lanes = {ends: laid.right + LANE_GAP * count for count, ends in enumerate(skipping, 1)}
    return Layout(laid.centres, lanes, laid.left, laid.right + LANE_GAP * len(lanes), laid.height)
