import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.case import Grid
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.errors import GeometryError, InputError
from lits_toolkit.study.pairs import find_unmatched, pair_masks

AFFINE = np.diag([-0.7, -0.8, 2.5, 1.0])
GRID = Grid((4, 5, 3), AFFINE)


def write(folder, *names, grid=GRID):
    for name in names:
        write_mask(np.ones(grid.axial_shape, np.uint8), grid, folder / name)
    return folder


def write_cohort(folder, *numbers, masks=True):
    for number in numbers:
        write_volume(np.zeros(GRID.axial_shape, np.int16), GRID, folder / f"volume-{number}.nii")
        if masks:
            write(folder, f"segmentation-{number}.nii")
    return folder


@pytest.fixture
def predictions(tmp_path):
    return write(tmp_path / "predictions", "segmentation-10.nii.gz", "segmentation-2.nii.gz")


def test_a_cohort_is_paired_by_case_in_the_order_of_numbers(tmp_path, predictions):
    cohort = write_cohort(tmp_path / "cohort", 2, 10)
    pairs = pair_masks(predictions, cohort)
    assert [pair.case for pair in pairs] == ["volume-2", "volume-10"]
    assert pairs[0].reference == cohort / "segmentation-2.nii"
    assert pairs[0].prediction == predictions / "segmentation-2.nii.gz"
    assert pairs[0].spacing_mm == pytest.approx((2.5, 0.8, 0.7))


def test_nested_batches_are_a_cohort_too(tmp_path, predictions):
    write_cohort(tmp_path / "cohort" / "batch 1", 2)
    write_cohort(tmp_path / "cohort" / "batch 2", 10)
    assert len(pair_masks(predictions, tmp_path / "cohort")) == 2


def test_a_case_without_a_reference_needs_no_prediction(tmp_path, predictions):
    write_cohort(tmp_path / "cohort", 2, 10)
    write_cohort(tmp_path / "cohort", 11, masks=False)
    assert [pair.case for pair in pair_masks(predictions, tmp_path / "cohort")] == ["volume-2", "volume-10"]


def test_a_folder_of_masks_serves_as_references(tmp_path, predictions):
    references = write(tmp_path / "masks" / "deeper", "segmentation-2.nii", "segmentation-10.nii")
    for folder in (references, references.parent):
        assert [pair.case for pair in pair_masks(predictions, folder)] == ["volume-2", "volume-10"]


@pytest.mark.parametrize("reference", ["anna.nii.gz", "segmentation-anna.nii"])
def test_plain_names_meet_with_or_without_the_prefix(tmp_path, reference):
    predictions = write(tmp_path / "predictions", "segmentation-anna.nii.gz")
    (pair,) = pair_masks(predictions, write(tmp_path / "references", reference))
    assert pair.case == "anna"


def test_test_cases_keep_their_name(tmp_path):
    predictions = write(tmp_path / "predictions", "test-segmentation-3.nii.gz")
    references = write(tmp_path / "references", "test-segmentation-3.nii")
    assert [pair.case for pair in pair_masks(predictions, references)] == ["test-volume-3"]


def test_missing_and_extra_predictions_are_all_listed(tmp_path, predictions):
    write(predictions, "segmentation-4.nii.gz", "segmentation-30.nii.gz")
    cohort = write_cohort(tmp_path / "cohort", 2, 5, 21)
    with pytest.raises(InputError) as error:
        pair_masks(predictions, cohort)
    assert str(error.value) == (
        f"{predictions} has no prediction for volume-5, volume-21; {cohort} has no reference for "
        "segmentation-4.nii.gz, segmentation-10.nii.gz, segmentation-30.nii.gz; "
        "--only-matching scores the cases that have both"
    )


def test_names_leave_all_other_cases_aside(tmp_path, predictions):
    cohort = write_cohort(tmp_path / "cohort", 2, 5)
    assert [pair.case for pair in pair_masks(predictions, cohort, ["volume-2"])] == ["volume-2"]
    with pytest.raises(InputError, match="has no prediction for volume-5"):
        pair_masks(predictions, cohort, ["volume-5"])
    with pytest.raises(InputError, match="cohort has no reference for volume-8, volume-10"):
        pair_masks(predictions, cohort, ["volume-10", "volume-2", "volume-8"])


def test_two_masks_of_one_case_are_refused(tmp_path, predictions):
    cohort = write_cohort(tmp_path / "cohort", 2, 10)
    write(predictions, "segmentation-2.nii")
    with pytest.raises(InputError, match=r"two files of volume-2: segmentation-2\.nii and segmentation-2\.nii\.gz"):
        pair_masks(predictions, cohort)


def test_folders_without_masks_say_what_was_expected(tmp_path, predictions):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").touch()
    (empty / ".partial-1234-segmentation-2.nii.gz").touch()
    with pytest.raises(InputError, match=r"empty has no masks; expected files named segmentation-N\.nii\.gz"):
        pair_masks(empty, predictions)
    with pytest.raises(InputError, match=r"no CT volume in .*empty"):
        pair_masks(predictions, empty)
    for pair in ((predictions, tmp_path / "nowhere"), (tmp_path / "nowhere", predictions)):
        with pytest.raises(InputError, match="nowhere is not a folder"):
            pair_masks(*pair)
    with pytest.raises(InputError, match="has volumes but no reference masks"):
        pair_masks(predictions, write_cohort(tmp_path / "cohort", 2, 10, masks=False))


def test_what_has_no_counterpart_is_left_aside_and_named_when_asked(tmp_path, predictions):
    cohort = write_cohort(tmp_path / "cohort", 2, 5, 21)
    assert [pair.case for pair in pair_masks(predictions, cohort, only_matching=True)] == ["volume-2"]
    assert find_unmatched(predictions, cohort) == (["volume-5", "volume-21"], ["volume-10"])
    with pytest.raises(InputError, match="none of the masks"):
        pair_masks(predictions, write_cohort(tmp_path / "other", 7), only_matching=True)


CONVENTIONS = (
    "segmentation-{}", "test-segmentation-{}", "volume-{}", "test-volume-{}", "liver_{}", "liver_{:03d}_0000",
    "segmentation-liver_{}", "{}",
)  # fmt: skip


@pytest.mark.parametrize("reference", CONVENTIONS)
@pytest.mark.parametrize("prediction", CONVENTIONS)
def test_names_of_any_two_conventions_meet_by_number(tmp_path, reference, prediction):
    numbers = (7, 40, 130)
    references = write(tmp_path / "r", *(reference.format(number) + ".nii" for number in numbers))
    predictions = write(tmp_path / "p", *(prediction.format(number) + ".nii.gz" for number in numbers))
    pairs = pair_masks(predictions, references)
    assert [(pair.reference.name, pair.prediction.name) for pair in pairs] == [
        (reference.format(number) + ".nii", prediction.format(number) + ".nii.gz") for number in numbers
    ]
    assert find_unmatched(predictions, references) == ([], [])


def test_training_and_test_cases_of_one_number_are_two_cases(tmp_path):
    both = "test-segmentation-7.nii", "segmentation-7.nii"
    references, predictions = write(tmp_path / "r", *both), write(tmp_path / "p", *both)
    assert [(pair.reference.name, pair.prediction.name) for pair in pair_masks(predictions, references)] == [
        (name, name) for name in both
    ]
    tests = write(tmp_path / "tests", "test-segmentation-7.nii")
    with pytest.raises(InputError, match="no prediction for volume-7;"):
        pair_masks(tests, references)
    # also where the test volumes of the cohort have no reference
    cohort = write_cohort(tmp_path / "cohort", 7)
    assert len(pair_masks(tests, cohort)) == 1
    write_volume(np.zeros(GRID.axial_shape, np.int16), GRID, cohort / "test-volume-7.nii")
    with pytest.raises(InputError, match=r"no prediction for volume-7; .*no reference for test-segmentation-7\.nii"):
        pair_masks(tests, cohort)


@pytest.mark.parametrize(
    ("one", "other"), [("volume-2.nii.gz", "segmentation-2.nii"), ("liver_002_0000.nii", "liver_2.nii.gz")]
)
def test_two_files_of_one_number_are_refused_on_either_side(tmp_path, one, other):
    twice, once = write(tmp_path / "twice", one, other), write(tmp_path / "once", "segmentation-2.nii")
    with pytest.raises(InputError, match=r"twice has two files of .*2: .* and .*; expected one") as error:
        pair_masks(twice, once)
    assert one in str(error.value)
    assert other in str(error.value)
    if "liver" in one:
        with pytest.raises(InputError, match=r"twice has two files of .*2"):
            pair_masks(once, twice)


def test_names_without_a_number_meet_by_name_alone(tmp_path):
    references = write(tmp_path / "r", "anna-7.nii", "bert_7.nii")
    predictions = write(tmp_path / "p", "segmentation-bert_7.nii.gz", "segmentation-anna-7.nii.gz")
    assert [(pair.case, pair.prediction.name) for pair in pair_masks(predictions, references)] == [
        ("anna-7", "segmentation-anna-7.nii.gz"),
        ("bert_7", "segmentation-bert_7.nii.gz"),
    ]


def test_names_of_cases_choose_by_number_too(tmp_path):
    references = write(tmp_path / "r", "segmentation-2.nii", "segmentation-10.nii")
    predictions = write(tmp_path / "p", "test-segmentation-2.nii", "test-segmentation-10.nii")
    assert [pair.prediction.name for pair in pair_masks(predictions, references, ["volume-10"])] == [
        "test-segmentation-10.nii"
    ]


def test_another_shape_is_refused_with_both_files_named(tmp_path):
    predictions = write(tmp_path / "p", "segmentation-1.nii.gz", grid=Grid((4, 5, 7), AFFINE))
    references = write(tmp_path / "r", "segmentation-1.nii")
    with pytest.raises(GeometryError) as error:
        pair_masks(predictions, references)
    message = str(error.value)
    assert str(predictions / "segmentation-1.nii.gz") in message
    assert str(references / "segmentation-1.nii") in message
    assert "expected the shape (z, y, x) (3, 5, 4), found (7, 5, 4)" in message


def test_another_affine_is_refused_and_rounding_is_not(tmp_path):
    references = write(tmp_path / "r", "segmentation-1.nii")
    shifted, rounded = AFFINE.copy(), AFFINE.copy()
    shifted[0, 3], rounded[0, 3] = 2e-3, 5e-4
    write(tmp_path / "shifted", "segmentation-1.nii", grid=Grid(GRID.shape, shifted))
    write(tmp_path / "rounded", "segmentation-1.nii", grid=Grid(GRID.shape, rounded))
    assert len(pair_masks(tmp_path / "rounded", references)) == 1
    with pytest.raises(GeometryError, match=r"expected the affine .* found .*, which differ by up to 0\.002 mm"):
        pair_masks(tmp_path / "shifted", references)


def test_one_grid_stored_in_another_orientation_is_accepted(tmp_path):
    references = write(tmp_path / "r", "segmentation-1.nii")
    image = nib.load(references / "segmentation-1.nii")
    (tmp_path / "p").mkdir()
    nib.save(nib.as_closest_canonical(image), tmp_path / "p" / "segmentation-1.nii")
    (pair,) = pair_masks(tmp_path / "p", references)
    assert pair.spacing_mm == pytest.approx((2.5, 0.8, 0.7))
