import numpy as np
import pandas as pd
import pytest

from lits_toolkit.data.case import Grid
from lits_toolkit.data.nifti import write_mask
from lits_toolkit.study.pairs import pair_masks
from lits_toolkit.study.scores import evaluate
from lits_toolkit.study.worst import PLACE_COLUMNS, find_worst_slice, hardest_lesion, worst_places, worst_slices

GRID = Grid((14, 13, 12), np.diag([-0.5, -0.5, 4.0, 1.0]))  # voxels of 1 mm³


@pytest.fixture
def folders(tmp_path):
    """A tumour missed and one invented beside one half found; all right; nothing anywhere."""
    reference, prediction = np.zeros((2, *GRID.axial_shape), np.uint8)
    reference[1:3, 1:5, 1:5], prediction[1:3, 1:5, 1:3] = 2, 2
    reference[8, 8:11, 8] = 2
    prediction[5:7, 8:10, 1:3] = 2
    pairs = {1: (reference, prediction), 2: (reference, reference), 3: (0 * reference, 0 * reference)}
    for number, masks in pairs.items():
        for folder, mask in zip(("references", "predictions"), masks, strict=True):
            write_mask(mask, GRID, tmp_path / folder / f"segmentation-{number}.nii.gz")
    return tmp_path / "predictions", tmp_path / "references"


def test_what_is_worst_stands_first(folders):
    table = worst_places(evaluate(*folders).lesions, worst_slices(pair_masks(*folders)))
    assert tuple(table) == PLACE_COLUMNS
    assert table["fate"].tolist() == ["false alarm", "worst slice", "miss"]
    assert table["case"].tolist() == ["volume-1"] * 3
    assert table["volume_ml"].tolist() == pytest.approx([0.008, 0.004, 0.003])
    assert table["lesion"].tolist()[::2] == [2, 2]
    assert table["lesion"].isna().tolist() == [False, True, False]
    # the lowest Dice is 0, in slices 5, 6 and 8: the first of those with the most tumour
    assert table[["z", "y", "x"]].to_numpy().tolist()[1][0] == 5
    assert table[["z", "y", "x"]].to_numpy().tolist()[2] == [8, 9, 8]
    np.testing.assert_array_equal(table["dice"], [np.nan, 0, 0])


def test_without_slices_the_lesions_alone(folders):
    table = worst_places(evaluate(*folders).lesions)
    assert table["fate"].tolist() == ["false alarm", "miss"]
    assert table["z"].dtype == np.int64


def test_a_faultless_run_has_no_place_to_go_to(folders):
    predictions, references = folders
    scores = evaluate(predictions, references, names=["volume-2", "volume-3"])
    slices = worst_slices(pair_masks(predictions, references, ["volume-2", "volume-3"]))
    assert len(slices) == 0
    assert tuple(worst_places(scores.lesions, slices)) == PLACE_COLUMNS
    assert worst_places(scores.lesions, slices).empty


def test_only_slices_may_be_wrong():
    reference, prediction = np.zeros((2, 3, 5, 5), np.uint8)
    reference[1:, 1:4, 1:4] = 2
    prediction[1:, 1:4, 1:4] = 2
    prediction[2, 1:3, 1:4] = 1
    row = find_worst_slice("a", reference, prediction, (2.0, 1.0, 1.0))
    assert (row["z"], row["dice"], row["volume_ml"]) == (2, 2 * 3 / (9 + 3), pytest.approx(0.012))
    assert reference[row["z"], row["y"], row["x"]] == 2
    assert prediction[row["z"], row["y"], row["x"]] == 1


def test_any_number_of_workers_gives_the_same_places(folders):
    pairs = pair_masks(*folders)
    assert worst_slices(pairs).equals(worst_slices(pairs, n_jobs=2))


def test_the_hardest_large_lesion_is_the_one_with_the_lowest_dice():
    columns = ["case", "kind", "lesion", "size_group", "dice"]
    rows = [
        ("a", "reference", 1, "large", 0.4),
        ("b", "reference", 2, "large", 0.2),
        ("b", "false alarm", 3, "large", 0.0),
    ]
    lesions = pd.DataFrame(rows, columns=columns)
    assert hardest_lesion(lesions)[["case", "lesion"]].to_numpy().tolist() == [["b", 2]]
    assert hardest_lesion(lesions, "small").empty
