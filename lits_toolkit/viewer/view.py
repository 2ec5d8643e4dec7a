"""What is on the screen of the slice browser, as a value; and the code that makes it again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.errors import SettingError
from lits_toolkit.viewer.blend import WINDOWS
from lits_toolkit.viewer.facts import Voxel
from lits_toolkit.viewer.payload import plane_view

_LINE = 100
"""Characters of a line of code that is still read at a glance."""

LAYOUTS = ("single", "planes", "compare")
"""One plane; axial, coronal and sagittal; a panel for each prediction."""


@dataclass(frozen=True)
class Plane:
    """A plane of the array, and how a slice of it is shown: as on a radiologist's screen, the head up."""

    axis: int
    """Of the array, along which its slices are counted."""
    letters: tuple[str, str, str, str]
    """What lies at the top, the bottom, the left and the right of the picture."""

    @property
    def in_plane(self) -> tuple[int, int]:
        """The axes of the array that run down and across the picture."""
        down, across = (axis for axis in range(3) if axis != self.axis)
        return down, across

    @property
    def upside_down(self) -> bool:
        """Whether the array's first row is the picture's last: z grows to the head."""
        return self.in_plane[0] == 0

    def cut(self, array: np.ndarray, cursor: Voxel) -> np.ndarray:
        """The slice of a (z, y, x) array through the cursor, as it is shown."""
        return plane_view(array, self.axis)[cursor[self.axis]]

    def place(self, zyx: Sequence[float], shape: tuple[int, ...]) -> tuple[float, float]:
        """(row, column) in the picture, in pixels from its upper left corner, of a voxel's centre."""
        down, across = self.in_plane
        row = shape[down] - 1 - zyx[down] if self.upside_down else zyx[down]
        return row + 0.5, zyx[across] + 0.5


PLANES = {
    "axial": Plane(0, ("A", "P", "R", "L")),
    "coronal": Plane(1, ("S", "I", "R", "L")),
    "sagittal": Plane(2, ("S", "I", "A", "P")),
}


@dataclass(frozen=True)
class View:
    """Everything needed to draw what is on the screen, but for the arrays."""

    plane: str = "axial"
    """In PLANES; "planes" shows all three."""
    layout: str = "single"
    """In LAYOUTS."""
    cursor: Voxel = (0, 0, 0)
    """The voxel (z, y, x) through which the planes go: a plane's slice is its coordinate along the plane's axis."""
    window: tuple[float, float] = WINDOWS["abdomen"]
    """The HU shown as black and as white."""
    opacity: float = 0.4
    """Of a tumour's fill, 0…1."""
    filled: bool = True
    """Whether masks are filled, or outlined only."""
    shown: tuple[str, ...] | None = None
    """Names of the layers that are on; None for all."""
    errors: bool = False
    """Whether tumour is coloured by what became of it, instead of by its layer."""
    heat: bool = False
    """Whether the probability is laid over the CT."""
    numbers: bool = False
    """Whether lesions have their numbers beside them."""
    zoom: float = 1.0
    """1 shows the whole slice."""
    middle: tuple[float, float, float] | None = None
    """The place (z, y, x), in voxels, that lies in the middle of each picture; None for the volume's own middle."""


def view_code(view: View, sources: Mapping[str, Any]) -> str:
    """Python code that makes the same figure in a fresh kernel.

    `sources` has the arguments of `browse` that were given (case, reference, prediction, probability): a path or the
    files of a case, None for an array, which the code then calls as the argument, or a mapping of such by name.
    """
    missing: list[str] = []
    given = {name: _source(name, source, missing) for name, source in sources.items()}
    imports = ["from lits_toolkit import browse"]
    if any("CaseFiles(" in text for text in given.values()):
        imports = ["from pathlib import Path", "", *imports, "from lits_toolkit.data.case import CaseFiles"]
    imports.append("from lits_toolkit.viewer.view import View")
    if missing:
        imports.append(f"\n# {' and '.join(missing)}: as in the notebook where the browser was opened")
    arguments = [given.pop("case", "case"), *(f"{name}={text}" for name, text in given.items())]
    settings = [
        f"    {field.name}={getattr(view, field.name)!r},"
        for field in fields(view)
        if field.name == "cursor" or getattr(view, field.name) != field.default
    ]
    opened = f"browser = browse({', '.join(arguments)})"
    if len(opened) > _LINE:
        opened = "\n".join(["browser = browse(", *(f"    {argument}," for argument in arguments), ")"])
    return "\n".join([*imports, "", opened, "view = View(", *settings, ")", "browser.figure(view)"])


def _source(name: str, source: Any, missing: list[str]) -> str:
    if isinstance(source, Mapping) and any(each is not None for each in source.values()):
        given = (f"{key!r}: {_source(_variable(key), each, missing)}" for key, each in source.items())
        return "{" + ", ".join(given) + "}"
    if source is None or isinstance(source, Mapping):
        missing.append(name)
        return name
    if isinstance(source, CaseFiles):
        if find_cases(source.volume) == [source]:
            return repr(str(source.volume))
        places = ", ".join(f"Path({str(path)!r})" for path in (source.volume, source.reference) if path is not None)
        series = f", series={source.series!r}" if source.series else ""
        return f"CaseFiles({source.name!r}, {places}{series})"
    return repr(str(source))


def _variable(name: str) -> str:
    word = re.sub(r"\W+", "_", name).strip("_").lower()
    return word if word.isidentifier() else f"mask_{word}"


def require_fitting(view: View, names: Sequence[str], shape: tuple[int, ...]) -> None:
    """SettingError where a view names a plane, a layout, a mask or a voxel that a case of that shape does not have."""
    for what, name, known in (("plane", view.plane, tuple(PLANES)), ("layout", view.layout, LAYOUTS)):
        if name not in known:
            raise SettingError(f"the {what} {name!r} is not known; choose {', '.join(known)}")
    for name in view.shown or ():
        if name not in names:
            raise SettingError(f"there is no mask {name!r} to show; there are {', '.join(names) or 'none'}")
    if not all(0 <= place < size for place, size in zip(view.cursor, shape, strict=True)):
        raise SettingError(f"the voxel (z, y, x) = {view.cursor} is not in the volume, whose shape is {tuple(shape)}")
