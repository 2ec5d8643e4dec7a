import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from lits_toolkit.data.phantom.patient import draw_patient
from lits_toolkit.data.phantom.space import PERIOD, Field, Part, Warp, hat_basis, resample, spline_basis

AXES = (np.arange(-40, 41, 4.0), np.arange(-60, 61, 5.0), np.arange(-50, 51, 5.0))


@given(st.integers(2, 9), st.lists(st.floats(-3, 12), min_size=1, max_size=20))
def test_hats_interpolate_as_numpy_does(count, positions):
    values = np.sin(np.arange(count))
    basis = hat_basis(np.array(positions), count)
    np.testing.assert_allclose(basis @ values, np.interp(positions, np.arange(count), values), atol=1e-5)
    np.testing.assert_allclose(basis.sum(1), 1, atol=1e-5)


def test_splines_are_the_cubic_b_spline_and_share_out_everything():
    positions = np.linspace(1, 7, 61)
    basis = spline_basis(positions, 9)
    oracle = BSpline.basis_element(np.arange(-2, 3.0), extrapolate=False)
    np.testing.assert_allclose(basis, np.nan_to_num(oracle(positions[:, None] - np.arange(9))), atol=1e-6)
    np.testing.assert_allclose(basis.sum(1), 1, atol=1e-6)


def test_resample_is_a_product_along_each_axis():
    random = np.random.default_rng(0)
    array = random.random((3, 4, 5))
    z, y, x = random.random((2, 3)), random.random((6, 4)), random.random((7, 5))
    np.testing.assert_allclose(resample(array, (z, y, x)), np.einsum("abc,ia,jb,kc->ijk", array, z, y, x))
    np.testing.assert_allclose(resample(array, (None, y, None)), np.einsum("abc,jb->ajc", array, y))


def test_a_field_has_zero_mean_and_unit_deviation_over_its_period():
    field = Field.draw(np.random.default_rng(0), 16)
    whole = np.arange(0, PERIOD * field.step_mm, field.step_mm / 2)
    values = field((whole, whole, whole))
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.std() == pytest.approx(1, abs=0.02)


def test_a_fields_correlation_falls_as_that_of_spline_noise():
    field = Field.draw(np.random.default_rng(1), 8)
    step = field.step_mm / 4
    values = field(tuple(np.arange(0, PERIOD * field.step_mm, step * every) for every in (4, 4, 1)))
    spline = BSpline.basis_element(np.arange(-4, 5.0), extrapolate=False)  # a cubic one with itself
    for lag in (0.25, 0.5, 1, 2, 4):
        found = (values * np.roll(values, round(4 * lag), 2)).mean() / values.var()
        assert found == pytest.approx(float(np.nan_to_num(spline(lag)) / spline(0)), abs=0.03)


def test_a_field_does_not_depend_on_the_part_that_is_asked_for():
    field = Field.draw(np.random.default_rng(2), 30)
    z, y, x = AXES
    whole = field(AXES)
    for start in range(0, len(z), 6):
        np.testing.assert_allclose(field((z[start : start + 6], y, x)), whole[start : start + 6], atol=2e-5)
    np.testing.assert_allclose(field((z, y[7:9], x[3:])), whole[:, 7:9, 3:], atol=2e-5)
    far = PERIOD * field.step_mm
    np.testing.assert_allclose(field((z + far, y - 2 * far, x)), whole, atol=2e-4)


@given(
    st.tuples(*[st.floats(-40, 40)] * 3), st.tuples(*[st.floats(0.8, 1.2)] * 3), st.floats(-0.3, 0.3),
    st.tuples(*[st.floats(-100, 100)] * 3),
)  # fmt: skip
def test_a_warp_takes_a_scaled_turned_and_shifted_place_back(shift, scale, turn, place):
    z, y, x = np.multiply(place, scale)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    scanned = np.array([z, *(rotation @ [y, x])]) + shift
    found = Warp(shift, scale, turn, ())(tuple(np.array([value]) for value in scanned))
    np.testing.assert_allclose([float(axis[0, 0, 0]) for axis in found], place, atol=1e-3)


@settings(max_examples=30, deadline=None)
@example(315, (0.0, 0.0, 0.0), (4.0, 4.0, 5.0))  # bent further than most
@given(st.integers(0, 10**6), st.tuples(*[st.floats(-45, 45)] * 3), st.tuples(*[st.floats(4, 40)] * 3))
def test_within_covers_every_voxel_of_a_box(seed, middle, half):
    warp = draw_patient(np.random.default_rng(seed)).warp
    part = Part.empty(AXES, warp, 2.0)
    box = tuple((m - h, m + h) for m, h in zip(middle, half, strict=True))
    inside = np.ones(part.z.shape, bool)
    for axis, (low, high) in zip((part.z, part.y, part.x), box, strict=True):
        inside &= (axis > low) & (axis < high)
    found = part.within(box, warp)
    if found is not None:
        found.hu[:] = 1
    assert (part.hu[inside] == 1).all()


def test_within_gives_views_and_nothing_where_it_reaches_nothing(cube, straight):
    cube.landmarks["body"] = np.zeros_like(cube.hu)
    near = cube.within(((-4, 4), (-4, 4), (-4, 4)), straight)
    near.hu[:] = 7
    near.landmarks["body"][:] = 8
    assert near.hu.size == np.count_nonzero(cube.hu == 7) == np.count_nonzero(cube.landmarks["body"] == 8)
    assert near.hu.size < cube.hu.size
    assert cube.within(((100, 110), (0, 1), (0, 1)), straight) is None
