"""Every benchmark that README and docs print is run as it is printed, in its small form, and what its own head prints
with further options too; and so are the commands of `lits` in `docs/measurements.md`, on a small demo."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import NO_REAL_CT, SHARED
from viewer.conftest import NO_CHROMIUM, find_chromium

from lits_toolkit.cli import main

ROOT = Path(__file__).parents[1]
MEASUREMENTS = ROOT / "docs" / "measurements.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
MODULES = {path.stem: path.read_text() for path in sorted((ROOT / "benchmarks").glob("*.py"))}
NUMBER = r" +-?[\d.]+"
TABLES = {
    "augmentation": [f"augmentation{NUMBER * 2}", f"MONAI, Rand2DElasticd{NUMBER * 4}"],
    "browser": [r".*: \d+ × \d+ × \d+, one mask: \d+ slices/s at first .*, \d+ slices/s from the cache"],
    "choices": [r"liver, .*: Dice per case [\d.]+, \d+ s", r"tumor, .*: Dice per case [\d.]+, \d+ s"],
    "learning": [f"2d-.*{NUMBER * 4}", f"smp-unet{NUMBER * 4}   [+-].*", f"monai-basicunet{NUMBER * 4}   [+-].*"],
    "network": [r"\d+×\d+ fp32: training [\d.]+ ms, .*", r"\d+×\d+ bf16: training [\d.]+ ms, .*"],
    "phantom": [
        r"\d+×\d+×\d+: [\d.]+ s, peak \d+ MiB, .*|\d+ cases: tumour voxels within .*|\| liver, HU \|( [^|]+ \|){5}"
    ],
    "prediction": [f"2d-.* torch{NUMBER * 3} .*", f"smp-unet +torch{NUMBER * 5}"],
    "prepare": [f"prepared, .b2nd, from the CT{NUMBER * 3}", f"np.savez_compressed of the same{NUMBER * 3}"],
    "scores": [r"ours: every .* s .*", *(f"{peer}.* ×.*" for peer in ("DeepMind", "panoptica", "MONAI", "medpy"))],
    "training": [
        rf"2d-.* +fp32{NUMBER * 4}.*|pointwise conv{NUMBER * 2} .*",
        rf"smp-unet +fp32{NUMBER * 6} .*|smp-unet, fp32: ms per sample",
    ],
    "whole": [r"all +[\d.]+ s, of processors [\d.]+ s", "peak memory [0-9.]+ GB, .*"],
}  # fmt: skip
"""Lines that a benchmark prints; the first needs no peer."""
SMALLER = {"benchmark": ["--models", "2d-shufflenet_v2-default", "--batch", "2", "--size", "32", "--steps", "1"]}
"""Added to the commands of `lits`, so that they take seconds."""


def commands(text, program):
    """The words of each command of the program that stands in backticks or on an indented line."""
    found = re.findall(rf"`({program}(?:\s[^`]*)?)`|^ {{4}}({program}(?: .*)?)$", text, re.MULTILINE)
    return list(dict.fromkeys(tuple(shlex.split("".join(each), comments=True)) for each in found))


def script(command):
    return Path(command[1]).stem


def options(command):
    return {word for word in command if word.startswith("--")}


BENCHMARK = r"python\s+benchmarks/\w+\.py"
PRINTED = list(dict.fromkeys(each for page in PAGES for each in commands(page.read_text(), BENCHMARK)))
KNOWN = {(script(each), option) for each in PRINTED for option in options(each)}
HEADS = [each for text in MODULES.values() for each in commands(text, BENCHMARK)]
FURTHER = [each for each in HEADS if any((script(each), option) not in KNOWN for option in options(each))]
LITS = [each for each in commands(MEASUREMENTS.read_text(), "lits") if len(each) > 2]  # a verb alone is a name


def test_every_benchmark_is_printed_somewhere_and_whatever_is_printed_is_there():
    printed = {script(each) for each in PRINTED}
    used = set(re.findall(r"^ *from (\w+) import", "\n".join(MODULES.values()), re.MULTILINE)) & set(MODULES)
    assert printed | used == set(MODULES)
    assert printed == set(TABLES)
    named = {name for page in PAGES for name in re.findall(r"\bbenchmarks/(\w+\.\w+)", page.read_text())}
    assert [name for name in sorted(named) if not (ROOT / "benchmarks" / name).is_file()] == []


def test_every_option_of_a_measurement_stands_in_a_whole_command():
    assert re.findall(r"`(--[^`]+)`", MEASUREMENTS.read_text()) == ["--smoke", "--cohort dissertation"]


def run_lits(command, patch):
    patch.setattr(sys, "argv", [*command, *SMALLER.get(command[1], [])])
    main()


@pytest.fixture(scope="module")
def room(smoke_demo, tmp_path_factory):
    """Where the reader of the measurements stands: beside real CT where there are any, the demo exported to int8."""
    beside = tmp_path_factory.mktemp("measurements")
    place = beside / "clone"
    shutil.copytree(smoke_demo.folder, place / "lits-demo")
    (place / "benchmarks").symlink_to(ROOT / "benchmarks")
    (beside / "shared").symlink_to(SHARED.parent)
    for environment in (ROOT / "panoptica", Path(sys.prefix).with_name("panoptica")):
        if environment.is_dir() and not (place / "panoptica").is_symlink():
            (place / "panoptica").symlink_to(environment)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for command in LITS:
            if command[1] == "export":
                run_lits(command, patch)
    return place


def lacks_ct(command, place):
    return any(word.startswith("../shared/") and not (place / word).exists() for word in command)


@pytest.mark.slow
@pytest.mark.parametrize("command", PRINTED + FURTHER, ids=" ".join)
def test_a_benchmark_prints_its_table(command, room):
    if lacks_ct(command, room):
        pytest.skip(NO_REAL_CT)
    if script(command) == "browser" and find_chromium() is None:
        pytest.skip(NO_CHROMIUM)
    places = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": places, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, *command[1:], "--smoke"]
    made = subprocess.run(words, cwd=room, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert made.returncode == 0, made.stdout
    ours, *others = TABLES[script(command)]
    assert re.search(f"^{ours}$", made.stdout, re.MULTILINE), made.stdout
    if missing := [" ".join(line.split()) for line in made.stdout.splitlines() if "is not installed" in line]:
        pytest.skip(f"needs the extra benchmarks and the peers beside it: {'; '.join(missing)}")
    assert [line for line in others if not re.search(f"^{line}$", made.stdout, re.MULTILINE)] == [], made.stdout


@pytest.mark.slow
def test_the_commands_of_lits_run_one_after_the_other(room, monkeypatch):
    monkeypatch.chdir(room)
    left_out = [command for command in LITS if lacks_ct(command, room)]
    for command in LITS:
        if command not in left_out and command[1] != "export":
            run_lits(command, monkeypatch)
    if left_out:
        pytest.skip(NO_REAL_CT)
    assert len(list((room / "masks").glob("segmentation-*.nii.gz"))) == 3
    assert (room / "scores" / "cases.csv").is_file()
