import pytest

from lits_toolkit.data.splits import Split
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.study.workspace import Workspace, require_run_of_part

SPLIT = Split(("volume-0",), ("volume-1",), ("volume-10",))


@pytest.fixture
def workspace(tmp_path):
    data = tmp_path / "w" / "cohort"
    data.mkdir(parents=True)
    for index in (0, 1, 10):
        (data / f"volume-{index}.nii.gz").touch()
    found = Workspace(tmp_path / "w")
    found.begin(data, SPLIT, "phantom cohort")
    return found


def test_it_remembers_its_cohort_and_can_be_moved(workspace, tmp_path):
    assert workspace.split == SPLIT
    assert workspace.label == "phantom cohort"
    assert [case.name for case in workspace.cohort_cases()] == ["volume-0", "volume-1", "volume-10"]
    workspace.folder.rename(tmp_path / "moved")
    assert len(Workspace(str(tmp_path / "moved")).cohort_cases()) == 3
    assert Workspace(str(tmp_path)) == Workspace(tmp_path)


def test_data_elsewhere_keep_their_place(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "volume-0.nii").touch()
    workspace = Workspace(tmp_path / "w")
    workspace.begin(tmp_path / "data", SPLIT, "cohort data")
    assert workspace.data == (tmp_path / "data").resolve()


def test_another_study_in_the_same_folder_is_refused(workspace, tmp_path):
    workspace.begin(workspace.data, SPLIT, "phantom cohort")
    with pytest.raises(SettingError, match="another --workspace"):
        workspace.begin(tmp_path, SPLIT, "other", overwrite=True)
    other = Split(("volume-1",), ("volume-0",), ("volume-10",))
    with pytest.raises(SettingError, match="--overwrite"):
        workspace.begin(workspace.data, other, "phantom cohort")
    assert workspace.split == SPLIT
    workspace.begin(workspace.data, other, "phantom cohort", overwrite=True)
    assert workspace.split == other


def test_what_is_missing_is_named_with_the_command_that_makes_it(workspace, tmp_path):
    with pytest.raises(InputError, match=r"volume-0.*lits prepare"):
        workspace.prepared_cases(("volume-0",))
    with pytest.raises(SettingError, match="nearest is 'volume-1'"):
        workspace.case("volume-12")
    with pytest.raises(InputError, match="liver model"):
        workspace.history("liver", "2d-mobilenet_v2-top")
    with pytest.raises(InputError, match="no tumor model x has been trained in"):
        workspace.histories("tumor", "x")
    with pytest.raises(InputError, match="lits prepare"):
        Workspace(tmp_path / "nowhere").require()


def test_models_are_listed_by_stage(workspace):
    for name in ("b", "a"):
        folder = workspace.model("liver", name)
        folder.mkdir(parents=True)
        (folder / "model.json").write_text("{}")
    assert workspace.models("liver") == ["a", "b"]
    assert workspace.models("tumor") == []


@pytest.mark.parametrize(
    ("split", "held_out"),
    [(SPLIT, ("volume-10",)), (Split(("volume-0",), ("volume-1", "volume-10")), ("volume-1", "volume-10"))],
)
def test_the_held_out_cases_are_the_test_part_or_else_validation(workspace, tmp_path, split, held_out):
    other = Workspace(tmp_path / "other")
    other.begin(workspace.data, split, "")
    assert other.held_out == held_out
    assert tuple(case.name for case in other.cases_of()) == held_out


def test_held_out_cases_that_are_not_there_are_told(workspace, tmp_path):
    (workspace.data / "volume-10.nii.gz").unlink()
    with pytest.raises(InputError, match="no longer has volume-10"):
        workspace.cases_of()
    none = Workspace(tmp_path / "none")
    none.begin(workspace.data, Split(("volume-0",), ()), "")
    with pytest.raises(InputError, match="holds no case out"):
        none.cases_of()


def test_each_part_has_its_cases_and_results_are_called_by_it(workspace):
    assert [case.name for case in workspace.cases_of("train")] == ["volume-0"]
    assert [case.name for case in workspace.cases_of("validation")] == ["volume-1"]
    assert workspace.names_of() == workspace.names_of("test") == ("volume-10",)
    assert workspace.label_of(["volume-0"]) == "phantom cohort, training cases"
    assert workspace.label_of(["volume-1"]) == "phantom cohort, validation cases"
    assert workspace.label_of(["volume-10"]) == workspace.label_of(["volume-0", "volume-1"]) == "phantom cohort"


def test_validation_cases_that_are_held_out_are_called_by_the_cohort_alone(workspace, tmp_path):
    other = Workspace(tmp_path / "other")
    other.begin(workspace.data, Split(("volume-0",), ("volume-1",), ()), "cohort data")
    assert other.label_of(["volume-1"]) == "cohort data"
    with pytest.raises(InputError, match="has no test cases"):
        other.cases_of("test")


def test_another_part_needs_a_run_of_its_own():
    require_run_of_part("cascade", "held-out")
    require_run_of_part("cascade-train", "train")
    with pytest.raises(SettingError, match="such as --run cascade-train"):
        require_run_of_part("cascade", "train")
