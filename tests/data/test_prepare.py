import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.phantom import make_phantom
from lits_toolkit.data.prepare import fingerprint, prepare, write_prepared
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.data.reading import read_case
from lits_toolkit.errors import OutputError, SettingError


@pytest.fixture
def cohort(tmp_path):
    folder = tmp_path / "cohort"
    for index in range(3):
        case = make_phantom(index, size=64, slices=12)
        write_volume(case.volume, case.grid, folder / f"volume-{index}.nii.gz")
        write_mask(case.reference, case.grid, folder / f"segmentation-{index}.nii.gz")
    return find_cases(folder)


def quietly(cases, folder, **settings):
    return prepare(cases, folder, **{"size": 32, "n_jobs": 1, "progress": False} | settings)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_metadata_tell_where_it_came_from(cohort, tmp_path):
    case = PreparedCase(quietly(cohort[:1], tmp_path / "p").prepared[0])
    original = read_case(cohort[0])
    assert case.metadata["original_shape"] == [12, 64, 64]
    assert case.metadata["fingerprint"] == fingerprint(original.volume)
    np.testing.assert_allclose(case.metadata["original_spacing_mm"], original.spacing_mm)
    np.testing.assert_allclose(case.metadata["spacing_mm"], np.array(original.spacing_mm) * [1, 2, 2])
    np.testing.assert_allclose(case.metadata["affine"], original.grid.affine)


def test_the_fingerprint_is_the_cts_alone():
    volume = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    assert fingerprint(volume) == fingerprint(np.asfortranarray(volume))
    assert fingerprint(volume) != fingerprint(volume.reshape(4, 3, 2))
    assert fingerprint(volume) != fingerprint(volume + np.int16(1))


def test_what_is_prepared_stays_and_a_changed_source_is_prepared_anew(cohort, tmp_path):
    paths = quietly(cohort, tmp_path / "p").prepared
    before = [path.stat().st_mtime_ns for path in paths]
    assert quietly(cohort, tmp_path / "p").prepared == paths
    assert [path.stat().st_mtime_ns for path in paths] == before
    os.utime(cohort[1].volume, ns=(1, 1))
    quietly(cohort, tmp_path / "p")
    assert [path.stat().st_mtime_ns == old for path, old in zip(paths, before, strict=True)] == [True, False, True]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"size": 64}, r"size 32 instead of 64.*--overwrite"),
        ({"window": (-100, 100)}, "window"),
        ({"format": "npz"}, "format b2nd instead of npz"),
    ],
)
def test_other_settings_are_refused_unless_overwriting(cohort, tmp_path, other, said):
    quietly(cohort[:1], tmp_path / "p")
    with pytest.raises(SettingError, match=said):
        quietly(cohort[:1], tmp_path / "p", **other)
    (path,) = quietly(cohort[:1], tmp_path / "p", **other, overwrite=True).prepared
    assert names(tmp_path / "p") == [path.name]  # one format at a time
    assert quietly(cohort[:1], tmp_path / "p", **other).prepared == (path,)


@pytest.mark.parametrize("settings", [{"size": 0}, {"window": (200, -200)}])
def test_impossible_settings_are_told(cohort, tmp_path, settings):
    with pytest.raises(SettingError, match="rising window"):
        quietly(cohort, tmp_path / "p", **settings)


def test_what_the_doctor_calls_an_error_is_refused_and_the_others_are_done(cohort, tmp_path):
    cohort[1].volume.write_text("no CT")
    done = quietly(cohort, tmp_path / "p")
    (finding,) = done.refused
    assert (finding.case, finding.severity, finding.code) == ("volume-1", "error", "unreadable")
    assert "volume-1.nii.gz" in finding.message
    assert finding.advice
    assert names(tmp_path / "p") == ["volume-0.b2nd", "volume-2.b2nd"]
    assert [path.name for path in done.prepared] == names(tmp_path / "p")


def test_an_error_that_reading_would_let_pass_is_refused_too(cohort, tmp_path):
    case = read_case(cohort[0])
    write_mask(np.where(case.reference > 0, 7, 0), case.grid, cohort[0].reference, overwrite=True)
    assert quietly(cohort, tmp_path / "p").refused[0].code == "labels-unknown"


def test_a_case_that_was_whole_and_is_no_more_does_not_stay_prepared(cohort, tmp_path):
    quietly(cohort, tmp_path / "p")
    cohort[1].volume.write_text("no CT")
    quietly(cohort, tmp_path / "p")
    assert names(tmp_path / "p") == ["volume-0.b2nd", "volume-2.b2nd"]


def test_where_nothing_can_be_written_it_stops(cohort, tmp_path):
    (tmp_path / "p").write_text("a file")
    with pytest.raises(OutputError):
        quietly(cohort, tmp_path / "p")


@pytest.mark.parametrize("format", ["b2nd", "npz"])
def test_a_half_file_is_never_taken_as_whole(cohort, tmp_path, format):
    paths = quietly(cohort, tmp_path / "p", format=format).prepared
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) // 2])  # a disk that lost power after the rename
    quietly(cohort, tmp_path / "p", format=format)
    assert PreparedCase(paths[1]).volume_slices(0, 12).max() > 0
    paths[1].write_bytes(b"")
    quietly(cohort, tmp_path / "p", format=format)
    assert PreparedCase(paths[1]).volume_slices(0, 12).max() > 0


PROGRAM = """
import sys
import lits_toolkit.data.prepared as prepared
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.prepare import prepare

def store_half(path, hu, mask, metadata):
    store(path, hu, mask, metadata)
    if metadata["name"] == "volume-1":  # the second: half of it is written when the signal comes
        path.write_bytes(path.read_bytes()[:-100])
        print("half", flush=True)
        sys.stdin.readline()

if sys.argv[3:]:
    store, prepared._store_blosc = prepared._store_blosc, store_half
prepare(find_cases(sys.argv[1]), sys.argv[2], 32, n_jobs=1, progress=False)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_of_a_file_the_same_call_finishes(cohort, tmp_path, how):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, cohort[0].volume.parent, tmp_path / "p"]
    with subprocess.Popen(
        [*command, "halfway"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment, text=True,
    ) as first:  # fmt: skip
        assert first.stdout is not None
        assert first.stdout.readline() == "half\n"
        first.send_signal(how)
        first.communicate()
        assert first.returncode != 0
    left = names(tmp_path / "p")
    assert [name for name in left if not name.startswith(".")] == ["volume-0.b2nd"]
    assert len(left) == (2 if how == signal.SIGKILL else 1)
    kept = (tmp_path / "p" / "volume-0.b2nd").stat().st_mtime_ns
    subprocess.run(command, env=environment, check=True)
    assert names(tmp_path / "p") == ["volume-0.b2nd", "volume-1.b2nd", "volume-2.b2nd"]
    assert (tmp_path / "p" / "volume-0.b2nd").stat().st_mtime_ns == kept
    for name in names(tmp_path / "p"):
        assert PreparedCase(tmp_path / "p" / name).volume_slices(0, 12).max() > 0


def test_a_case_that_finds_no_room_leaves_nothing(tmp_path, small_disk):
    with small_disk(), pytest.raises(OutputError, match=r"cannot write .*a\.b2nd"):
        write_prepared(make_phantom(0, size=32, slices=8), tmp_path / "a.b2nd", size=32)
    assert not list(tmp_path.iterdir())
