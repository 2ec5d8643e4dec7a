import copy
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.phantom import make_phantom
from lits_toolkit.data.prepare import (
    PreparedCase,
    fingerprint,
    mask_to_network_grid,
    prepare,
    to_network_grid,
    write_prepared,
)
from lits_toolkit.errors import InputError, OutputError, SettingError


@pytest.fixture
def cohort(tmp_path):
    folder = tmp_path / "cohort"
    for index in range(3):
        case = make_phantom(index, size=64, slices=12)
        write_volume(case.volume, case.grid, folder / f"volume-{index}.nii.gz")
        write_mask(case.reference, case.grid, folder / f"segmentation-{index}.nii.gz")
    return find_cases(folder)


def test_normalised_as_the_dissertations_float32(tmp_path):
    volume = np.random.default_rng(0).integers(-1000, 1000, (5, 32, 32)).astype(np.int16)
    write_prepared(Case("a", volume, Grid((32, 32, 5), np.eye(4))), tmp_path / "a.b2nd", size=32)
    clamped = np.clip(volume.astype(np.float32), -200, 200)
    expected = (clamped - np.float32(-200)) / np.float32(400)
    found = PreparedCase(tmp_path / "a.b2nd").volume_slices(0, 5)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_halving_is_the_mean_of_four_pixels_after_clamping():
    volume = np.random.default_rng(0).integers(-400, 400, (2, 8, 8)).astype(np.int16)
    found = to_network_grid(volume, 4)
    for z, y, x in np.ndindex(found.shape):
        four = np.clip(volume[z, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(float), -200, 200)
        assert found[z, y, x] == np.rint(four.mean())


@pytest.mark.parametrize("shape", [(3, 100, 120), (3, 50, 40), (3, 64, 90), (3, 64, 64)])
def test_any_matrix_comes_to_the_networks_size(shape):
    found = to_network_grid(np.full(shape, 70, np.int16), 64)
    assert found.shape == (3, 64, 64)
    assert (found == 70).all()


@given(st.integers(0, 1000), st.sampled_from([(8, 8), (12, 16), (20, 9)]))
def test_a_mask_keeps_its_labels_and_the_majority(seed, shape):
    mask = np.random.default_rng(seed).integers(0, 3, (2, *shape)).astype(np.uint8)
    found = mask_to_network_grid(mask, 4)
    assert found.dtype == np.uint8
    if shape == (8, 8):
        for z, y, x in np.ndindex(found.shape):
            counts = np.bincount(mask[z, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel(), minlength=3)
            assert counts[found[z, y, x]] == counts.max()
    for label in range(3):
        np.testing.assert_array_equal(mask_to_network_grid(np.full_like(mask, label), 4), label)


def test_slices_beyond_the_ends_are_zero_and_the_mask_background(cohort, tmp_path):
    case = PreparedCase(prepare(cohort[:1], tmp_path / "p", size=64, n_jobs=1, progress=False)[0])
    inside = case.volume_slices(0, 12)
    np.testing.assert_array_equal(case.volume_slices(-3, 15)[3:15], inside)
    assert not case.volume_slices(-3, 15)[[0, 1, 2, 15, 16, 17]].any()
    assert not case.volume_slices(20, 22).any()
    assert case.mask_slices(-1, 13).shape == (14, 64, 64)
    assert (case.shape, case.name, case.window, case.has_mask) == ((12, 64, 64), "volume-0", (-200, 200), True)


def test_metadata_tell_where_it_came_from(cohort, tmp_path):
    from lits_toolkit.data.reading import read_case

    case = PreparedCase(prepare(cohort[:1], tmp_path / "p", size=32, n_jobs=1, progress=False)[0])
    original = read_case(cohort[0])
    assert case.metadata["original_shape"] == [12, 64, 64]
    assert case.metadata["fingerprint"] == fingerprint(original)
    np.testing.assert_allclose(case.metadata["original_spacing_mm"], original.spacing_mm)
    np.testing.assert_allclose(case.metadata["spacing_mm"], np.array(original.spacing_mm) * [1, 2, 2])
    np.testing.assert_allclose(case.metadata["affine"], original.grid.affine)
    assert copy.deepcopy(case).shape == case.shape


def test_what_is_prepared_stays_and_a_changed_source_is_prepared_anew(cohort, tmp_path):
    paths = prepare(cohort, tmp_path / "p", size=32, n_jobs=1, progress=False)
    before = [path.stat().st_mtime_ns for path in paths]
    assert prepare(cohort, tmp_path / "p", size=32, n_jobs=1, progress=False) == paths
    assert [path.stat().st_mtime_ns for path in paths] == before
    os.utime(cohort[1].volume, ns=(1, 1))
    prepare(cohort, tmp_path / "p", size=32, n_jobs=1, progress=False)
    assert [path.stat().st_mtime_ns == old for path, old in zip(paths, before, strict=True)] == [True, False, True]


def test_other_settings_are_refused_unless_overwriting(cohort, tmp_path):
    prepare(cohort[:1], tmp_path / "p", size=32, n_jobs=1, progress=False)
    with pytest.raises(SettingError, match=r"size 32 instead of 64.*--overwrite"):
        prepare(cohort[:1], tmp_path / "p", size=64, n_jobs=1, progress=False)
    (path,) = prepare(cohort[:1], tmp_path / "p", size=64, n_jobs=1, progress=False, overwrite=True)
    assert PreparedCase(path).shape == (12, 64, 64)


def test_a_bad_case_is_named_and_the_others_are_done(cohort, tmp_path):
    cohort[1].volume.write_text("no CT")
    with pytest.raises(InputError, match=r"1 of 3 cases.*\n.*volume-1"):
        prepare(cohort, tmp_path / "p", size=32, n_jobs=1, progress=False)
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["volume-0.b2nd", "volume-2.b2nd"]


def test_what_is_no_prepared_case_is_told(tmp_path):
    (tmp_path / "a.b2nd").write_text("no")
    with pytest.raises(InputError, match="lits prepare"):
        _ = PreparedCase(tmp_path / "a.b2nd").shape


def test_interrupted_it_leaves_whole_files_and_the_same_command_finishes(cohort, tmp_path):
    program = (
        "import sys\n"
        "import lits_toolkit.data.prepare as p\n"
        "from lits_toolkit.data.layouts import find_cases\n"
        "write = p.write_prepared\n"
        "def tell(case, path, *rest):\n"
        "    write(case, path, *rest); print(case.name, flush=True); sys.stdin.readline()\n"
        "if len(sys.argv) > 1: p.write_prepared = tell\n"
        f"cases = find_cases({str(cohort[0].volume.parent)!r})\n"
        f"p.prepare(cases, {str(tmp_path / 'p')!r}, 32, n_jobs=1, progress=False)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", program, "tell"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True,
    ) as first:  # fmt: skip
        assert first.stdout is not None
        assert first.stdout.readline() == "volume-0\n"
        first.send_signal(signal.SIGINT)
        first.communicate()
        assert first.returncode != 0
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["volume-0.b2nd"]
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert len(list((tmp_path / "p").glob("*.b2nd"))) == 3


def test_a_case_that_finds_no_room_leaves_nothing(tmp_path, small_disk):
    with pytest.raises(OutputError, match=r"cannot write .*a\.b2nd"):
        write_prepared(make_phantom(0, size=32, slices=8), tmp_path / "a.b2nd", size=32)
    assert not list(tmp_path.iterdir())
