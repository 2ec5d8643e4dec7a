from importlib import import_module

import numpy as np
import pytest

from lits_toolkit.data.case import Grid
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.splits import Split
from lits_toolkit.figures.pipeline import draw_cascade, draw_pipeline, take_example
from lits_toolkit.inference.cascade import Thresholds
from lits_toolkit.study.workspace import Workspace

GRID = Grid((40, 30, 6), np.diag([-1.0, -1.0, 2.0, 1.0]))


@pytest.fixture
def study(tmp_path):
    """A held-out case of 100 HU with its tumour in slice 2, of which nothing is predicted but liver at the left."""
    reference, found = np.ones(GRID.axial_shape, np.uint8), np.zeros(GRID.axial_shape, np.uint8)
    reference[2, 5:9, 5:9] = 2
    found[:, :, :20] = 1
    workspace = Workspace(tmp_path / "study")
    workspace.begin(tmp_path / "cohort", Split((), (), ("volume-1",)), "test cohort")
    write_volume(np.full(GRID.axial_shape, 100, np.int16), GRID, workspace.data / "volume-1.nii.gz")
    write_mask(reference, GRID, workspace.data / "segmentation-1.nii.gz")
    write_mask(found, GRID, workspace.predictions("cascade") / "segmentation-1.nii.gz")
    return workspace


def test_a_prediction_is_shown_in_the_boxes_of_the_ct_the_liver_and_the_mask(study, assert_legible):
    example = take_example(study)
    assert (example.case, example.z) == ("volume-1", 2)
    drawn = draw_pipeline(example, study.label)
    assert_legible(drawn)
    assert drawn.data.set_index("step").query("pictured").index.tolist() == ["CT", "liver", "combine", "mask"]
    texts = [text.get_text() for text in drawn.figure.axes[0].texts]
    assert any("volume-1, slice 2, test cohort, as predicted" in words for words in texts)
    ct, liver, inside, mask = (np.asarray(image.get_array()) for image in drawn.figure.axes[0].images)
    assert np.allclose(ct, (100 + 200) / 400)
    assert np.allclose(inside[:, :20], ct[:, :20])
    assert not inside[:, 20:].any()
    assert np.array_equal(liver, mask)  # no tumour is predicted there
    assert np.array_equal(liver.any(axis=-1), inside.any(axis=-1))


def test_without_a_study_or_its_predictions_there_is_no_example(study, tmp_path):
    assert take_example(Workspace(tmp_path / "nowhere")) is None
    assert take_example(study, "another run") is None
    assert not draw_pipeline().data["pictured"].any()


@pytest.mark.parametrize("draw", [draw_pipeline, draw_cascade])
def test_every_step_is_a_function_of_ours_and_follows_one_that_is_drawn(draw, assert_legible):
    drawn = draw()
    assert_legible(drawn)
    steps = drawn.data.set_index("step")
    for whole in steps["function"][steps["function"] != ""]:
        module, name = whole.rsplit(".", 1)
        assert getattr(import_module(module), name).__module__ == module
    assert all(name in steps.index for after in steps["after"] for name in after)
    assert not drawn.data.duplicated(["column", "row"]).any()


def test_the_tumour_stage_takes_the_ct_and_the_liver():
    for draw, given in ((draw_pipeline, {"scale", "liver"}), (draw_cascade, {"CT", "liver"})):
        assert set(draw().data.set_index("step")["after"]["combine"]) == given


def test_the_cascades_thresholds_are_the_defaults():
    words = draw_cascade().data.set_index("step")["words"]
    least = Thresholds()
    assert f"above {least.liver}" in words["largest"]
    assert f"above {least.tumor}" in words["sure"]
    assert f"reach {least.tumor_component}" in words["sure"]
