"""The per-volume Dice plot, alive: a mark per case and run, where a click or Enter opens that case."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from lits_toolkit.metrics.lesions import size_group

if TYPE_CHECKING:
    import pandas as pd


class CasePlot(anywidget.AnyWidget):
    """Tumour Dice per case and run, cases ordered by the mean size of their tumours as in Figures 4.1 and 4.2.

    The web browser sends {"kind": "open", "case": name, "run": name} where a mark is chosen.
    """

    _esm = Path(__file__).with_name("case_plot.js").read_text("utf-8")  # as in SliceBrowser
    _css = Path(__file__).with_name("case_plot.css").read_text("utf-8")

    cases: traitlets.List = traitlets.List(help="Each with name, voxels (mean of its tumours), group.").tag(sync=True)
    runs: traitlets.List = traitlets.List(help="Each with name, color, and dice per case, None without one.").tag(
        sync=True
    )
    chosen = traitlets.Unicode(help="The case that is open.").tag(sync=True)
    note = traitlets.Unicode(help="What the plot leaves out.").tag(sync=True)

    def __init__(self, opened: Callable[[str, str], None] | None = None, **traits: Any) -> None:
        """`opened` is called with the names of the case and the run that were chosen."""
        super().__init__(**traits)
        self._opened = opened
        self.on_msg(self._answer)

    def show(self, scores: "Mapping[str, pd.DataFrame]", colors: Mapping[str, str]) -> None:
        """Draw runs, each with its table `cases.csv` and its colour; cases without a reference tumour are left out."""
        voxels: dict[str, float] = {}
        left_out: set[str] = set()
        for table in scores.values():
            with_tumor = table["lesions"] > 0
            left_out |= set(table.loc[~with_tumor, "case"])
            rows = table[with_tumor]
            voxels |= dict(zip(rows["case"], rows["mean_lesion_voxels"].astype(float), strict=True))
        order = sorted(voxels, key=lambda name: (voxels[name], name))
        dice = {
            run: dict(zip(table["case"], table["tumor_dice"].astype(float), strict=True))
            for run, table in scores.items()
        }
        with self.hold_sync():
            self.cases = [
                {"name": name, "voxels": voxels[name], "group": size_group(int(voxels[name]))} for name in order
            ]
            self.runs = [
                {"name": run, "color": colors[run], "dice": [_number(dice[run].get(name)) for name in order]}
                for run in scores
            ]
            count = len(left_out - set(order))
            self.note = f"{count} without a tumour left out" if count else ""

    def _answer(self, _: object, content: dict[str, Any], buffers: list[memoryview]) -> None:
        cases, runs = {case["name"] for case in self.cases}, {run["name"] for run in self.runs}
        known = content.get("case") in cases and content.get("run") in runs
        if content.get("kind") == "open" and known and self._opened is not None:
            self._opened(content["case"], content["run"])


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 4)
