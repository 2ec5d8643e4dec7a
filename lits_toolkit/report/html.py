"""One HTML file that holds all scores of a run: tables, figures, and the rule of each number; opens in any browser.

Nothing in it is fetched: pictures are inside as PNG, there is no script, and the style is its own.
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from lits_toolkit.data.layouts import find_cases
from lits_toolkit.errors import InputError, OutputError
from lits_toolkit.figures.contrast import draw_dice_by_contrast
from lits_toolkit.figures.detection import draw_detection_by_size_group
from lits_toolkit.figures.drawn import Drawn, png_bytes
from lits_toolkit.figures.scores import draw_dice_per_case, draw_errors_per_case
from lits_toolkit.figures.size_groups import draw_dice_by_size_group
from lits_toolkit.files import replacing, require_writable
from lits_toolkit.study.case_scores import MEASURES
from lits_toolkit.study.intervals import (
    ALL_SIZES,
    FOUND,
    compare_runs,
    detection_by_size_group,
    score_intervals,
)
from lits_toolkit.study.jobs import sensible_jobs
from lits_toolkit.study.pairs import pair_masks
from lits_toolkit.study.results import PHANTOMS, cohort_label, comparable_runs
from lits_toolkit.study.scores import Scores
from lits_toolkit.study.summary import RULES
from lits_toolkit.study.tissue import measure_contrast, with_contrast
from lits_toolkit.study.workspace import Workspace
from lits_toolkit.study.worst import worst_places, worst_slices

MOST_PLACES = 40
"""Places to look at first, in the table; the run's lesions.csv has every lesion."""

_NAMES = {
    "dice": "Dice", "jaccard": "Jaccard", "voe": "VOE", "rvd": "RVD", "assd_mm": "ASSD (mm)", "rmsd_mm": "RMSD (mm)",
    "mssd_mm": "MSSD (mm)",
}  # fmt: skip
_FIGURES = {
    "dice_per_case": ("Dice per case", "dice_per_case"),
    "dice_global": ("Dice, global", "dice_global"),
    **{f"{measure}_per_case": (f"{_NAMES[measure]} per case", f"{measure}_per_case") for measure in MEASURES[1:]},
    "recall_iou0": ("recall, IoU > 0", "tumor_detection"),
    "recall_iou50": ("recall, IoU > 0.5", "tumor_detection"),
    "precision_iou0": ("precision, IoU > 0", "tumor_detection"),
    "precision_iou50": ("precision, IoU > 0.5", "tumor_detection"),
    **{f"{measure}_per_lesion": (f"{_NAMES[measure]} per lesion", "tumor_lesions") for measure in MEASURES},
    "hit_rate": ("hits", "hits"),
    "false_alarms_per_case": ("false alarms per case", "hits"),
}
"""Measure of `score_intervals` → what it is called, and which of RULES is its own."""
_REGIONS = {"liver": "liver", "tumor": "tumour"}
_DIRECTIONS = "z from feet to head, y from front to back, x from the patient's right to left, all from 0"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #262626; background: #fff; max-width: 66rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ccc; }
.phantom { background: #fff3cd; border-left: 4px solid #e69f00; padding: .5rem .8rem; }
.note { color: #5c5c5c; font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: .18rem .6rem; text-align: right; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th { border-bottom: 2px solid #999; vertical-align: bottom; white-space: normal; }
td.text, th.text { text-align: left; } td.rule { text-align: left; white-space: normal; color: #5c5c5c; }
img { max-width: 100%; height: auto; margin: .8rem 0; }
"""


def write_report(
    file: str | Path,
    scores: Scores,
    predictions: str | Path,
    references: str | Path,
    *,
    name: str = "",
    label: str = "",
    others: Mapping[str, Scores] | None = None,
    overwrite: bool = False,
    not_compared: Mapping[str, str] | None = None,
    n_jobs: int | None = None,
) -> None:
    """Write the report of predictions that have been scored, reading their masks and, where there are any, the CTs.

    Args:
        file: The HTML file.
        scores: What `evaluate` gave of these predictions.
        predictions: The folder of masks that were scored.
        references: The cohort, or folder of masks, against which.
        name: What the predictions are called; by their folder where empty.
        label: What the cohort is called; by its folder where empty, or as the phantom cohort that it is.
        others: Scores of other runs on the same cases, by name, each of which is compared with this one.
        overwrite: Replace a file that is there.
        not_compared: Other runs that cannot be compared, by name, and why not.
        n_jobs: Cases read at a time, each in a process of its own; None for as many as processors and memory allow.

    Raises:
        OutputError: `file` is there already, or cannot be written.
        InputError: A mask or a CT cannot be read, or another run is not of the same cases.
    """
    require_new(file, overwrite)
    references = Path(references)
    label = label or cohort_label(references)
    names = list(scores.cases["case"])
    pairs = pair_masks(predictions, references, names)
    n_jobs = n_jobs or sensible_jobs([pair.voxels for pair in pairs])
    slices = worst_slices(pairs, n_jobs)
    html = report_html(
        scores,
        name or Path(predictions).resolve().name,
        label,
        is_phantom="phantom" in label or cohort_label(references) == PHANTOMS,
        slices=slices,
        contrasts=_contrasts(references, names, n_jobs),
        others=others,
        not_compared=not_compared,
    )
    with replacing(file) as partial:
        partial.write_text(html, encoding="utf-8")


def write_run_report(
    file: str | Path, study: Workspace, run: str, *, overwrite: bool = False, n_jobs: int | None = None
) -> None:
    """Write the report of a study's run, compared with the study's other runs that were scored on the same cases.

    A run that was not, or whose scores are of an older version, is named there. Raises as `write_report` does.
    """
    scores = study.scores(run)
    others, not_compared = comparable_runs(study, run)
    write_report(
        file,
        scores,
        study.predictions(run),
        study.data,
        name=run,
        label=study.label,
        others=others,
        not_compared=not_compared,
        overwrite=overwrite,
        n_jobs=n_jobs,
    )


def require_new(file: str | Path, overwrite: bool) -> None:
    """Raise OutputError where the file is there already, unless `overwrite`, or cannot be written."""
    if Path(file).is_dir():
        raise OutputError(f"{file} is a folder: expected the name of an HTML file for the report")
    if Path(file).exists() and not overwrite:
        raise OutputError(f"{file} is there already; give another name, or --overwrite")
    require_writable(Path(file).parent)


def report_html(
    scores: Scores,
    name: str,
    label: str,
    *,
    is_phantom: bool,
    slices: pd.DataFrame | None = None,
    contrasts: pd.DataFrame | None = None,
    others: Mapping[str, Scores] | None = None,
    not_compared: Mapping[str, str] | None = None,
) -> str:
    """The report as text, from tables alone.

    Args:
        scores: Of the predictions.
        name: What they are called.
        label: What the cohort is called.
        is_phantom: Then every score here is called a phantom score.
        slices: From `worst_slices`; without it the table of places has lesions only.
        contrasts: From `measure_contrast`; without it there is no figure of contrast.
        others: Scores of other runs on the same cases, by name.
        not_compared: Other runs that cannot be compared, by name, and why not.

    Raises:
        InputError: The contrasts are of other references, or another run is not of the same cases.
    """
    cases, lesions = scores.cases, scores.lesions
    intervals, detection = score_intervals(cases, lesions), detection_by_size_group(cases, lesions)
    kind = "Phantom scores" if is_phantom else "Scores"
    parts = [
        f"<h1>{escape(f'{kind} of {name} · {label}')}</h1>",
        '<p class="phantom">These are phantom scores: the CTs were drawn by a program. They say that the tools work, '
        "and nothing about real CT.</p>"
        if is_phantom
        else "",
        f"<p>{_cases(len(cases))}, {int(cases['lesions'].sum())} tumours in the references. Intervals are 95 % "
        "percentile bootstrap intervals over cases: cases are resampled, never lesions. – is undefined, as is the "
        "interval of fewer than two cases.</p>",
        f"<p>{escape(str(scores.summary['empty_cases']))}</p>",
        _section("Summary", _summary(intervals, scores.summary["tumor_burden"])),
        _section(
            "By size group",
            _by_size(intervals, detection),
            _note(f"Per lesion: {RULES['tumor_lesions']}. Hits: {RULES['hits']}. Recall: {RULES['tumor_detection']}."),
            _figure(draw_dice_by_size_group, lesions.assign(method=name), label),
            _figure(draw_detection_by_size_group, detection, label),
            _figure(draw_dice_by_contrast, with_contrast(lesions, contrasts), label)
            if contrasts is not None
            else _note("No CTs lie beside the references: the contrast of the tumours is not known."),
        ),
        _section("Official LiTS score", *_official(scores)),
        _section(
            "Case by case",
            _figure(draw_dice_per_case, cases, label),
            _figure(draw_errors_per_case, cases, label),
            _per_case(cases),
        ),
        _section("Where to look first", *_places(worst_places(lesions, slices))),
        *(
            _section(f"{name} compared with {other}", *_compared(scores, theirs, name, other))
            for other, theirs in (others or {}).items()
        ),
        _section("Not compared", *(_note(f"{other}: {reason}.") for other, reason in not_compared.items()))
        if not_compared
        else "",
        f'<p class="note">Made by lits_toolkit {version("lits-toolkit")}.</p>',
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(f"{kind} of {name}")}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style></head>\n<body>\n'
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _contrasts(references: Path, names: Sequence[str], n_jobs: int) -> pd.DataFrame | None:
    """Of the scored cases, where all of them have a CT."""
    try:
        cases = [case for case in find_cases(references) if case.name in names and case.reference]
    except InputError:  # a folder of masks alone
        return None
    has_all = {case.name for case in cases if case.volume != case.reference} == set(names)
    return measure_contrast(cases, n_jobs) if has_all else None


def _summary(intervals: pd.DataFrame, burden: Mapping[str, float]) -> str:
    """A rule stands beside the first of the figures, one below the other, that go by it."""
    known = {(row["region"], row["measure"]): row for row in _of_all_sizes(intervals)}
    rows, above = [], ""
    for region, measure in ((region, measure) for region in _REGIONS for measure in _FIGURES):
        if (region, measure) in known:
            row, (figure, rule) = known[region, measure], _FIGURES[measure]
            told = "" if rule == above else RULES[rule]
            interval = _range(row["low"], row["high"])
            rows.append((_REGIONS[region], figure, _number(row["value"]), interval, str(row["cases"]), told))
            above = rule
    for key, figure in (("rmse", "tumour burden, RMSE"), ("max_error", "tumour burden, largest error")):
        told = RULES["tumor_burden"] if key == "rmse" else ""
        rows.append(("tumour", figure, _number(burden[key]), "–", str(burden["cases"]), told))
    return _table(("region", "figure", "value", "95 % interval", "cases", "rule"), rows, ("text", "text"), "rule")


def _of_all_sizes(intervals: pd.DataFrame) -> list[dict]:
    return intervals[intervals["size_group"] == ALL_SIZES].to_dict("records")


def _by_size(intervals: pd.DataFrame, detection: pd.DataFrame) -> str:
    groups = list(detection["size_group"])
    counts = detection.set_index("size_group")
    tumor = intervals[intervals["region"] == "tumor"].set_index(["measure", "size_group"])
    rows = [("tumours in the references", *(str(number) for number in counts["lesions"]))]
    per_lesion = {f"{measure}_per_lesion": "" for measure in MEASURES}
    for measure, column in {**per_lesion, **FOUND, "false_alarms_per_case": "false_alarms"}.items():
        cells = []
        for group in groups:
            own = tumor.loc[(measure, group)]
            number = f" ({counts.loc[group, column]})" if column else ""
            cells.append(f"{_number(own['value'])}{number} {_range(own['low'], own['high'])}")
        rows.append((_FIGURES[measure][0], *cells))
    return _table(("(number) [95 % interval]", *groups), rows, ("text",))


def _official(scores: Scores) -> list[str]:
    described, published = scores.official, scores.official_as_published
    if not described:
        return [_note("These scores are older than the official score here; lits evaluate --overwrite adds it.")]
    rows = []
    for key, value in described.items():
        if key == "counts":
            for threshold, counts in value.items():
                rows += [
                    (f"{count}, IoU > {threshold}", str(number), str(published[key][threshold][count]))
                    for count, number in counts.items()
                ]
        else:
            rows.append((key, _number(value, 4), _number(published.get(key), 4)))
    left_out = published.get("cases_left_out", 0)
    return [
        _note(
            "By its description, and as the challenge's program computes it, which departs from that; compare the "
            "second with the leaderboard. Lesions are merged before they are matched, and their measures are means "
            "over those that are found with an IoU above 0.5. An object that is missing has Dice 0, VOE 1 and 9001 for "
            "RVD, distances and tumour burden; precision and recall over no lesion are 0. The program stops at a case "
            f"without a reference tumour: {_cases(left_out)} left out of its figures."
        ),
        _table(("", "by the description", "as published"), rows, ("text",)),
    ]


def _per_case(cases: pd.DataFrame) -> str:
    columns = [f"{region}_{measure}" for region in _REGIONS for measure in ("dice", "voe", "rvd", "assd_mm", "mssd_mm")]
    rows = [
        (
            str(row["case"]),
            *(_number(row[column]) for column in columns),
            str(row["lesions"]),
            str(row["lesions_predicted"]),
            _number(row["mean_lesion_voxels"], 0),
        )
        for row in cases.to_dict("records")
    ]
    heads = [
        f"{region} {_NAMES[measure]}"
        for region in _REGIONS.values()
        for measure in ("dice", "voe", "rvd", "assd_mm", "mssd_mm")
    ]
    return _table(("case", *heads, "tumours", "predicted", "mean voxels of a tumour"), rows, ("text",)) + _note(
        f"Dice: {RULES['dice_per_case']}; what an empty mask leaves undefined is –. The rest is in cases.csv."
    )


def _places(places: pd.DataFrame) -> list[str]:
    if places.empty:
        return ["<p>No tumour is missed, none invented, and no slice has a wrong voxel of tumour.</p>"]
    rows = [
        (
            row["case"],
            row["fate"],
            "" if pd.isna(row["lesion"]) else str(row["lesion"]),
            *(str(row[axis]) for axis in "zyx"),
            _number(row["volume_ml"], 2),
            _number(row["dice"]),
        )
        for row in places.head(MOST_PLACES).to_dict("records")
    ]
    more = f" The {MOST_PLACES} largest of {len(places)}." if len(places) > MOST_PLACES else ""
    return [
        _note(
            f"Missed and invented tumours, and of each case the slice of the lowest tumour Dice, by the volume that is "
            f"wrong there.{more} Voxels: {_DIRECTIONS}. A false alarm has no Dice."
        ),
        _table(("case", "fate", "lesion", "z", "y", "x", "wrong (ml)", "Dice"), rows, ("text", "text")),
    ]


def _compared(scores: Scores, theirs: Scores, name: str, other: str) -> list[str]:
    rows = [
        (
            _REGIONS[row["region"]],
            row["size_group"],
            _FIGURES[row["measure"]][0],
            _number(row["first"]),
            _number(row["second"]),
            _number(row["difference"]),
            _range(row["low"], row["high"]),
            "< 0.001" if row["p"] < 0.0005 else _number(row["p"]),
            str(row["cases"]),
        )
        for row in compare_runs(theirs, scores).to_dict("records")
    ]
    return [
        _note(
            "Over the cases that define both. p: two-sided permutation test, in which the two exchange their masks in "
            "any set of cases. With twenty rows one p below 0.05 is to be expected by chance."
        ),
        _table(
            ("region", "sizes", "figure", other, name, "difference", "95 % interval", "p", "cases"),
            rows,
            ("text", "text", "text"),
        ),
    ]


def _section(title: str, *parts: str) -> str:
    return f"<h2>{escape(title)}</h2>\n" + "\n".join(parts)


def _figure(draw: Callable[..., Drawn], *arguments: object) -> str:
    """The picture inside the page, or in words why there is none, as of a cohort without tumours."""
    try:
        drawn = draw(*arguments)
    except InputError as error:
        return _note(f"{str(error)[0].upper()}{str(error)[1:]}.")
    data = base64.b64encode(png_bytes(drawn)).decode()
    return f'<img alt="{escape(drawn.figure.get_suptitle())}" src="data:image/png;base64,{data}">'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[str] = (), last: str = "") -> str:
    """`left` are the classes of the first columns, `last` that of the last one; all others are numbers."""
    classes = [*left, *[""] * (len(heads) - len(left))]
    if last:
        classes[-1] = last

    def cell(tag: str, text: str, kind: str) -> str:
        of_class = f' class="{"text" if tag == "th" else kind}"' if kind else ""
        return f"<{tag}{of_class}>{escape(text)}</{tag}>"

    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(cell(tag, text, kind) for text, kind in zip(cells, classes, strict=True)) + "</tr>"

    body = "\n".join(line("td", row) for row in rows)
    return f'<div class="wide"><table>\n<thead>{line("th", heads)}</thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _cases(number: int) -> str:
    return f"{number} case{'' if number == 1 else 's'}"


def _number(value: float | int | None, digits: int = 3) -> str:
    if value is None or value != value:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}".replace("-", "−")


def _range(low: float, high: float) -> str:
    return "–" if low != low else f"[{_number(low)}, {_number(high)}]"
