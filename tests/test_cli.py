import errno
import json
import re
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.cli import main
from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.splits import Split
from lits_toolkit.study.results import results_of_run
from lits_toolkit.study.workspace import Workspace
from lits_toolkit.training.settings import QUICK, TrainSettings


def run(monkeypatch, capsys, *arguments):
    """The exit status, standard output and standard error of `lits ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["lits", *map(str, arguments)])
    status = 0
    try:
        main()
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            status = 1
        else:
            status = stop.code or 0
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_help_names_every_verb_without_importing_what_is_heavy():
    program = (
        "import sys; sys.argv = ['lits', '--help']\n"
        "from lits_toolkit.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "names = {'torch', 'lightning', 'matplotlib', 'pandas', 'scipy', 'openvino', 'nncf', 'onnx'}\n"
        "heavy = names & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    for verb in (
        "demo",
        "phantom",
        "check",
        "prepare",
        "models",
        "train",
        "predict",
        "export",
        "evaluate",
        "submit",
        "figures",
        "tune",
        "benchmark",
        "browse",
        "lab",
    ):
        assert verb in done.stdout


def test_the_help_of_a_setting_breaks_at_the_width_alone(monkeypatch, capsys):
    """Not where its docstring happens to break."""
    monkeypatch.setenv("COLUMNS", "1000")
    status, out, _ = run(monkeypatch, capsys, "train", "--help")
    assert status == 0
    for field in fields(TrainSettings):
        assert re.search(rf"--(no-)?{field.name.replace('_', '-')}\b", out)
    assert "by default all for the liver stage, those with liver for the tumour stage. (default: None)" in out


@pytest.mark.parametrize("given", [{}, {"epochs": 50, "lookahead": True, "swa_epochs": 4, "combine": "mask"}], ids=str)
def test_quick_leaves_what_is_given_be_it_the_default(monkeypatch, capsys, tmp_path, given):
    (tmp_path / "c").mkdir()
    Workspace(tmp_path / "w").begin(tmp_path / "c", Split(("a",), ("b",), ("c",)), "")
    seen = []
    monkeypatch.setattr(
        "lits_toolkit.study.training.train_in_study", lambda _, settings, *__, **___: seen.append(settings)
    )
    monkeypatch.setattr("lits_toolkit.cli.training_commands._print_training", lambda *_: None)
    options = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]
    status, out, err = run(monkeypatch, capsys, "train", "--workspace", tmp_path / "w", "--quick", *options)
    assert (status, err) == (0, "")
    assert seen == [replace(QUICK, **given)]
    assert f"epochs {seen[0].epochs}, cases_together 8, combine {seen[0].combine}" in out


def test_the_help_of_predict_says_what_each_runtime_is(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "1000")
    status, out, _ = run(monkeypatch, capsys, "predict", "--help")
    assert status == 0
    for name in ("auto", "torch", "torch-bf16", "openvino", "openvino-bf16", "openvino-int8", "onnxruntime"):
        assert re.search(rf"- {name}: \w", out)


@pytest.mark.parametrize(("number", "told"), [(9, True), (10, False)])
def test_tune_says_that_few_cases_decide_little(monkeypatch, capsys, number, told):
    cases = [CaseFiles(f"volume-{index}", Path("nowhere.nii")) for index in range(number)]
    monkeypatch.setattr("lits_toolkit.study.tuning.validation_cases", lambda _: cases)
    monkeypatch.setattr("lits_toolkit.study.tuning.tune", lambda *_, **__: [])
    status, out, _ = run(monkeypatch, capsys, "tune", "--workspace", "w")
    assert (status, "fewer than 10 cases are uncertain" in out) == (0, told)


def test_models_as_json(monkeypatch, capsys):
    status, out, _ = run(monkeypatch, capsys, "models", "--json")
    assert status == 0
    entries = {entry["name"]: entry for entry in json.loads(out)}
    assert entries["2d-mobilenet_v2-top"]["parameters"] == 3_759_916
    assert entries["2d-mobilenet_v2-top"]["published_parameters_millions"] == 3.76


def test_the_whole_way_step_by_step(monkeypatch, capsys, tmp_path):
    data, work = tmp_path / "data", tmp_path / "work"
    assert run(monkeypatch, capsys, "phantom", data, "--cases", 4, "--size", 64, "--slices", 12)[0] == 0
    status, out, _ = run(monkeypatch, capsys, "check", data)
    assert (status, "0 errors" in out) == (0, True)
    status, out, _ = run(monkeypatch, capsys, "prepare", data, "--workspace", work, "--size", 64, "--test", 0.25)
    assert (status, "2 to train on, 1 to validate, 1 held out" in out) == (0, True)
    for stage in ("liver", "tumor"):
        arguments = ["--workspace", work, "--stage", stage, "--epochs", 1, "--swa-epochs", 0, "--batch-size", 4]
        assert run(monkeypatch, capsys, "train", *arguments)[0] == 0
    status, out, _ = run(monkeypatch, capsys, "predict", data, "--workspace", work, "--output", tmp_path / "out")
    assert (status, out.count("ml")) == (0, 8)
    ct, mask = nib.load(data / "volume-0.nii.gz"), nib.load(tmp_path / "out" / "segmentation-0.nii.gz")
    assert ct.shape == mask.shape
    np.testing.assert_array_equal(ct.affine, mask.affine)
    reference = tmp_path / "reference"
    arguments = ["--workspace", work, "--output", reference, "--liver", "reference"]
    assert run(monkeypatch, capsys, "predict", data, *arguments)[0] == 0
    arguments = [reference, data, "--output", tmp_path / "scores"]
    status, out, _ = run(monkeypatch, capsys, "evaluate", *arguments)
    assert status == 0
    summary = json.loads((tmp_path / "scores" / "summary.json").read_text())
    assert summary["liver"]["dice_per_case"] == 1  # the reference's own liver
    assert "Dice per case      1.000" in out
    assert "Lesions at IoU > 0.5: recall 0.000" in out
    assert "mean over cases; 1 where reference and prediction are both empty" in out
    submit = ["submit", reference, "--volumes", data, "--output", tmp_path / "s.zip"]
    status, out, _ = run(monkeypatch, capsys, *submit)
    assert (status, "4 masks in" in out, (tmp_path / "s.zip").is_file()) == (0, True, True)
    status, _, err = run(monkeypatch, capsys, *submit)
    assert (status, "exists already" in err) == (1, True)
    arguments = ["--workspace", work, "--output", tmp_path / "out"]
    status, out, _ = run(monkeypatch, capsys, "predict", data, *arguments)
    assert (status, "4 masks kept" in out, "ml" in out) == (0, True, False)
    status, _, err = run(monkeypatch, capsys, "predict", data, *arguments, "--liver", "reference")
    assert (status, "now reference" in err) == (1, True)
    arguments = ["--workspace", work, "--output", tmp_path / "more", "--jobs", 2, "--box", "--probability", "uint8"]
    status, out, _ = run(monkeypatch, capsys, "predict", data, *arguments, "--threshold-tumor", 0.25)
    assert (status, "4 cases to predict, up to" in out, out.count("lesion")) == (0, True, 4)
    record = json.loads((tmp_path / "more" / "segmentation-0.json").read_text())
    assert record["thresholds"] == {"liver": 0.5, "tumor": 0.25, "tumor_component": 0.7}
    assert (tmp_path / "more" / "probabilities" / "volume-0.nii.gz").is_file()
    status, _, err = run(monkeypatch, capsys, "predict", data, *arguments, "--threshold-liver", 2)
    assert (status, "threshold liver: expected a number from 0 to 1" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "{}/nowhere"], "does not exist"),
        (["check", "{}/volume-3.nii.txt"], "expected a NIfTI file"),
        (["prepare", "{}/nowhere", "--workspace", "{}/w"], "does not exist"),
        (["train", "--workspace", "{}/w", "--stage", "liver"], "lits prepare"),
        (["predict", "{}/volume-3.nii", "--workspace", "{}/w", "--output", "{}/o"], "no model folder"),
        (["tune", "--workspace", "{}/w"], "lits prepare"),
        (["benchmark", "--models", "2d-abacus"], "no model is called '2d-abacus'"),
        (["benchmark", "--runtimes", "opnvino"], "no runtime is called 'opnvino'"),
        (["evaluate", "{}/a", "{}/b", "--output", "{}/o"], "a"),
        (["submit", "{}/a", "--volumes", "{}/b", "--output", "{}/s.zip"], "b does not exist"),
        (["submit", "{}/a", "--volumes", "{}", "--output", "{}/s"], "ends in .zip"),
        (["figures", "--workspace", "{}/w", "--only", "trainin"], "the nearest is 'training'"),
        (["figures", "--workspace", "{}/w", "-p", "smoke=perhaps"], "expected true or false"),
        (["browse", "{}/nowhere.nii"], "does not exist"),
        (["browse"], "expected CT files"),
        (["browse", "{}/volume-3.nii", "--workspace", "{}/w"], "expected CT files"),
        (["browse", "{}/volume-3.nii", "--run", "cascade"], "expected CT files"),
        (["browse", "--workspace", "{}/w"], "lits prepare"),
        (["phantom", "{}/p", "--cases", "0"], "at least 1 case"),
    ],
)
def test_a_bad_input_is_one_clear_line(monkeypatch, capsys, tmp_path, arguments, said):
    (tmp_path / "volume-3.nii").write_text("this is text")
    (tmp_path / "volume-3.nii.txt").write_text("this is text")
    status, _, err = run(monkeypatch, capsys, *(argument.format(tmp_path) for argument in arguments))
    assert status != 0
    assert err.startswith("lits: ")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_check_writes_repaired_copies_and_says_how_it_knows(monkeypatch, capsys, tmp_path):
    data, out_folder = tmp_path / "data", tmp_path / "repaired"
    run(monkeypatch, capsys, "phantom", data, "--cases", 1, "--size", 32, "--slices", 8)
    status, out, _ = run(monkeypatch, capsys, "check", data, "--fix", out_folder)
    assert (status, "Nothing was found that can be repaired" in out) == (0, True)
    path = data / "segmentation-0.nii.gz"
    mask = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(mask.dataobj) * np.float32(0.9998), mask.affine), path)
    status, out, _ = run(monkeypatch, capsys, "check", data, "--fix", out_folder)
    assert (status, "labels-rounded" in out, "each is within a thousandth" in " ".join(out.split())) == (0, True, True)
    assert max(len(line) for line in out.splitlines() if "repaired" not in line) <= 80
    assert (out_folder / "segmentation-0.nii.gz").is_file()
    status, _, err = run(monkeypatch, capsys, "check", data, "--fix", data / "repaired")
    assert (status, "give another folder" in str(err)) != (0, False)


def test_a_text_file_named_as_a_ct(monkeypatch, capsys, tmp_path):
    (tmp_path / "volume-3.nii").write_text("this is text")
    status, out, _ = run(monkeypatch, capsys, "check", tmp_path, "--json")
    assert status == 1
    (finding,) = json.loads(out)
    assert (finding["case"], finding["code"]) == ("volume-3", "unreadable")


def test_prepare_refuses_a_text_file_named_as_a_ct_and_does_the_others(monkeypatch, capsys, tmp_path):
    data, work = tmp_path / "data", tmp_path / "work"
    run(monkeypatch, capsys, "phantom", data, "--cases", 3, "--size", 64, "--slices", 12)
    (data / "volume-3.nii").write_text("this is text")
    monkeypatch.setenv("COLUMNS", "200")
    arguments = ["prepare", data, "--workspace", work, "--size", 64, "--format", "npz", "--split", "folds"]
    status, out, err = run(monkeypatch, capsys, *arguments, "--folds", 3, "--fold", 1)
    assert status == 1
    assert "unreadable" in out
    assert "volume-3" in out
    assert "3 of 4 cases in" in out
    assert "2 to train on, 1 to validate" in out
    assert err.startswith("lits: 1 of 4 cases refused")
    assert len(list((work / "prepared").glob("*.npz"))) == 3
    cohort = json.loads((work / "cohort.json").read_text())
    assert "volume-3" not in str(cohort["split"])
    arguments = ["train", "--workspace", work, "--stage", "liver", "--epochs", 1, "--swa-epochs", 0, "--batch-size", 4]
    arguments += ["--model", "2d-shufflenet_v2-top"]
    assert run(monkeypatch, capsys, *arguments)[0] == 0  # a workspace of .npz can be trained from


def test_prepare_refuses_the_dissertations_split_of_what_it_does_not_have(monkeypatch, capsys, tmp_path):
    data = tmp_path / "data"
    run(monkeypatch, capsys, "phantom", data, "--cases", 3, "--size", 64, "--slices", 12)
    arguments = ["prepare", data, "--workspace", tmp_path / "w", "--size", 64, "--split", "dissertation"]
    status, _, err = run(monkeypatch, capsys, *arguments)
    assert status != 0
    assert "trains on 3 and validates on 0" in err


def test_what_the_system_refuses_is_one_clear_line(monkeypatch, capsys, tmp_path):
    def refuse(_):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    monkeypatch.setattr("lits_toolkit.data.layouts.find_cases", refuse)
    status, _, err = run(monkeypatch, capsys, "check", tmp_path)
    assert (status, err) == (1, f"lits: {tmp_path}: you have no permission for that\n")


def test_an_interruption_while_it_starts_is_told_without_a_trace():
    program = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'tyro': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from lits_toolkit.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize("arguments", [["a"], ["a", "b"], ["a", "b", "--workspace", "w"], []])
def test_evaluate_wants_a_study_or_two_folders(monkeypatch, capsys, arguments):
    status, _, err = run(monkeypatch, capsys, "evaluate", *arguments)
    assert (status, "expected either --workspace STUDY" in err) == (1, True)


def test_evaluate_scores_what_matches_and_names_the_rest(monkeypatch, capsys, smoke_demo, tmp_path):
    arguments = ["evaluate", smoke_demo.predictions("cascade"), smoke_demo.data, "--output", tmp_path / "scores"]
    status, _, err = run(monkeypatch, capsys, *arguments)
    assert (status, "--only-matching" in err) == (1, True)
    status, out, _ = run(monkeypatch, capsys, *arguments, "--only-matching")
    assert (status, out.startswith("not scored, for want of a prediction: 4 cases (volume-0, ")) == (0, True)
    assert "Tables of 2 cases" in out
    assert "for want of a reference" not in out


def test_evaluate_writes_a_report_and_says_before_scoring_where_it_cannot(monkeypatch, capsys, smoke_demo, tmp_path):
    folders = smoke_demo.predictions("cascade"), smoke_demo.data
    output, report = tmp_path / "scores", tmp_path / "report.html"
    arguments = ["evaluate", *folders, "--only-matching", "--output", output, "--report", report]
    status, out, _ = run(monkeypatch, capsys, *arguments)
    assert (status, out.splitlines()[-1]) == (0, f"Report in {report}")
    assert "These are phantom scores" in report.read_text(encoding="utf-8")
    status, again, _ = run(monkeypatch, capsys, *arguments, "--overwrite", "--jobs", 2)
    assert (status, again) == (0, out)
    status, _, err = run(monkeypatch, capsys, *arguments[:-3], tmp_path / "other", "--report", report)
    assert (status, err) == (1, f"lits: {report} is there already; give another name, or --overwrite\n")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(("given", "smoke"), [([], False), (["-p", "smoke=true"], True)])
def test_figures_makes_the_demo_where_there_is_no_study_and_one_is_needed(monkeypatch, capsys, tmp_path, given, smoke):
    made = []
    monkeypatch.setattr("lits_toolkit.demo.open_workspace", lambda folder, smoke: made.append((folder, smoke)))
    status, _, err = run(monkeypatch, capsys, "figures", "--workspace", tmp_path / "w", *given)
    assert made == [(tmp_path / "w", smoke)]
    assert (status, "is no workspace" in err) == (1, True)  # since nothing was made here


def test_figures_are_listed_with_what_they_need(monkeypatch, capsys, tmp_path):
    status, out, _ = run(monkeypatch, capsys, "figures", "--workspace", tmp_path / "w", "--list")
    assert status == 0
    lines = out.splitlines()
    assert "01_data  -p smoke, data, most" in lines
    (line,) = [line for line in lines if line.startswith("  label-counts ")]
    assert re.search(r"needs a cohort: `lits prepare` +01_label_counts.png: voxels per label \(Figure 3.7\)$", line)
    assert not (tmp_path / "w").exists()


def test_training_cases_are_predicted_scored_and_called_so(monkeypatch, capsys, smoke_demo, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(smoke_demo.folder, study, ignore=shutil.ignore_patterns("figures", "scores"))
    given = ("--workspace", study, "--run", "mine", "--part", "train")
    assert run(monkeypatch, capsys, "predict", *given, "--liver", "reference", "--runtime", "torch")[0] == 0
    assert run(monkeypatch, capsys, "evaluate", *given)[0] == 0
    results = results_of_run(Workspace(study), "mine")
    assert list(results.first.cases["case"]) == list(smoke_demo.split.train)
    assert results.label == "phantom cohort, training cases"
    for verb in ("predict", "evaluate"):
        status, _, err = run(monkeypatch, capsys, verb, "--workspace", study, "--part", "train")
        assert (status, "such as --run cascade-train" in err) == (1, True)
