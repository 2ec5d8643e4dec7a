import numpy as np
import pytest

from lits_toolkit.data.phantom.organs import (
    cava_path,
    gall_bladder,
    gall_bladder_layers,
    great_vessel_layers,
    gut_layers,
    kidney_layers,
    spleen_layers,
    stomach_layers,
)


def test_the_spleen_is_its_tissue_on_the_left_behind(abdomens):
    for abdomen in abdomens:
        part = abdomen.part
        (layer,) = spleen_layers(abdomen.patient)
        level = layer.level(part)
        inside = level < -4
        assert 10 < np.count_nonzero(level < 0) * 0.125 < 500  # ml
        assert part.x[inside].min() > 30
        assert part.y[inside].mean() > 10
        assert (part.landmarks["cavity"][level < 0] < 0).all()
        assert abdomen.painted([layer])[inside].mean() == pytest.approx(abdomen.patient.tissues.spleen, abs=8)


def test_a_kidney_lies_on_each_side_of_the_spine_with_cortex_around_marrow(abdomens):
    for abdomen in abdomens:
        part, tissues = abdomen.part, abdomen.patient.tissues
        layers = kidney_layers(abdomen.patient)
        hu = abdomen.painted(layers)
        for side in (-1, 1):
            kidney = (hu > -50) & (side * part.x > 0)
            assert 60 < kidney.sum() * 0.125 < 450
            assert 40 < abs(part.x[kidney].mean()) < 85
            assert abs(part.y[kidney].mean() - abdomen.patient.spine_y) < 20
        low, high = sorted((tissues.kidney_cortex, tissues.kidney_marrow))
        brightest = layers[0].hu(part)
        assert brightest.min() >= low - 0.01
        assert brightest.max() <= high + 0.01


def test_the_stomach_is_on_the_left_and_its_gas_in_front(abdomens):
    for abdomen in abdomens:
        part = abdomen.part
        layers = stomach_layers(abdomen.patient)
        hu = abdomen.painted(layers)
        stomach = layers[0].level(part) < 0
        assert 80 < stomach.sum() * 0.125 < 1300
        assert part.x[stomach].mean() > 20
        assert (part.landmarks["cavity"][stomach] < 0).all()
        gas = layers[2].level(part) < -3
        if gas.any():
            assert np.median(hu[gas]) < -900
            assert part.y[gas].mean() < part.y[stomach].mean()


def test_the_aorta_has_the_arteries_hu_left_of_the_cava(abdomens):
    for abdomen in abdomens:
        part = abdomen.part
        aorta, cava = great_vessel_layers(abdomen.patient)[:2]
        assert aorta.hu == abdomen.patient.tissues.arteries
        assert cava.hu == abdomen.patient.tissues.cava
        inside, beside = (layer.level(part) < 0 for layer in (aorta, cava))
        middle = np.abs(part.z) < 60
        assert part.x[inside & middle].mean() > part.x[beside & middle].mean() + 15
        assert (part.y[inside & middle] < abdomen.patient.spine_y).all()


def test_the_gall_bladder_is_bile_in_a_wall_on_the_right_in_front(abdomens):
    for abdomen in abdomens:
        part = abdomen.part
        level, box = gall_bladder(abdomen.patient)
        wall, bile = gall_bladder_layers(abdomen.patient, level, box)[:2]
        inside = wall.level(part) < 0
        assert 5 < inside.sum() * 0.125 < 120
        assert part.x[inside].mean() < -25
        assert part.y[inside].mean() < 0
        assert (inside >= (bile.level(part) < 0)).all()
        assert -4 <= bile.hu <= 22


def test_the_gut_fills_the_lower_belly_with_soft_tissue_gas_and_fat(abdomens):
    for abdomen in abdomens:
        part = abdomen.part
        hu = abdomen.painted(gut_layers(abdomen.patient))
        belly = (part.landmarks["cavity"] < -8) & (part.z < -50) & (part.z > -140) & (part.y < 20)
        assert (np.abs(hu[belly] - abdomen.patient.tissues.fat) < 30).mean() > 0.05
        assert ((hu[belly] > 0) & (hu[belly] < 140)).mean() > 0.1
        assert (hu[belly] < -400).mean() > 0.002
        outside = part.landmarks["cavity"] > 6
        assert (hu[outside] == -1000).mean() > 0.999


def test_no_organ_is_cut_by_its_box(abdomens):
    """A fillet may stand out by 2 mm; what a box reaches is taken more widely than that."""
    for abdomen in abdomens:
        part, patient = abdomen.part, abdomen.patient
        bladder = gall_bladder(patient)
        for layer in (
            *spleen_layers(patient),
            *kidney_layers(patient),
            *stomach_layers(patient),
            *great_vessel_layers(patient),
            *gall_bladder_layers(patient, *bladder),
        ):
            beyond = np.zeros(part.z.shape, bool)
            for axis, (low, high) in zip((part.z, part.y, part.x), layer.box, strict=True):
                beyond |= (axis < low - 2) | (axis > high + 2)
            assert not (beyond & (layer.level(part) < 0)).any()


def test_the_cava_path_is_the_great_vessels(abdomen):
    level, box = cava_path(abdomen.patient)
    layer = great_vessel_layers(abdomen.patient)[1]
    np.testing.assert_array_equal(level(abdomen.part), layer.level(abdomen.part))
    np.testing.assert_array_equal(box, layer.box)
