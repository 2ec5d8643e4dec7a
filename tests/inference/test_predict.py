import errno
import inspect
import json
import os
import re
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from joblib.externals.loky import process_executor
from writers import small_case, small_grid, write_dicom_case, write_ircadb

from lits_toolkit.data.case import Case, CaseFiles, Grid
from lits_toolkit.data.layouts import PREDICTED, find_cases
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.reading import read_case, read_grid, read_mask
from lits_toolkit.errors import InputError, LitsError, OutputError, SettingError
from lits_toolkit.files import replacing
from lits_toolkit.inference import predict
from lits_toolkit.inference.cascade import Thresholds
from lits_toolkit.inference.predict import predict_cases
from lits_toolkit.inference.settings import PredictSettings
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.storage import load_model, save_model
from lits_toolkit.study.probabilities import read_probability
from tests.inference.test_cascade import model

TUMOR, LIVER = model("tumor", 0, 60, size=32), model("liver", 0, 150, size=32)
GRID = Grid((32, 32, 4), np.diag([-2.0, -2.0, 5.0, 1.0]))


@pytest.fixture
def cases(tmp_path):
    """Three cases; the second cannot be read unless a test mends it."""
    found = []
    for index in range(3):
        volume = np.full((4, 32, 32), -100, np.int16)
        volume[:, 4:28, 4:28] = 100
        volume[1, 10:16, 10 : 13 + index] = 20
        path, mask = tmp_path / f"volume-{index}.nii.gz", tmp_path / f"segmentation-{index}.nii.gz"
        write_volume(volume, GRID, path)
        write_mask((volume > 0).astype(np.uint8), GRID, mask)
        found.append(CaseFiles(f"volume-{index}", path, mask))
    return found


@pytest.fixture
def predicted(monkeypatch):
    """Names of the cases that were really computed."""
    names = []
    original = predict.read_case
    monkeypatch.setattr(predict, "read_case", lambda files: (names.append(files.name), original(files))[1])
    return names


def test_the_record_says_what_was_made_of_what(cases, tmp_path):
    seen = []
    predictions = predict_cases(cases, tmp_path / "out", TUMOR, LIVER, done=seen.append)
    assert seen == predictions
    assert [found.case for found in predictions] == ["volume-0", "volume-1", "volume-2"]
    record = json.loads((tmp_path / "out" / "segmentation-1.json").read_text())
    assert record["source"][0][0] == str(cases[1].volume.resolve())
    voxels = np.count_nonzero(read_mask(tmp_path / "out" / "segmentation-1.nii.gz") == 2)
    assert record["tumor_ml"] == pytest.approx(voxels * 20 / 1000)
    assert record["lesions"][0]["voxels"] == voxels
    parts = ["read", "resize", "liver network", "liver mask", "tumor network", "tumor mask", "measure", "write"]
    assert list(record["seconds"]) == parts


def test_masks_of_the_same_models_and_files_are_kept(cases, tmp_path, predicted):
    first = predict_cases(cases[:2], tmp_path / "out", TUMOR, LIVER)
    second = predict_cases(cases, tmp_path / "out", TUMOR, LIVER)
    assert second[:2] == first
    assert predicted == ["volume-0", "volume-1", "volume-2"]
    predict_cases(cases, tmp_path / "out", TUMOR, LIVER, overwrite=True)
    assert len(predicted) == 6


@pytest.mark.parametrize(
    ("moment", "call"), [("write_json", 1), ("write_json", 4), ("write_json", 5), ("write_mask", 2)]
)
def test_interrupted_at_any_moment_the_same_call_goes_on(cases, tmp_path, predicted, monkeypatch, moment, call):
    original, calls = getattr(predict, moment), []

    def interrupt(*arguments):
        calls.append(arguments)
        if len(calls) == call:
            raise KeyboardInterrupt
        original(*arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(predict, moment, interrupt)
        predict_cases(cases, tmp_path / "out", TUMOR, LIVER)
    assert len(predict_cases(cases, tmp_path / "out", TUMOR, LIVER)) == 3
    # the first JSON is the folder's; a case's second one only adds how long its mask took to write
    done_before = [] if call == 1 else ["volume-0", "volume-1"]
    again = ["volume-0", "volume-1", "volume-2"] if call == 1 else ["volume-1", "volume-2"]
    assert predicted == done_before + (again[1:] if (moment, call) == ("write_json", 5) else again)
    assert not list((tmp_path / "out").glob(".partial*"))


def test_a_mask_of_unknown_origin_is_refused(cases, tmp_path, predicted):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "segmentation-1.nii.gz").write_text("somebody's")
    with pytest.raises(OutputError, match=r"already has segmentation-1\.nii\.gz.*--overwrite"):
        predict_cases(cases, tmp_path / "out", TUMOR, LIVER)
    assert not predicted
    assert len(predict_cases(cases, tmp_path / "out", TUMOR, LIVER, overwrite=True)) == 3


def test_another_ct_of_the_same_name_does_not_pass_for_the_first(cases, tmp_path):
    predict_cases(cases[:1], tmp_path / "out", TUMOR, LIVER)
    (tmp_path / "b").mkdir()
    other = CaseFiles("volume-0", tmp_path / "b" / "volume-0.nii.gz")
    shutil.copy(cases[2].volume, other.volume)
    with pytest.raises(OutputError, match=r"already has segmentation-0\.nii\.gz"):
        predict_cases([other], tmp_path / "out", TUMOR, LIVER)
    with pytest.raises(InputError, match="would share one mask's name"):
        predict_cases([cases[0], other], tmp_path / "elsewhere", TUMOR, LIVER)


def test_masks_of_other_models_are_not_mixed(cases, tmp_path):
    predict_cases(cases[:1], tmp_path / "out", TUMOR, LIVER)
    with pytest.raises(OutputError, match=r"made otherwise \(liver model x, now reference\).*--overwrite"):
        predict_cases(cases[1:2], tmp_path / "out", TUMOR)
    settings = PredictSettings(Thresholds(tumor=0.25), box=True)
    with pytest.raises(OutputError, match=r"\(thresholds 0.5 0.5 0.7, now 0.5 0.25 0.7; box False, now True\)"):
        predict_cases(cases[1:2], tmp_path / "out", TUMOR, LIVER, settings)
    further = replace(TUMOR, description=TUMOR.description | {"best_epoch": 9})
    with pytest.raises(OutputError, match=r"tumor model x, trained or described otherwise since"):
        predict_cases(cases[1:2], tmp_path / "out", further, LIVER)
    predict_cases(cases[:1], tmp_path / "out", TUMOR, overwrite=True)
    assert json.loads((tmp_path / "out" / PREDICTED).read_text())["liver_model"] == "reference"


def test_tuned_thresholds_that_are_those_used_before_change_nothing(cases, tmp_path, predicted):
    predict_cases(cases[:1], tmp_path / "out", TUMOR, LIVER, PredictSettings(Thresholds(tumor=0.25)))
    tuned = replace(TUMOR, description=TUMOR.description | {"thresholds": {"tumor": 0.25}, "tuning": {"cases": 3}})
    predict_cases(cases[:1], tmp_path / "out", tuned, LIVER)
    assert predicted == ["volume-0"]


def test_a_mask_that_is_refused_is_told_with_what_is_known_of_it(cases, tmp_path):
    predict_cases(cases, tmp_path / "out", TUMOR, LIVER)
    os.utime(cases[0].volume, (1, 1))
    with pytest.raises(OutputError, match=r"segmentation-0\.nii\.gz, made of another CT, or of one that has changed"):
        predict_cases(cases, tmp_path / "out", TUMOR, LIVER)
    for name in (PREDICTED, "segmentation-2.json"):  # as versions wrote a folder that kept no record
        (tmp_path / "out" / name).unlink()
    with pytest.raises(
        OutputError, match=r"segmentation-0\.nii\.gz and 1 other mask of these cases, of unknown origin: .*them anew"
    ):
        predict_cases(cases, tmp_path / "out", TUMOR, LIVER)


def test_what_is_to_be_done_is_told_before_it_is_done(cases, tmp_path, predicted):
    begun = []
    predict_cases(cases[:1], tmp_path / "out", TUMOR, LIVER, begin=begun.append)
    predict_cases(cases, tmp_path / "out", TUMOR, LIVER, begin=lambda todo: begun.append((todo, len(predicted))))
    predict_cases(cases, tmp_path / "out", TUMOR, LIVER, begin=begun.append)
    assert begun == [cases[:1], (cases[1:], 1), []]


@pytest.mark.parametrize("runtime", ["opnvino", "openvino-int8"])
def test_a_runtime_that_cannot_be_opened_leaves_no_trace(cases, tmp_path, runtime):
    with pytest.raises(LitsError, match=r"nearest is .openvino.|no int8 weights"):
        predict_cases(cases[:1], tmp_path / "out", TUMOR, LIVER, PredictSettings(runtime=runtime))
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_mask_is_of_no_method(cases, tmp_path):
    cases[0].volume.write_text("this is text")
    with pytest.raises(InputError, match="could not be predicted"):
        predict_cases(cases[:1], tmp_path / "out", TUMOR, LIVER)
    predict_cases(cases[1:2], tmp_path / "out", TUMOR)
    assert json.loads((tmp_path / "out" / PREDICTED).read_text())["liver_model"] == "reference"


def test_one_unreadable_file_does_not_stop_the_others(cases, tmp_path):
    cases[1].volume.write_text("this is text")
    with pytest.raises(InputError, match=r"1 of 3 cases could not be predicted:\n  volume-1: .*expected a NIfTI file"):
        predict_cases(cases, tmp_path / "out", TUMOR, LIVER)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    stems = ("segmentation-0", "segmentation-2")
    assert names == {PREDICTED, *(f"{stem}{ending}" for stem in stems for ending in (".nii.gz", ".json"))}


def test_what_cannot_work_is_told_before_a_folder_is_made(cases, tmp_path):
    with pytest.raises(SettingError, match="expected a model of the tumor stage"):
        predict_cases(cases, tmp_path / "out", LIVER, TUMOR)
    with pytest.raises(InputError, match="volume-0 have none"):
        predict_cases([CaseFiles("volume-0", cases[0].volume)], tmp_path / "out", TUMOR)
    assert not (tmp_path / "out").exists()


def test_extras_are_made_where_they_are_asked_for(cases, tmp_path, predicted):
    predict_cases(cases[:1], tmp_path / "out", TUMOR, LIVER)
    predict_cases(cases[:1], tmp_path / "out", TUMOR, LIVER, PredictSettings(probability="uint8"))
    predict_cases(cases[:1], tmp_path / "out", TUMOR, LIVER, PredictSettings(probability="uint8"))
    assert predicted == ["volume-0", "volume-0"]
    case = read_case(cases[0])
    found = read_probability(tmp_path / "out" / "probabilities" / "volume-0.nii.gz", case.grid)
    np.testing.assert_array_equal(found > 0.5, read_mask(tmp_path / "out" / "segmentation-0.nii.gz") == 2)
    with pytest.raises(InputError, match=r"--dicom-seg refers to a DICOM series, but volume-0 are NIfTI"):
        predict_cases(cases[:1], tmp_path / "other", TUMOR, LIVER, PredictSettings(dicom_seg=True))


def test_what_another_method_left_beside_a_mask_does_not_stay(cases, tmp_path, predicted):
    predict_cases(cases[:1], tmp_path / "out", TUMOR, LIVER, PredictSettings(probability="uint8"))
    predict_cases(cases[:1], tmp_path / "out", TUMOR, overwrite=True)
    assert not list((tmp_path / "out" / "probabilities").iterdir())
    predict_cases(cases[:1], tmp_path / "out", TUMOR, settings=PredictSettings(probability="uint8"))
    predict_cases(cases[:1], tmp_path / "out", TUMOR, settings=PredictSettings(probability="float16"))
    assert len(predicted) == 4
    assert len(list((tmp_path / "out" / "probabilities").iterdir())) == 2  # both of the same method


def test_a_slice_replaced_in_a_dicom_series_makes_it_another_ct(tmp_path):
    volume = np.full((4, 32, 32), -100, np.int16)
    write_dicom_case(tmp_path / "ct" / "anna", Case("anna", volume, small_grid("LPS", shape=volume.shape)))
    cases = find_cases(tmp_path / "ct")
    predict_cases(cases, tmp_path / "out", TUMOR, LIVER)
    slice_file = sorted(path for path in (tmp_path / "ct").rglob("*") if path.is_file())[0]
    folder = slice_file.parent.stat()
    stat = slice_file.stat()
    with slice_file.open("r+b") as file:  # in place, which changes nothing of the folder
        file.write(b"\0")
    os.utime(slice_file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    assert slice_file.parent.stat().st_mtime_ns == folder.st_mtime_ns
    with pytest.raises(OutputError, match="already has"):
        predict_cases(cases, tmp_path / "out", TUMOR, LIVER)


def test_memory_that_runs_out_in_one_case_does_not_stop_the_others(cases, tmp_path, monkeypatch):
    original = predict.resize_scan

    def resize(volume, *models):
        if (volume == 20).sum() == 24:  # the second case
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return original(volume, *models)

    monkeypatch.setattr(predict, "resize_scan", resize)
    with pytest.raises(InputError, match=r"1 of 3 .*\n  volume-1: .*more memory than there is"):
        predict_cases(cases, tmp_path / "out", TUMOR, LIVER)


def test_a_dicom_series_gets_a_dicom_seg(tmp_path):
    volume = np.full((4, 32, 32), -100, np.int16)
    volume[:, 4:28, 4:28] = 100
    volume[1:3, 10:16, 10:16] = 20
    write_dicom_case(tmp_path / "ct" / "anna", Case("anna", volume, small_grid("LPS", shape=volume.shape)))
    (found,) = predict_cases(
        find_cases(tmp_path / "ct"), tmp_path / "out", TUMOR, LIVER, PredictSettings(dicom_seg=True)
    )
    grid = read_grid(tmp_path / "ct" / "anna")
    mask = read_mask(tmp_path / "out" / found.mask, grid)
    assert set(np.unique(mask)) == {0, 1, 2}
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "segmentation-anna.dcm", grid), mask)


def test_a_ct_without_a_liver_gets_an_empty_mask_and_a_warning(tmp_path):
    write_volume(np.full((4, 32, 32), -1000, np.int16), GRID, tmp_path / "volume-9.nii.gz")
    case = CaseFiles("volume-9", tmp_path / "volume-9.nii.gz")
    (found,) = predict_cases([case], tmp_path / "out", TUMOR, LIVER, PredictSettings(probability="float16"))
    assert (found.liver_ml, found.burden, found.lesions) == (0, None, [])
    assert found.warnings == ["no liver was found: the mask is empty"]
    assert not read_mask(tmp_path / "out" / found.mask).any()


def test_values_that_are_not_in_hu_are_warned_of(cases, tmp_path):
    """A mask given for a CT, and a CT whose intercept is lost."""
    body = np.full((4, 32, 32), -1000, np.int16)
    body[:, 4:28, 4:28] = 100
    for name, volume in (("mask", body > 0), ("shifted", body + 1024), ("ct", body)):
        write_volume(volume.astype(np.int16), GRID, tmp_path / "in" / f"{name}.nii.gz")
    found = {each.case: each for each in predict_cases(find_cases(tmp_path / "in"), tmp_path / "out", TUMOR, LIVER)}
    assert found["ct"].warnings == []
    warning, other = found["mask"].warnings[-1], found["shifted"].warnings[-1]
    assert warning.startswith("values run from 0 to 1, and 44% are the lowest: no air at -1000 HU; export the CT again")
    assert other.startswith("values run from 24 to 1124")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_truncated_ct_is_named_and_leaves_nothing(cases, tmp_path, ending):
    write_volume(np.zeros((4, 32, 32), np.int16), GRID, tmp_path / f"cut{ending}")
    whole = (tmp_path / f"cut{ending}").read_bytes()
    (tmp_path / f"cut{ending}").write_bytes(whole[:-30])
    with pytest.raises(InputError, match=r"1 of 2 cases.*\n  cut: .*cut\.nii"):
        predict_cases([CaseFiles("cut", tmp_path / f"cut{ending}"), cases[0]], tmp_path / "out", TUMOR, LIVER)
    assert not list((tmp_path / "out").glob("*cut*"))


def test_a_full_disk_stops_with_a_word_and_nothing_half_written(cases, tmp_path, monkeypatch):
    def full(mask, grid, path):
        with replacing(path) as partial:
            partial.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched, pytest.raises(OutputError, match=r"cannot write .*tion-0.*no space is left"):
        patched.setattr(predict, "write_mask", full)
        predict_cases(cases, tmp_path / "out", TUMOR, LIVER)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {PREDICTED, "segmentation-0.json"}
    assert len(predict_cases(cases, tmp_path / "out", TUMOR, LIVER)) == 3


@pytest.fixture
def trained(tmp_path):
    """Models that lie in folders, with thresholds of their own."""
    held = {"liver": {"liver": 0.3}, "tumor": {"tumor": 0.4, "tumor_component": 0.45}}
    for stage, thresholds in held.items():
        torch.manual_seed(1)
        description = {"name": "2d-mobilenet_v2-top", "stage": stage, "window": [-200, 200], "size": 32}
        save_model(tmp_path / stage, build_model("2d-mobilenet_v2-top"), description | {"thresholds": thresholds})
    return load_model(tmp_path / "tumor"), load_model(tmp_path / "liver")


def test_several_at_a_time_give_the_same_and_one_bad_case_stops_none(cases, tmp_path, trained):
    settings = PredictSettings(runtime="torch")  # each process would try all others anew
    predict_cases([cases[0], cases[2]], tmp_path / "one", *trained, settings)
    cases[1].volume.write_text("this is text")
    seen = []
    with pytest.raises(InputError, match=r"1 of 3 cases could not be predicted:\n  volume-1: .*expected a NIfTI file"):
        predict_cases(cases, tmp_path / "two", *trained, settings, n_jobs=2, done=lambda found: seen.append(found.case))
    assert seen == ["volume-0", "volume-2"]
    for name in ("segmentation-0.nii.gz", "segmentation-2.nii.gz"):
        np.testing.assert_array_equal(read_mask(tmp_path / "two" / name), read_mask(tmp_path / "one" / name))
    record = json.loads((tmp_path / "two" / "segmentation-0.json").read_text())
    assert record["thresholds"] == {"liver": 0.3, "tumor": 0.4, "tumor_component": 0.45}
    assert record["models"]["liver"]["name"] == "2d-mobilenet_v2-top"
    with pytest.raises(SettingError, match="in memory alone"):
        predict_cases(cases, tmp_path / "three", TUMOR, LIVER, n_jobs=2)
    with pytest.raises(SettingError, match="1 or more jobs"):
        predict_cases(cases, tmp_path / "three", *trained, n_jobs=0)


def test_a_runtime_that_cannot_be_opened_overwrites_nothing_though_each_process_opens_its_own(cases, tmp_path, trained):
    predict_cases(cases, tmp_path / "out", *trained, PredictSettings(runtime="torch"))
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(InputError, match="no int8 weights"):
        predict_cases(
            cases, tmp_path / "out", *trained, PredictSettings(runtime="openvino-int8"), overwrite=True, n_jobs=2
        )
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_joblibs_warning_of_a_process_that_it_replaces_is_not_shown_and_any_other_is(cases, tmp_path, trained):
    (text,) = re.findall(r'"(A worker stopped while some jobs [^"]*)"', inspect.getsource(process_executor))

    def warn(found):
        warnings.warn(text, UserWarning, stacklevel=1)  # as joblib's thread does in this process
        warnings.warn("another", UserWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        predict_cases(cases[:2], tmp_path / "out", *trained, PredictSettings(runtime="torch"), n_jobs=2, done=warn)
    assert {str(warning.message) for warning in seen} == {"another"}


def test_a_process_that_outlives_a_call_takes_the_models_that_are_there_now(cases, tmp_path, trained):
    settings = PredictSettings(runtime="torch", probability="float16")
    predict_cases(cases, tmp_path / "before", *trained, settings, n_jobs=2)
    torch.manual_seed(2)
    for old in trained:
        save_model(old.folder, build_model(old.name), old.description)
    again = tuple(load_model(old.folder) for old in trained)
    with pytest.raises(OutputError, match="trained or described otherwise since"):
        predict_cases(cases, tmp_path / "before", *again, settings, n_jobs=2)
    predict_cases(cases, tmp_path / "after", *again, settings, n_jobs=2)
    predict_cases(cases, tmp_path / "alone", *again, settings)
    for case in cases:
        before, after, alone = (
            np.load(tmp_path / folder / "probabilities" / f"{case.name}.npy") for folder in ("before", "after", "alone")
        )
        np.testing.assert_allclose(after, alone, atol=1e-3)
        assert np.abs(before.astype(float) - alone).max() > 0.01


def test_a_link_to_nowhere_does_not_stop_the_others(cases, tmp_path):
    cases[1].volume.unlink()
    cases[1].volume.symlink_to(tmp_path / "nowhere.nii.gz")
    with pytest.raises(InputError, match=r"1 of 3 cases could not be predicted:\n  volume-1: .*does not exist"):
        predict_cases(cases, tmp_path / "out", TUMOR, LIVER)
    assert (tmp_path / "out" / "segmentation-2.nii.gz").is_file()


def test_patients_within_a_zip_file_are_predicted_and_kept(tmp_path, predicted):
    case = small_case("3Dircadb1.1")
    write_ircadb(tmp_path / "all" / "3Dircadb1.1", case, zipped=True)
    archive = shutil.make_archive(str(tmp_path / "3Dircadb1.1"), "zip", tmp_path / "all", ".")
    for _ in range(2):
        (found,) = predict_cases(find_cases(archive), tmp_path / "out", TUMOR)
    assert predicted == ["3Dircadb1.1"]
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / found.mask) > 0, case.reference > 0)


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_experts_mask_is_never_replaced(cases, tmp_path, overwrite):
    before = cases[0].reference.read_bytes()
    with pytest.raises(OutputError, match=r"segmentation-0.nii.gz is the reference mask of volume-0.*another folder"):
        predict_cases(cases, tmp_path, TUMOR, LIVER, overwrite=overwrite)
    assert cases[0].reference.read_bytes() == before
    assert not (tmp_path / PREDICTED).exists()


def test_beside_a_ct_without_a_reference_its_own_mask_may_lie_and_be_made_anew(cases, tmp_path, predicted):
    cases[0].reference.unlink()
    for overwrite in (False, False, True):
        predict_cases(find_cases(cases[0].volume), tmp_path, TUMOR, LIVER, overwrite=overwrite)
    assert predicted == ["volume-0", "volume-0"]


def test_masks_do_not_go_among_dicom_slices(tmp_path):
    volume = np.full((4, 32, 32), -100, np.int16)
    write_dicom_case(tmp_path / "anna", Case("anna", volume, small_grid("LPS", shape=volume.shape)))
    for folder in (tmp_path / "anna", tmp_path / "anna" / "masks"):
        with pytest.raises(OutputError, match="lies among the DICOM slices of anna: give another folder"):
            predict_cases(find_cases(tmp_path / "anna"), folder, TUMOR, LIVER)
    assert len(list((tmp_path / "anna").iterdir())) == 4
