"""The dissertation's tables of scores with ours beside them (Tustumi, UNICAMP 2020, Tables 4.6 to 4.8).

Every row says what it was measured on: a phantom's score is never LiTS's.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import read_json
from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.models.catalogue import describe_model
from lits_toolkit.study.study_table import DISSERTATION, published_dice, read_published
from lits_toolkit.study.table import Table
from lits_toolkit.study.workspace import COHORT, Workspace

SIZE_COLUMNS = ("block", "layout", "source", *SIZE_GROUPS, "tumors", "note")
CHALLENGE_COLUMNS = (
    "model", "source", "dice_per_case", "dice_global", "voe", "rvd", "assd_mm", "parameters", "note"
)  # fmt: skip

_NETWORKS = {"4.6": "2D networks", "4.7": "3D networks"}
_TEST_CASES = 70
_OFFICIAL = {
    "dice_per_case": "lesion_dice_per_case",
    "dice_global": "lesion_dice_global",
    "voe": "lesion_voe",
    "rvd": "lesion_rvd",
    "assd_mm": "lesion_assd",
}
"""Column of Table 4.8 → its name in the challenge's scores."""


def published_dice_by_size_group(models: Sequence[str] | None = None) -> pd.DataFrame:
    """Dice by size group on LiTS as the dissertation prints it (Tables 4.6 and 4.7).

    Columns: table, model (as in "2d-mobilenet_v2-top"), size_group, dice; for `models` only, where given.
    Raises SettingError for a model that the tables do not have.
    """
    wide = published_dice()
    tidy = wide.melt(["table", "model"], list(SIZE_GROUPS), "size_group", "dice")
    for model in models or ():
        if model not in set(tidy["model"]):
            raise SettingError(f"no published Dice for {model}: the tables have {', '.join(wide['model'])}")
    return tidy if models is None else tidy[tidy["model"].isin(models)].reset_index(drop=True)


def size_table(number: str, study: pd.DataFrame) -> Table:
    """Table 4.6 (2D) or 4.7 (3D), our row below each of the dissertation's.

    Args:
        number: "4.6" or "4.7".
        study: What `study_table` returns.

    Returns:
        Its data has the columns SIZE_COLUMNS; `note` is the method, or why there is none. Methods without a network of
        the two tables come last, with the method as `block`.

    Raises:
        SettingError: `number` is of another table.
    """
    published = published_dice()
    if number not in set(published["table"]):
        raise SettingError(f"table {number}: expected one of {', '.join(dict.fromkeys(published['table']))}")
    models = set(published.loc[published["table"] == number, "model"])
    rows = study[study["model"].isin(models | {""})].reset_index(drop=True)
    names = rows["model"].str.split("-", n=2, expand=True).reindex(columns=range(3))
    none = rows["model"] == ""
    data = rows.assign(
        block=names[1].mask(none, rows["method"]),
        layout=names[2].mask(none, "").fillna(""),
        note=rows["method"].mask(none, "").mask(rows["method"] == "", rows["note"]),
    )[list(SIZE_COLUMNS)]
    ours = next(source for source in rows["source"] if source != DISSERTATION)
    title = f"Table {number} · tumour Dice by size group, {_NETWORKS[number]}; {ours}"
    return Table(title, data, in_print(data), "tumors: how many small, medium and large ones ours is a mean of.")


def challenge_table(submissions: Mapping[str, str | Path] | None = None) -> Table:
    """Table 4.8, the LiTS challenge: what is published, the dissertation's submissions, and room for ours.

    Args:
        submissions: Network's name in the catalogue → a JSON file of the official score of its submission to the
            challenge, under the challenge's names: `official_as_published.json` counts as the challenge does.

    Returns:
        Its data has the columns CHALLENGE_COLUMNS: lesions' scores on the 70 test volumes of LiTS, NaN where none is
        known; RVD with the challenge's sign, `parameters` as printed. Ours are NaN until somebody submits: first the
        networks that the dissertation submitted, then the others of `submissions`.

    Raises:
        SettingError: A name is not in the catalogue.
        InputError: A file lacks a score, or is not of LiTS's 70 test volumes, as of phantoms.
    """
    published = read_published("challenge").fillna({"network": "", "note": ""})
    given = submissions or {}
    networks = [*published.loc[published["network"] != "", "network"], *given]
    source = published["network"].map(lambda network: DISSERTATION if network else "published, LiTS")
    ours = []
    for name in dict.fromkeys(networks):
        scores = _official_scores(Path(given[name])) if name in given else {"note": "not submitted"}
        ours.append({"model": name, "source": "ours, LiTS", "parameters": _parameters(name), "note": ""} | scores)
    columns = list(CHALLENGE_COLUMNS)
    tables = [published.assign(source=source)[columns], pd.DataFrame(ours, columns=columns)]
    floats = [table.astype(dict.fromkeys(_OFFICIAL, float)) for table in tables]
    data = pd.concat(floats, ignore_index=True)
    note = "Ours are empty until somebody submits to the challenge (`lits submit`); nothing else is compared here."
    return Table("Table 4.8 · the LiTS challenge, lesions of the 70 test volumes", data, in_print(data), note)


def in_print(table: pd.DataFrame) -> pd.DataFrame:
    """A table as text: numbers with three digits, "–" where there is none; names are the index, one above the other."""
    text = table.copy()
    for column in table.select_dtypes("number"):
        text[column] = [_three_digits(value) for value in table[column]]
    names = list(table)[: list(table).index("source") + 1]
    return text.set_index(names)


def _parameters(network: str) -> str:
    return f"{describe_model(network).parameters / 1e6:.2f}M"


def _official_scores(path: Path) -> dict[str, Any]:
    _refuse_phantoms(path)
    official = read_json(path)
    missing = [name for name in _OFFICIAL.values() if name not in official]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}: expected the official score of a submission")
    cases = official.get("cases", _TEST_CASES) + official.get("cases_left_out", 0)
    if cases != _TEST_CASES:
        raise InputError(
            f"{path} is of {cases} cases: Table 4.8 is of the {_TEST_CASES} test volumes of LiTS, and of nothing else"
        )
    return {column: official[name] for column, name in _OFFICIAL.items()}


def _refuse_phantoms(path: Path) -> None:
    for folder in path.resolve().parents:
        if (folder / COHORT).is_file() and "phantom" in Workspace(folder).label:
            raise InputError(f"{path} is of a {Workspace(folder).label}: a phantom's score is none of LiTS")


def _three_digits(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"
