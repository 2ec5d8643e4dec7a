import io
import os
import zipfile

import pytest

from lits_toolkit.data.folders import by_folder_name, opened, size_and_time, split_places
from lits_toolkit.errors import InputError

FILES = {"a/slice-2": b"two", "a/slice-10": b"ten", "b/slice-1": b"one"}


@pytest.fixture(params=["folder", "zip", "zip in a zip", "folder in a zip"])
def place(request, tmp_path):
    """The same three files, and hidden ones beside them, in each form."""
    files = FILES | {"a/._slice-2": b"-", "__MACOSX/a/slice-2": b"-", ".git/head": b"-"}
    if request.param == "folder":
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        return tmp_path
    inner = zipped({f"deep/{name}" if request.param == "folder in a zip" else name: files[name] for name in files})
    if request.param == "zip in a zip":
        (tmp_path / "outer.zip").write_bytes(zipped({"x/inner.zip": inner}))
        return tmp_path / "outer.zip" / "x" / "inner.zip"
    (tmp_path / "outer.zip").write_bytes(inner)
    return tmp_path / "outer.zip" / "deep" if request.param == "folder in a zip" else tmp_path / "outer.zip"


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_every_form_reads_alike_in_natural_order(place):
    with opened(place) as entries:
        assert [(entry.name, entry.read()) for entry in entries] == list(FILES.items())


def test_what_is_not_there_or_damaged_is_told(tmp_path):
    (tmp_path / "no.zip").write_text("text")
    (tmp_path / "outer.zip").write_bytes(zipped({"a": b"1"}))
    for place in ("nowhere", "no.zip", "outer.zip/inner.zip"):
        with pytest.raises(InputError, match=place), opened(tmp_path / place):
            pass


def test_size_and_time_notice_a_change(tmp_path):
    for name, content, time in (("a", b"12", 5), ("b", b"345", 7)):
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
        os.utime(tmp_path / "folder" / name, ns=(time, time))
    assert size_and_time(tmp_path / "folder" / "a") == (2, 5)
    assert size_and_time(tmp_path / "folder") == (5, 7)
    (tmp_path / "x.zip").write_bytes(b"1234")
    os.utime(tmp_path / "x.zip", ns=(9, 9))
    assert size_and_time(tmp_path / "x.zip" / "inside") == (4, 9)
    with pytest.raises(FileNotFoundError):
        size_and_time(tmp_path / "nowhere")


def test_a_list_of_places_is_parted_by_commas_unless_it_is_one_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert split_places("a, b") == ["a", "b"]
    (tmp_path / "a, b").mkdir()
    assert split_places("a, b") == ["a, b"]
    assert split_places(" , ") == split_places("") == []


def test_places_that_are_called_alike_have_the_folder_above_in_their_names(tmp_path):
    places = [tmp_path / "one" / "masks", tmp_path / "other" / "masks", tmp_path / "mine"]
    assert by_folder_name(places) == dict(zip(["one/masks", "other/masks", "mine"], places, strict=True))
