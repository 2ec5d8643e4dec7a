"""The notebooks: where they are, what parameters they take, and whether given values fit."""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lits_toolkit.data.folders import split_places
from lits_toolkit.errors import InputError, SettingError, nearest
from lits_toolkit.files import read_json
from lits_toolkit.models.catalogue import model_names
from lits_toolkit.training.settings import make_settings

_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "dict": dict}
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
"""What stands for a bool in text."""
_PATHS = ("data", "_file", "_folder", "references", "volumes")
_PATH_LISTS = ("predictions", "probabilities")
_PATHS_OF_NETWORKS = "submissions"


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell: `name: type = default  # comment`."""

    name: str
    type: type
    default: Any
    comment: str


def notebook_folder() -> Path:
    """Where the notebooks are: in the installed package, or beside it in a clone.

    Raises InputError where there are none.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if folder.is_dir():
            return folder
    raise InputError(f"the notebooks are missing: expected them in {package / 'notebooks'}; install lits-toolkit anew")


@cache
def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """The parameters of a notebook by name, read from the cell tagged "parameters" without running it.

    Raises InputError for a parameter that is not written as `name: type = default`, with str, int, float, bool or dict.
    """
    cells = [cell for cell in read_json(notebook)["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    source = "".join(cells[0]["source"]) if cells else ""
    found = {}
    for line in ast.parse(source).body:
        match line:
            case ast.AnnAssign(ast.Name(name), ast.Name(kind), ast.expr() as value) if kind in _TYPES:
                comment = source.splitlines()[line.lineno - 1][line.end_col_offset or 0 :].partition("#")[2].strip()
                found[name] = Parameter(name, _TYPES[kind], ast.literal_eval(value), comment)
            case _:
                raise InputError(
                    f"{notebook.name}: expected parameters as `name: type = default` with "
                    f"{', '.join(_TYPES)}; found `{ast.unparse(line)}`"
                )
    return found


def fit_parameters(
    given: Mapping[str, Any], known: Mapping[str, Parameter], choices: Mapping[str, list[str]]
) -> dict[str, Any]:
    """The given values as the notebooks take them, text from a command line read as the parameter's type.

    A parameter in `choices` has to be one of those (or empty, which stands for the notebook's own choice). What is
    called data, references or volumes, or ends in _file or _folder, has to exist, and so does each place of
    predictions or probabilities, parted by commas, and each file of `submissions`, by a network's name; `settings` have
    to be settings of a training run. Raises SettingError or InputError for the first that does not fit.
    """
    fitted: dict[str, Any] = {}
    for name, raw in given.items():
        if name not in known:
            raise SettingError(
                f"no notebook has a parameter {name!r}; {nearest(name, known)}, there are: {', '.join(sorted(known))}"
            )
        value: Any = _as_type(known[name], raw)
        if value and name in choices and value not in choices[name]:
            raise SettingError(f"{name}={value}: there is no such {name}; {nearest(value, choices[name])}")
        if value and name.endswith(_PATHS):
            value = _existing(name, value)
        if value and name in _PATH_LISTS:
            value = ",".join(_existing(name, place) for place in split_places(value))
        if name == _PATHS_OF_NETWORKS:
            value = {_network(network): _existing(network, str(place)) for network, place in value.items()}
        if name == "settings":
            make_settings(value)
        fitted[name] = value
    return fitted


def places_of(name: str, value: Any) -> list[Path]:
    """The files and folders that a fitted parameter names; none where it is no such parameter."""
    if name in _PATH_LISTS:
        return [Path(place) for place in split_places(value)]
    if name == _PATHS_OF_NETWORKS:
        return [Path(place) for place in value.values()]
    return [Path(value)] if value and name.endswith(_PATHS) else []


def _as_type(parameter: Parameter, value: object) -> object:
    wanted = parameter.type
    if type(value) is wanted:
        return value
    if wanted is float and type(value) is int:
        return float(value)
    if isinstance(value, str):
        try:
            if wanted is dict:
                value = json.loads(value)
                if isinstance(value, dict):
                    return value
            else:
                return TRUTH[value.lower()] if wanted is bool else wanted(value)
        except (KeyError, ValueError):
            pass
    expected = {bool: "true or false", dict: 'JSON such as {"epochs": 3}'}.get(wanted, wanted.__name__)
    raise SettingError(f"{parameter.name}={value}: expected {expected}, found {type(value).__name__} {value!r}")


def _network(name: str) -> str:
    if name not in model_names():
        raise SettingError(f"no model is called {name!r}; {nearest(name, model_names())}")
    return name


def _existing(name: str, value: str) -> str:
    path = Path(value).expanduser().resolve()
    if not path.exists():
        raise InputError(f"{name}={value}: {path} does not exist{_nearest_file(path)}")
    return str(path)


def _nearest_file(path: Path) -> str:
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"; {nearest(path.name, beside)}" if beside else ""
