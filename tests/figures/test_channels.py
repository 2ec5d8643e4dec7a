import numpy as np
import pytest

from lits_toolkit.errors import SettingError
from lits_toolkit.figures.channels import draw_channel_shuffle, draw_squeeze_excitation
from lits_toolkit.study.concepts import squeeze_and_excite


def test_each_feature_is_scaled_by_its_gate(assert_legible):
    gated = squeeze_and_excite()
    drawn = draw_squeeze_excitation(gated)
    assert_legible(drawn)
    assert len(drawn.data) == 12
    np.testing.assert_allclose(drawn.data["mean_after"], drawn.data["mean_before"] * drawn.data["gate"], rtol=1e-5)
    assert drawn.data["gate"].to_numpy() == pytest.approx(gated.gates.ravel())


def test_all_features_have_one_scale_of_brightness():
    drawn = draw_squeeze_excitation(squeeze_and_excite())
    images = drawn.figure.axes[0].get_images()
    assert len(images) == 24
    assert {image.get_clim() for image in images} == {(0, 1)}


@pytest.mark.parametrize(("groups", "features"), [(3, 9), (2, 8), (4, 8), (1, 5)])
def test_the_nth_of_each_group_come_together(assert_legible, groups, features):
    drawn = draw_channel_shuffle(groups, features)
    assert_legible(drawn)
    dealt = [(place % groups) * (features // groups) + place // groups for place in range(features)]
    assert drawn.data.sort_values("after")["before"].tolist() == dealt
    assert drawn.data["before"].tolist() == list(range(features))
    new_groups = drawn.data.groupby("new_group")["group"].nunique()
    assert ("of all groups" in drawn.figure.get_suptitle()) == (new_groups == groups).all()


def test_with_as_many_features_as_groups_in_each_every_new_group_has_one_of_all():
    places = draw_channel_shuffle(3, 9).data
    assert places.groupby("new_group")["group"].apply(sorted).tolist() == [[1, 2, 3]] * 3
    assert places["feature"].tolist()[:4] == ["1a", "1b", "1c", "2a"]


@pytest.mark.parametrize(("groups", "features"), [(2, 9), (0, 4), (7, 14), (3, 0)])
def test_groups_that_are_not_equal_are_told(groups, features):
    with pytest.raises(SettingError, match="equal"):
        draw_channel_shuffle(groups, features)
