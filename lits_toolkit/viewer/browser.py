"""The slice browser's Python side: it holds the arrays and hands out the slices that the web browser asks for."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from lits_toolkit.data.case import Case, CaseFiles
from lits_toolkit.errors import GeometryError, InputError, SettingError
from lits_toolkit.viewer.blend import LIVER_SHARE, PREDICTION, REFERENCE, WINDOWS, Layer, find_window
from lits_toolkit.viewer.payload import interesting_slice, slice_buffers
from lits_toolkit.viewer.still import UNTIL_LIVE, draw_still

MOST_SLICES_PER_MESSAGE = 8


class SliceBrowser(anywidget.AnyWidget):
    """A CT with masks on it, in a notebook. Made by `browse`.

    The synced traits hold settings only; pixels travel as messages, so that a saved notebook stays small. The web
    browser sends {"kind": "slices", "indices": [z, …]} and gets the same back, with one buffer of HU and one per mask
    for each index (see `payload`). `slice` follows what is on the screen and may be set; `window`, `opacity` and
    `filled` may be set, too, and what is done to them on the screen stays there.
    """

    _esm = Path(__file__).with_name("slice_browser.js")
    _css = Path(__file__).with_name("slice_browser.css")

    name = traitlets.Unicode(help="The case's name.").tag(sync=True)
    shape = traitlets.List(traitlets.Int(), help="Voxels along (z, y, x).").tag(sync=True)
    spacing_mm = traitlets.List(traitlets.Float(), help="Distance of voxels along (z, y, x).").tag(sync=True)
    affine: traitlets.List = traitlets.List(help="4 × 4: from (x, y, z) indices to RAS millimetres.").tag(sync=True)
    layers: traitlets.List = traitlets.List(help="The masks, from below to above: name, color, key.").tag(sync=True)
    windows = traitlets.Dict(help="The presets: name to (black, white) in HU.").tag(sync=True)
    liver_share = traitlets.Float(LIVER_SHARE).tag(sync=True)

    slice = traitlets.Int(help="The axial slice, counted from 0 at the feet.").tag(sync=True)
    window = traitlets.Tuple(traitlets.Float(), traitlets.Float(), help="HU shown as black and white.").tag(sync=True)
    opacity = traitlets.Float(help="Opacity of a tumour's fill, 0…1.").tag(sync=True)
    filled = traitlets.Bool(help="Whether masks are filled, or outlined only.").tag(sync=True)

    def __init__(self, case: Case, masks: Sequence[np.ndarray], layers: Sequence[Layer], **settings: object) -> None:
        self._case = case
        self._masks = list(masks)
        self._layers = list(layers)
        super().__init__(
            name=case.name,
            shape=list(case.volume.shape),
            spacing_mm=list(case.spacing_mm),
            affine=case.grid.axial_affine.tolist(),
            layers=[asdict(layer) for layer in layers],
            windows=WINDOWS,
            **settings,
        )
        self.on_msg(self._answer)

    def __repr__(self) -> str:
        z, y, x = self.shape
        shown = " and ".join(layer.name.lower() for layer in self._layers) or "no mask"
        return f"SliceBrowser({self.name}: {z} slices of {y} × {x}, {shown})"

    @traitlets.validate("slice")
    def _clamp_slice(self, proposal: dict[str, Any]) -> int:
        return min(max(proposal["value"], 0), self.shape[0] - 1)

    @traitlets.validate("window")
    def _check_window(self, proposal: dict[str, Any]) -> tuple[float, float]:
        return find_window(proposal["value"])

    @traitlets.validate("opacity")
    def _check_opacity(self, proposal: dict[str, Any]) -> float:
        if not 0 <= proposal["value"] <= 1:
            raise SettingError(f"an opacity is between 0 and 1; found {proposal['value']:g}")
        return proposal["value"]

    def _answer(self, _: object, content: dict[str, Any], buffers: list[memoryview]) -> None:
        if content.get("kind") != "slices":
            return
        wanted = [int(index) for index in content.get("indices", [])[:MOST_SLICES_PER_MESSAGE]]
        indices = [index for index in wanted if 0 <= index < self.shape[0]]
        pixels = [buffer for index in indices for buffer in slice_buffers(self._case.volume, self._masks, index)]
        self.send({"kind": "slices", "indices": indices}, pixels)

    def still(self) -> bytes:
        """A PNG picture of the current slice with the settings as Python knows them."""
        masks = [mask[self.slice] for mask in self._masks]
        return draw_still(
            self._case.volume[self.slice],
            masks,
            self._layers,
            spacing_mm=(self.spacing_mm[1], self.spacing_mm[2]),
            window=self.window,
            opacity=self.opacity,
            filled=self.filled,
            title=f"{self.name}, slice {self.slice} of 0–{self.shape[0] - 1}",
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return (data or {}) | {"text/plain": repr(self), "image/png": self.still()}, metadata

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        if _shows_one_output_best():
            display(data, metadata=metadata, raw=True)
            return
        # JupyterLab prefers the widget to the picture in one output even where the kernel is gone and only an error
        # can be shown (ipympl #16, #473). So the picture is an output of its own, and a style hides what is not needed.
        picture = {"image/png": data.pop("image/png"), "text/plain": f"Slice {self.slice} of {self.name}"}
        display({"text/html": UNTIL_LIVE, "text/plain": ""}, raw=True)
        display(data, metadata=metadata, raw=True)
        display(picture, raw=True)


def browse(
    case: Case | CaseFiles | str | Path,
    reference: np.ndarray | str | Path | None = None,
    prediction: np.ndarray | str | Path | None = None,
    *,
    slice: int | None = None,
    window: str | tuple[float, float] = "abdomen",
    opacity: float = 0.4,
    filled: bool = True,
) -> SliceBrowser:
    """Open a CT in the slice browser, with the reference in blue and the prediction in red.

    `case` is a case, the files of one, or the path of a NIfTI volume. A mask is a (z, y, x) uint8 array with 0, 1
    (liver) and 2 (tumour), or the path of a NIfTI mask on the same grid; the reference defaults to the case's own.
    It opens at `slice`, or else where the tumour is largest. `window` is a name in `blend.WINDOWS` or (black, white)
    in HU; `opacity` is that of a tumour's fill.

    Raises GeometryError if a mask is on another grid, InputError for other labels, SettingError for other settings.
    """
    case = _read(case)
    reference = case.reference if reference is None else reference
    given = [(layer, mask) for layer, mask in ((REFERENCE, reference), (PREDICTION, prediction)) if mask is not None]
    masks = [_check_mask(mask, layer, case) for layer, mask in given]
    return SliceBrowser(
        case,
        masks,
        [layer for layer, _ in given],
        slice=interesting_slice(masks, len(case.volume)) if slice is None else slice,
        window=find_window(window),
        opacity=opacity,
        filled=filled,
    )


def _read(case: Case | CaseFiles | str | Path) -> Case:
    if not isinstance(case, Case):
        from lits_toolkit.data.reading import read_case

        case = read_case(case)
    if case.volume.ndim != 3 or not case.volume.size:
        raise InputError(f"{case.name}: expected a volume (z, y, x) with voxels, found the shape {case.volume.shape}")
    return case


def _check_mask(mask: np.ndarray | str | Path, layer: Layer, case: Case) -> np.ndarray:
    what = f"the {layer.name.lower()} of {case.name}"
    if isinstance(mask, str | Path):
        from lits_toolkit.data.reading import read_mask

        what = f"{what} ({mask})"
        mask = read_mask(mask, case.grid)
    if mask.shape != case.volume.shape:
        raise GeometryError(
            f"{what}: expected the volume's shape {case.volume.shape} (z, y, x), found {mask.shape}; "
            "a mask has to lie on the grid of its CT"
        )
    if mask.dtype.kind not in "bui" or mask.min() < 0 or mask.max() > 2:
        found = f"{mask.dtype} from {mask.min()} to {mask.max()}"
        raise InputError(f"{what}: expected integer labels 0, 1 (liver) and 2 (tumour), found {found}")
    return mask.astype(np.uint8, copy=False)


def _shows_one_output_best() -> bool:
    # VS Code and Colab keep each output in a frame of its own, where one cannot hide the other.
    return "google.colab" in sys.modules or "VSCODE_PID" in os.environ
