import cc3d
import numpy as np
import pytest

from lits_toolkit.data.phantom.liver import LIVER_BOX, liver_layer
from lits_toolkit.data.phantom.organs import cava_path

VOXEL_ML = 0.125


def test_the_liver_has_a_livers_volume_on_the_right_under_the_diaphragm(abdomens):
    for abdomen in abdomens:
        part = abdomen.part
        liver = part.landmarks["liver"] < 0
        assert 500 < liver.sum() * VOXEL_ML < 2600
        assert part.x[liver].mean() < -20
        assert (part.landmarks["cavity"][liver] < 0).all()
        assert (part.landmarks["dome"][liver] < 0).all()
        assert part.z[liver].max() > abdomen.patient.dome_mm[0] - 25


def test_it_is_mostly_one_piece(abdomens):
    for abdomen in abdomens:
        liver = np.ascontiguousarray(abdomen.part.landmarks["liver"] < 0)
        assert cc3d.largest_k(liver, k=1, connectivity=6).astype(bool).sum() > 0.93 * liver.sum()


def test_its_neighbours_keep_their_place(abdomens):
    for abdomen in abdomens:
        part = abdomen.part
        liver = part.landmarks["liver"] < 0
        cava, _ = cava_path(abdomen.patient)
        neighbours = [abdomen.stomach, cava] + ([abdomen.liver.gall_bladder[0]] if abdomen.liver.gall_bladder else [])
        for level in neighbours:
            assert not (liver & (level(part) < 0)).any()


def test_its_box_holds_all_of_it(abdomens):
    for abdomen in abdomens:
        part = abdomen.part
        liver = part.landmarks["liver"] < 0
        for axis, (low, high) in zip((part.z, part.y, part.x), LIVER_BOX, strict=True):
            assert low < axis[liver].min()
            assert axis[liver].max() < high


def test_its_tissue_has_the_patients_hu(abdomens):
    for abdomen in abdomens:
        hu = abdomen.painted([liver_layer(abdomen.liver)])
        deep = abdomen.part.landmarks["liver"] < -5
        assert np.median(hu[deep]) == pytest.approx(abdomen.patient.tissues.liver, abs=14)
        assert 1 < hu[deep].std() < 22
        assert (hu[abdomen.part.landmarks["liver"] > 5] == -1000).all()
