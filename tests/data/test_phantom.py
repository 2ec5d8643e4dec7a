import numpy as np
import pytest
from scipy import ndimage

from lits_toolkit.data.phantom import COVERAGE_MM, FIELD_OF_VIEW_MM, make_phantom
from lits_toolkit.metrics.lesions import find_lesions, size_group


@pytest.fixture(scope="module")
def case():
    return make_phantom(1, seed=0, size=128, slices=32)


def test_same_seed_and_index_give_the_same_voxels(case):
    again = make_phantom(1, seed=0, size=128, slices=32)
    np.testing.assert_array_equal(again.volume, case.volume)
    np.testing.assert_array_equal(again.reference, case.reference)


@pytest.mark.parametrize(("index", "seed"), [(2, 0), (1, 1)])
def test_another_index_or_seed_is_another_patient(case, index, seed):
    other = make_phantom(index, seed=seed, size=128, slices=32)
    assert (other.volume != case.volume).mean() > 0.2


def test_types_and_shapes(case):
    assert case.volume.dtype == np.int16
    assert case.reference.dtype == np.uint8
    assert case.volume.shape == case.reference.shape == (32, 128, 128)
    assert set(np.unique(case.reference)) == {0, 1, 2}


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_field_of_view_is_a_bodys_whatever_the_matrix(size):
    case = make_phantom(3, size=size, slices=16)
    z, y, x = case.spacing_mm
    assert FIELD_OF_VIEW_MM[0] <= y * size <= FIELD_OF_VIEW_MM[1]
    assert y == x
    assert COVERAGE_MM[0] <= z * 16 <= COVERAGE_MM[1]


def test_the_liver_is_one_piece_on_the_patients_right_and_of_a_livers_size(case):
    liver = case.reference >= 1
    assert ndimage.label(liver)[1] == 1
    assert np.argwhere(liver)[:, 2].mean() < liver.shape[2] / 2  # x runs from the patient's right to left
    millilitres = liver.sum() * np.prod(case.spacing_mm) / 1000
    assert 600 < millilitres < 3000


def test_air_lungs_fat_soft_tissue_and_bone_are_there(case):
    volume = case.volume
    for low, high, share in (
        (-1100, -950, 0.2),
        (-950, -750, 0.01),
        (-140, -60, 0.02),
        (20, 140, 0.1),
        (250, 700, 0.003),
    ):
        assert ((volume > low) & (volume < high)).mean() > share, (low, high)


def test_all_three_size_groups_occur_and_no_lesion_touches_another():
    groups = []
    for index in range(6):
        case = make_phantom(index, size=128, slices=32)
        tumor = case.reference == 2
        lesions = find_lesions(tumor)
        groups += [size_group(count) for count in np.bincount(lesions.labels.ravel())[1:]]
        assert not (ndimage.binary_erosion(~(case.reference >= 1), border_value=1) & tumor).any()
    assert set(groups) == {"small", "medium", "large"}


def test_tumours_overlap_with_liver_tissue_in_hu():
    values = {1: [], 2: []}
    for index in range(8):
        case = make_phantom(index, size=128, slices=32)
        for label, found in values.items():
            found.append(case.volume[case.reference == label])
    liver, tumor = (np.concatenate(values[label]) for label in (1, 2))
    inside = np.percentile(liver, [5, 95])
    assert ((tumor > inside[0]) & (tumor < inside[1])).mean() > 0.4


def test_noise_is_correlated_like_a_reconstructions():
    case = make_phantom(0, size=256, slices=16)
    middle = case.volume[8, 100:140].astype(float)
    air_free = middle[:, 60:120]
    noise = air_free - ndimage.gaussian_filter(air_free, 4)
    neighbours = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    assert neighbours > 0.15
