import shutil

import pytest

from lits_toolkit.data.splits import Split
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import write_json
from lits_toolkit.study.results import cohort_label, comparable_runs, open_results, results_of_run, score_folders
from lits_toolkit.study.scores import evaluate
from lits_toolkit.study.tissue import measure_contrast
from lits_toolkit.study.workspace import Workspace

NAMES = ("2d-mobilenet_v2-top", "mine")


@pytest.fixture
def study(folders):
    """A study of that cohort that holds both cases out; its runs are `cascade` and `other`."""
    workspace = Workspace(folders / "study")
    workspace.begin(folders / "cohort", Split((), (), ("volume-1", "volume-2")), "test cohort")
    for run, folder in (("cascade", NAMES[0]), ("other", NAMES[1])):
        shutil.copytree(folders / folder, workspace.predictions(run))
        evaluate(workspace.predictions(run), workspace.data, workspace.scores_folder(run))
    return workspace


def listed(folders, *names):
    return ",".join(str(folders / name) for name in names)


def test_folders_are_scored_beside_each_other_and_nothing_is_written(folders):
    before = sorted(folders.rglob("*"))
    results = score_folders([folders / name for name in NAMES], folders / "cohort")
    assert list(results.scores) == list(NAMES)
    assert results.method == NAMES[0]
    assert results.first.cases["tumor_dice"].tolist() == [1, 1]
    dice = results.cases.set_index(["method", "case"])["tumor_dice"]
    assert dice["mine", "volume-1"] == pytest.approx(2 * 1000 / (2040 + 1000))
    assert dice["mine", "volume-2"] == 0
    assert results.lesions.groupby("method")["kind"].value_counts().to_dict() == {
        (NAMES[0], "reference"): 3, ("mine", "reference"): 3, ("mine", "false alarm"): 1
    }  # fmt: skip
    assert sorted(folders.rglob("*")) == before


def test_a_title_names_the_method_only_where_there_are_several(folders):
    both = score_folders([folders / name for name in NAMES], folders / "cohort")
    assert both.title == f"cohort cohort, {NAMES[0]}"
    assert score_folders([folders / "mine"], folders / "cohort").title == both.label == "cohort cohort"


def test_the_scored_cases_have_their_ct_where_it_lies_beside_the_references(folders):
    results = score_folders([folders / "mine"], folders / "cohort")
    assert [files.volume.name for files in results.files] == ["volume-1.nii.gz", "volume-2.nii.gz"]
    assert measure_contrast(results.files)["contrast_hu"].tolist() == [-40, -40, -40]


def test_the_ct_of_references_that_are_masks_alone_are_taken_from_their_folder(folders):
    references, scans = folders / "references", folders / "scans"
    references.mkdir()
    scans.mkdir()
    for number in (1, 2):
        shutil.copy(folders / "cohort" / f"segmentation-{number}.nii.gz", references)
        shutil.copy(folders / "cohort" / f"volume-{number}.nii.gz", scans / f"liver_{number}_0000.nii.gz")
    assert score_folders([folders / "mine"], references).files == []
    found = score_folders([folders / "mine"], references, scans).files
    assert measure_contrast(found)["contrast_hu"].tolist() == [-40, -40, -40]
    (scans / "liver_2_0000.nii.gz").unlink()
    with pytest.raises(InputError, match="scans has no CT of volume-2"):
        score_folders([folders / "mine"], references, scans)


def test_a_network_is_known_by_the_record_of_its_predictions_or_by_the_folders_name(folders):
    assert score_folders([folders / name for name in NAMES], folders / "cohort").networks == {
        NAMES[0]: NAMES[0], "mine": ""
    }  # fmt: skip
    write_json(folders / "mine" / "predictions.json", {"tumor_model": {"name": "3d-dsts-bottom"}})
    write_json(folders / NAMES[0] / "predictions.json", {"of": "somebody else"})
    assert score_folders([folders / name for name in NAMES], folders / "cohort").networks == {
        NAMES[0]: NAMES[0], "mine": "3d-dsts-bottom"
    }  # fmt: skip


def test_phantoms_are_named_wherever_their_plans_lie(folders):
    assert cohort_label(folders / "cohort") == "cohort cohort"
    (folders / "phantom.json").write_text("{}")
    assert cohort_label(folders / "cohort") == "phantom cohort"
    assert cohort_label(folders / "cohort" / "labels" / "all") == "cohort all"
    assert cohort_label(folders / "cohort" / "labels" / "all", folders) == "phantom cohort"


def test_a_run_stands_beside_the_studys_runs_on_the_same_cases(study, folders):
    evaluate(folders / "mine", folders / "cohort", study.scores_folder("part"), names=["volume-1"])
    (study.scores_folder("half") / "x").mkdir(parents=True)
    write_json(study.scores_folder("half") / "summary.json", {})
    assert list(comparable_runs(study, "cascade")[0]) == ["other"]
    results = results_of_run(study)
    assert list(results.scores) == ["cascade", "other"]
    assert results.label == "test cohort"
    assert [pair.prediction.parent for pair in results.pairs] == [study.predictions("cascade")] * 2
    assert [files.name for files in results.files] == ["volume-1", "volume-2"]
    assert results.trained == frozenset()


def test_masks_are_found_for_each_method_and_none_where_one_is_missing(study):
    results = results_of_run(study)
    for method in ("cascade", "other"):
        place = study.predictions(method)
        assert results.masks(method) == {
            f"volume-{number}": place / f"segmentation-{number}.nii.gz" for number in (1, 2)
        }
    (study.predictions("other") / "segmentation-2.nii.gz").unlink()
    assert results_of_run(study).masks("other") == {}


def test_a_notebooks_parameters_choose_between_run_and_folders(study, folders):
    assert open_results(study, "other").method == "other"
    given = open_results(study, predictions=listed(folders, *NAMES), references=str(folders / "cohort"))
    assert (list(given.scores), given.label, given.trained) == (list(NAMES), "cohort cohort", None)
    of_study = open_results(study, predictions=listed(folders, "mine"))
    assert (of_study.label, of_study.method) == ("test cohort", "mine")


def test_references_without_predictions_and_empty_lists_are_told(study, folders):
    with pytest.raises(SettingError, match="expected predictions=FOLDER beside references"):
        open_results(study, references=str(folders / "cohort"))
    with pytest.raises(SettingError, match="at least one folder of predictions"):
        open_results(study, predictions=" , ")
