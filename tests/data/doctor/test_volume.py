import numpy as np
import pytest

from lits_toolkit.data.case import Grid
from lits_toolkit.data.doctor.volume import check_slices, check_values, to_hu
from lits_toolkit.data.phantom import make_phantom


def codes(voxels):
    return [note.code for note in check_values(voxels)]


@pytest.fixture
def hu():
    hu = np.random.default_rng(0).integers(-1024, 1200, (20, 20, 20)).astype(np.int16)
    hu[-3:] = -1024
    return hu


def test_sound_values(hu):
    assert codes(hu) == []
    assert codes(hu.astype(np.float64)) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(hu, value):
    voxels = hu.astype(np.float32)
    voxels[0, 0, :7] = value
    (note,) = check_values(voxels)
    assert note.code == "not-finite"
    assert note.message.startswith("7 voxels")


def test_nothing_but_nan():
    assert codes(np.full((2, 2, 2), np.nan)) == ["not-finite"]


@pytest.mark.parametrize("value", [-2048, -3024, -2000])
def test_padding(hu, value):
    hu[:5] = value
    (note,) = check_values(hu)
    assert note.code == "padding"
    assert f"25.0% of the voxels are {value}" in note.message


def test_a_few_values_below_air_are_interpolation_and_no_padding(hu):
    hu[0, 0, :4] = (-1207, -1100, -1050, -1030)
    assert codes(hu) == []


def test_saturated(hu):
    hu[0, 0, :10] = 3071
    (note,) = check_values(hu)
    assert note.code == "saturated"
    assert note.message.startswith("10 voxels are 3071")
    hu[0, 0, 9] = 0
    assert codes(hu) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda hu: np.clip(hu, -200, 200),
        lambda hu: np.clip(hu + 1000, 0, 4095),
        lambda hu: (np.clip(hu, -200, 200) + 200) / 400,
        lambda hu: hu * 0,
    ],
)
def test_values_that_are_not_hu(hu, change):
    assert codes(change(hu)) == ["not-hu"]


def test_to_hu_rounds_clips_and_puts_air_where_nothing_is_known():
    grid = Grid((5, 1, 1), np.diag([-1, -1, 1, 1.0]))
    voxels = np.array([1.6, np.nan, np.inf, 1e6, -1e6]).reshape(5, 1, 1)
    assert to_hu(voxels, grid).ravel().tolist() == [2, -1024, -1024, 32767, -32768]


@pytest.fixture(scope="module")
def thin():
    """A phantom of 2.5 mm slices, of which the last third is left to spare."""
    case = make_phantom(0, size=48, slices=88)
    return case.volume, case.spacing_mm


def test_all_slices_are_there(thin):
    assert check_slices(*thin) == []


@pytest.mark.parametrize("first", [20, 40])
def test_slices_cut_out(thin, first):
    volume, spacing = thin
    (note,) = check_slices(np.delete(volume, range(first, first + 24), axis=0), spacing)
    assert note.code == "slices-missing"
    assert f"after slice {first - 1}," in note.message


def test_a_slice_twice(thin):
    volume, spacing = thin
    (note,) = check_slices(np.insert(volume, 30, volume[30], axis=0), spacing)
    assert (note.code, note.message) == ("slices-repeated", "slice 30 came twice in a row")


def test_flat_slices_at_the_ends_are_no_repetition(thin):
    volume, spacing = thin
    flat = np.full_like(volume[:3], -1024)
    assert not [n for n in check_slices(np.concatenate([flat, volume]), spacing) if n.code == "slices-repeated"]


def test_a_few_slices_are_too_few_to_judge():
    assert check_slices(np.zeros((1, 4, 4), np.int16), (2.5, 1, 1)) == []
    assert check_slices(np.random.default_rng(0).integers(-1000, 1000, (5, 8, 8)).astype(np.int16), (2.5, 1, 1)) == []


def test_a_gap_planted_in_real_ct(real_ct):
    from lits_toolkit.data.reading import read_case

    for name in ("volume-0", "volume-148"):
        case = read_case(real_ct / f"{name}.nii.gz")
        assert check_slices(case.volume, case.spacing_mm) == []
        (note,) = check_slices(np.delete(case.volume, range(40, 45), axis=0), case.spacing_mm)
        assert (note.code, "after slice 39," in note.message) == ("slices-missing", True)
