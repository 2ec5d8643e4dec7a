import pytest

from lits_toolkit.data.layouts import find_cases
from lits_toolkit.errors import InputError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_lits_in_nested_batches_with_masks_elsewhere(tmp_path):
    touch(tmp_path, "batch 1/volume-2.nii", "batch 1/segmentation-2.nii", "batch 2/volume-10.nii.gz",
          "masks/segmentation-10.nii", "test/test-volume-2.nii", "notes.txt", ".partial-volume-3.nii")  # fmt: skip
    cases = find_cases(tmp_path)
    assert [case.name for case in cases] == ["test-volume-2", "volume-2", "volume-10"]
    found = {case.name: case.reference and case.reference.relative_to(tmp_path).as_posix() for case in cases}
    assert found == {
        "volume-2": "batch 1/segmentation-2.nii",
        "volume-10": "masks/segmentation-10.nii",
        "test-volume-2": None,
    }


def test_plain_files_with_and_without_masks(tmp_path):
    touch(tmp_path, "anna.nii.gz", "segmentation-anna.nii.gz", "ben.nii")
    assert [(case.name, case.reference is not None) for case in find_cases(tmp_path)] == [
        ("anna", True),
        ("ben", False),
    ]


def test_one_file_is_one_case_with_the_mask_beside_it(tmp_path):
    touch(tmp_path, "volume-4.nii", "segmentation-4.nii.gz", "volume-5.nii")
    (case,) = find_cases(tmp_path / "volume-4.nii")
    assert case.reference == tmp_path / "segmentation-4.nii.gz"


@pytest.mark.parametrize("place", ["nowhere", "empty", "notes.txt"])
def test_nothing_to_find_says_what_was_looked_for(tmp_path, place):
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match=f"{place}.*|.*NIfTI"):
        find_cases(tmp_path / place)


def test_two_files_of_one_name_are_both_named(tmp_path):
    touch(tmp_path, "a/volume-1.nii", "b/volume-1.nii.gz")
    with pytest.raises(InputError, match=r"a/volume-1\.nii.*b/volume-1\.nii\.gz"):
        find_cases(tmp_path)


def test_a_thousand_cases_are_listed_without_a_voxel_being_read(tmp_path):
    touch(tmp_path, *(f"volume-{index}.nii.gz" for index in range(1000)))
    assert [case.name for case in find_cases(tmp_path)] == [f"volume-{index}" for index in range(1000)]
