import cc3d
import numpy as np
import pytest
from scipy import ndimage

from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.phantom import Plan, draw_case, make_phantom
from lits_toolkit.data.phantom.case import COVERAGE_MM, FIELD_OF_VIEW_MM, _grid
from lits_toolkit.data.phantom.patient import draw_patient
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import SettingError


def test_same_seed_and_index_give_the_same_voxels(case):
    again = make_phantom(3, size=96, slices=24)
    np.testing.assert_array_equal(again.volume, case.volume)
    np.testing.assert_array_equal(again.reference, case.reference)
    np.testing.assert_array_equal(again.grid.affine, case.grid.affine)


@pytest.mark.parametrize(("index", "seed"), [(4, 0), (3, 1)])
def test_another_index_or_seed_is_another_patient(case, index, seed):
    other = make_phantom(index, seed=seed, size=96, slices=24)
    assert (other.volume != case.volume).mean() > 0.2


def test_types_shapes_and_range(planned):
    for case in planned:
        assert case.volume.dtype == np.int16
        assert case.reference.dtype == np.uint8
        assert case.volume.shape == case.reference.shape == (24, 96, 96)
        assert set(np.unique(case.reference)) == {0, 1, 2}
        assert case.volume.min() >= -3024
        assert case.volume.max() <= 3071


@pytest.mark.parametrize("size", [48, 64, 97])
def test_the_field_of_view_is_a_bodys_whatever_the_matrix(size):
    case = make_phantom(3, size=size, slices=12)
    z, y, x = case.spacing_mm
    assert FIELD_OF_VIEW_MM[0] <= y * size <= FIELD_OF_VIEW_MM[1]
    assert y == pytest.approx(x)
    scale = draw_patient(np.random.default_rng((0, 3))).warp.scale[0]
    assert COVERAGE_MM[0] * scale <= z * 12 <= 2 * COVERAGE_MM[1] * scale


def test_a_plan_sets_pixels_slices_and_tumours():
    case = draw_case(Plan("mine", (5,), 64, None, (40,), pixel_mm=6.0, slice_mm=9.0))
    assert case.name == "mine"
    assert case.spacing_mm == pytest.approx((9, 6, 6))
    assert (case.reference == 2).sum() == 40
    assert case.volume.shape[1:] == (64, 64)


def test_the_planned_tumours_are_there_to_the_voxel(planned):
    for case in planned:
        labels, count = ndimage.label(case.reference == 2)
        np.testing.assert_allclose(sorted(np.bincount(labels.ravel())[1:]), [15, 60, 300], rtol=0.02)
        assert count == ndimage.label(case.reference == 2, np.ones((3, 3, 3)))[1] == 3


def test_a_plan_without_tumours_has_none_and_one_without_room_is_refused():
    assert 2 not in draw_case(Plan("healthy", (1,), 48, 12, ())).reference
    with pytest.raises(SettingError, match=r"full: .* find no room in a liver; plan fewer"):
        draw_case(Plan("full", (1,), 32, 8, (30_000,)))


def test_the_liver_is_one_piece_on_the_patients_right_and_of_a_livers_size(planned):
    for case in planned:
        liver = np.ascontiguousarray(case.reference >= 1)
        assert cc3d.largest_k(liver, k=1, connectivity=6).astype(bool).sum() > 0.95 * liver.sum()
        assert np.argwhere(liver)[:, 2].mean() < 0.48 * liver.shape[2]  # x runs from the patient's right to left
        assert 500 < liver.sum() * np.prod(case.spacing_mm) / 1000 < 2600


def test_lungs_lie_above_the_liver_and_the_spine_behind_it(planned):
    for case in planned:
        liver = np.argwhere(case.reference >= 1)
        body = np.stack([ndimage.binary_fill_holes(plane > -300) for plane in case.volume])
        lung = np.argwhere(body & (case.volume < -650) & (case.volume > -950))
        assert len(lung) > 200
        assert lung[:, 0].mean() > liver[:, 0].mean() + 2
        middle = slice(int(0.38 * 96), int(0.62 * 96))
        bone = np.argwhere(ndimage.binary_opening(case.volume[:, :, middle] > 140, np.ones((1, 2, 2))))
        assert bone[:, 1].mean() > liver[:, 1].mean()


def test_liver_tissue_has_its_patients_hu(planned):
    for index, case in enumerate(planned):
        tissues = draw_patient(np.random.default_rng((0, index))).tissues
        deep = ndimage.binary_erosion(case.reference == 1, np.ones((1, 3, 3)))
        assert np.median(case.volume[deep]) == pytest.approx(tissues.liver, abs=15)


def test_air_lungs_fat_soft_tissue_and_bone_are_there(planned):
    for case in planned:
        for low, high, share in ((-3100, -950, 0.15), (-950, -650, 0.01), (-140, -60, 0.02), (10, 160, 0.1),
                                 (200, 900, 0.002)):  # fmt: skip
            assert ((case.volume > low) & (case.volume < high)).mean() > share, (low, high)


def test_an_unplanned_case_has_tumours_of_its_own(case):
    assert 1 <= ndimage.label(case.reference == 2)[1] <= 7


def test_all_orientations_of_scanners_occur_and_mean_the_same_places():
    axes = (np.arange(8) * 5.0 - 17.5, np.arange(6) * 0.8 - 2.0, np.arange(7) * 0.9 - 2.7)
    grids = [_grid(np.random.default_rng(seed), axes) for seed in range(150)]
    assert {grid.orientation for grid in grids} == {"LPS", "LAS", "RAS", "RPS", "LPI"}
    for grid in grids:
        assert grid.axial_shape == (8, 6, 7)
        assert grid.spacing_mm == pytest.approx((5, 0.8, 0.9))
        z = grid.axial_affine[2, 3]  # the table's height is the scanner's own
        np.testing.assert_allclose(grid.axial_affine[:, 3], [2.7, 2.0, z, 1])
        np.testing.assert_allclose(grid.axial_affine[:3, :3], np.diag([-0.9, -0.8, 5]), atol=1e-12)


def test_written_and_read_again_it_is_the_same_case_in_any_orientation(tmp_path, planned):
    assert len({case.grid.orientation for case in planned}) > 1
    for case in planned:
        write_volume(case.volume, case.grid, tmp_path / f"{case.name}.nii.gz")
        number = case.name.removeprefix("volume-")
        write_mask(case.reference, case.grid, tmp_path / f"segmentation-{number}.nii.gz")
        again = read_case(tmp_path / f"{case.name}.nii.gz")
        np.testing.assert_array_equal(again.volume, case.volume)
        np.testing.assert_array_equal(again.reference, case.reference)
        assert again.grid.orientation == case.grid.orientation
        assert again.spacing_mm == pytest.approx(case.spacing_mm, rel=1e-5)


def test_noise_is_correlated_in_the_plane_as_a_reconstructions():
    case = draw_case(Plan("fine", (0, 2), 256, 8, (), slice_mm=4))
    liver = case.volume[4].astype(float)
    deep = ndimage.binary_erosion(case.reference[4] == 1, iterations=5)
    assert deep.sum() > 300
    noise = liver - ndimage.gaussian_filter(liver, 4)
    beside = deep & np.roll(deep, -1, 1)
    neighbours = np.corrcoef(noise[beside], np.roll(noise, -1, 1)[beside])[0, 1]
    assert neighbours > 0.15


def test_no_hu_threshold_finds_the_tumours(planned):
    """The best threshold of all, on either side and chosen with the answer at hand, inside the reference's liver."""
    cases = planned + [draw_case(Plan("more", (0, index), 96, 24, (300, 60, 15))) for index in range(6, 10)]
    livers = [(case.volume[case.reference >= 1], case.reference[case.reference >= 1] == 2) for case in cases]
    best = 0.0
    for threshold in range(-40, 260, 4):
        for sign in (-1, 1):
            dice = []
            for hu, tumor in livers:
                found = sign * hu > sign * threshold
                dice.append(2 * (found & tumor).sum() / (found.sum() + tumor.sum()))
            best = max(best, float(np.mean(dice)))
    assert 0.02 < best < 0.45
