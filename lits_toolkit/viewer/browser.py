"""The slice browser's Python side: it holds the arrays and hands out the slices that the web browser asks for."""

import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from lits_toolkit.data.case import Case, CaseFiles
from lits_toolkit.errors import GeometryError, InputError, LitsError, SettingError
from lits_toolkit.figures.drawn import Drawn
from lits_toolkit.metrics.slices import worst_slice
from lits_toolkit.viewer.blend import (
    ERROR_COLORS,
    LIVER_SHARE,
    REFERENCE,
    WINDOWS,
    find_window,
    heat_colors,
    prediction_layers,
)
from lits_toolkit.viewer.facts import COMMON, EXCESS, MISSED, Voxel
from lits_toolkit.viewer.payload import facts_message, interesting_voxel, slice_buffers
from lits_toolkit.viewer.picture import draw_view
from lits_toolkit.viewer.still import display_with_picture, still_png, with_picture
from lits_toolkit.viewer.view import LAYOUTS, PLANES, View, view_code

MOST_SLICES_PER_MESSAGE = 8
MOST_ZOOM = 20.0
_ERRORS = (("common", COMMON), ("missed", MISSED), ("excess", EXCESS))
_ON_SCREEN = {"sync": True, "echo_update": False}
"""What is changed on the screen: an echo of it from Python would come late and undo what was changed since."""

Mask = np.ndarray | str | Path
"""(z, y, x) or the path of a NIfTI file."""


class SliceBrowser(anywidget.AnyWidget):
    """A CT with masks on it, in a notebook. Made by `browse`.

    The synced traits hold settings only; pixels travel as messages, so that a saved notebook stays small. The web
    browser sends
    - {"kind": "slices", "plane": axis, "indices": [i, …]} and gets it back with the `slice_buffers` of each index;
    - {"kind": "module"} and gets the JavaScript that all else is in;
    - {"kind": "facts"} and gets `facts_message`;
    - {"kind": "figure"} and gets the "code" of a figure of what is on the screen, and its PNG; or what is the "error".

    What is done on the screen is known here (`view`), and what is set here is seen there.
    """

    # As text: of a path anywidget keeps every browser that was ever opened, and with it the case.
    _esm = Path(__file__).with_name("loader.js").read_text("utf-8")
    _module = Path(__file__).with_name("slice_browser.js")
    _css = Path(__file__).with_name("slice_browser.css").read_text("utf-8")

    name = traitlets.Unicode(help="The case's name.").tag(sync=True)
    shape = traitlets.List(traitlets.Int(), help="Voxels along (z, y, x).").tag(sync=True)
    spacing_mm = traitlets.List(traitlets.Float(), help="Distance of voxels along (z, y, x).").tag(sync=True)
    affine: traitlets.List = traitlets.List(help="4 × 4: from (x, y, z) indices to RAS millimetres.").tag(sync=True)
    layers: traitlets.List = traitlets.List(help="The masks, from below to above: name, color, key.").tag(sync=True)
    has_reference = traitlets.Bool(help="Whether the first layer is the reference.").tag(sync=True)
    probabilities: traitlets.List = traitlets.List(help="The predictions with a probability.").tag(sync=True)
    windows = traitlets.Dict(help="The presets: name to (black, white) in HU.").tag(sync=True)
    liver_share = traitlets.Float(LIVER_SHARE).tag(sync=True)
    error_colors = traitlets.Dict(help='Of "common", "missed" and "excess" tumour.').tag(sync=True)
    heat_colors = traitlets.Unicode(help="256 colours, each as rrggbb.").tag(sync=True)

    cursor = traitlets.Tuple(*[traitlets.Int()] * 3, help="The voxel (z, y, x) where the planes cross.").tag(
        **_ON_SCREEN
    )
    plane = traitlets.Unicode(help="The plane whose slices the wheel goes through.").tag(**_ON_SCREEN)
    view_layout = traitlets.Unicode(help="View.layout; a widget has another.").tag(**_ON_SCREEN)
    window = traitlets.Tuple(traitlets.Float(), traitlets.Float(), help="HU shown as black and white.").tag(
        **_ON_SCREEN
    )
    opacity = traitlets.Float(help="Opacity of a tumour's fill, 0…1.").tag(**_ON_SCREEN)
    filled = traitlets.Bool(help="Whether masks are filled, or outlined only.").tag(**_ON_SCREEN)
    errors = traitlets.Bool(help="Whether tumour is coloured by hit, miss and false alarm.").tag(**_ON_SCREEN)
    heat = traitlets.Bool(help="Whether the probability is shown.").tag(**_ON_SCREEN)
    numbers = traitlets.Bool(help="Whether lesions have their numbers.").tag(**_ON_SCREEN)
    shown = traitlets.List(traitlets.Unicode(), help="The layers that are on, by name.").tag(**_ON_SCREEN)
    chosen = traitlets.Unicode(help="The prediction of errors, heat and lesions in one panel.").tag(**_ON_SCREEN)
    crosshair = traitlets.Bool(help="Whether lines mark the cursor.").tag(**_ON_SCREEN)
    zoom = traitlets.Float(1.0, help="1 shows the whole slice.").tag(**_ON_SCREEN)
    middle = traitlets.Tuple(
        *[traitlets.Float()] * 3, default_value=None, allow_none=True, help="(z, y, x) in the middle of what is zoomed."
    ).tag(**_ON_SCREEN)

    def __init__(
        self,
        case: Case,
        reference: np.ndarray | None = None,
        predictions: Mapping[str, np.ndarray] | None = None,
        probabilities: Mapping[str, np.ndarray] | None = None,
        sources: Mapping[str, Any] | None = None,
        **settings: object,
    ) -> None:
        """Masks and probabilities are (z, y, x) uint8; `sources` are those of `view_code`."""
        self._case = case
        self._reference = reference
        self._predictions = dict(predictions or {})
        self._probabilities = dict(probabilities or {})
        self._sources = dict(sources or {"case": None})
        self._facts: tuple[dict[str, Any], list[bytes]] | None = None
        self._counting = threading.Lock()
        self._layers = [REFERENCE] if reference is not None else []
        if self._predictions:
            self._layers += prediction_layers(list(self._predictions))
        settings = {
            "shown": [layer.name for layer in self._layers],
            "chosen": next(iter(self._predictions), ""),
            "crosshair": settings.get("view_layout") == "planes",
        } | settings
        super().__init__(
            name=case.name,
            shape=list(case.volume.shape),
            spacing_mm=list(case.spacing_mm),
            affine=case.grid.axial_affine.tolist(),
            layers=[asdict(layer) for layer in self._layers],
            has_reference=reference is not None,
            probabilities=list(self._probabilities),
            windows=WINDOWS,
            error_colors={word: ERROR_COLORS[error] for word, error in _ERRORS},
            heat_colors=heat_colors().tobytes().hex() if self._probabilities else "",
            **settings,
        )
        self.on_msg(self._answer)

    def __repr__(self) -> str:
        z, y, x = self.shape
        names = [layer.name if layer.name in self._predictions else layer.name.lower() for layer in self._layers]
        if list(self._predictions) == ["Prediction"]:
            names[-1] = "prediction"
        return f"SliceBrowser({self.name}: {z} slices of {y} × {x}, {_listed(names) or 'no mask'})"

    @property
    def slice(self) -> int:
        """The slice of the current plane, counted from 0 at the feet, the front or the patient's right; may be set."""
        return self.cursor[PLANES[self.plane].axis]

    @slice.setter
    def slice(self, index: int) -> None:
        cursor = list(self.cursor)
        cursor[PLANES[self.plane].axis] = index
        self.cursor = tuple(cursor)

    @property
    def view(self) -> View:
        """What is on the screen."""
        z, y, x = (round(at, 2) for at in self.middle or (0.0, 0.0, 0.0))
        shown = tuple(self.shown)
        if (self.errors or self.heat) and self.view_layout != "compare":
            shown = tuple(name for name in shown if name == self.chosen or name not in self._predictions)
        return View(
            plane=self.plane,
            layout=self.view_layout,
            cursor=self.cursor,
            window=self.window,
            opacity=self.opacity,
            filled=self.filled,
            shown=shown,
            errors=self.errors,
            heat=self.heat,
            numbers=self.numbers,
            zoom=self.zoom,
            middle=None if self.middle is None else (z, y, x),
        )

    def go_to(self, voxel: Voxel, prediction: str = "") -> None:
        """Go to a voxel (z, y, x) and mark it, zoomed or not; choose a prediction where one is named.

        Raises SettingError where there is no such prediction.
        """
        self.chosen = prediction or self.chosen
        self.cursor = voxel
        self.crosshair = True
        if self.zoom > 1:
            # nothing beyond the volume is in the part that is zoomed
            halves = [size / self.zoom / 2 for size in self.shape]
            self.middle = tuple(
                min(max(float(at), half - 0.5), size - half - 0.5)
                for at, half, size in zip(self.cursor, halves, self.shape, strict=True)
            )

    def go_to_worst_slice(self, prediction: str) -> None:
        """Go to the slice of the current plane where the tumour's Dice of a prediction is lowest, if there is any."""
        self._require_layer(prediction)
        if self._reference is not None:
            worst = worst_slice(self._reference, self._predictions[prediction], PLANES[self.plane].axis)
            self.slice = self.slice if worst is None else worst

    def figure(self, view: View | None = None) -> Drawn:
        """What is on the screen, or another view of the same case, drawn by matplotlib."""
        return draw_view(self._case, self._layers, self._masks, view or self.view, self._probabilities or None)

    def code(self) -> str:
        """Python code that makes `figure()` anew in a fresh kernel."""
        return view_code(self.view, self._sources)

    @property
    def _masks(self) -> list[np.ndarray]:
        reference = [] if self._reference is None else [self._reference]
        return [*reference, *self._predictions.values()]

    @traitlets.validate("cursor")
    def _keep_inside(self, proposal: dict[str, Any]) -> tuple[int, ...]:
        return tuple(min(max(at, 0), size - 1) for at, size in zip(proposal["value"], self.shape, strict=True))

    @traitlets.validate("plane", "view_layout")
    def _check_name(self, proposal: dict[str, Any]) -> str:
        name, value = proposal["trait"].name.removeprefix("view_"), proposal["value"]
        known = PLANES if name == "plane" else LAYOUTS
        if value not in known:
            raise SettingError(f"the {name} {value!r} is not known; choose {', '.join(known)}")
        return value

    @traitlets.validate("window")
    def _check_window(self, proposal: dict[str, Any]) -> tuple[float, float]:
        return find_window(proposal["value"])

    @traitlets.validate("opacity")
    def _check_opacity(self, proposal: dict[str, Any]) -> float:
        if not 0 <= proposal["value"] <= 1:
            raise SettingError(f"an opacity is between 0 and 1; found {proposal['value']:g}")
        return proposal["value"]

    @traitlets.validate("zoom")
    def _check_zoom(self, proposal: dict[str, Any]) -> float:
        if not 1 <= proposal["value"] <= MOST_ZOOM:
            raise SettingError(f"a zoom is between 1 and {MOST_ZOOM:g}; found {proposal['value']:g}")
        return proposal["value"]

    @traitlets.validate("shown")
    def _check_shown(self, proposal: dict[str, Any]) -> list[str]:
        return [self._require_layer(name) for name in proposal["value"]]

    @traitlets.validate("chosen")
    def _check_chosen(self, proposal: dict[str, Any]) -> str:
        return self._require_layer(proposal["value"]) if proposal["value"] else ""

    def _require_layer(self, name: str) -> str:
        names = [layer.name for layer in self._layers]
        if name not in names:
            raise SettingError(f"there is no mask {name!r}; there are {', '.join(names) or 'none'}")
        return name

    @traitlets.validate("errors")
    def _check_errors(self, proposal: dict[str, Any]) -> bool:
        if proposal["value"] and (self._reference is None or not self._predictions):
            raise SettingError("errors are told from a reference and a prediction; give both")
        return proposal["value"]

    @traitlets.validate("heat")
    def _check_heat(self, proposal: dict[str, Any]) -> bool:
        if proposal["value"] and not self._probabilities:
            raise SettingError("there is no probability to show as heat; give one")
        return proposal["value"]

    def _answer(self, _: object, content: dict[str, Any], buffers: list[memoryview]) -> None:
        kind = content.get("kind")
        if kind == "slices":
            self._send_slices(content)
        elif kind == "facts":
            # In a thread, since counting takes seconds in a large CT and slices are asked for meanwhile.
            threading.Thread(target=self._send_facts, name="lits-facts", daemon=True).start()
        elif kind == "figure":
            self._send_figure()
        elif kind == "module":
            self.send({"kind": "module"}, [self._module.read_bytes()])

    def _send_slices(self, content: dict[str, Any]) -> None:
        plane = content.get("plane", 0)
        wanted = [int(index) for index in content.get("indices", [])[:MOST_SLICES_PER_MESSAGE]]
        indices = [index for index in wanted if plane in (0, 1, 2) and 0 <= index < self.shape[plane]]
        heat = list(self._probabilities.values())
        pixels = [
            buffer for index in indices for buffer in slice_buffers(self._case.volume, self._masks, heat, plane, index)
        ]
        self.send({"kind": "slices", "plane": plane, "indices": indices}, pixels)

    def _send_facts(self) -> None:
        with self._counting:
            if self._facts is None:
                self._facts = facts_message(self._reference, list(self._predictions.values()), self._case.spacing_mm)
        self.send(*self._facts)

    def _send_figure(self) -> None:
        try:
            picture, code = still_png(self.figure()), self.code()
        except LitsError as error:
            self.send({"kind": "figure", "error": str(error)}, [])
        else:
            self.send({"kind": "figure", "code": code}, [picture])

    def still(self) -> bytes:
        """A PNG picture of the current view."""
        return still_png(self.figure())

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return with_picture(super()._repr_mimebundle_(**kwargs), self.still(), repr(self))

    def _ipython_display_(self) -> None:
        display_with_picture(*self._repr_mimebundle_())


def browse(
    case: Case | CaseFiles | str | Path,
    reference: Mask | None = None,
    prediction: Mask | Mapping[str, Mask] | None = None,
    *,
    probability: Mask | Mapping[str, Mask] | None = None,
    plane: str = "axial",
    layout: str = "single",
    slice: int | None = None,
    window: str | tuple[float, float] = "abdomen",
    opacity: float = 0.4,
    filled: bool = True,
    errors: bool = False,
    heat: bool = False,
    numbers: bool = False,
) -> SliceBrowser:
    """Open a CT in the slice browser, with the reference in blue and the predictions in red and other colours.

    `case` is a case, the files of one, or the path of a NIfTI volume. A mask is a (z, y, x) uint8 array with 0, 1
    (liver) and 2 (tumour), or the path of a NIfTI mask on the same grid; the reference defaults to the case's own.
    `prediction` is a mask, or one to four of them by the names of their models. `probability` is that of the tumour,
    (z, y, x) uint8 0…255 or float 0…1, or the path of such a NIfTI file, or a mapping by the predictions' names.

    It opens in `plane` ("axial", "coronal", "sagittal") at `slice`, or else where the tumour is largest. `layout` is
    "single", "planes" for all three, or "compare" for a panel per prediction. `window` is a name in `blend.WINDOWS` or
    (black, white) in HU; `opacity` is that of a tumour's fill. `errors` colours hits, misses and false alarms, `heat`
    shows the probability, `numbers` those of the lesions.

    Raises GeometryError if a mask is on another grid, InputError for other labels, SettingError for other settings.
    """
    sources = {"case": case, "reference": reference, "prediction": prediction, "probability": probability}
    sources = {name: _source(given) for name, given in sources.items() if name == "case" or given is not None}
    case = _read(case)
    reference = case.reference if reference is None else reference
    reference = None if reference is None else _check_mask(reference, REFERENCE.name, case)
    predictions = {name: _check_mask(mask, name, case) for name, mask in _by_name(prediction).items()}
    if REFERENCE.name in predictions:
        raise SettingError(f"a prediction cannot be called {REFERENCE.name!r}: give it another name")
    if not isinstance(probability, Mapping) and probability is not None:
        probability = dict.fromkeys(list(predictions)[:1] or ["Prediction"], probability)
    probabilities = {name: _check_probability(given, name, case) for name, given in (probability or {}).items()}
    if not probabilities.keys() <= predictions.keys():
        lacking = ", ".join(sorted(probabilities.keys() - predictions.keys()))
        raise SettingError(f"a probability belongs to a prediction of the same name; there is none for {lacking}")
    masks = [mask for mask in (reference, *predictions.values()) if mask is not None]
    browser = SliceBrowser(
        case,
        reference,
        predictions,
        probabilities,
        sources,
        cursor=interesting_voxel(masks, case.volume.shape),
        plane=plane,
        view_layout=layout,
        window=find_window(window),
        opacity=opacity,
        filled=filled,
        errors=errors,
        heat=heat,
        numbers=numbers,
    )
    if slice is not None:
        browser.slice = slice
    return browser


def _by_name(prediction: Mask | Mapping[str, Mask] | None) -> Mapping[str, Mask]:
    if isinstance(prediction, Mapping):
        return prediction
    return {} if prediction is None else {"Prediction": prediction}


def _source(given: Any) -> Any:
    """From where something was read; None for an array."""
    if isinstance(given, Mapping):
        return {name: _source(each) for name, each in given.items()}
    if isinstance(given, Case):
        return given.files
    return given if isinstance(given, str | Path | CaseFiles) else None


def _read(case: Case | CaseFiles | str | Path) -> Case:
    if not isinstance(case, Case):
        from lits_toolkit.data.reading import read_case

        case = read_case(case)
    if case.volume.ndim != 3 or not case.volume.size:
        raise InputError(f"{case.name}: expected a volume (z, y, x) with voxels, found the shape {case.volume.shape}")
    return case


def _check_mask(mask: Mask, name: str, case: Case) -> np.ndarray:
    what = f"the {name.lower()} of {case.name}"
    if isinstance(mask, str | Path):
        from lits_toolkit.data.reading import read_mask

        what = f"{what} ({mask})"
        mask = read_mask(mask, case.grid)
    _require_shape(mask, what, case)
    if mask.dtype.kind not in "bui" or mask.min() < 0 or mask.max() > 2:
        found = f"{mask.dtype} from {mask.min()} to {mask.max()}"
        raise InputError(f"{what}: expected integer labels 0, 1 (liver) and 2 (tumour), found {found}")
    return mask.astype(np.uint8, copy=False)


def _check_probability(given: Mask, name: str, case: Case) -> np.ndarray:
    """(z, y, x) uint8."""
    what = f"the probability of {name.lower()} of {case.name}"
    if isinstance(given, str | Path):
        from lits_toolkit.data.reading import read_stored, require_same_grid

        what = f"{what} ({given})"
        stored = read_stored(given)
        require_same_grid(stored.grid, case.grid, given)
        given = stored.grid.to_axial(stored.voxels)
    _require_shape(given, what, case)
    if given.dtype == np.uint8:
        return given
    if given.dtype.kind != "f" or not (given.min() >= 0 and given.max() <= 1):
        found = f"{given.dtype} from {given.min()} to {given.max()}"
        raise InputError(f"{what}: expected uint8 from 0 to 255 or floats from 0 to 1, found {found}")
    return np.rint(given * 255).astype(np.uint8)


def _require_shape(array: np.ndarray, what: str, case: Case) -> None:
    if array.shape != case.volume.shape:
        raise GeometryError(
            f"{what}: expected the volume's shape {case.volume.shape} (z, y, x), found {array.shape}; "
            "a mask has to lie on the grid of its CT"
        )


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
