import io
import os
import signal
import subprocess
import sys
from dataclasses import replace

import nbformat
import pytest
from rich.console import Console

from lits_toolkit.errors import InputError, LitsError, OutputError, SettingError
from lits_toolkit.report import registry, render
from lits_toolkit.report.needs import MODELS
from lits_toolkit.report.render import lacks_study, list_exhibits, render_figures
from lits_toolkit.study.workspace import Workspace

DRAW = "from pathlib import Path\nPath(figures, '{}.png').write_text(workspace)"


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


def told(console):
    return console.file.getvalue()


def outputs(path):
    cells = nbformat.read(path, nbformat.NO_CONVERT).cells
    return "".join(output.get("text", "") for cell in cells if cell.cell_type == "code" for output in cell.outputs)


def test_notebooks_run_and_their_pictures_and_executed_copies_are_kept(registered, workspace, console):
    registered(a=[DRAW.format("a")], b=[DRAW.format("b")])
    pictures = render_figures(workspace, console=console)
    assert pictures == [workspace.figures / "a.png", workspace.figures / "b.png"]
    assert {picture.read_text() for picture in pictures} == {str(workspace.folder.resolve())}
    assert sorted(path.name for path in (workspace.figures / "notebooks").iterdir()) == ["a.ipynb", "b.ipynb"]
    assert "a: done after" in told(console)


def test_the_kernel_is_the_running_interpreter_whatever_is_installed(
    registered, workspace, console, tmp_path, monkeypatch
):
    other = tmp_path / "jupyter" / "kernels" / "python3"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "Python 3", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    registered(a=["import sys; print(sys.executable)"])
    render_figures(workspace, console=console)
    assert outputs(workspace.figures / "notebooks" / "a.ipynb").strip() == sys.executable


def test_a_failing_notebook_is_told_with_its_cell_and_the_others_finish(registered, workspace, console):
    registered(a=["x = 1", "raise ValueError('no [bold]luck[/]')"], b=[DRAW.format("b")])
    with pytest.raises(LitsError, match=r"1 of 2 notebooks failed.*\n.*cell In \[4\].*ValueError: no \[bold\]luck"):
        render_figures(workspace, console=console)
    assert (workspace.figures / "b.png").is_file()
    assert "a: failed after" in told(console)
    executed = nbformat.read(workspace.figures / "notebooks" / "a.ipynb", nbformat.NO_CONVERT)
    assert any(output.output_type == "error" for cell in executed.cells for output in cell.get("outputs", []))


def test_a_kernel_that_dies_is_told_and_leaves_nothing_half_written(registered, workspace, console):
    registered(a=["import os; os._exit(7)"])
    with pytest.raises(LitsError, match="a: its process ended with status"):
        render_figures(workspace, console=console)
    assert not list((workspace.figures / "notebooks").glob(".partial*"))


def test_only_what_is_asked_for_runs_and_goes_where_it_is_asked_for(registered, workspace, console, tmp_path):
    registered(a=[DRAW.format("a")], b=[DRAW.format("b")])
    output = tmp_path / "else where"
    assert render_figures(workspace, ["figure-b"], output=output, console=console) == [output / "b.png"]
    assert (output / "b.png").is_file()
    assert not (output / "a.png").exists()
    assert not workspace.figures.exists()


def test_parameters_reach_the_notebooks_that_have_them(registered, write_notebook, workspace, console):
    registered(a=["print(count + 1)"], b=["print('b')"], parameters="count: int = 1\n")
    write_notebook("b", "print('b')")
    render_figures(workspace, parameters={"count": "41"}, console=console)
    assert outputs(workspace.figures / "notebooks" / "a.ipynb") == "42\n"


@pytest.mark.parametrize(
    ("only", "parameters", "words"),
    [
        (None, {"cuont": "1"}, "nearest is 'count'"),
        (None, {"count": "one"}, "expected int"),
        (None, {"case": "volume-3"}, "no such case; the nearest is 'volume-"),
        (None, {"workspace": "other"}, "give it as --workspace"),
        (["figure-c"], {}, "nearest is 'figure-"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(registered, workspace, console, only, parameters, words):
    registered(a=[DRAW.format("a")], parameters='count: int = 1\ncase: str = ""\n')
    with pytest.raises(SettingError, match=words):
        render_figures(workspace, only, parameters, console=console)
    assert not workspace.figures.exists()


def test_what_needs_something_missing_is_left_out_and_named(registered, workspace, console):
    registered(needs=(MODELS,), a=[DRAW.format("a")])
    assert render_figures(workspace, console=console) == []
    assert "a left out: it needs a trained model" in told(console)
    assert "`lits train`" in told(console)
    with pytest.raises(InputError, match="a needs a trained model"):
        render_figures(workspace, ["figure-a"], console=console)


def test_a_picture_that_was_not_drawn_this_time_is_not_named(registered, workspace, console):
    draw = "\n    ".join(["if draws:", *DRAW.format("a").splitlines()])
    registered(a=[draw], parameters="draws: bool = True\n")
    workspace.figures.mkdir()
    (workspace.figures / "a.png").write_text("of another time")
    assert render_figures(workspace, parameters={"draws": False}, console=console) == []
    assert render_figures(workspace, console=console) == [workspace.figures / "a.png"]


def test_a_folder_that_is_no_workspace_is_told(registered, tmp_path, console):
    registered(a=[DRAW.format("a")])
    with pytest.raises(InputError, match="is no workspace: `lits prepare DATA"):
        render_figures(Workspace(tmp_path / "nowhere"), console=console)
    assert not (tmp_path / "nowhere").exists()


def test_what_needs_no_workspace_is_rendered_anywhere_where_it_is_asked_for(registered, tmp_path, console, monkeypatch):
    registered(a=[DRAW.format("a")], b=[DRAW.format("b")])
    monkeypatch.setattr(render, "EXHIBITS", (replace(render.EXHIBITS[0], needs=()), render.EXHIBITS[1]))
    monkeypatch.setattr(registry, "EXHIBITS", render.EXHIBITS)
    nowhere = Workspace(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is no workspace"):
        render_figures(nowhere, console=console)
    assert not nowhere.folder.exists()
    assert render_figures(nowhere, ["a"], console=console) == [nowhere.figures / "a.png"]


def test_a_file_in_the_figures_place_is_told(registered, workspace, console):
    registered(a=[DRAW.format("a")])
    workspace.figures.write_text("a file")
    with pytest.raises(OutputError, match="figures"):
        render_figures(workspace, console=console)


def states(workspace, **given):
    return [each.state for each in list_exhibits(workspace, **given)]


@pytest.mark.slow
def test_what_is_up_to_date_is_left_and_what_is_stale_says_why(registered, write_notebook, workspace, console):
    draws = [DRAW.format("a"), "Path(figures, 'times.txt').open('a').write('x')"]
    registered(a=draws, b=[DRAW.format("b")], parameters="count: int = 1\n")
    assert states(workspace) == ["missing", "missing"]
    pictures = render_figures(workspace, console=console)
    assert states(workspace) == ["there", "there"]
    assert states(workspace, parameters={"count": "2"}) == ["stale: the parameters changed"] * 2
    assert render_figures(workspace, console=console) == pictures
    assert "up to date: a, b" in told(console)
    assert (workspace.figures / "times.txt").read_text() == "x"
    render_figures(workspace, ["figure-a"], console=console)
    render_figures(workspace, again=True, console=console)
    assert (workspace.figures / "times.txt").read_text() == "xxx"
    (workspace.folder / "cohort.json").touch()
    assert states(workspace) == ["there", "there"]
    workspace.prepared.mkdir()
    (workspace.prepared / "volume-1.b2nd").write_text("new")
    write_notebook("b", DRAW.format("b"), "# new")
    assert states(workspace) == ["stale: a cohort changed", "stale: the notebook, a cohort changed"]
    (workspace.figures / "a.png").unlink()
    assert states(workspace, only=["figure-a"]) == ["missing"]
    assert render_figures(workspace, console=console) == pictures
    assert states(workspace) == ["there", "there"]


def test_a_picture_of_unknown_origin_is_stale_and_a_spoilt_record_is_none(registered, workspace, console):
    registered(a=[DRAW.format("a")])
    workspace.figures.mkdir()
    (workspace.figures / "a.png").write_text("of another time")
    assert states(workspace) == ["stale: not known what it was made from"]
    render_figures(workspace, console=console)
    (workspace.figures / "figures.json").write_text('{"a": 3}')
    assert states(workspace) == ["stale: not known what it was made from"]
    render_figures(workspace, console=console)
    assert states(workspace) == ["there"]


def test_a_notebook_that_failed_is_not_up_to_date(registered, workspace, console):
    registered(a=[DRAW.format("a"), "raise ValueError"])
    for _ in range(2):
        with pytest.raises(LitsError, match="1 of 1 notebooks failed"):
            render_figures(workspace, console=console)


def test_what_is_needed_is_listed_with_its_command(registered, workspace):
    registered(needs=(MODELS,), a=[])
    assert states(workspace) == ["needs a trained model: `lits train`"]


def test_a_folder_without_a_study_lacks_one_for_what_needs_one(registered, tmp_path, workspace):
    registered(a=[])
    assert lacks_study(Workspace(tmp_path / "nowhere"), None, {})
    assert not lacks_study(workspace, None, {})
    with pytest.raises(SettingError, match="nearest"):
        lacks_study(Workspace(tmp_path / "nowhere"), ["figure-b"], {})


def test_an_interruption_ends_the_kernels_and_leaves_nothing_half_written(write_notebook, workspace, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    write_notebook("a", f"held_open = open({str(fifo)!r}, 'w')", "import threading; threading.Event().wait()")
    program = f"""
from pathlib import Path

from lits_toolkit.report import freshness, render, running
from lits_toolkit.report.registry import Exhibit
from lits_toolkit.study.workspace import Workspace

render.EXHIBITS = (Exhibit("a", "a", "a.png", "", ()),)
render.find_exhibits = lambda names: list(render.EXHIBITS)
for module in (freshness, render, running):
    module.notebook_folder = lambda: Path({str(tmp_path / "notebooks {in braces}")!r})
render.render_figures(Workspace(Path({str(workspace.folder)!r})))
"""
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as process:
        with fifo.open() as reading:  # opens once the kernel has opened its end
            process.send_signal(signal.SIGINT)
            assert reading.read() == ""  # ends once the kernel is gone
        complaint = process.communicate()[1]
    assert "KeyboardInterrupt" in complaint
    assert not list((workspace.figures / "notebooks").iterdir())
