import re
from pathlib import Path

import pytest

from lits_toolkit.data.case import Note
from lits_toolkit.data.doctor.finding import CODES, Finding, finding, has_errors

PAGE = Path(__file__).parents[3] / "docs" / "doctor.md"


def test_a_note_becomes_a_finding_by_the_table():
    found = finding("volume-3", Note("no-liver", "a message"))
    assert found == Finding("volume-3", "error", "no-liver", "a message", CODES["no-liver"].advice)


def test_a_readers_own_code_is_a_warning():
    assert finding("volume-3", Note("something-new", "a message")).severity == "warning"


def test_only_errors_are_errors():
    notes = [finding("a", Note(code, "")) for code in ("padding", "duplicate")]
    assert not has_errors(notes)
    assert has_errors([*notes, finding("a", Note("unreadable", ""))])


@pytest.mark.parametrize("code", CODES)
def test_the_page_explains_the_code_and_its_severity(code):
    text = PAGE.read_text()
    heading = re.search(rf"^### `{code}` · (\w+)$", text, re.MULTILINE)
    assert heading
    assert heading[1] == CODES[code].severity


def test_every_picture_on_the_page_is_there_and_small():
    pictures = re.findall(r"\(doctor/([\w-]+)\.png\)", PAGE.read_text())
    assert sorted(pictures) == sorted(CODES)
    for name in pictures:
        assert (PAGE.parent / "doctor" / f"{name}.png").stat().st_size < 60_000
