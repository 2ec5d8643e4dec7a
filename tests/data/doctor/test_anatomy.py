import numpy as np
import pytest

from lits_toolkit.data.doctor.anatomy import check_sides, check_sizes, find_body, look
from lits_toolkit.data.doctor.coarse import Coarse

STEP = 4.0


def a_patient():
    """A box of tissue of 240 × 200 × 320 mm with spine, lungs and liver, of (z, y, x) voxels of 4 mm."""
    hu = np.full((60, 70, 100), -1000, np.float32)
    # uneven, as all tissue is but the liver's
    hu[:, 10:60, 10:90] = np.random.default_rng(0).normal(30, 60, (60, 50, 80)).clip(-150, 200)
    hu[:, 46:54, 46:54] = 600  # the spine
    hu[40:, 15:45, 14:34] = -850
    hu[40:, 15:45, 66:86] = -850
    liver = np.zeros(hu.shape, bool)
    liver[12:38, 14:44, 14:44] = True
    hu[liver] = 100
    return Coarse(hu, liver, (STEP, STEP, STEP))


def flipped(axis, mask=True):
    patient = a_patient()
    return Coarse(np.flip(patient.hu, axis), np.flip(patient.liver, axis) if mask else None, patient.spacing_mm)


def test_lengths_measured_by_hand():
    anatomy = look(a_patient())
    assert anatomy.width == 80 * STEP
    assert anatomy.depth == 50 * STEP
    assert anatomy.liver_height == 26 * STEP
    assert anatomy.spine_behind == pytest.approx((49.5 - 34.5) * STEP)
    assert anatomy.lungs_above == pytest.approx((49.5 - 24.5) * STEP)
    assert anatomy.liver_left == pytest.approx((28.5 - 49.5) * STEP)
    assert check_sides(anatomy) == []
    assert check_sizes(anatomy, placeholder=True) == []


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize(("axis", "code"), [(0, "upside-down"), (1, "back-to-front"), (2, "liver-left")])
def test_each_flip_is_told_with_and_without_a_mask(axis, code, mask):
    assert [note.code for note in check_sides(look(flipped(axis, mask)))] == [code]


@pytest.mark.parametrize(
    ("factor", "placeholder", "wrong"),
    [
        (1, False, False),
        (0.3, False, True),
        (2.3, False, True),
        (1.5, False, False),
        (1.7, True, True),
        (0.7, True, True),
    ],
)
def test_sizes_that_no_patient_has(factor, placeholder, wrong):
    patient = a_patient()
    spacing = (factor * STEP,) * 3
    notes = check_sizes(look(Coarse(patient.hu, patient.liver, spacing)), placeholder)
    assert [note.code for note in notes] == ["spacing-implausible"] * wrong


def test_what_is_cut_is_not_measured():
    patient = a_patient()
    box = np.s_[15:, 12:, 20:]
    anatomy = look(Coarse(patient.hu[box], patient.liver[box], patient.spacing_mm))
    assert (anatomy.width, anatomy.depth, anatomy.liver_height) == (None, None, None)


def test_bowel_gas_below_is_no_lung():
    patient = a_patient()
    hu = np.flip(patient.hu, 0).copy()
    hu[hu == -850] = 30
    hu[5:14, 20:40, 50:70] = -900  # 230 ml that no end of the scan cuts
    assert look(Coarse(hu, None, patient.spacing_mm)).lungs_above is None


def test_the_table_is_no_part_of_the_body():
    patient = a_patient()
    hu = patient.hu.copy()
    hu[:, 64, 5:95] = -100
    hu[:, 62, 5:95] = -100
    np.testing.assert_array_equal(find_body(Coarse(hu, None, patient.spacing_mm)), find_body(patient))


@pytest.mark.parametrize("hu", [-1000, 0, 2000])
def test_where_there_is_no_body(hu):
    volume = np.full((5, 6, 7), hu, np.float32)
    assert look(Coarse(volume, None, (STEP, STEP, STEP))) is None
