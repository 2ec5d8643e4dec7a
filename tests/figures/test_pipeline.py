from importlib import import_module

import pytest

from lits_toolkit.figures.pipeline import draw_cascade, draw_pipeline
from lits_toolkit.inference.cascade import Thresholds


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
