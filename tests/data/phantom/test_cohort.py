import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from lits_toolkit import cli
from lits_toolkit.data.dissertation import dissertation_cohort
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.phantom import estimate_cohort, plan_dissertation, plan_random, write_cohort
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import SettingError

SMALL = {"size": 48, "slices": 12}


def written(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path):
    write_cohort(plan_random(2, **SMALL), tmp_path / "data", n_jobs=1, progress=False)
    return tmp_path / "data"


def test_the_dissertations_plan_has_its_cases_counts_and_voxels():
    plans = plan_dissertation(seed=3)
    assert len(plans) == 131
    assert len({plan.seed for plan in plans}) == 131
    for plan, counted in zip(plans, dissertation_cohort(), strict=True):
        assert plan.name == counted.name
        assert len(plan.tumors) == counted.tumors
        assert sum(plan.tumors) == counted.tumor_voxels
        assert all(voxels >= 1 for voxels in plan.tumors)
        assert list(plan.tumors) == sorted(plan.tumors, reverse=True)
        assert 0.6 <= plan.pixel_mm <= 0.95
        assert 0.7 <= plan.slice_mm <= 5
    assert sum(len(plan.tumors) for plan in plans) == 908


def test_a_coarser_matrix_has_larger_pixels_and_the_same_field():
    for fine, coarse in zip(plan_dissertation(), plan_dissertation(size=128), strict=True):
        assert coarse.pixel_mm * 128 == pytest.approx(fine.pixel_mm * 512)
        assert coarse.tumors == fine.tumors


@pytest.mark.parametrize("number", [127, 83])
def test_a_dissertations_case_is_drawn_with_its_tumours(tmp_path, number):
    (plan,) = [plan for plan in plan_dissertation(size=128) if plan.name == f"volume-{number}"]
    (files,) = write_cohort([plan], tmp_path, n_jobs=1, progress=False)
    tumor = read_case(files).reference == 2
    assert ndimage.label(tumor)[1] == len(plan.tumors) == 1
    assert tumor.sum() == pytest.approx(sum(plan.tumors), rel=0.02)


def test_cases_are_written_in_the_layout_of_lits(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "phantom.json", "segmentation-0.nii.gz", "segmentation-1.nii.gz", "volume-0.nii.gz", "volume-1.nii.gz",
    ]  # fmt: skip
    assert [case.name for case in find_cases(folder)] == ["volume-0", "volume-1"]
    volume, mask = (nib.load(folder / f"{kind}-1.nii.gz") for kind in ("volume", "segmentation"))
    assert volume.get_data_dtype() == np.int16
    np.testing.assert_array_equal(volume.affine, mask.affine)


def test_an_interrupted_cohort_goes_on_with_what_is_missing(folder):
    before = written(folder)
    (folder / "segmentation-1.nii.gz").unlink()
    write_cohort(plan_random(3, **SMALL), folder, n_jobs=1, progress=False)
    after = written(folder)
    for name in ("volume-0.nii.gz", "segmentation-0.nii.gz"):
        assert after[name] == before[name]
    assert after["volume-1.nii.gz"] != before["volume-1.nii.gz"]
    assert {"segmentation-1.nii.gz", "volume-2.nii.gz"} <= set(after)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 7}, r"volume-0 has seed \[0, 0\] instead of \[7, 0\]"),
        ({"size": 64}, "volume-0 has size 48 instead of 64"),
    ],
)
def test_a_folder_never_mixes_two_cohorts(folder, changed, message):
    before = written(folder)
    with pytest.raises(SettingError, match=message):
        write_cohort(plan_random(2, **(SMALL | changed)), folder, n_jobs=1, progress=False)
    assert written(folder) == before


def test_an_estimate_grows_with_the_cohort():
    small, large = (estimate_cohort(plan_random(cases, size=256)) for cases in (2, 20))
    assert 0 < small.seconds < large.seconds
    assert large.bytes_on_disk == pytest.approx(10 * small.bytes_on_disk)


def test_an_estimate_is_about_what_a_cohort_takes(folder):
    taken = sum(path.stat().st_size for path in folder.glob("*.nii.gz"))
    assert 0.5 < estimate_cohort(plan_random(2, **SMALL)).bytes_on_disk / taken < 2


def test_the_command_draws_chosen_numbers(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["lits", "phantom", str(tmp_path), "--cases", "50", "--size", "32", "--slices",
                                     "8", "--only", "7,44"])  # fmt: skip
    cli.main()
    assert "2 phantom cases" in capsys.readouterr().out
    assert [case.name for case in find_cases(tmp_path)] == ["volume-7", "volume-44"]


@pytest.mark.parametrize("only", ["7,x", "131", ",", "-1"])
def test_a_number_that_is_none_is_refused(monkeypatch, tmp_path, only):
    monkeypatch.setattr("sys.argv", ["lits", "phantom", str(tmp_path), "--cohort", "dissertation", f"--only={only}"])
    with pytest.raises(SystemExit, match=f"--only: expected numbers from 0 to 130, such as 7,44; found '{only}'"):
        cli.main()
    assert not list(tmp_path.iterdir())
