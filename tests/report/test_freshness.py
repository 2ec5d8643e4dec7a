import pytest

from lits_toolkit.report import freshness
from lits_toolkit.report.freshness import code_fingerprint, files_fingerprint


@pytest.fixture
def files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode() * 100)
    return [tmp_path / "a", tmp_path / "b", tmp_path]


def test_files_are_told_by_content_and_name_and_not_by_time(files):
    first = files_fingerprint(files)
    files[0].touch()
    assert files_fingerprint(files) == first
    renamed = files[0].rename(files[0].with_name("c"))
    assert files_fingerprint([renamed, files[1]]) != first
    renamed.rename(files[0])
    files[1].write_bytes(b"b" * 99 + b"c")
    assert files_fingerprint(files) != first


def test_of_a_large_file_the_length_and_both_ends_count(files, monkeypatch):
    monkeypatch.setattr(freshness, "WHOLE_BYTES", 50)
    monkeypatch.setattr(freshness, "END_BYTES", 10)
    first = files_fingerprint(files)
    for changed in (b"x" + b"a" * 99, b"a" * 99 + b"x", b"a" * 101):
        files[0].write_bytes(changed)
        assert files_fingerprint(files) != first
    files[0].write_bytes(b"a" * 50 + b"x" + b"a" * 49)
    assert files_fingerprint(files) == first


def test_a_folder_moved_is_the_same(files, tmp_path):
    inside = files_fingerprint(files, tmp_path)
    (tmp_path / "moved").mkdir()
    moved = [path.rename(tmp_path / "moved" / path.name) for path in files[:2]]
    assert files_fingerprint(moved, tmp_path / "moved") == inside
    assert files_fingerprint(moved, tmp_path) != inside


def test_the_code_has_one():
    assert len(code_fingerprint()) == 32
