"""Where to look first over all cases of a run: its largest errors in a list, where a click or Enter goes there.

Missed and invented lesions come from the run's table lesions.csv, at once. The worst slices need the masks of all
cases: they are looked for when they are first asked for, in a thread, and the list can be used meanwhile.
"""

import math
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.errors import LitsError
from lits_toolkit.viewer.blend import ERROR_COLORS
from lits_toolkit.viewer.facts import EXCESS, MISSED, Voxel

if TYPE_CHECKING:
    import pandas as pd

MOST_PLACES = 30
"""The largest errors that are listed, of each kind."""

MISS, FALSE_ALARM, WORST_SLICE = "miss", "false alarm", "worst slice"


class PlaceList(anywidget.AnyWidget):
    """The largest errors of one run, the largest first.

    The web browser sends {"kind": "open", "place": index} where one is chosen, and {"kind": "slices"} where the worst
    slices are wanted.
    """

    _esm = Path(__file__).with_name("place_list.js").read_text("utf-8")  # as in SliceBrowser
    _css = Path(__file__).with_name("place_list.css").read_text("utf-8")

    run = traitlets.Unicode(help="The run whose errors they are.").tag(sync=True)
    places: traitlets.List = traitlets.List(help="Each with case, fate, lesion, voxel (z, y, x), ml, dice.").tag(
        sync=True
    )
    counts = traitlets.Dict(help="How many there are of each fate; without those not looked for.").tag(sync=True)
    colors = traitlets.Dict({MISS: ERROR_COLORS[MISSED], FALSE_ALARM: ERROR_COLORS[EXCESS]}).tag(sync=True)
    most = traitlets.Int(MOST_PLACES, help="How many are shown.").tag(sync=True)
    progress = traitlets.Tuple(
        traitlets.Int(),
        traitlets.Int(),
        default_value=(0, 0),
        help="Cases searched, of how many; 0 without a search.",
    ).tag(sync=True)
    note = traitlets.Unicode(help="What is lacking.").tag(sync=True)
    at = traitlets.Int(-1, help="The place that was gone to last.").tag(sync=True)

    def __init__(
        self,
        opened: Callable[[str, str, Voxel], None] | None = None,
        lesions: "Mapping[str, pd.DataFrame] | None" = None,
        masks: Callable[[str], Sequence[tuple[CaseFiles, Path]]] | None = None,
        **traits: Any,
    ) -> None:
        """`opened` is called with the case, the run and the voxel of a place that was chosen.

        `lesions` are the runs' tables lesions.csv; `masks` gives the cases with a reference that a run has predicted,
        each with the predicted mask.
        """
        super().__init__(**traits)
        self._opened = opened
        self._lesions = dict(lesions or {})
        self._masks = masks
        self._slices: dict[str, pd.DataFrame] = {}
        self._unread: dict[str, str] = {}
        self._search: threading.Thread | None = None
        self.on_msg(self._answer)

    def show(self, run: str) -> None:
        """List the errors of a run, as far as they are known."""
        from lits_toolkit.study.worst import worst_places

        lesions, slices = self._lesions.get(run), self._slices.get(run)
        counts: dict[str, int] = {}
        places: list[dict[Hashable, Any]] = []
        if lesions is not None:
            numbers = lesions.groupby("case", sort=False).cumcount() + 1  # as in the slice browser, false alarms last
            places += worst_places(lesions.assign(lesion=numbers)).to_dict("records")
            counts |= {MISS: 0, FALSE_ALARM: 0}
        if slices is not None:
            places += slices.to_dict("records")
            counts[WORST_SLICE] = 0
        listed = []
        for place in sorted(places, key=lambda place: -place["volume_ml"]):
            counts[place["fate"]] += 1
            if counts[place["fate"]] <= MOST_PLACES:
                listed.append(_sent(place))
        if run != self.run:
            self._search = None  # what it finds is no longer looked at
        with self.hold_sync():
            self.progress, self.at, self.run = (0, 0), -1, run
            self.counts, self.places, self.note = counts, listed, self._unread.get(run, "")

    def close(self) -> None:
        """Take it off the screen; a search ends with the case that it is at."""
        self._search = None
        super().close()

    def _answer(self, _: object, content: dict[str, Any], buffers: list[memoryview]) -> None:
        kind, index = content.get("kind"), content.get("place")
        if kind == "slices":
            self._find_slices()
        elif kind == "open" and isinstance(index, int) and 0 <= index < len(self.places):
            self.at = index
            place = self.places[index]
            if self._opened is not None:
                z, y, x = place["voxel"]
                self._opened(place["case"], self.run, (z, y, x))

    def _find_slices(self) -> None:
        if self._masks is None or not self.run or self.run in self._slices or self._search is not None:
            return
        masks = self._masks(self.run)
        self.progress = (0, len(masks))
        self._search = threading.Thread(
            target=self._read_masks, args=(self.run, masks), name="lits-worst-slices", daemon=True
        )
        self._search.start()

    def _read_masks(self, run: str, masks: Sequence[tuple[CaseFiles, Path]]) -> None:
        from lits_toolkit.study.pairs import pair_case
        from lits_toolkit.study.worst import read_worst_slice, slice_table

        rows, unread = [], []
        for number, (files, mask) in enumerate(masks, start=1):
            try:
                rows.append(read_worst_slice(pair_case(files, mask)))
            except (LitsError, OSError, MemoryError):
                unread.append(files.name)
            if self._search is not threading.current_thread():
                return
            self.progress = (number, len(masks))
        self._slices[run] = slice_table(rows)
        self._unread[run] = f"masks that cannot be compared: {', '.join(unread)}" if unread else ""
        self._search = None
        self.show(run)


def _sent(place: Mapping[Hashable, Any]) -> dict[str, Any]:
    lesion, dice = place["lesion"], float(place["dice"])
    return {
        "case": place["case"],
        "fate": place["fate"],
        "lesion": None if place["fate"] == WORST_SLICE else int(lesion),
        "voxel": [int(place[axis]) for axis in "zyx"],
        "ml": round(float(place["volume_ml"]), 4),
        "dice": None if math.isnan(dice) else round(dice, 4),
    }
