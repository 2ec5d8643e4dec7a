import base64
import io
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lits_toolkit.data.case import Grid
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.phantom.cohort import PLANS
from lits_toolkit.data.splits import Split
from lits_toolkit.errors import InputError, OutputError
from lits_toolkit.report.html import report_html, write_report, write_run_report
from lits_toolkit.study.scores import evaluate, evaluate_run
from lits_toolkit.study.summary import RULES, empty_case_rule
from lits_toolkit.study.workspace import Workspace

GRID = Grid((40, 40, 12), np.diag([-1.0, -1.0, 2.0, 1.0]))
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a reader finds: headings, tables by the heading above, pictures, text. Fails on a tag that is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.pictures, self.tables, self.links, self.words, self.tags = [], [], {}, [], [], set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.add(tag)
        self.links += [value for name, value in found.items() if name in ("src", "href", "srcset", "data", "action")]
        if tag == "img":
            self.pictures.append((found["alt"], found["src"]))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "h2":
            self.heading = ""
        elif tag == "table":
            self.tables.setdefault(self.heading, [])
        elif tag == "tr":
            self.tables[self.heading].append([])
        elif tag in ("td", "th"):
            self.tables[self.heading][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if "style" not in self.open:
            self.words.append(text)
        if self.open and self.open[-1] == "h2":
            self.heading += text
        elif self.open and self.open[-1] in ("td", "th"):
            self.tables[self.heading][-1][-1] += text

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture
def folders(tmp_path):
    """Three cases with CT: one half found beside an invented one; one found; one without any tumour."""
    reference, prediction = np.zeros((2, *GRID.axial_shape), np.uint8)
    reference[1:11, 2:38, 2:38], prediction[1:11, 2:38, 2:38] = 1, 1
    liver = reference.copy()
    reference[2:6, 5:15, 5:15], prediction[2:6, 5:15, 5:10] = 2, 2
    prediction[8, 30:33, 30:33] = 2
    for number, masks in {1: (reference, prediction), 2: (reference, reference), 10: (liver, liver)}.items():
        hu = np.where(masks[0] == 2, 60, np.where(masks[0] == 1, 100, -100)).astype(np.int16)
        write_volume(hu, GRID, tmp_path / "cohort" / f"volume-{number}.nii.gz")
        write_mask(masks[0], GRID, tmp_path / "cohort" / f"segmentation-{number}.nii.gz")
        write_mask(masks[1], GRID, tmp_path / "predictions" / f"segmentation-{number}.nii.gz")
        write_mask(masks[0], GRID, tmp_path / "masks" / f"segmentation-{number}.nii.gz")
    return tmp_path / "predictions", tmp_path / "cohort"


@pytest.fixture
def written(folders, tmp_path):
    def write(predictions=folders[0], references=folders[1], **settings):
        file = tmp_path / "report.html"
        write_report(file, evaluate(predictions, references), predictions, references, **settings)
        return Page(file.read_text(encoding="utf-8"))

    return write


def test_the_page_is_whole_and_fetches_nothing(written):
    page = written()
    assert len(page.pictures) == 5
    assert page.links == [source for _, source in page.pictures]
    for title, source in page.pictures:
        kind, data = source.split(",")
        assert kind == "data:image/png;base64"
        Image.open(io.BytesIO(base64.b64decode(data))).verify()
        assert "cohort cohort" in title
    assert page.tags.isdisjoint({"script", "link", "iframe", "object"})
    assert list(page.tables) == [
        "Summary", "By size group", "Official LiTS score", "Case by case", "Where to look first"
    ]  # fmt: skip


def test_numbers_are_those_of_the_scores_with_their_rules(written, folders):
    page, scores = written(), evaluate(*folders)
    summary = {(row[0], row[1]): row[2:] for row in page.tables["Summary"]}
    value, interval, cases, rule = summary["tumour", "Dice per case"]
    assert (value, cases, rule) == (f"{scores.summary['tumor']['dice_per_case']:.3f}", "3", RULES["dice_per_case"])
    low, high = (float(end) for end in interval.strip("[]").split(", "))
    assert low < float(value) < high
    assert summary["tumour", "VOE per case"][2] == "2"  # the third case has no tumour in either
    assert summary["tumour", "precision, IoU > 0"][0] == "0.667"
    assert empty_case_rule(scores.cases) in page.text
    groups = {row[0]: row[1:] for row in page.tables["By size group"]}
    assert groups["tumours in the references"] == ["2", "0", "0", "2"]
    assert groups["Dice per lesion"][1] == "– –"
    assert groups["Dice per lesion"][0].startswith(f"{(2 / 3 + 1) / 2:.3f} [0.667, 1.000]")
    assert groups["false alarms per case"][0].startswith("0.333 (1) ")
    official = {row[0]: row[1:] for row in page.tables["Official LiTS score"]}
    assert official["lesion_dice"] == [f"{scores.official['lesion_dice']:.4f}",
                                       f"{scores.official_as_published['lesion_dice']:.4f}"]  # fmt: skip
    assert official["FP, IoU > 0.5"] == [
        str(found["counts"]["0.5"]["FP"]) for found in (scores.official, scores.official_as_published)
    ]
    assert "1 case left out" in page.text
    by_case = {row[0]: row for row in page.tables["Case by case"]}
    assert by_case["volume-10"][6:9] == ["1.000", "–", "–"]
    place = page.tables["Where to look first"]
    assert [row[1] for row in place[1:]] == ["false alarm", "worst slice"]  # as large: the same voxels
    assert place[1] == ["volume-1", "false alarm", "2", "8", "31", "31", "0.02", "–"]


def test_a_phantom_score_is_called_one(written, folders):
    assert "hantom" not in written().text
    (folders[1] / PLANS).write_text("{}")
    page = written(overwrite=True)
    assert "Phantom scores of predictions · phantom cohort" in page.text
    assert "These are phantom scores" in page.text


def test_masks_alone_have_no_contrast_and_the_same_numbers(written, folders, tmp_path):
    alone = written(references=tmp_path / "masks")
    assert "No CTs lie beside the references" in alone.text
    assert len(alone.pictures) == 4
    assert alone.tables["Summary"] == written(overwrite=True).tables["Summary"]


def test_names_are_text_and_never_markup(written):
    page = written(name="<b>a & b</b>", label="one < two")
    assert "Scores of <b>a & b</b> · one < two" in page.text


def test_without_a_tumour_words_stand_in_the_place_of_figures(folders, tmp_path):
    scores = evaluate(*folders, names=["volume-10"])
    write_report(tmp_path / "report.html", scores, *folders)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.pictures == []
    assert "No case has a tumour in its reference" in page.text
    assert "none invented, and no slice has a wrong voxel of tumour" in page.text


def test_a_report_is_not_overwritten_unasked(written, tmp_path):
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(OutputError, match=r"report\.html is there already"):
        written()
    assert (tmp_path / "report.html").read_text() == "mine"


def test_a_report_that_cannot_be_written_is_refused(written, tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match="is a folder: expected the name of an HTML file"):
        written(overwrite=True)


def test_runs_of_a_study_are_compared(folders, tmp_path):
    predictions, cohort = folders
    study = Workspace(tmp_path / "study")
    study.begin(cohort, Split((), (), ("volume-1", "volume-2", "volume-10")), "cohort three")
    (study.folder / "predictions").mkdir()
    predictions.rename(study.predictions("ours"))
    (tmp_path / "masks").rename(study.predictions("perfect"))
    for run in ("ours", "perfect"):
        evaluate_run(study, run)
    write_run_report(tmp_path / "report.html", study, "ours")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Scores of ours · cohort three" in page.text
    rows = {tuple(row[:3]): row[3:] for row in page.tables["ours compared with perfect"]}
    theirs, ours, difference, _, p, cases = rows["tumour", "all", "Dice per case"]
    dice = 2 * 200 / (400 + 209)
    assert (theirs, ours, difference) == ("1.000", f"{(dice + 2) / 3:.3f}", f"−{(1 - dice) / 3:.3f}")
    assert (p, cases) == ("1.000", "3")  # one of three cases differs: + and − are as likely


def test_a_p_below_what_is_printed_is_not_called_zero(folders):
    scores = evaluate(*folders, names=["volume-1"])
    cases = pd.concat([scores.cases.assign(case=f"volume-{number}") for number in range(1, 15)])
    ours = replace(scores, cases=cases)
    worse = replace(scores, cases=cases.assign(tumor_dice=cases["tumor_dice"] / 2))
    page = Page(report_html(ours, "ours", "cohort", is_phantom=False, others={"worse": worse}))
    rows = {tuple(row[:3]): row[3:] for row in page.tables["ours compared with worse"]}
    assert rows["tumour", "all", "Dice per case"][-2:] == ["< 0.001", "14"]
    assert rows["liver", "all", "Dice per case"][-2:] == ["1.000", "14"]


def test_runs_that_cannot_be_compared_are_named_with_the_reason(folders, tmp_path):
    predictions, cohort = folders
    study = Workspace(tmp_path / "study")
    study.begin(cohort, Split((), (), ("volume-1", "volume-2", "volume-10")), "cohort three")
    for run in ("ours", "few", "older", "other"):
        evaluate(predictions, cohort, study.scores_folder(run))
    shutil.copytree(predictions, study.predictions("ours"))

    def change(run, table):
        table.to_csv(study.scores_folder(run) / "cases.csv", index=False)

    cases = study.scores("ours").cases
    change("few", cases.iloc[1:])
    change("older", cases.drop(columns="lesion_recall_iou0"))
    change("other", cases.assign(liver_reference_voxels=7))
    write_run_report(tmp_path / "report.html", study, "ours")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert " compared with " not in page.text
    assert "few: two runs are compared on the same cases: only one of them has volume-1." in page.text
    assert re.search("older: the scores in .* lack the columns lesion_recall_iou0; lits evaluate --over", page.text)
    assert "other: the runs were scored against different references of volume-1, volume-2, volume-10." in page.text


def test_contrasts_of_another_cohort_are_refused(folders):
    scores = evaluate(*folders)
    other = pd.DataFrame({"case": ["volume-1"], "lesion": [1], "voxels": [3], "hu": [0.0], "contrast_hu": [0.0]})
    with pytest.raises(InputError, match="found others for volume-1, volume-2"):
        report_html(scores, "a", "b", is_phantom=False, contrasts=other)


def test_older_scores_have_no_official_ones(folders):
    text = report_html(replace(evaluate(*folders), official={}, official_as_published={}), "a", "b", is_phantom=False)
    assert "These scores are older" in Page(text).text
