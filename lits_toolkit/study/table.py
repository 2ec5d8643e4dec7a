"""A table as it is printed, with the numbers behind it, and how it is saved."""

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from lits_toolkit.files import replacing


@dataclass(frozen=True, eq=False)
class Table:
    """What every function that makes one of the tables returns; a notebook shows it as a cell's last expression."""

    title: str
    """Which table it is, and what its numbers were measured on: a phantom's score is called one."""
    data: pd.DataFrame
    """The numbers in full, one row for each row of the table."""
    text: pd.DataFrame
    """As it is printed: text in every cell, "–" where there is no number; the names of rows are the index."""
    note: str = ""
    """What a reader has to know besides."""

    def _repr_html_(self) -> str:
        """The title above, the note below, whose `code` is code; names that repeat stand once."""
        note = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(self.note))
        note = f"<p>{note}</p>" if note else ""
        return f"<p><b>{escape(self.title)}</b></p>{self.text.to_html()}{note}"

    def to_markdown(self) -> str:
        """The same for a text file."""
        levels = len([name for name in self.text.index.names if name is not None])
        table = _once(self.text.reset_index() if levels else self.text, levels)
        parts = [f"**{self.title}**", table.to_markdown(index=False, disable_numparse=True), self.note]
        return "\n\n".join(part for part in parts if part) + "\n"


def save_table(table: Table, folder: str | Path, name: str) -> Path:
    """Save as `folder/name.md`, as it is printed, and `folder/name.csv`, the numbers in full; returns the first.

    Raises OutputError where the folder cannot be written.
    """
    place = Path(folder) / name
    with replacing(place.with_name(f"{name}.csv")) as partial:
        table.data.to_csv(partial, index=False)
    path = place.with_name(f"{name}.md")
    with replacing(path) as partial:
        partial.write_text(table.to_markdown(), encoding="utf-8")
    return path


def _once(rows: pd.DataFrame, levels: int) -> pd.DataFrame:
    """Names that are the same as in the row above left empty, the last of them kept."""
    shown = rows.astype(str)
    same = pd.Series(True, rows.index)
    for column in list(rows)[: max(levels - 1, 0)]:
        same &= rows[column].eq(rows[column].shift())
        shown[column] = rows[column].astype(str).mask(same, "")
    return shown
