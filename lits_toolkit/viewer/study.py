"""Many cases in one browser: pickers of case and runs, each case's Dice, the largest errors, and the slice browser."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from lits_toolkit.data.case import Case, CaseFiles, mask_file_name
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import InputError, LitsError, SettingError, nearest
from lits_toolkit.inference.record import probability_name
from lits_toolkit.study.workspace import RUN, Workspace
from lits_toolkit.viewer.blend import MOST_PREDICTIONS, prediction_layers
from lits_toolkit.viewer.browser import SliceBrowser, browse
from lits_toolkit.viewer.case_plot import CasePlot
from lits_toolkit.viewer.facts import Voxel
from lits_toolkit.viewer.place_list import PlaceList
from lits_toolkit.viewer.still import display_with_picture, with_picture

if TYPE_CHECKING:
    from lits_toolkit.study.scores import Scores

_KEPT = ("plane", "window", "opacity", "filled", "numbers")
"""What is set for one case and stays so for the next."""


_FEW = 12
"""Names that are listed in a message."""


class StudyBrowser(ipywidgets.VBox):
    """Cases and runs to pick from, and the slice browser of what is picked. Made by `browse_study` or `browse_cases`.

    `case` and `runs` follow the pickers and may be set. Of a case and a run without a mask that is said; what cannot be
    read is said, too. Only the case on the screen is in memory.
    """

    case = traitlets.Unicode(help="Name of the case on the screen.")
    runs = traitlets.Tuple(help="Names of the runs that are compared, four at most.")
    browser = traitlets.Instance(SliceBrowser, allow_none=True, help="The slice browser of the case.")

    def __init__(
        self,
        cases: Sequence[CaseFiles],
        predictions: Mapping[str, Path],
        scores: "Mapping[str, Scores] | None" = None,
        case: str | None = None,
        runs: Sequence[str] | None = None,
        **settings: Any,
    ) -> None:
        """`predictions` are folders of masks by the names of their runs, `scores` those of the runs that have any.

        `settings` are those of `browse`.
        """
        self._files = {files.name: files for files in cases}
        self._predictions = dict(predictions)
        tables = {run: (found.cases, found.lesions) for run, found in (scores or {}).items()}
        own = {run: [table[table["case"].isin(list(self._files))] for table in both] for run, both in tables.items()}
        self._scores = {run: cases for run, (cases, _) in own.items()}
        self._settings = settings
        self._read: Case | None = None
        self._shown: list[str] = []
        super().__init__(layout=ipywidgets.Layout(max_width="1800px"))
        self.runs = tuple(list(self._predictions)[:1] if runs is None else runs)
        self.case = self._names_in_order()[0] if case is None else case
        self._case_picker = ipywidgets.Dropdown(
            description="Case",
            options=[(self._label(name), name) for name in self._names_in_order()],
            value=self.case,
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="auto", margin="2px 18px 2px 12px"),
        )
        self._run_pickers = {
            run: ipywidgets.Checkbox(
                description=run, indent=False, layout=ipywidgets.Layout(width="auto", margin="2px 14px 2px 2px")
            )
            for run in self._predictions
        }
        for picker in self._run_pickers.values():
            picker.observe(self._pick_runs, "value")
        self._message = ipywidgets.HTML()
        self._plot = CasePlot(self._open_worst, layout=ipywidgets.Layout(flex="1 1 560px"))
        self._places = PlaceList(
            self._open_place,
            {run: lesions for run, (_, lesions) in own.items()},
            self._compared,
            layout=ipywidgets.Layout(flex="1 1 420px", min_width="0"),
        )
        self._runs_label = ipywidgets.Label("Runs")
        runs_row = [self._runs_label, *self._run_pickers.values()] if len(self._run_pickers) > 1 else []
        pickers = ipywidgets.Box(
            [self._case_picker, *runs_row], layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        )
        self._place = ipywidgets.Box(layout=ipywidgets.Layout(min_height="720px"))  # also between two cases
        overview = [*([self._plot] if self._scores else []), *([self._places] if self._can_compare() else [])]
        over_all = ipywidgets.Box(overview, layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.children = [pickers, over_all, self._message, self._place]
        self._open()
        self._show_runs()
        self._case_picker.observe(lambda change: self.set_trait("case", change["new"]), "value")
        self.observe(self._follow, ["case", "runs"])

    def __repr__(self) -> str:
        return f"StudyBrowser({self.case} of {len(self._files)} cases, {', '.join(self.runs) or 'no prediction'})"

    @traitlets.validate("case")
    def _check_case(self, proposal: dict[str, Any]) -> str:
        return require_known("case", proposal["value"], self._files)

    @traitlets.validate("runs")
    def _check_runs(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        runs = tuple(dict.fromkeys(require_known("run", run, self._predictions) for run in proposal["value"]))
        if len(runs) > MOST_PREDICTIONS:
            raise SettingError(f"the browser compares up to {MOST_PREDICTIONS} runs; found {len(runs)}")
        return runs

    def still(self) -> bytes:
        """A PNG picture of the slice browser's view."""
        return b"" if self.browser is None else self.browser.still()

    def close(self) -> None:
        """Take it off the screen and out of memory."""
        self._read, browser = None, self.browser
        self.browser = None
        pickers = (self._case_picker, self._runs_label, *self._run_pickers.values())
        for widget in filter(None, (browser, self._plot, self._places, *pickers, *self.children)):
            _close(widget)
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return with_picture(super()._repr_mimebundle_(**kwargs), self.still(), repr(self))

    def _ipython_display_(self) -> None:
        display_with_picture(*self._repr_mimebundle_())

    def _names_in_order(self) -> list[str]:
        """Cases that a picked run has predicted come first."""
        return sorted(self._files, key=lambda name: not self._predicted(name, self.runs))

    def _predicted(self, name: str, runs: Iterable[str]) -> list[str]:
        return [run for run in runs if (self._predictions[run] / mask_file_name(name)).is_file()]

    def _compared(self, run: str) -> list[tuple[CaseFiles, Path]]:
        """The cases with a reference that a run has predicted, with their predicted masks."""
        names = [name for name, files in self._files.items() if files.reference and self._predicted(name, [run])]
        return [(self._files[name], self._predictions[run] / mask_file_name(name)) for name in names]

    def _can_compare(self) -> bool:
        return any(self._compared(run) for run in self._predictions)

    def _label(self, name: str) -> str:
        return name if not self._predictions or self._predicted(name, self._predictions) else f"{name} (not predicted)"

    def _follow(self, change: dict[str, Any]) -> None:
        self._case_picker.value = self.case
        self._show_runs()
        self._try_to_open()

    def _pick_runs(self, _: object) -> None:
        kept = [run for run in self.runs if self._run_pickers[run].value]
        self.runs = (*kept, *(run for run, picker in self._run_pickers.items() if picker.value and run not in kept))

    def _show_runs(self) -> None:
        full = len(self.runs) == MOST_PREDICTIONS
        for run, picker in self._run_pickers.items():
            picker.unobserve(self._pick_runs, "value")  # one by one they are not yet what is picked
            picker.value = run in self.runs
            picker.disabled = full and run not in self.runs
            picker.observe(self._pick_runs, "value")

    def _open_worst(self, case: str, run: str) -> None:
        self.case = case
        if self.browser is not None and self.browser.name == case:
            self.browser.go_to_worst_slice(run)

    def _open_place(self, case: str, run: str, voxel: Voxel) -> None:
        self.case = case
        if self.browser is not None and self.browser.name == case and run in self._shown:
            self.browser.go_to(voxel, run)

    def _try_to_open(self) -> None:
        self._say([f"Reading {self.case} …"])
        try:
            self._open()
        except (LitsError, OSError, MemoryError) as error:
            self._say([str(error) or "There is not enough memory for this case."], alert=True)

    def _open(self) -> None:
        files, old = self._files[self.case], self.browser
        if self._read is None or self._read.files != files:
            self._read = read_case(files)
        shown = self._predicted(self.case, self.runs)
        masks = {run: self._predictions[run] / mask_file_name(self.case) for run in shown}
        written = {run: written_probability(self._predictions[run], self.case) for run in shown}
        probabilities = {run: place for run, place in written.items() if place is not None}
        several, before = len(shown) > 1, len(self._shown) > 1
        settings: dict[str, Any] = {"layout": "compare"} if several else {}
        if old is None:
            settings |= self._settings
        else:
            settings |= {name: getattr(old.view, name) for name in _KEPT}
            settings["errors"] = old.view.errors and bool(shown) and files.reference is not None
            settings["heat"] = old.view.heat and bool(probabilities)
            if several == before:
                settings["layout"] = old.view.layout
        browser = browse(self._read, prediction=masks or None, probability=probabilities or None, **settings)
        if old is not None and old.name == browser.name:
            browser.cursor = old.cursor
        self._shown = shown
        self.browser = browser
        self._place.children = [browser]
        if old is not None:
            _close(old)
        self._say(self._remarks(files, shown))
        ordered = [*shown, *(run for run in self.runs if run not in shown)]  # as the browser gives the colours
        colors = {layer.name: layer.color for layer in prediction_layers(ordered)} if ordered else {}
        self._plot.show({run: self._scores[run] for run in ordered if run in self._scores}, colors)
        self._plot.chosen = self.case
        if self._places.run != (first := self.runs[0] if self.runs else ""):
            self._places.show(first)

    def _remarks(self, files: CaseFiles, shown: Sequence[str]) -> list[str]:
        remarks = []
        if files.reference is None:
            remarks.append(f"{files.name} has no reference mask: right and wrong cannot be told apart.")
        lacking = [run for run in self.runs if run not in shown]
        if lacking:
            remarks.append(f"No prediction of {files.name} by {', '.join(lacking)}.")
        if not self._predictions:
            remarks.append("There is no prediction to show; lits predict makes them.")
        unscored = [run for run in self.runs if run not in self._scores]
        if unscored and self._scores:
            remarks.append(f"Not scored, or by an older version: {', '.join(unscored)}; lits evaluate does.")
        return remarks

    def _say(self, lines: Sequence[str], alert: bool = False) -> None:
        words = "<br>".join(escape(line) for line in lines)
        role = "alert" if alert else "status"
        color = "var(--jp-error-color1, #b00020)" if alert else "var(--jp-ui-font-color2, #616161)"
        self._message.value = (
            f'<div role="{role}" style="padding: 0 12px; color: {color}">{words}</div>' if lines else ""
        )
        self._message.layout.display = "" if lines else "none"


def _close(widget: ipywidgets.DOMWidget) -> None:
    """Close a widget with its layout, which would stay in memory."""
    widget.layout.close()
    widget.close()


def browse_study(
    workspace: Workspace | str | Path, case: str | None = None, runs: str | Sequence[str] | None = None, **settings: Any
) -> StudyBrowser:
    """Browse the cases of a study with the predictions of its runs, and go to where they fail.

    The plot has the tumour's Dice of each case that was scored, ordered by the mean size of its tumours; a click opens
    that case at its worst slice. The list beside it has the largest errors of the first run, missed and invented
    tumours and, once they are asked for, the worst slices; a click goes there. A run with the probability of tumour
    beside its masks has it as heat.

    `case` is where to begin, by default the first that was predicted; `runs` are up to four names of folders in
    `predictions/`, by default "cascade" or the first; `settings` are those of `browse`.

    Raises InputError where there is no study or no case, SettingError, with the nearest name, for a case or a run that
    it does not have.
    """
    from lits_toolkit.study.scores import read_runs

    study = (workspace if isinstance(workspace, Workspace) else Workspace(Path(workspace))).require()
    predictions = predicted_runs(study)
    scores = {run: found for run, found in read_runs(study)[0].items() if run in predictions}
    chosen = [runs] if isinstance(runs, str) else runs
    return StudyBrowser(study.cohort_cases(), predictions, scores, case, chosen, **settings)


def written_probability(folder: Path, case: str) -> Path | None:
    """The probability of tumour beside a case's mask, as `lits predict --probability uint8` writes it; None without."""
    place = folder / probability_name(case, "uint8")
    return place if place.is_file() else None


def predicted_runs(study: Workspace) -> dict[str, Path]:
    """The folders of masks of a study by the names of their runs, "cascade" first."""
    folders = {path.parent for path in study.predictions(RUN).parent.glob("*/*segmentation-*.nii*")}
    return {folder.name: folder for folder in sorted(folders, key=lambda folder: (folder.name != RUN, folder.name))}


def browse_cases(
    places: str | Path | Sequence[str | Path],
    predictions: Mapping[str, str | Path] | None = None,
    case: str | None = None,
    scores: Mapping[str, str | Path] | None = None,
    **settings: Any,
) -> StudyBrowser:
    """Browse the cases of files and folders of any layout, with folders of predicted masks by their names.

    `scores` are the folders that `lits evaluate` wrote, by the same names, for the plot and the list of the largest
    errors, as of `browse_study`. `case` is where to begin; `settings` are those of `browse`.

    Raises InputError where there is no case, two have one name, or a folder has no scores, SettingError, with the
    nearest name, for a case or a prediction that is not there.
    """
    from lits_toolkit.study.scores import read_scores

    given = [places] if isinstance(places, str | Path) else places
    cases = [found for place in given for found in find_cases(place)]
    names = [found.name for found in cases]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"two cases are called {twice}: browse their folders one at a time")
    if not cases:
        raise InputError("expected CT files or folders, found none")
    folders = {name: Path(folder) for name, folder in (predictions or {}).items()}
    tables = {require_known("prediction", name, folders): read_scores(given) for name, given in (scores or {}).items()}
    return StudyBrowser(cases, folders, tables, case, list(folders)[:MOST_PREDICTIONS], **settings)


def require_known(what: str, name: str, known: Iterable[str]) -> str:
    """The name, or SettingError with the nearest one where it is not known, and with all where they are few."""
    names = list(known)
    if name not in names:
        others = f" of {', '.join(names)}" if 0 < len(names) <= _FEW else ""
        raise SettingError(f"there is no {what} {name!r}; {nearest(name, names)}{others}")
    return name
