import copy
import json
import pickle

import numpy as np
import pytest

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import FORMATS, PreparedCase, find_prepared, normalise, to_hu
from lits_toolkit.errors import InputError, SettingError


def case_in_memory(shape=(12, 32, 32), masked=True):
    random = np.random.default_rng(0)
    volume = random.integers(-1000, 1000, shape).astype(np.int16)
    reference = random.integers(0, 3, shape).astype(np.uint8) if masked else None
    return Case("a", volume, Grid(shape[::-1], np.diag([0.7, 0.7, 2.5, 1])), reference)


@pytest.fixture(params=FORMATS)
def path(request, tmp_path):
    return tmp_path / f"a.{request.param}"


def test_normalised_as_the_dissertations_float32(path):
    case = case_in_memory()
    write_prepared(case, path, size=32)
    clamped = np.clip(case.volume.astype(np.float32), -200, 200)
    expected = (clamped - np.float32(-200)) / np.float32(400)
    found = PreparedCase(path).volume_slices(0, 12)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    mask = PreparedCase(path).mask_slices(0, 12)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, case.reference)


def test_slices_beyond_the_ends_are_zero_and_the_mask_background(path):
    write_prepared(case_in_memory(), path, size=16)
    case = PreparedCase(path)
    inside = case.volume_slices(0, 12)
    np.testing.assert_array_equal(case.volume_slices(-3, 15)[3:15], inside)
    assert not case.volume_slices(-3, 15)[[0, 1, 2, 15, 16, 17]].any()
    assert not case.volume_slices(20, 22).any()
    np.testing.assert_array_equal(case.volume_slices(4, 6), inside[4:6])
    np.testing.assert_array_equal(case.mask_slices(-1, 13)[1:13], case.mask_slices(0, 12))
    assert not case.mask_slices(-1, 13)[[0, 13]].any()
    assert (case.volume_slices(20, 22).dtype, case.mask_slices(20, 22).dtype) == (np.float32, np.uint8)
    assert (case.shape, case.name, case.window, case.has_mask) == ((12, 16, 16), "a", (-200, 200), True)


def test_a_case_without_a_mask(path):
    write_prepared(case_in_memory(masked=False), path, size=32)
    assert not PreparedCase(path).has_mask
    with pytest.raises(InputError, match="without a reference"):
        PreparedCase(path).mask_slices(0, 1)


def test_it_travels_to_other_processes(path):
    write_prepared(case_in_memory(), path, size=32)
    case = PreparedCase(path)
    case.volume_slices(0, 1)
    for other in (copy.deepcopy(case), pickle.loads(pickle.dumps(case))):
        np.testing.assert_array_equal(other.volume_slices(0, 12), case.volume_slices(0, 12))


def test_the_npz_is_the_dissertations_and_can_be_read_without_us(tmp_path):
    write_prepared(case_in_memory((3, 64, 48)), tmp_path / "a.npz", size=32)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        assert stored["volume"].dtype == np.float32
        assert (stored["volume"].min(), stored["volume"].max()) == (0, 1)
        assert stored["mask"].shape == stored["volume"].shape == (3, 32, 32)
        np.testing.assert_allclose(stored["spacing_mm"], [2.5, 1.4, 1.4])
        np.testing.assert_allclose(stored["original_spacing_mm"], [2.5, 0.7, 0.7])
        assert stored["original_shape"].tolist() == [3, 64, 48]
        assert json.loads(str(stored["metadata"]))["window"] == [-200, 200]


def test_what_is_no_prepared_case_or_damaged_is_told(path):
    path.write_text("no")
    with pytest.raises(InputError, match="lits prepare"):
        _ = PreparedCase(path).shape
    write_prepared(case_in_memory(), path, size=32)
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="lits prepare"):
            PreparedCase(path).volume_slices(0, 12)


def test_damage_inside_an_npz_is_told(tmp_path):
    path = tmp_path / "a.npz"
    write_prepared(case_in_memory(), path, size=32)
    whole = bytearray(path.read_bytes())
    whole[200:400] = bytes(200)
    path.write_bytes(whole)
    with pytest.raises(InputError, match="lits prepare"):
        PreparedCase(path).volume_slices(0, 12)


def test_a_foreign_npz_is_told(tmp_path):
    np.savez(tmp_path / "a.npz", volume=np.zeros(3))
    with pytest.raises(InputError, match="no prepared case"):
        _ = PreparedCase(tmp_path / "a.npz").shape


def test_another_version_is_told(path, monkeypatch):
    write_prepared(case_in_memory(), path, size=32)
    monkeypatch.setattr("lits_toolkit.data.prepared.VERSION", 99)
    with pytest.raises(InputError, match="another version"):
        _ = PreparedCase(path).shape


def test_it_is_found_in_whichever_format(path):
    assert find_prepared(path.parent, "a") is None
    write_prepared(case_in_memory(), path, size=32)
    assert find_prepared(path.parent, "a") == path


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(SettingError, match="b2nd or npz"):
        write_prepared(case_in_memory(), tmp_path / "a.zarr", size=32)


@pytest.mark.parametrize("window", [(-200, 200), (-160, 240), (-1024, 3071)])
def test_every_hu_of_a_window_comes_back(window):
    hu = np.arange(window[0], window[1] + 1, dtype=np.int16)
    found = to_hu(normalise(hu, window), window)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, hu)
