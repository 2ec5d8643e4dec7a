from dataclasses import astuple

import numpy as np
import pytest

from lits_toolkit.data.phantom.patient import draw_patient, draw_tissues


@pytest.fixture(scope="module")
def tissues():
    return [draw_tissues(np.random.default_rng(seed)) for seed in range(300)]


def test_the_same_generator_draws_the_same_patient():
    first, second = (draw_patient(np.random.default_rng(5)) for _ in range(2))
    assert first.tissues == second.tissues
    assert (first.warp.scale, first.cavity, first.dome_mm) == (second.warp.scale, second.cavity, second.dome_mm)
    assert first.random.random() == second.random.random()


def test_patients_differ():
    patients = [draw_patient(np.random.default_rng(seed)) for seed in range(30)]
    assert len({patient.fat_mm for patient in patients}) == 30
    assert min(patient.fat_mm for patient in patients) < 8
    assert max(patient.fat_mm for patient in patients) > 22
    assert all(0.3 <= patient.gap_mm <= 5.8 for patient in patients)
    assert all(0 < patient.spine_y < patient.cavity[0] for patient in patients)


def test_hu_are_of_living_tissue_in_every_phase(tissues):
    for found in tissues:
        assert -125 < found.fat < -85
        assert 10 < found.muscle < 80
        assert -20 < found.liver < 200
        assert 40 < found.spleen < 260
        assert 30 < found.cava < 330
        assert 30 < found.arteries < 550
        assert np.isfinite(astuple(found)).all()


def test_all_phases_occur_in_the_order_of_the_blood(tissues):
    arterial = [found for found in tissues if found.arteries > found.hepatic_veins + 90]
    without = [found for found in tissues if found.arteries == found.portal_vein == found.hepatic_veins == found.cava]
    portal = [found for found in tissues if found.liver > 80]
    assert 0.1 < len(arterial) / len(tissues) < 0.35
    assert 0.04 < len(without) / len(tissues) < 0.18
    assert len(portal) / len(tissues) > 0.4
    assert all(found.spleen == 48 and found.arteries < 55 for found in without)


def test_fatty_livers_are_darker_than_the_spleen_by_far(tissues):
    assert any(found.liver < found.spleen - 25 and found.arteries < 160 for found in tissues)


def test_jitter_stays_within_its_share_and_fields_are_independent():
    patient = draw_patient(np.random.default_rng(0))
    values = [patient.jitter(50, 0.2) for _ in range(100)]
    assert 40 <= min(values) < 43
    assert 57 < max(values) <= 60
    axes = (np.arange(0, 200, 5.0),) * 3
    first, second = patient.field(20)(axes), patient.field(20)(axes)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.2
