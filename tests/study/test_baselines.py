import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.errors import GeometryError, InputError
from lits_toolkit.study import baselines as module
from lits_toolkit.study.baselines import (
    MINIMUM_ML,
    NO_SMOOTHING,
    OPENINGS_MM,
    SMOOTHINGS_MM,
    Baseline,
    apply_baseline,
    best_threshold,
)
from lits_toolkit.study.scores import score_masks

SPACING_MM = (4.0, 1.5, 1.5)


def make_case(seed, contrast_hu=-40.0, noise_hu=20.0, tumor=True):
    """A liver as a box in darker fat, with a ball of tumour in it."""
    random = np.random.default_rng(seed)
    shape = (12, 40, 40)
    places = np.indices(shape) * np.array(SPACING_MM).reshape(3, 1, 1, 1)
    reference = np.zeros(shape, np.uint8)
    reference[1:-1, 4:-4, 4:-4] = 1
    center = np.array([24.0, 30.0, 30.0]) + random.uniform(-4, 4, 3)
    ball = np.linalg.norm(places - center.reshape(3, 1, 1, 1), axis=0) < 10
    if tumor:
        reference[ball] = 2
    hu = np.where(reference > 0, 100.0, -80.0) + contrast_hu * (reference == 2) + random.normal(0, noise_hu, shape)
    grid = Grid(shape[::-1], np.diag([-1.5, -1.5, 4.0, 1.0]))
    return Case(f"volume-{seed}", hu.round().astype(np.int16), grid, reference)


@pytest.fixture(scope="module")
def cases():
    return [make_case(seed) for seed in range(3)]


def literal_mask(baseline, case):
    """The definition, by SciPy on the whole volume."""
    liver = case.reference >= 1
    hu = case.volume.astype(float)
    if baseline.smoothing_mm:
        sigma = [baseline.smoothing_mm / spacing for spacing in case.spacing_mm]
        weight = ndimage.gaussian_filter(liver.astype(float), sigma, mode="constant", truncate=3)
        hu = ndimage.gaussian_filter(hu * liver, sigma, mode="constant", truncate=3) / np.maximum(weight, 1e-12)
    beyond = hu <= baseline.threshold_hu if baseline.side == "below" else hu >= baseline.threshold_hu
    reach = [int(baseline.opening_mm / spacing) for spacing in case.spacing_mm]
    shifts = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"))
    ball = np.linalg.norm(shifts * np.reshape(case.spacing_mm, (3, 1, 1, 1)), axis=0) <= baseline.opening_mm
    opened = ndimage.binary_opening(liver & beyond, ball)
    components, _ = ndimage.label(opened)
    volumes_ml = np.bincount(components.ravel()) * np.prod(case.spacing_mm) / 1000
    return np.where(opened & (volumes_ml[components] >= baseline.minimum_ml), 2, liver).astype(np.uint8)


def literal_dice(baseline, cases):
    dice = []
    for case in cases:
        expected, found = case.reference == 2, literal_mask(baseline, case) == 2
        both = expected.sum() + found.sum()
        dice.append(2 * (expected & found).sum() / both if both else 1)
    return np.mean(dice)


@pytest.mark.parametrize("side", ["below", "above"])
@pytest.mark.parametrize("smoothing_mm", [0.0, 2.0])
@pytest.mark.parametrize("opening_mm", [0.0, 1.5, 4.0, 6.0])
@pytest.mark.parametrize("minimum_ml", [0.0, 0.05])
def test_a_baseline_is_threshold_opening_and_filter(cases, side, smoothing_mm, opening_mm, minimum_ml):
    baseline = Baseline(side, 85.5, smoothing_mm, opening_mm, minimum_ml)
    case = cases[0]
    found = apply_baseline(baseline, case.volume, case.reference, case.spacing_mm)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, literal_mask(baseline, case))


@pytest.mark.parametrize("smoothings_mm", [NO_SMOOTHING, SMOOTHINGS_MM])
def test_the_dice_it_claims_is_the_dice_it_scores(cases, smoothings_mm):
    best = best_threshold(cases, smoothings_mm)
    masks = [apply_baseline(best, case.volume, case.reference, case.spacing_mm) for case in cases]
    assert score_masks(cases, masks).summary["tumor"]["dice_per_case"] == pytest.approx(best.tuning_dice)
    assert literal_dice(best, cases) == pytest.approx(best.tuning_dice)


def test_no_setting_of_a_plain_grid_does_better(cases):
    best = best_threshold(cases)
    assert best.side == "below"
    assert best.smoothing_mm == 0
    grid = itertools.product(["below", "above"], range(40, 161, 20), OPENINGS_MM[1:6:4], MINIMUM_ML[::9])
    others = [Baseline(side, float(hu), 0.0, opening, minimum) for side, hu, opening, minimum in grid]
    assert best.tuning_dice >= max(literal_dice(other, cases) for other in others)


def test_smoothing_helps_where_noise_is_white(cases):
    plain, smooth = best_threshold(cases), best_threshold(cases, SMOOTHINGS_MM)
    assert smooth.smoothing_mm in SMOOTHINGS_MM
    assert smooth.tuning_dice > max(plain.tuning_dice, 0.8)


def test_bright_tumours_are_found_from_above():
    bright = [make_case(seed, contrast_hu=60.0) for seed in (5, 6)]
    best = best_threshold(bright)
    assert (best.side, best.tuning_dice > 0.8) == ("above", True)


def test_a_case_without_tumour_counts_by_the_rule_of_dice_per_case(cases):
    healthy = make_case(9, tumor=False)
    best = best_threshold([*cases, healthy])
    assert literal_dice(best, [*cases, healthy]) == pytest.approx(best.tuning_dice)


def test_only_the_liver_of_the_reference_is_used(cases):
    case, baseline = cases[0], Baseline("below", 80.0, 1.5, 2.0, 0.1)
    liver_only = np.minimum(case.reference, 1)
    np.testing.assert_array_equal(
        apply_baseline(baseline, case.volume, case.reference, case.spacing_mm),
        apply_baseline(baseline, case.volume, liver_only, case.spacing_mm),
    )


def test_what_lies_outside_the_liver_changes_nothing(cases):
    case, baseline = cases[0], Baseline("below", 80.0, 2.0, 2.0)
    elsewhere = np.where(case.reference > 0, case.volume, -1000).astype(np.int16)
    np.testing.assert_array_equal(
        apply_baseline(baseline, case.volume, case.reference, case.spacing_mm),
        apply_baseline(baseline, elsewhere, case.reference, case.spacing_mm),
    )


@settings(deadline=None, max_examples=50)
@given(
    array_shapes(min_dims=3, max_dims=3, max_side=7).flatmap(lambda shape: arrays(bool, shape)),
    st.sampled_from([0.0, 0.9, 1.0, 1.5, 2.3, 4.0]),
    st.sampled_from([(1.0, 1.0, 1.0), (4.0, 1.5, 1.5), (0.7, 2.0, 1.0)]),
)
def test_eroding_and_dilating_by_a_ball_are_scipys(mask, radius_mm, spacing_mm):
    reach = [int(radius_mm / spacing) for spacing in spacing_mm]
    shifts = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"))
    ball = np.linalg.norm(shifts * np.reshape(spacing_mm, (3, 1, 1, 1)), axis=0) <= radius_mm
    np.testing.assert_array_equal(
        module._over_ball(mask, radius_mm, spacing_mm, np.logical_and), ndimage.binary_erosion(mask, ball)
    )
    np.testing.assert_array_equal(
        module._over_ball(mask, radius_mm, spacing_mm, np.logical_or), ndimage.binary_dilation(mask, ball)
    )


def test_an_empty_reference_gives_an_empty_mask(cases):
    case = cases[0]
    for smoothing_mm in (0.0, 2.0):
        baseline = Baseline("below", 80.0, smoothing_mm, 2.0, 0.1)
        assert not apply_baseline(baseline, case.volume, np.zeros_like(case.reference), SPACING_MM).any()


def test_tuning_needs_references_and_a_liver(cases):
    bare = Case("volume-7", cases[0].volume, cases[0].grid)
    with pytest.raises(InputError, match="volume-7 has no reference"):
        best_threshold([cases[0], bare])
    with pytest.raises(InputError, match="found none in 0 cases"):
        best_threshold([])
    with pytest.raises(GeometryError, match="one shape"):
        apply_baseline(Baseline("below", 0.0), cases[0].volume[1:], cases[0].reference, SPACING_MM)
