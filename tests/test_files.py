import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lits_toolkit.errors import InputError, OutputError
from lits_toolkit.files import (
    output_folder,
    read_json,
    remove,
    remove_partials,
    replacing,
    require_writable,
    write_json,
)


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ValueError, match="half way"), replacing(path) as partial:
        partial.write_text("ne")
        raise ValueError("half way")
    assert [found.name for found in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_success_replaces_and_keeps_the_suffixes_meanwhile(tmp_path):
    with replacing(tmp_path / "deep" / "m.nii.gz") as partial:
        assert partial.name.endswith(".nii.gz")
        partial.write_bytes(b"new")
    assert (tmp_path / "deep" / "m.nii.gz").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "no space"), (errno.EROFS, "read-only"), (errno.EACCES, "permission")],
)
def test_what_the_disk_refuses_is_said_in_words(tmp_path, number, said):
    with pytest.raises(OutputError, match=said), replacing(tmp_path / "a.txt") as partial:
        partial.write_text("half")
        raise OSError(number, "from the system")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_even_be_tidied_is_one_clear_error(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "from the system")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match="read-only"), replacing(tmp_path / "a.txt"):
        refuse()
    with pytest.raises(OutputError, match=r"cannot delete .*read-only"):
        remove(tmp_path / "a.txt")


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        output_folder(tmp_path / "file" / "below")


@pytest.mark.parametrize("folder", ["file", "file/below", "file/far/below"])
def test_what_cannot_be_written_is_known_before(tmp_path, folder):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write into .*is a file, not a folder"):
        require_writable(tmp_path / folder)


def test_a_look_whether_something_can_be_written_leaves_no_trace(tmp_path, monkeypatch):
    require_writable(tmp_path)
    require_writable(tmp_path / "not" / "yet")
    monkeypatch.chdir(tmp_path)
    require_writable("here")
    assert list(tmp_path.iterdir()) == []

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "from the system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OutputError, match="read-only"):
        require_writable(tmp_path)


def test_json_has_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"dice": float("nan"), "list": [1.5, float("nan")]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"dice": None, "list": [1.5, None]}


def test_json_is_utf_8_whatever_the_system_writes(tmp_path):
    code = "import sys; from lits_toolkit.files import *; write_json(sys.argv[1], '\\u2212'); read_json(sys.argv[1])"
    ascii_alone = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.json")], env=ascii_alone, check=True)
    assert read_json(tmp_path / "a.json") == "\u2212"


def test_json_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"b\.json does not exist"):
        read_json(tmp_path / "b.json")
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(InputError, match=r"c\.json"):
        read_json(tmp_path / "c.json")


def test_what_a_killed_process_left_goes_and_nothing_else(tmp_path):
    for name in (".partial-0a1b2c3d-a.b2nd", ".partial-note", "a.b2nd"):
        (tmp_path / name).touch()
    remove_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".partial-note", "a.b2nd"]
