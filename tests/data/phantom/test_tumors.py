from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from lits_toolkit.data.phantom.space import Part
from lits_toolkit.data.phantom.torso import mark_torso
from lits_toolkit.data.phantom.tumors import (
    BRIGHT,
    DARK,
    Blob,
    benign_layers,
    grow_tumors,
    scout,
    tumor_layers,
)

SIZES = (5000, 400, 400, 120, 30, 7, 1)
STEP_MM = 3.0
EVERY_WAY = np.ones((3, 3, 3))
AXES = tuple(np.arange(low, high, STEP_MM) for low, high in ((-110, 100), (-110, 100), (-150, 110)))


@pytest.fixture(scope="module")
def grown(abdomens):
    """Three patients with their room, tumours and the voxels of these, on a coarse grid."""
    found = []
    for abdomen in abdomens[:3]:
        room = scout(abdomen.patient, abdomen.liver, AXES)
        tumors, taken = grow_tumors(abdomen.patient, abdomen.liver, room, AXES, SIZES, exact=True)
        part = Part.empty(AXES, abdomen.patient.warp, STEP_MM)
        mark_torso(part, abdomen.patient)
        part.landmarks["liver"] = abdomen.liver.level(part)
        found.append((abdomen, room, tumors, taken, part))
    return found


def test_every_size_is_grown_to_the_voxel_in_pieces_that_do_not_touch(grown):
    for _, _, tumors, taken, _ in grown:
        assert len(tumors) == len(SIZES)
        labels, count = ndimage.label(taken)
        assert count == len(SIZES)
        assert ndimage.label(taken, EVERY_WAY)[1] == count
        np.testing.assert_allclose(np.sort(np.bincount(labels.ravel())[1:]), np.sort(SIZES), rtol=0.02)


def test_a_tumour_stays_in_the_liver_unless_it_has_outgrown_it(grown):
    for _, _, tumors, taken, part in grown:
        outside = taken & (part.landmarks["liver"] >= 0)
        if not any(tumor.outgrown for tumor in tumors):
            assert not outside.any()
        assert (part.landmarks["cavity"][taken] < 0).all()
        assert (part.landmarks["dome"][taken] < 0).all()


def test_a_tumours_voxels_are_where_its_level_is_below_zero(grown):
    for _, _, tumors, taken, part in grown:
        places = np.stack([part.z, part.y, part.x], -1)
        below = np.zeros(taken.shape, bool)
        for tumor in tumors:
            level = tumor.level(part)
            below |= level <= 1e-3
            distance = np.linalg.norm(places - tumor.blobs[0].centre, axis=-1)
            assert (level[distance > tumor.reach_mm + 1] > 0).all()
        assert below[taken].all()


def test_kinds_are_told_apart_by_their_contrast_and_dark_ones_follow_bright_ones(grown):
    for _, _, tumors, _, _ in grown:
        for tumor in tumors:
            assert tumor.kind in (DARK if tumor.contrast < 0 else BRIGHT)
            assert 8 < abs(tumor.contrast) < 60
        signs = [tumor.contrast < 0 for tumor in tumors]
        assert all(first != second for first, second in pairwise(signs))
    assert sum(DARK.values()) == pytest.approx(1)
    assert sum(BRIGHT.values()) == pytest.approx(1)


def test_a_painted_tumour_differs_from_the_tissue_beside_it_by_its_contrast(grown):
    seen = 0
    for abdomen, _, tumors, _, part in grown:
        plain = abdomen.liver.tissue(part)
        for tumor, layer in zip(tumors, tumor_layers(abdomen.patient, abdomen.liver, tumors), strict=True):
            inside = (layer.level(part) < -2) & (part.landmarks["liver"] < -2)
            if inside.sum() < 30 or tumor.kind not in ("hypodense", "hyperdense", "faint"):
                continue
            seen += 1
            assert np.mean(layer.hu(part)[inside] - plain[inside]) == pytest.approx(tumor.contrast, abs=7)
    assert seen >= 3


def test_a_blob_without_waves_is_an_ellipsoid_of_its_radius(cube):
    still = Blob(np.array([0.5, 0, 0]), 12.0, np.ones(3), np.zeros((1, 3)), np.zeros(1), np.zeros(1))
    exact = np.sqrt((cube.z - 0.5) ** 2 + cube.y**2 + cube.x**2) - 12
    np.testing.assert_allclose(still(cube), exact, atol=1e-4)
    long = Blob(np.array([0.5, 0, 0]), 8.0, np.array([2, 1, 0.5]), np.zeros((1, 3)), np.zeros(1), np.zeros(1))
    inside = long(cube) < 0
    np.testing.assert_array_equal(inside, ((cube.z - 0.5) / 16) ** 2 + (cube.y / 8) ** 2 + (cube.x / 4) ** 2 < 1)


def test_waves_move_the_surface_by_their_height_at_most(cube):
    waves = np.array([[3.0, 1, 0], [0, -2, 4]])
    lumpy = Blob(np.array([0.5, 0, 0]), 12.0, np.ones(3), waves, np.array([0.3, 1]), np.array([0.15, 0.1]))
    moved = lumpy(cube) - (np.sqrt((cube.z - 0.5) ** 2 + cube.y**2 + cube.x**2) - 12)
    assert np.abs(moved).max() <= 12 * 0.25 + 1e-3
    assert moved.std() > 0.5


def test_room_is_the_liver_with_its_depth(grown):
    for _, room, _, _, part in grown:
        millilitres = (part.landmarks["liver"] < 0).sum() * STEP_MM**3 / 1000
        assert len(room.places) * 4**3 / 1000 == pytest.approx(millilitres, rel=0.08)
        assert room.depth_mm.min() > 0
        assert 12 < room.depth_mm.max() < 90


def test_no_tumours_are_planned_none_grown(abdomen):
    room = scout(abdomen.patient, abdomen.liver, AXES)
    tumors, taken = grow_tumors(abdomen.patient, abdomen.liver, room, AXES, (), exact=True)
    assert tumors == []
    assert not taken.any()


@pytest.mark.parametrize("exact", [True, False])
def test_what_finds_no_room_is_left_out(abdomen, exact):
    axes = tuple(axis[::4] for axis in AXES)
    room = scout(abdomen.patient, abdomen.liver, axes)
    tumors, taken = grow_tumors(abdomen.patient, abdomen.liver, room, axes, (10**6, 5), exact)
    assert len(tumors) <= 1
    assert taken.sum() <= 5


def test_a_tumour_by_chance_is_no_more_than_half_of_the_liver(abdomen):
    axes = tuple(axis[::4] for axis in AXES)  # at 12 mm a large tumour's voxels are more than any liver's
    room = scout(abdomen.patient, abdomen.liver, axes)
    for _ in range(10):
        _, taken = grow_tumors(abdomen.patient, abdomen.liver, room, axes, (12_500, 700, 30), exact=False)
        assert taken.sum() <= 30


def test_what_is_benign_lies_in_the_liver_away_from_tumours_and_is_darker_or_brighter_than_they(grown):
    found = {"water": 0, "deposit": 0}
    for abdomen, room, tumors, taken, part in grown:
        for _ in range(6):
            for layer in benign_layers(abdomen.patient, room, tumors):
                inside = layer.level(part) < 0
                found["water" if layer.hu < 100 else "deposit"] += 1
                assert -4 <= layer.hu <= 22 or 210 <= layer.hu <= 400
                assert (part.landmarks["liver"][inside] < 0).all()
                assert (inside & taken).sum() < 0.2 * max(1, inside.sum())
    assert min(found.values()) > 5
