import numpy as np
import pandas as pd
import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.tuning import draw_tuning

STEPS = np.arange(1, 20) / 20


@pytest.fixture
def liver():
    sweep = pd.DataFrame({"liver": STEPS, "dice_per_case": 0.95 - (STEPS - 0.45) ** 2})
    return sweep.assign(default=STEPS == 0.5, chosen=STEPS == 0.45)


@pytest.fixture
def tumor():
    cut, component = (grid.ravel() for grid in np.meshgrid(STEPS, STEPS, indexing="ij"))
    sweep = pd.DataFrame({"tumor": cut, "tumor_component": component})
    sweep["dice_per_case"] = 0.5 - (cut - 0.3) ** 2 - (np.maximum(component, cut) - 0.8) ** 2
    default, chosen = (cut == 0.5) & (component == 0.7), (cut == 0.3) & (component == 0.8)
    return sweep.assign(default=default, chosen=chosen)


def test_both_stages_with_what_was_chosen(liver, tumor, assert_legible):
    drawn = draw_tuning(liver, tumor, "phantom cohort")
    assert_legible(drawn)
    assert len(drawn.data) == 19 + 19**2
    chosen = drawn.data[drawn.data["chosen"]].set_index("stage")
    assert chosen.loc["liver", "liver"] == 0.45
    assert chosen.loc["tumor", ["tumor", "tumor_component"]].tolist() == [0.3, 0.8]
    titles = [ax.get_title(loc="left") for ax in drawn.figure.axes]
    assert titles[0] == "Liver stage: Dice 0.948 → 0.950"


def test_the_map_shows_each_pair_in_its_place_and_leaves_out_what_changes_nothing(tumor):
    drawn = draw_tuning(None, tumor, "phantom cohort")
    (image,) = drawn.figure.axes[0].get_images()
    shown = image.get_array()
    assert shown[15, 5] == pytest.approx(0.5)  # component threshold upwards, tumour threshold to the right
    assert np.ma.getmaskarray(shown).sum() == 19 * 18 / 2
    assert image.get_extent() == pytest.approx([0.025, 0.975, 0.025, 0.975])


def test_one_stage_alone_and_none(liver, assert_legible):
    assert_legible(draw_tuning(liver, None, "phantom cohort"))
    with pytest.raises(InputError, match="`lits tune` does that"):
        draw_tuning(None, None, "phantom cohort")
