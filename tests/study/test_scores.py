import json
import math
import os
import shutil
import signal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.splits import Split
from lits_toolkit.errors import GeometryError, InputError, OutputError, SettingError
from lits_toolkit.study import scores as module
from lits_toolkit.study.case_scores import CASE_COLUMNS, LESION_COLUMNS, score_case
from lits_toolkit.study.scores import evaluate, evaluate_run, read_runs, read_scores, score_masks
from lits_toolkit.study.summary import summarize
from lits_toolkit.study.workspace import Workspace

GRID = Grid((14, 13, 12), np.diag([-0.5, -0.5, 4.0, 1.0]))
SPACING_MM = (4.0, 0.5, 0.5)


def blank():
    return np.zeros(GRID.axial_shape, np.uint8)


@pytest.fixture
def masks():
    """Three cases as {name: (reference, prediction)}: one hit and one false alarm; no tumour; a tumour missed."""
    hit, found = blank(), blank()
    hit[1:11, 1:11, 1:11], found[1:11, 1:11, 1:13] = 1, 1
    hit[2:6, 2:6, 2:6], found[2:6, 2:6, 3:7] = 2, 2  # 64 voxels each, 48 of them shared
    found[8, 8, 8] = 2
    none = np.where(hit > 0, 1, 0).astype(np.uint8)
    return {"volume-1": (hit, found), "volume-2": (none, none), "volume-10": (hit, none)}


@pytest.fixture
def folders(tmp_path, masks):
    for name, (reference, prediction) in masks.items():
        number = name.removeprefix("volume-")
        write_volume(np.zeros(reference.shape, np.int16), GRID, tmp_path / "cohort" / f"{name}.nii")
        write_mask(reference, GRID, tmp_path / "cohort" / f"segmentation-{number}.nii")
        write_mask(prediction, GRID, tmp_path / "predictions" / f"segmentation-{number}.nii.gz")
    return tmp_path / "predictions", tmp_path / "cohort"


def test_a_case_by_hand(masks):
    case, lesions = score_case("volume-1", *masks["volume-1"], SPACING_MM)
    assert tuple(case) == CASE_COLUMNS
    assert (case["liver_reference_voxels"], case["liver_prediction_voxels"]) == (1000, 1200)
    assert case["liver_dice"] == 2000 / 2200
    assert case["liver_voe"] == pytest.approx(1 - 1000 / 1200)
    assert case["liver_rvd"] == pytest.approx(0.2)
    counts = [case[f"tumor_{part}_voxels"] for part in ("reference", "prediction", "intersection")]
    assert counts == [64, 65, 48]
    assert case["tumor_dice"] == 96 / 129
    assert case["tumor_rvd"] == pytest.approx(1 / 64)
    assert (case["lesions"], case["lesions_predicted"], case["mean_lesion_voxels"]) == (1, 2, 64)
    lesion, alarm = lesions
    assert tuple(lesion) == tuple(alarm) == LESION_COLUMNS
    assert (lesion["kind"], lesion["voxels"], lesion["matched_voxels"], lesion["dice"]) == ("reference", 64, 64, 0.75)
    assert lesion["volume_ml"] == pytest.approx(0.064)  # 64 voxels of 1 mm³
    assert (lesion["z"], lesion["y"], lesion["x"]) == (3.5, 3.5, 3.5)
    assert (alarm["kind"], alarm["voxels"], alarm["detected"]) == ("false alarm", 1, False)
    assert (alarm["z"], alarm["y"], alarm["x"]) == (8, 8, 8)


def test_surface_distances_are_in_mm_along_the_right_axis():
    reference, prediction = blank(), blank()
    reference[3], prediction[5] = 2, 2
    assert score_case("a", reference, prediction, SPACING_MM)[0]["tumor_assd_mm"] == 8
    assert score_case("a", reference.swapaxes(0, 2), prediction.swapaxes(0, 2), SPACING_MM)[0]["tumor_assd_mm"] == 1


def test_without_a_tumour_only_dice_has_a_value(masks):
    case, lesions = score_case("volume-2", *masks["volume-2"], SPACING_MM)
    assert case["tumor_dice"] == 1
    assert all(math.isnan(case[f"tumor_{name}"]) for name in ("voe", "rvd", "assd_mm"))
    assert math.isnan(case["mean_lesion_voxels"])
    assert lesions == []


def test_a_missed_tumour_has_dice_0_and_no_distance(masks):
    case, _ = score_case("volume-10", *masks["volume-10"], SPACING_MM)
    assert (case["tumor_dice"], case["tumor_voe"], case["tumor_rvd"]) == (0, 1, -1)
    assert math.isnan(case["tumor_assd_mm"])


def test_empty_masks_have_dice_1_and_nothing_else():
    case, lesions = score_case("a", blank(), blank(), SPACING_MM)
    assert (case["liver_dice"], case["tumor_dice"], lesions) == (1, 1, [])
    assert all(math.isnan(case[f"liver_{name}"]) for name in ("voe", "rvd", "assd_mm"))


labels = arrays(np.uint8, (4, 5, 6), elements=st.sampled_from([0, 1, 2]))


@settings(deadline=None, max_examples=40)
@given(labels, labels, st.sampled_from([np.uint8, np.int16, np.float32]), st.sampled_from("CF"))
def test_rows_hang_together_whatever_the_dtype_and_memory_order(reference, prediction, dtype, order):
    case, lesions = score_case("a", reference, prediction, SPACING_MM)
    again = score_case("a", reference.astype(dtype, order=order), prediction.astype(dtype, order=order), SPACING_MM)
    assert str((case, lesions)) == str(again)
    own = [lesion for lesion in lesions if lesion["kind"] == "reference"]
    alarms = [lesion for lesion in lesions if lesion["kind"] == "false alarm"]
    assert sum(lesion["voxels"] for lesion in own) == case["tumor_reference_voxels"] == (reference == 2).sum()
    assert sum(lesion["intersection_voxels"] for lesion in own) == case["tumor_intersection_voxels"]
    given_or_false = sum(lesion["matched_voxels"] for lesion in own) + sum(lesion["voxels"] for lesion in alarms)
    assert given_or_false == case["tumor_prediction_voxels"] == (prediction == 2).sum()
    assert case["liver_intersection_voxels"] == ((reference > 0) & (prediction > 0)).sum()


def test_a_cohort_is_scored_and_summarised(folders):
    scores = evaluate(*folders)
    assert scores.cases["case"].tolist() == ["volume-1", "volume-2", "volume-10"]
    assert tuple(scores.cases) == CASE_COLUMNS
    assert tuple(scores.lesions) == LESION_COLUMNS
    assert scores.lesions["detected"].tolist() == [True, False, False]
    tumor = scores.summary["tumor"]
    assert tumor["dice_per_case"] == pytest.approx((96 / 129 + 1 + 0) / 3)
    assert tumor["dice_global"] == 2 * 48 / (64 + 64 + 65)
    assert tumor["cases_without_tumor"] == 1
    assert scores.summary["cases"] == 3
    groups = scores.summary["tumor_by_size_group"]
    counts = {name: groups["small"][name] for name in ("dice", "lesions", "detected", "detected_iou50", "false_alarms")}
    assert counts == {"dice": 0.375, "lesions": 2, "detected": 1, "detected_iou50": 1, "false_alarms": 1}
    assert (groups["large"]["lesions"], groups["large"]["false_alarms"]) == (0, 0)
    assert math.isnan(groups["large"]["dice"])


def test_detection_and_burden_are_those_of_the_official_score(folders):
    scores = evaluate(*folders)
    for threshold, ending in (("0", "iou0"), ("0.5", "iou50")):
        counts, found = scores.official["counts"][threshold], scores.summary["tumor_detection"][threshold]
        assert (found["lesions_found"], found["lesions"]) == (counts["TP"], counts["TP"] + counts["FN"])
        assert found["predictions_true"] == counts["TP_predicted"]
        assert found["lesions_predicted"] == counts["TP_predicted"] + counts["FP"]
        assert scores.cases[f"lesions_found_{ending}"].tolist() == [1, 0, 0]
        # by hand: one lesion of 64 voxels of which 48 are found by 64, IoU 48 / 80, one false alarm, one miss
        assert (found["recall"], found["precision"]) == (1 / 2, 1 / 2)
    burdens = scores.cases["tumor_burden_reference"].tolist(), scores.cases["tumor_burden_prediction"].tolist()
    assert burdens == ([0.064, 0, 0.064], [65 / 1200, 0, 0])
    burden = scores.summary["tumor_burden"]
    assert burden["max_error"] == scores.official["MAXERROR_Tumorburden"] == 0.064
    assert burden["rmse"] == pytest.approx(scores.official["RMSE_Tumorburden"])


def test_means_over_cases_leave_out_what_is_undefined_and_say_of_how_many(folders):
    tumor = evaluate(*folders).summary["tumor"]
    voe = 1 - 48 / 81
    assert tumor["voe_per_case"] == pytest.approx((voe + 1) / 2)  # volume-2 has neither
    assert tumor["rvd_per_case"] == pytest.approx((1 / 64 - 1) / 2)
    assert tumor["cases_with_distance"] == 1
    assert tumor["jaccard_global"] == pytest.approx(48 / (128 + 65 - 48))
    lesions = evaluate(*folders).summary["tumor_lesions"]
    assert lesions["voe"] == pytest.approx((1 - 48 / 80 + 1) / 2)
    assert lesions["mssd_mm"] == 0.5  # a block that is moved by one voxel of 0.5 mm; the miss has no distance


def test_the_rule_for_empty_cases_stands_beside_the_figures(folders):
    rule = evaluate(*folders).summary["empty_cases"]
    assert "Dice per case is 1 where reference and prediction are both empty" in rule
    assert "1 of 3 cases here have no reference tumour: 1 without a predicted one" in rule
    assert "Every case here has a reference tumour" in evaluate(*folders, names=["volume-1"]).summary["empty_cases"]


def test_jobs_are_one_or_more(folders):
    with pytest.raises(SettingError, match="expected 1 or more jobs, found 0"):
        evaluate(*folders, n_jobs=0)


def test_a_process_that_the_system_ends_is_one_clear_error(folders, monkeypatch):
    monkeypatch.setattr(module, "_score_pair", end_the_process)
    with pytest.raises(SettingError, match=r"2 cases at a time need more memory .* fewer --jobs"):
        evaluate(*folders, n_jobs=2)


def end_the_process(pair):
    os.kill(os.getpid(), signal.SIGKILL)


def test_names_score_a_subset(folders):
    scores = evaluate(*folders, names=["volume-10", "volume-1"])
    assert scores.cases["case"].tolist() == ["volume-1", "volume-10"]


def test_a_summary_of_filtered_tables_is_that_of_the_subset(folders):
    everything, some = evaluate(*folders), evaluate(*folders, names=["volume-1", "volume-2"])
    cases = everything.cases[everything.cases["case"] != "volume-10"]
    lesions = everything.lesions[everything.lesions["case"] != "volume-10"]
    assert str(summarize(cases, lesions)) == str(some.summary)


def test_masks_in_memory_score_as_files_do(folders, masks):
    cases = [Case(name, blank().astype(np.int16), GRID, reference) for name, (reference, _) in masks.items()]
    scores = score_masks(cases, [prediction for _, prediction in masks.values()])
    from_files = evaluate(*folders)
    pd.testing.assert_frame_equal(scores.cases, from_files.cases)
    pd.testing.assert_frame_equal(scores.lesions, from_files.lesions)


def test_masks_in_memory_need_a_reference_each():
    case = Case("volume-1", blank().astype(np.int16), GRID)
    with pytest.raises(InputError, match="volume-1 has no reference"):
        score_masks([case], [blank()])
    with pytest.raises(InputError, match="one mask for each of 1 cases, found 0"):
        score_masks([case], [])


def test_any_number_of_workers_gives_the_same_files(folders, tmp_path):
    for workers in (1, 2):
        evaluate(*folders, tmp_path / str(workers), n_jobs=workers)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in "12")
    assert one == two
    assert len(one) == 5


@pytest.mark.parametrize("terminal", [True, False])
def test_a_progress_bar_is_shown_in_a_terminal_alone(folders, terminal, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1" if terminal else "")
    evaluate(*folders)
    assert ("scoring" in capsys.readouterr().err) == terminal


def test_what_is_written_is_read_back(folders, tmp_path):
    scores = evaluate(*folders, tmp_path / "scores")
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == [
        "cases.csv",
        "lesions.csv",
        "official.json",
        "official_as_published.json",
        "summary.json",
    ]
    again = read_scores(tmp_path / "scores")
    pd.testing.assert_frame_equal(again.cases, scores.cases)
    pd.testing.assert_frame_equal(again.lesions, scores.lesions)
    assert str(again.summary) == str(scores.summary)
    assert "NaN" in (tmp_path / "scores" / "cases.csv").read_text()
    summary = json.loads((tmp_path / "scores" / "summary.json").read_text())
    assert summary["tumor_by_size_group"]["large"]["dice"] is None
    assert summary["tumor"] == scores.summary["tumor"]
    for name, official in (("official", scores.official), ("official_as_published", scores.official_as_published)):
        written = json.loads((tmp_path / "scores" / f"{name}.json").read_text())
        assert written.keys() == official.keys()
        assert written["counts"] == official["counts"]
        assert written["liver_dice"] == official["liver_dice"]
    assert again.official["lesion_recall"] == scores.official["lesion_recall"]


SEGMENTATION = ("dice", "jaccard", "voe", "rvd", "assd", "rmsd", "msd", "dice_per_case", "dice_global")


def test_the_official_scores_have_the_challenges_names(folders):
    scores = evaluate(*folders)
    names = {f"{region}_{measure}" for region in ("lesion", "liver") for measure in SEGMENTATION}
    names |= {f"lesion_{measure}{ending}" for measure in ("precision", "recall") for ending in ("", "_greater_zero")}
    names |= {"RMSE_Tumorburden", "MAXERROR_Tumorburden", "counts"}
    for official in (scores.official, scores.official_as_published):
        assert names <= set(official)
        assert set(official["counts"]) == {"0", "0.5"}


def test_lesions_are_numbered_along_the_files_own_axes():
    row = {".": 1, "#": 2}
    reference, prediction = (
        np.array([[[row[letter] for letter in text]]], np.uint8) for text in ("###.#####.####", "######.#######")
    )
    found = []
    for direction in (-1.0, 1.0):  # x from the patient's right to left, and from left to right
        grid = Grid((14, 1, 1), np.diag([direction, -1.0, 1.0, 1.0]))
        axial = [grid.to_axial(grid.from_axial(mask)) for mask in (reference, prediction)]
        scores = score_masks([Case("a", np.zeros((1, 1, 14), np.int16), grid, axial[0])], [axial[1]])
        found.append(scores.official["lesion_dice"])
    # of two predictions that overlap the middle lesion alike, the first in the file takes it
    assert found == [pytest.approx((10 / 14 + 8 / 11) / 2), pytest.approx(12 / 16)]  # 3 of 6 is no hit


def test_a_cohort_without_any_lesion_has_tables_of_the_same_form(folders, tmp_path):
    scores = evaluate(*folders, tmp_path / "scores", names=["volume-2"])
    assert scores.lesions.empty
    assert tuple(scores.lesions) == LESION_COLUMNS
    assert scores.lesions["detected"].dtype == bool
    again = read_scores(tmp_path / "scores")
    assert tuple(again.lesions) == LESION_COLUMNS
    assert str(again.summary) == str(scores.summary)


def test_scores_are_not_overwritten_unasked(folders, tmp_path):
    output = tmp_path / "scores"
    evaluate(*folders, output)
    before = (output / "cases.csv").read_text()
    with pytest.raises(OutputError, match=r"scores has scores already \(cases\.csv, .*, official\.json, off"):
        evaluate(*folders, output, names=["volume-1"])
    assert (output / "cases.csv").read_text() == before
    evaluate(*folders, output, names=["volume-1"], overwrite=True)
    assert len(read_scores(output).cases) == 1


def test_an_output_that_cannot_be_made_is_said_before_scoring(folders, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(module, "pair_masks", None)
    for output in (tmp_path / "file", tmp_path / "file" / "scores"):
        with pytest.raises(OutputError, match="is a file, not a folder"):
            evaluate(*folders, output)


def test_a_run_that_is_scored_or_not_predicted_says_what_to_do(folders, tmp_path):
    predictions, cohort = folders
    study = Workspace(tmp_path / "study")
    study.begin(cohort, Split((), (), ("volume-1", "volume-2")), "cohort")
    with pytest.raises(InputError, match="no predictions of a run 'ours': `lits predict"):
        evaluate_run(study, "ours")
    shutil.copytree(predictions, study.predictions("ours"))
    assert evaluate_run(study, "ours").summary["cases"] == 2
    with pytest.raises(OutputError, match="has scores already: --overwrite scores the run anew"):
        evaluate_run(study, "ours")
    with pytest.raises(InputError, match="no predictions of a run 'our', but of ours: `lits predict"):
        evaluate_run(study, "our")


def test_runs_whose_scores_cannot_be_read_are_told_from_the_others(folders, tmp_path):
    study = Workspace(tmp_path / "study")
    for run in ("ours", "older"):
        evaluate(*folders, study.scores_folder(run))
    (study.scores_folder("older") / "cases.csv").write_text("case\n")
    readable, refused = read_runs(study)
    assert (list(readable), list(refused)) == (["ours"], ["older"])
    assert "lits evaluate --overwrite" in refused["older"]


def test_a_failed_evaluation_writes_nothing(folders, tmp_path):
    (folders[0] / "segmentation-2.nii.gz").unlink()
    with pytest.raises(InputError, match="has no prediction for volume-2"):
        evaluate(*folders, tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def test_labels_beyond_tumour_are_refused_with_the_file(folders):
    wrong = blank()
    wrong[0, 0, 0] = 3
    write_mask(wrong, GRID, folders[0] / "segmentation-1.nii.gz", overwrite=True)
    with pytest.raises(InputError, match=r"segmentation-1\.nii\.gz: expected the labels 0 .*, found 3"):
        evaluate(*folders)


def test_an_unreadable_prediction_is_named(folders):
    (folders[0] / "segmentation-1.nii.gz").write_text("not an image")
    with pytest.raises(InputError, match=r"segmentation-1\.nii\.gz"):
        evaluate(*folders)


def test_a_prediction_on_another_grid_is_refused(folders):
    write_mask(
        np.ones((9, 13, 14), np.uint8), Grid((14, 13, 9), GRID.affine), folders[0] / "segmentation-1.nii.gz", True
    )
    with pytest.raises(GeometryError, match="does not lie on the grid of its reference"):
        evaluate(*folders)


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(GeometryError, match="one shape"):
        score_case("a", blank(), blank()[1:], SPACING_MM)


def test_reading_scores_that_are_not_there_says_so(tmp_path):
    with pytest.raises(InputError, match=r"no scores in .*: .*cases\.csv is missing"):
        read_scores(tmp_path)
    (tmp_path / "cases.csv").write_text("case\nvolume-1\n")
    (tmp_path / "lesions.csv").write_text(",".join(LESION_COLUMNS) + "\n")
    with pytest.raises(InputError, match=r"lack the columns .*, lesions, .*; lits evaluate --overwrite"):
        read_scores(tmp_path)
