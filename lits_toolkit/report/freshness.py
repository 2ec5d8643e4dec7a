"""Whether a figure or table is what its notebook would make now: told by contents, never by clocks."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lits_toolkit.files import content_hash, read_json, write_json
from lits_toolkit.report.needs import Need
from lits_toolkit.report.notebooks import notebook_folder, places_of, read_parameters
from lits_toolkit.report.registry import ONLY_WITH, Exhibit
from lits_toolkit.study.workspace import Workspace

RECORD = "figures.json"
"""In the folder of figures: what each notebook was last run with."""
WHOLE_BYTES = 2**26
"""A file up to this size is read whole; of a larger one the length, the beginning and the end, where a .gz has the
checksum of its content."""
END_BYTES = 2**20


@dataclass(frozen=True)
class Made:
    """What is known of a notebook's last run."""

    inputs: dict[str, str]
    """What it was made from, "the code" or "scores", and a fingerprint of it."""
    files: tuple[str, ...]
    """What it made."""
    seconds: float


class Fingerprints:
    """Of what the notebooks are made from in one workspace, each taken once."""

    def __init__(self, workspace: Workspace, given: Mapping[str, Any]) -> None:
        self.workspace = workspace
        self.given = given
        """The parameters given to the notebooks, fitted."""
        self._of_need: dict[str, str] = {}

    def of(self, notebook: str, exhibits: Iterable[Exhibit]) -> dict[str, str]:
        """Of all that a notebook's exhibits are made from, by its name."""
        path = notebook_folder() / f"{notebook}.ipynb"
        known = read_parameters(path)
        given = {
            name: value for name, value in sorted(self.given.items()) if name in known and value != known[name].default
        }
        places = [place for name, value in given.items() for place in places_of(name, value)]
        found = {
            "the code": code_fingerprint(),
            "the notebook": content_hash(path.read_bytes()),
            "the parameters": content_hash(repr(given).encode()),
        }
        if places:
            found["what the parameters name"] = files_fingerprint(
                path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*")))
            )
        for need in {need.name: need for entry in exhibits for need in (*entry.needs, *entry.reads)}.values():
            found[need.name] = self._need(need)
        return found

    def _need(self, need: Need) -> str:
        if need.name not in self._of_need:
            self._of_need[need.name] = files_fingerprint(need.files(self.workspace), self.workspace.folder)
        return self._of_need[need.name]


def files_fingerprint(paths: Iterable[Path], folder: Path | None = None) -> str:
    """One fingerprint of files, by their contents and their names, in `folder` where one is given."""
    found = hashlib.blake2b(digest_size=16)
    for path in paths:
        if not path.is_file():
            continue
        found.update(f"{path.relative_to(folder) if folder else path.name}\n".encode())
        size = path.stat().st_size
        with path.open("rb") as file:
            if size <= WHOLE_BYTES:
                found.update(file.read())
            else:
                found.update(f"{size}".encode() + file.read(END_BYTES))
                file.seek(-END_BYTES, 2)
                found.update(file.read())
    return found.hexdigest()


@cache
def code_fingerprint() -> str:
    """Of the library itself, as it is on disk."""
    package = Path(__file__).resolve().parents[1]
    kinds = (".py", ".csv", ".js", ".css", ".json", ".mplstyle")
    return files_fingerprint(sorted(path for path in package.rglob("*") if path.suffix in kinds), package)


def read_record(figures: Path) -> dict[str, Made]:
    """What is known of the notebooks' last runs into a folder, by notebook; nothing where no record can be read."""
    if not (figures / RECORD).is_file():
        return {}
    try:
        return {
            name: Made(dict(made["inputs"]), tuple(made["files"]), float(made["seconds"]))
            for name, made in read_json(figures / RECORD).items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):  # another version's, or edited: all is made anew
        return {}


def write_record(figures: Path, record: Mapping[str, Made]) -> None:
    """Keep what is known of the notebooks' last runs."""
    write_json(figures / RECORD, {name: asdict(made) for name, made in record.items()})


def is_up_to_date(made: Made | None, inputs: Mapping[str, str], figures: Path) -> bool:
    """Whether a notebook's last run was of these inputs, and all that it made is still there."""
    return made is not None and made.inputs == inputs and all((figures / name).is_file() for name in made.files)


def unmet(exhibits: Sequence[Exhibit], workspace: Workspace, given: Mapping[str, Any]) -> Need | None:
    """The first thing that the exhibits need and the workspace does not have."""
    for entry in exhibits:
        for need in entry.needs:
            if not need.is_met(workspace, given):
                return need
    return None


def state_of(entry: Exhibit, made: Made | None, inputs: Mapping[str, str], figures: Path, missing: Need | None) -> str:
    """In words: "there", "stale: scores changed", "missing", "needs a cohort: `lits prepare`", or what asks for it."""
    if (figures / entry.file).is_file() and made is not None and entry.file in made.files:
        changed = [name for name, value in inputs.items() if made.inputs.get(name) != value]
        return f"stale: {', '.join(changed)} changed" if changed else "there"
    if missing is not None:
        return f"needs {missing.name}: `{missing.command}`"
    if (figures / entry.file).is_file():
        return "stale: not known what it was made from"
    parameter, value = ONLY_WITH.get(entry.name, ("", ""))
    return f"missing: asks for -p {parameter}={value}" if parameter else "missing"
