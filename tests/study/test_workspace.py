import pytest

from lits_toolkit.data.splits import Split
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.study.workspace import Workspace

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
    assert len(Workspace(tmp_path / "moved").cohort_cases()) == 3


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
    assert tuple(case.name for case in other.held_out_cases()) == held_out


def test_held_out_cases_that_are_not_there_are_told(workspace, tmp_path):
    (workspace.data / "volume-10.nii.gz").unlink()
    with pytest.raises(InputError, match="no longer has volume-10"):
        workspace.held_out_cases()
    none = Workspace(tmp_path / "none")
    none.begin(workspace.data, Split(("volume-0",), ()), "")
    with pytest.raises(InputError, match="holds no case out"):
        none.held_out_cases()
