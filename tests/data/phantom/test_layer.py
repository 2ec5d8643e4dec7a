import numpy as np
import pytest

from lits_toolkit.data.phantom.layer import Layer, around, capsule, ellipsoid, less, paint, path, solid, tube, union


def places(part):
    return np.stack([part.z, part.y, part.x], -1).astype(float)


def to_segment(place, start, end):
    """Distance of one place from a segment, as a school book has it."""
    way = end - start
    along = min(1, max(0, float(np.dot(place - start, way) / np.dot(way, way))))
    return np.linalg.norm(place - (start + along * way)), along


def test_an_ellipsoid_of_equal_radii_is_a_sphere(cube):
    centre = (3.5, -5.5, 7.5)
    exact = np.linalg.norm(places(cube) - centre, axis=-1) - 12
    np.testing.assert_allclose(ellipsoid(cube, centre, (12, 12, 12)), exact, atol=0.02)


def test_an_ellipsoid_is_negative_inside_and_measured_along_the_ray(cube):
    centre, radii = np.array([2.5, 0.5, -4.5]), np.array([20.0, 9.0, 14.0])
    found = ellipsoid(cube, tuple(centre), tuple(radii))
    relative = np.linalg.norm((places(cube) - centre) / radii, axis=-1)
    assert ((found < 0) == (relative < 1)).all()
    rays = places(cube) - centre
    away = relative > 0.05
    surface = rays[away] / relative[away][:, None]
    exact = np.linalg.norm(rays[away], axis=-1) - np.linalg.norm(surface, axis=-1)
    np.testing.assert_allclose(found[away], exact, atol=0.02)


def test_a_square_ellipsoid_holds_the_round_one_and_lies_in_its_box(cube):
    radii = (20.0, 9.0, 14.0)
    round_one, square = (ellipsoid(cube, (0, 0, 0), radii, share) < 0 for share in (0, 0.9))
    box = (np.abs(places(cube)) <= radii).all(-1)
    assert (square >= round_one).all()
    assert (square <= box).all()
    assert square.sum() > 1.2 * round_one.sum()


def test_a_round_tube_is_a_cylinder_along_z(cube):
    exact = np.hypot(cube.y - 4.5, cube.x + 6.5) - 8
    np.testing.assert_allclose(tube(cube, 4.5, -6.5, 8, 8), exact, atol=0.02)


@pytest.mark.parametrize("radii", [(5.0, 5.0), (7.0, 2.0)])
def test_a_capsule_is_the_distance_from_a_segment(cube, radii):
    start, end = np.array([-12.0, 5.0, 0.0]), np.array([14.0, -9.0, 6.0])
    found = capsule(cube, start, end, *radii)
    for index in np.ndindex(*[5] * 3):
        voxel = tuple(6 * i for i in index)
        distance, along = to_segment(places(cube)[voxel], start, end)
        assert found[voxel] == pytest.approx(distance - radii[0] - along * (radii[1] - radii[0]), abs=1e-3)


def test_a_capsule_without_length_is_a_ball(cube):
    point = np.array([1.0, 2.0, 3.0])
    exact = np.linalg.norm(places(cube) - point, axis=-1) - 4
    np.testing.assert_allclose(capsule(cube, point, point, 4, 9), exact, atol=1e-3)


def test_a_union_fills_the_corner_by_a_quarter_of_the_fillet_and_no_more():
    first, second = np.meshgrid(np.linspace(-20, 20, 41), np.linspace(-20, 20, 41))
    found = union(first, second, 8)
    plain = np.minimum(first, second)
    assert (found <= plain + 1e-9).all()
    assert (plain - found).max() == pytest.approx(2)
    np.testing.assert_allclose(np.diag(plain - found), 2)
    apart = np.abs(first - second) >= 8
    np.testing.assert_array_equal(found[apart], plain[apart])


def test_less_takes_the_hole_out(cube):
    ball, hole = ellipsoid(cube, (0, 0, 0), (20, 20, 20)), ellipsoid(cube, (0, 0, 15), (10, 10, 10))
    found, exact = less(ball, hole, 2), np.maximum(ball, -hole)
    assert (found >= exact - 1e-4).all()
    assert (found <= exact + 0.5 + 1e-4).all()
    assert (found[hole < 0] > 0).all()


def test_a_path_is_its_pieces_within_its_box(cube):
    points, radii = [(-20, 0, 0), (0, 10, 5), (15, -8, 8)], [3.0, 6.0, 4.0]
    level, box = path(points, radii)
    pieces = np.minimum(*[
        capsule(cube, np.array(points[n]), np.array(points[n + 1]), radii[n], radii[n + 1]) for n in (0, 1)
    ])  # fmt: skip
    found = level(cube)
    assert (found <= pieces + 1e-4).all()
    assert (found >= pieces - min(radii) / 8 - 1e-4).all()
    inside = places(cube)[pieces < 0]
    assert (inside >= [low for low, _ in box]).all()
    assert (inside <= [high for _, high in box]).all()


def test_around_takes_one_reach_or_three():
    assert around((1, 2, 3), 10) == ((-9, 11), (-8, 12), (-7, 13))
    assert around((1, 2, 3), (1, 2, 3)) == ((0, 2), (0, 4), (0, 6))


def test_painting_covers_what_was_there_and_blends_over_the_edge(cube, straight):
    plane = Layer(lambda part: part.x + 0 * part.y, 100.0)
    ball = Layer(lambda part: ellipsoid(part, (0.5, 0, 0), (8, 8, 8)), lambda part: 50 + part.z, around((0.5, 0, 0), 8))
    paint([plane, ball], cube, straight)
    middle = tuple(n // 2 for n in cube.hu.shape)
    assert cube.hu[middle] == pytest.approx(50)
    assert cube.hu[0, 0, 0] == 100
    assert cube.hu[0, 0, -1] == -1000
    assert cube.hu[0, 0, middle[2]] == pytest.approx(-450)  # half of the plane's 100, half of air


def test_nothing_is_painted_outside_a_layers_box(cube, straight):
    corner = ((-200, -100), (-200, -100), (-200, -100))
    paint([Layer(lambda part: np.full(part.z.shape, -9.0), 100.0, corner)], cube, straight)
    assert (cube.hu == -1000).all()


def test_a_solid_is_an_ellipsoid_of_one_hu(cube, straight):
    paint([solid((2, 4, 6), (10, 8, 6), 77)], cube, straight)
    level = ellipsoid(cube, (2, 4, 6), (10, 8, 6))
    assert (cube.hu[level < -1.01] == 77).all()
    assert (cube.hu[level > 1.01] == -1000).all()
