import numpy as np
import pytest

from lits_toolkit.data.phantom.torso import chest_layers, skeleton_layers, torso_layers


@pytest.fixture(scope="module")
def torsos(abdomens):
    """Each patient with the HU of its torso: skin, fat, muscle, bone, lungs; neither gut nor liver.

    The last layer of some chests, water beside a lung, is left out.
    """
    return [
        (a, a.painted([*torso_layers(a.patient), *skeleton_layers(a.patient), *chest_layers(a.patient)[:5]]))
        for a in abdomens
    ]


def test_the_walls_lie_in_one_another(abdomens):
    for abdomen in abdomens:
        marks = abdomen.part.landmarks
        cavity, muscle, body = (marks[name] < 0 for name in ("cavity", "muscle", "body"))
        assert cavity.any()
        assert (muscle >= cavity).all()
        assert (body & muscle).sum() > 0.98 * muscle.sum()
        assert body.sum() > muscle.sum() > cavity.sum()


def test_the_body_is_one_piece_with_air_around_it(torsos):
    for abdomen, hu in torsos:
        body = abdomen.part.landmarks["body"]
        assert np.median(hu[body > 25]) == -1000
        inside = hu[(body < -6) & (abdomen.part.landmarks["dome"] < -6)]
        assert (inside > -200).all()


def test_fat_and_muscle_have_their_hu_where_the_walls_say_so(torsos):
    for abdomen, hu in torsos:
        part, tissues = abdomen.part, abdomen.patient.tissues
        marks = part.landmarks
        middle = (np.abs(part.z) < 60) & (part.y < 0)
        fat = (marks["body"] < -6) & (marks["muscle"] > 6) & middle
        if fat.sum() > 50:
            assert hu[fat].mean() == pytest.approx(tissues.fat, abs=8)
        back = (np.abs(np.abs(part.x) - 32) < 8) & (np.abs(part.y - abdomen.patient.cavity[0] - 4) < 6)
        back &= (marks["body"] < -12 - 0.3 * abdomen.patient.fat_mm) & (part.z < -20)
        if back.sum() > 50:
            assert np.median(hu[back]) == pytest.approx(tissues.muscle, abs=12)


def test_lungs_are_air_above_the_diaphragm_on_both_sides(torsos):
    for abdomen, hu in torsos:
        part = abdomen.part
        for side in (-1, 1):
            lung = (part.landmarks["dome"] > 12) & (part.landmarks["cavity"] < -12) & (side * part.x > 45)
            lung &= part.y > 15  # the heart lies in front
            assert lung.sum() > 100
            assert -930 < np.median(hu[lung]) < -700


def test_the_diaphragm_is_highest_over_the_right_half(abdomens):
    for abdomen in abdomens:
        part = abdomen.part
        inside = (part.landmarks["dome"] < 0) & (part.landmarks["cavity"] < -15)
        assert abs(part.z[inside & (part.x < -20)].max() - abdomen.patient.dome_mm[0]) < 14
        assert abs(part.z[inside & (part.x > 30)].max() - abdomen.patient.dome_mm[1]) < 14


def test_the_spine_is_bone_in_the_middle_behind(torsos):
    for abdomen, hu in torsos:
        part, patient = abdomen.part, abdomen.patient
        bone = (hu > 150) & (part.landmarks["body"] < -10) & (np.abs(part.x) < 60) & (part.z < 20) & (part.z > -80)
        assert bone.sum() > 100
        assert abs(part.x[bone].mean()) < 6
        assert part.y[bone].mean() > patient.spine_y - 25
        assert part.y[bone & (part.z < 20)].min() > 0


def test_ribs_lie_in_the_wall_and_a_table_below(torsos):
    for abdomen, hu in torsos:
        part, patient = abdomen.part, abdomen.patient
        ribs = (hu > 150) & (np.abs(part.x) > 70) & (part.z > 0) & (part.landmarks["body"] < -3)
        wall = part.landmarks["cavity"][ribs]
        assert len(wall) > 100
        assert ((wall > -5) & (wall < patient.wall_mm + 5)).mean() > 0.97
        below = (part.landmarks["body"] > 8) & (part.y > patient.cavity[0]) & (np.abs(part.x) < 120)
        assert (hu[below] > -960).any()
