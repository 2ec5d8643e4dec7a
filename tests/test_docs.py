"""What the how-to pages print is run as it is printed, and the site is built with warnings as errors."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

from lits_toolkit.cli import main
from lits_toolkit.data.phantom import plan_random, write_cohort
from lits_toolkit.report.registry import EXHIBITS
from lits_toolkit.study.workspace import Workspace

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow
SMALLER = {"prepare": ["--size", "64"], "train": ["--epochs", "1"]}
"""Added to the commands of the pages, so that they take seconds."""


def blocks(page, language):
    """The fenced blocks of a how-to page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "docs" / "how_to" / page).read_text(), re.M | re.S)


def run_commands(page, monkeypatch):
    """The lines that begin with lits."""
    for line in "".join(blocks(page, "bash")).splitlines():
        if line.startswith("lits "):
            arguments = shlex.split(line)[1:]
            monkeypatch.setattr(sys, "argv", ["lits", *arguments, *SMALLER.get(arguments[0], [])])
            main()


def run_python(page):
    """The Python blocks one after the other, as a program of the reader's."""
    names = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), names)
    return names


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Where the pages' reader stands, after the first page: DATA, VOLUMES, and a study that is trained on DATA."""
    place = tmp_path_factory.mktemp("how_to")
    write_cohort(plan_random(5, seed=0, size=64, slices=16), place / "DATA", n_jobs=1, progress=False)
    for files in write_cohort(plan_random(2, seed=1, size=64, slices=16), place / "made", n_jobs=1, progress=False):
        (place / "VOLUMES").mkdir(exist_ok=True)
        shutil.move(files.volume, place / "VOLUMES" / f"test-{files.volume.name}")
    get_reusable_executor().shutdown(wait=True)  # workers of earlier tests stand in another folder
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        run_commands("own_data.md", patch)
    yield place
    get_reusable_executor().shutdown(wait=True)


@pytest.fixture
def there(room, monkeypatch):
    monkeypatch.chdir(room)
    return room


def test_own_data(there, capsys):
    study = Workspace(there / "study")
    assert study.runs() == ["cascade"]
    assert len(list((there / "masks").glob("*.nii.gz"))) == 5
    names = run_python("own_data.md")
    assert capsys.readouterr().out.count("True") == 5
    assert (names["find_cases"]("converted")[0].reference) == Path("converted/segmentation-0.nii.gz")
    case = names["read_case"](names["find_cases"]("converted")[0])
    assert case.spacing_mm == pytest.approx((2.5, 0.8, 0.8))
    assert names["grid"].orientation == "LPS"


def test_cluster_commands(there, monkeypatch):
    run_commands("cluster.md", monkeypatch)


def test_the_job_is_a_script_of_bash_whose_options_slurm_has():
    (script,) = [block for block in blocks("cluster.md", "bash") if "#SBATCH" in block]
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    first, *lines = script.splitlines()
    assert first == "#!/bin/bash"
    options = [line for line in lines if line.startswith("#SBATCH ")]
    assert options == lines[: len(options)], "sbatch reads no option below the first command"
    commands = lines[len(options) :]
    assert commands
    assert all(line.startswith("lits ") for line in commands)  # which test_cluster_commands runs
    sbatch = ArgumentParser(allow_abbrev=False, exit_on_error=False)  # as in its manual
    sbatch.add_argument("--job-name")
    sbatch.add_argument("--cpus-per-task", type=int)
    sbatch.add_argument("--gres", type=re.compile(r"gpu(:\w+)?:\d+").fullmatch)
    sbatch.add_argument("--time", type=re.compile(r"(\d+-)?\d+:\d\d:\d\d").fullmatch)
    sbatch.add_argument("--requeue", action="store_true")
    given = sbatch.parse_args([word for line in options for word in line.removeprefix("#SBATCH ").split()])
    assert all(vars(given).values())


@pytest.mark.filterwarnings("default")
def test_cluster_with_dask(there):
    pytest.importorskip("distributed", reason="needs the extra cluster")
    program = there / "program.py"  # workers start it anew
    program.write_text("".join(blocks("cluster.md", "python")))
    made = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, env=_environment(ROOT))
    assert made.returncode == 0, made.stderr
    assert "dice_per_case" in made.stdout
    assert len(list((there / "prepared").glob("*.b2nd"))) == 5
    assert len(list((there / "dask_masks").glob("*.nii.gz"))) == 5


def test_submission(there, monkeypatch, capsys):
    run_commands("submission.md", monkeypatch)
    run_python("submission.md")
    assert "['test-segmentation-0.nii', 'test-segmentation-1.nii']" in capsys.readouterr().out


def test_a_block_outside_the_package(monkeypatch):
    from lits_toolkit.models.blocks import BLOCKS

    monkeypatch.setitem(BLOCKS, "separable", None)  # taken out again at the end
    names = run_python("add_a_block.md")
    weights = sum(parameter.numel() for parameter in names["network"].parameters())
    assert weights == names["cost"].parameters
    assert names["loss"].isfinite()


def test_a_block_in_a_clone(there):
    clone = there / "clone"
    shutil.copytree(ROOT / "lits_toolkit", clone / "lits_toolkit", ignore=shutil.ignore_patterns("__pycache__"))
    first = blocks("add_a_block.md", "python")[0]
    moved = re.search(r"^class .*?^BLOCKS.*?$", first, re.M | re.S).group()
    with (clone / "lits_toolkit" / "models" / "blocks.py").open("a") as file:
        file.write(f"\n\n{moved}\n")
    with (clone / "lits_toolkit" / "models" / "encoders.csv").open("a") as file:
        file.write(blocks("add_a_block.md", "csv")[0])
    for line in "".join(blocks("add_a_block.md", "bash")).splitlines():
        arguments = shlex.split(line)[1:]
        command = [sys.executable, "-m", "lits_toolkit", *arguments, *SMALLER.get(arguments[0], [])]
        made = subprocess.run(command, capture_output=True, text=True, env=_environment(clone))
        assert made.returncode == 0, made.stderr
        assert "2d-separable-top" in made.stdout or arguments[0] == "train"
    assert (there / "study" / "models" / "liver" / "2d-separable-top" / "weights.safetensors").is_file()


def _environment(clone):
    before = os.environ.get("PYTHONPATH", "")
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(clone), before]))}


@pytest.mark.skipif(
    not all(map(find_spec, ("mkdocs", "material", "mkdocstrings", "mkdocs_jupyter"))), reason="needs the extra docs"
)
def test_the_site_is_whole_and_fetches_nothing(tmp_path):
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=_environment(ROOT))
    assert made.returncode == 0, made.stderr
    fetched = re.compile(
        r"<(?:script|img|iframe)[^>]*src=\"?(?:https?:)?//|<link[^>]*stylesheet[^>]*href=\"?(?:https?:)?//"
    )
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    assert [page.name for page in pages if fetched.search(page.read_text())] == []
    described = (site / "reference" / "study.html").read_text()
    assert 'id="lits_toolkit.study.submission.pack_submission"' in described
    assert "A prediction is missing, one is too many" in described
    for entry in EXHIBITS:
        if (ROOT / "figures" / entry.file).is_file():
            page = (site / "notebooks" / f"{entry.notebook}.html").read_text()
            assert f"<code>{entry.name}</code>" in page
            assert entry.is_table or f'src="../figures/{entry.file}"' in page
            assert entry.is_table or (site / "figures" / entry.file).is_file()
    start = (site / "notebooks" / "00_start_here.html").read_text()
    order = ('id="a-case-and-what-was-found-in-it"', 'src="../figures/00_prediction.png"', 'id="what-found-it"')
    places = [start.index(each) for each in order]
    assert places == sorted(places), "a picture stands below its cell"
