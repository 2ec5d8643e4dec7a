"""What the README prints is run as it is printed; what is named anywhere is there."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

from lits_toolkit.cli import main
from lits_toolkit.data.case import mask_file_name
from lits_toolkit.data.phantom import plan_random, write_cohort
from lits_toolkit.report import lab
from lits_toolkit.report.registry import EXHIBITS, ONLY_WITH
from lits_toolkit.study.workspace import Workspace

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SMALLER = {
    "prepare": ["--size", "64"],
    "train": ["--epochs", "1", "--swa-epochs", "1"],
    "figures": ["-p", "smoke=true"],
    "benchmark": ["--batch", "2", "--size", "32", "--rounds", "1", "--steps", "1"],
}
"""Added to the commands of the README, so that they take seconds."""


def commands():
    """The lines of "Your own data" that begin with lits, as arguments."""
    block = README.read_text().split("## Your own data")[1].split("\n## ")[0]
    return [shlex.split(line, comments=True)[1:] for line in re.findall(r"^    (lits .*)$", block, re.MULTILINE)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the README's reader stands: DATA is a LiTS cohort in two batches, CT.nii.gz one more CT."""
    plans = plan_random(5, seed=0, size=64, slices=16)
    for number, batch in enumerate((plans[0::2], plans[1::2]), start=1):
        files = write_cohort(batch, tmp_path / "DATA" / f"batch {number}", n_jobs=1, progress=False)
    shutil.move(files[-1].volume, tmp_path / "CT.nii.gz")
    files[-1].reference.unlink()
    get_reusable_executor().shutdown(wait=True)  # workers of earlier tests stand in another folder
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    get_reusable_executor().shutdown(wait=True)


@pytest.mark.slow
def test_the_block_on_data_of_ones_own_runs_as_printed(folder, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(lab, "_run_lab", lambda *place: opened.append(place))
    for arguments in commands():
        monkeypatch.setattr(sys, "argv", ["lits", *arguments, *SMALLER.get(arguments[0], [])])
        main()
    study = Workspace(folder / "study")
    assert {path.name for path in study.predictions("cascade").glob("*.nii.gz")} == {
        mask_file_name(name) for name in study.split.test
    }
    assert study.runs() == ["cascade"]
    assert {path.name for path in study.figures.iterdir() if path.suffix in (".png", ".md")} == {
        entry.file
        for entry in EXHIBITS
        if entry.name not in ONLY_WITH or entry.name == "tuning"  # which `lits tune` has left
    }
    assert (folder / "masks" / "segmentation-CT.nii.gz").is_file()
    assert [len(place) for place in opened] == [2, 2, 1]
    assert "left out" not in capsys.readouterr().err


def named_commands():
    """Every `lits VERB …` of README, docs and notebooks, in prose too: where it stands, the verb, the options named."""
    places = [README, *sorted(ROOT.glob("docs/**/*.md")), ROOT / "CONTRIBUTING.md"]
    texts = [(place.name, place.read_text()) for place in places]
    for notebook in sorted(ROOT.glob("notebooks/*.ipynb")):
        cells = json.loads(notebook.read_text())["cells"]
        texts.append((notebook.name, "\n".join("".join(cell["source"]) for cell in cells)))
    for name, text in texts:
        for words in re.findall(r"`(lits [^`]+)`|^(?: {4})?(lits .*)$", text, re.MULTILINE):
            _, verb, *rest = "".join(words).split("#")[0].split()
            yield name, verb, [word.split("=")[0] for word in rest if re.match(r"--[a-z]|-p$", word)]


def test_every_command_that_is_named_anywhere_is_there_with_its_options(monkeypatch, capsys):
    found = list(named_commands())
    helps = {}
    for verb in sorted({verb for _, verb, _ in found} - {"VERB"}):
        monkeypatch.setattr(sys, "argv", ["lits", verb, "--help"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, verb
        helps[verb] = set(re.findall(r"--[a-z][a-z0-9-]*|-p\b", capsys.readouterr().out))

    def is_there(verb, option):
        begun = option.removesuffix("…")
        return any(each == option or (begun != option and each.startswith(begun)) for each in helps[verb])

    named = [(place, verb, option) for place, verb, options in found for option in options if verb != "VERB"]
    assert [each for each in named if not is_there(*each[1:])] == []
    assert len(found) > 80
    assert len(helps) > 12
