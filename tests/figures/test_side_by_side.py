import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.side_by_side import draw_side_by_side, take_examples
from lits_toolkit.study.results import score_folders

GRID = np.diag([1.0, 1.0, 2.0, 1.0])


@pytest.fixture
def results(tmp_path):
    """One case with its most tumour in slice 3; "2d-dsts-top" finds half of that, "3d-dsts-top" all."""
    reference = np.zeros((6, 32, 32), np.uint8)
    reference[:, 4:28, 4:28] = 1
    reference[3, 8:16, 8:16] = 2
    reference[1, 8, 8] = 2
    half = reference.copy()
    half[3, 8:12, 8:16] = 1
    masks = {"cohort/segmentation-7": reference, "2d-mobilenet_v2-top/segmentation-7": half}
    masks["3d-dsts-top/segmentation-7"] = reference
    masks["cohort/volume-7"] = np.full(reference.shape, 60, np.int16)
    for name, values in masks.items():
        path = tmp_path / f"{name}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(values.T, GRID), path)
    return score_folders([tmp_path / "2d-mobilenet_v2-top", tmp_path / "3d-dsts-top"], tmp_path / "cohort")


def test_each_network_is_shown_in_the_slice_with_the_most_tumour(results, assert_legible):
    networks = ["2d-mobilenet_v2-top", "3d-dsts-top", "3d-dsts-bottom"]
    drawn = draw_side_by_side(take_examples(results, networks, ["volume-7"]), "test cohort")
    assert_legible(drawn)
    data = drawn.data
    assert data["network"].tolist() == networks
    assert data["method"].tolist() == [*networks[:2], ""]
    assert set(data["z"]) == {3}
    assert data["reference_pixels"].tolist() == [64, 64, 64]
    assert data["prediction_pixels"].tolist() == [32, 64, -1]
    assert data["dice"].tolist() == pytest.approx([64 / 96, 1, np.nan], nan_ok=True)
    assert texts_of(drawn) == [[], [], ["no prediction"]]
    assert data["note"].tolist() == ["", "", "no prediction"]


def test_why_a_network_is_not_shown_is_told_in_its_panel(results, assert_legible):
    networks = ["3d-dsts-top", "3d-dsts-default", "3d-dsts-bottom"]
    study = replace(results, trained=frozenset(networks[:2]))
    drawn = draw_side_by_side(take_examples(study, networks, ["volume-7"]), "test cohort")
    assert_legible(drawn)
    assert texts_of(drawn) == [[], ["trained, not scored"], ["not trained"]]
    shutil.rmtree(results.folders["3d-dsts-top"])
    assert take_examples(study, networks[:1], ["volume-7"])[0].note == "no prediction"


def texts_of(drawn):
    return [[text.get_text() for text in ax.texts] for ax in drawn.figure.axes]


def test_what_is_not_there_is_told(results):
    with pytest.raises(InputError, match="no CT of volume-8"):
        take_examples(results, ["3d-dsts-top"], ["volume-8"])
    with pytest.raises(InputError, match="no example"):
        draw_side_by_side([], "")


def test_of_two_methods_of_a_network_the_first_is_shown(results):
    alike = replace(results, networks=dict.fromkeys(results.networks, "3d-dsts-top"))
    assert take_examples(alike, ["3d-dsts-top"], ["volume-7"])[0].method == results.method
