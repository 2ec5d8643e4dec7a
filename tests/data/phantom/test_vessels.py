import numpy as np
import pytest

from lits_toolkit.data.phantom.layer import capsule
from lits_toolkit.data.phantom.vessels import THINNEST_MM, Tree, draw_vessels, vessel_layers


@pytest.fixture(scope="module")
def trees(abdomens):
    """Of each patient the portal and the hepatic tree, grown towards places all over the liver."""
    found = []
    for abdomen in abdomens:
        part = abdomen.part
        inside = part.landmarks["liver"] < -3
        places = np.stack([axis[inside] for axis in (part.z, part.y, part.x)], 1)
        found.append((abdomen, places, draw_vessels(abdomen.patient, places)))
    return found


def test_every_branch_leaves_from_another(trees):
    for _, _, pair in trees:
        for tree in pair:
            for number in range(1, len(tree.starts)):
                gaps = np.linalg.norm(np.vstack([tree.starts[:1], tree.ends[:number]]) - tree.starts[number], axis=1)
                assert gaps.min() < 1e-4


def test_the_calibre_falls_towards_the_twigs(trees):
    for _, _, pair in trees:
        for tree in pair:
            assert (tree.end_radii <= tree.start_radii + 1e-6).all()
            assert tree.end_radii.min() >= THINNEST_MM - 1e-6
            assert tree.start_radii.max() < 8


def test_trunks_are_as_thick_as_what_they_feed_needs(trees):
    """A power of the radii adds up at every fork, by Murray's law; here the 2.5th, between his 3 and da Vinci's 2."""
    for _, _, (portal, _) in trees:
        forks = 0
        for end, radius in zip(portal.ends, portal.end_radii, strict=True):
            fed = portal.end_radii[np.linalg.norm(portal.starts - end, axis=1) < 1e-4]
            if len(fed) < 2 or fed.min() <= THINNEST_MM * 1.001 or radius > 5.5:
                continue
            forks += 1
            assert radius**2.5 == pytest.approx((fed**2.5).sum(), rel=0.01)
        assert forks > 3


def test_twigs_end_at_places_all_over_the_liver(trees):
    for _, places, (portal, hepatic) in trees:
        for tree in (portal, hepatic):
            reached = np.linalg.norm(tree.ends[:, None] - places[None, ::7], axis=2).min(0)
            assert np.percentile(reached, 90) < 45


def test_a_trees_level_is_the_nearest_branch(abdomen, cube, straight):
    starts = np.array([[-10, 0, 0], [0, 0, 0]], np.float32)
    ends = np.array([[0, 0, 0], [10, 12, -8]], np.float32)
    radii = np.array([4, 3], np.float32), np.array([3, 2], np.float32)
    found = Tree(starts, ends, *radii).level(cube, straight)
    slow = np.minimum(capsule(cube, starts[0], ends[0], 4, 3), capsule(cube, starts[1], ends[1], 3, 2))
    near = slow < 1.5 * cube.edge_mm
    np.testing.assert_allclose(found[near], slow[near], atol=1e-4)
    assert (found[~near] > cube.edge_mm / 2).all()
    assert found.max() <= 50


def test_vessels_are_painted_with_their_blood_in_and_near_the_liver(trees):
    for abdomen, _, pair in trees:
        hepatic, portal = vessel_layers(abdomen.patient, pair)
        assert hepatic.hu == abdomen.patient.tissues.hepatic_veins
        assert portal.hu == abdomen.patient.tissues.portal_vein
        liver = abdomen.part.landmarks["liver"]
        assert (liver[hepatic.level(abdomen.part) < 0] < 0).all()
        assert (liver[portal.level(abdomen.part) < 0] < 26).all()
        inside = (np.minimum(hepatic.level(abdomen.part), portal.level(abdomen.part)) < 0) & (liver < 0)
        assert 0.003 < inside.sum() / (liver < 0).sum() < 0.12
